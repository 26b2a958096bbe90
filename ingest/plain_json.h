// Walks JSON that is plain: what nearly every log line is, and nothing that takes care to read.
//
//   PlainJson json(text.data());               // stands at the first byte
//   std::string_view key, value;
//   if (json.Skip('{') && json.String(&key) && json.Skip(':') && json.Scalar(&value)) …
//   else …                                // not plain, or not JSON: a full parser decides
//
// Plain are ASCII strings without escapes or control characters, numbers, true, false and null,
// with at most one space between tokens. Every call says whether what stood there was that; after a
// false the position means nothing. All that is accepted is valid JSON. REQUIRES: 16 readable bytes
// behind the text, of which the first that is not part of more text is a control character; whether
// the text was left is for the caller to see at its end (`position`).
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace tocsin {

class PlainJson {
 public:
  explicit PlainJson(const char* text) : at_(text) {}

  const char* position() const { return at_; }
  void Advance(std::size_t bytes) { at_ += bytes; }
  char Peek() const { return *at_; }

  void SkipSpace() {
    if (*at_ == ' ') ++at_;
  }
  // This byte, with a space before it or none.
  bool Skip(char c) {
    SkipSpace();
    if (*at_ != c) return false;
    ++at_;
    return true;
  }

  // A string, whose quotes are not in `text`.
  bool String(std::string_view* text) {
    if (*at_ != '"') return false;
    const char* const begin = ++at_;
    at_ = StringEnd(begin);
    *text = {begin, static_cast<std::size_t>(at_ - begin)};
    return *at_++ == '"';
  }

  // A number as most are: digits, perhaps a point and digits, as an integer no more than 2^53. Such
  // an integer and such a power of ten are exact as doubles, so that one division rounds correctly.
  bool PlainNumber(double* number) {
    static constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                              1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                              1e14, 1e15, 1e16, 1e17, 1e18};
    const char* const begin = at_;
    std::uint64_t digits = 0;
    for (; IsDigit(*at_); ++at_) digits = 10 * digits + static_cast<std::uint64_t>(*at_ - '0');
    const std::ptrdiff_t integers = at_ - begin;
    std::ptrdiff_t decimals = 0;
    if (integers == 0 || (*begin == '0' && integers > 1)) return false;
    if (*at_ == '.') {
      const char* const point = at_++;
      for (; IsDigit(*at_); ++at_) digits = 10 * digits + static_cast<std::uint64_t>(*at_ - '0');
      decimals = at_ - point - 1;
      if (decimals == 0) return false;
    }
    if (integers + decimals > kDigitsMax || digits > kExactMax || *at_ == 'e' || *at_ == 'E') {
      return false;
    }
    *number = static_cast<double>(digits) / kPowersOfTen[decimals];
    return true;
  }

  // A number as RFC 8259 has it, true, false or null.
  bool Scalar(std::string_view* token) {
    const char* const begin = at_;
    const bool valid = IsDigit(*at_) || *at_ == '-' ? Number() : Word();
    *token = {begin, static_cast<std::size_t>(at_ - begin)};
    return valid;
  }

 private:
  static constexpr std::ptrdiff_t kDigitsMax = 18;  // fewer than would overflow
  static constexpr std::uint64_t kExactMax = std::uint64_t{1} << 53;

  static bool IsDigit(char c) { return c >= '0' && c <= '9'; }
  bool Digits() {
    const char* const begin = at_;
    while (IsDigit(*at_)) ++at_;
    return at_ > begin;
  }
  bool Number() {
    if (*at_ == '-') ++at_;
    const bool leading_zero = *at_ == '0';
    const char* const begin = at_;
    if (!Digits() || (leading_zero && at_ - begin > 1)) return false;
    if (*at_ == '.') {
      ++at_;
      if (!Digits()) return false;
    }
    if (*at_ != 'e' && *at_ != 'E') return true;
    ++at_;
    if (*at_ == '+' || *at_ == '-') ++at_;
    return Digits();
  }
  bool Word() {
    for (const std::string_view word : {"true", "false", "null"}) {
      if (std::string_view(at_, word.size()) != word) continue;
      at_ += word.size();
      return true;
    }
    return false;
  }

  // The first byte that cannot simply be part of a string.
  static const char* StringEnd(const char* at) {
#ifdef __SSE2__
    for (;; at += 16) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
      const __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
      const __m128i escapes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
      // Signed: bytes from 128 on are negative.
      const __m128i others = _mm_cmplt_epi8(bytes, _mm_set1_epi8(' '));
      const int found = _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quotes, escapes), others));
      if (found != 0) return at + std::countr_zero(static_cast<unsigned>(found));
    }
#else
    while (*at != '"' && *at != '\\' && static_cast<signed char>(*at) >= ' ') ++at;
    return at;
#endif
  }

  const char* at_;
};

}  // namespace tocsin
