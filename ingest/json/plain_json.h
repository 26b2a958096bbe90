// A fast reader for plain JSON, the simple subset that nearly every log line uses.
//
//   PlainJson json(text.data());               // positioned at the first byte
//   std::string_view key, value;
//   if (json.Skip('{') && json.String(&key) && json.Skip(':') && json.Scalar(&value)) …
//   else …                                // not plain, or not JSON: a full parser decides
//
// Plain JSON has only ASCII strings without escapes or control characters, numbers, true, false and
// null, with at most one space between tokens. Every call returns whether the expected token was
// found; after false the position is unspecified. Everything accepted is valid JSON. Reading may
// run past the end of the text: the caller must check `position`. REQUIRES: 32 readable bytes after
// the text; the first of them that does not belong to further text is a control character.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "core/ascii.h"

namespace tocsin {

class PlainJson {
 public:
  explicit PlainJson(const char* text) : at_(text) {}

  const char* position() const { return at_; }

  // A byte string that can be matched again with one or two SIMD comparisons. Strings longer than
  // 32 bytes never match.
  class Stretch {
   public:
    Stretch() = default;
    Stretch(const char* begin, const char* end) {
      const auto length = static_cast<std::size_t>(end - begin);
      if (length > sizeof bytes_) return;
      std::copy(begin, end, bytes_);
      length_ = static_cast<unsigned>(length);
      const auto mask = static_cast<std::uint32_t>((std::uint64_t{1} << length) - 1);
      first_mask_ = mask & 0xFFFF;
      second_mask_ = mask >> 16;
    }

   private:
    friend class PlainJson;
    alignas(16) char bytes_[32] = {};
    // One bit for each byte to compare, per half. These initial values never match.
    unsigned first_mask_ = ~0u;
    unsigned second_mask_ = 0;
    unsigned length_ = 0;
  };
  bool Skip(const Stretch& stretch) {
#ifdef __SSE2__
    const auto has = [&](unsigned mask, std::size_t from) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_ + from));
      const __m128i wanted =
          _mm_load_si128(reinterpret_cast<const __m128i*>(stretch.bytes_ + from));
      const auto same = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted)));
      return (same & mask) == mask;
    };
    if (!has(stretch.first_mask_, 0)) return false;
    if (stretch.length_ > 16 && !has(stretch.second_mask_, 16)) return false;
#else
    if (stretch.length_ == 0) return false;
    if (std::memcmp(at_, stretch.bytes_, stretch.length_) != 0) return false;
#endif
    at_ += stretch.length_;
    return true;
  }

  void SkipSpace() {
    if (*at_ == ' ') ++at_;
  }
  // This byte, optionally preceded by one space.
  bool Skip(char c) {
    if (*at_ == c) {
      ++at_;
      return true;
    }
    if (*at_ != ' ' || at_[1] != c) return false;
    at_ += 2;
    return true;
  }

  // A string; `text` excludes the quotes.
  bool String(std::string_view* text) { return Skip('"') && StringRest(text); }
  // The same after the opening quote.
  bool StringRest(std::string_view* text) {
    const char* const begin = at_;
    at_ = StringEnd(begin);
    *text = {begin, static_cast<std::size_t>(at_ - begin)};
    return *at_++ == '"';
  }

  // A common number: digits, optionally a point and more digits; as an integer at most 2^53.
  struct Decimal {
    std::uint64_t digits = 0;  // without the point
    unsigned decimals = 0;     // number of digits after the point

    // Correctly rounded, because the integer and the power of ten are both exact as doubles.
    double ToDouble() const {
      static constexpr double kPowersOfTen[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,
                                                1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13,
                                                1e14, 1e15, 1e16, 1e17, 1e18};
      return static_cast<double>(digits) / kPowersOfTen[decimals];
    }
  };
  bool Number(Decimal* number) {
    const bool leading_zero = *at_ == '0';
    const unsigned integers = Digits(&number->digits);
    if (integers == 0 || (leading_zero && integers > 1)) return false;
    if (*at_ == '.') {
      ++at_;
      number->decimals = Digits(&number->digits);
      if (number->decimals == 0) return false;
    }
    return integers + number->decimals <= kDigitsMax && number->digits <= kExactMax &&
           *at_ != 'e' && *at_ != 'E';
  }

  // An RFC 8259 number, true, false or null.
  bool Scalar(std::string_view* token) {
    const char* const begin = at_;
    const bool valid = IsDigit(*at_) || *at_ == '-' ? AnyNumber() : Word();
    *token = {begin, static_cast<std::size_t>(at_ - begin)};
    return valid;
  }

 private:
  static constexpr unsigned kDigitsMax = 18;  // cannot overflow 64 bits
  static constexpr std::uint64_t kExactMax = std::uint64_t{1} << 53;

  // Reads digits and appends them to `number`. Returns how many there were.
  unsigned Digits(std::uint64_t* number) {
    static constexpr std::uint64_t kPowersOfTen[] = {
        1, 10, 100, 1'000, 10'000, 100'000, 1'000'000, 10'000'000, 100'000'000};
    for (unsigned count = 0;;) {
      std::uint64_t some;
      const unsigned found = UpToEightDigits(&some);
      *number = *number * kPowersOfTen[found] + some;
      at_ += found;
      count += found;
      if (found < 8) return count;
    }
  }
  // Without a branch on the number of digits, which would be mispredicted often.
  unsigned UpToEightDigits(std::uint64_t* number) const {
    if constexpr (std::endian::native == std::endian::little) {
      std::uint64_t bytes;
      std::memcpy(&bytes, at_, sizeof bytes);
      // Digits are 0x30 to 0x39: the high nibble is 3 and stays 3 when 6 is added. A carry into the
      // next byte can come only from a byte that is not a digit, after which no byte matters.
      constexpr std::uint64_t kUpper = 0xF0F0F0F0F0F0F0F0;
      constexpr std::uint64_t kThrees = 0x3030303030303030;
      const std::uint64_t others =
          ((bytes & kUpper) ^ kThrees) | (((bytes + 0x0606060606060606) & kUpper) ^ kThrees);
      const unsigned bits = static_cast<unsigned>(std::countr_zero(others)) & ~7u;
      *number = 0;
      if (bits == 0) return 0;
      // Move the digits to the high end, with zeros before them; the low bytes come first.
      bytes = (bytes & 0x0F0F0F0F0F0F0F0F) << (64 - bits);
      // Combine neighbours: pairs, then fours, then all eight.
      bytes = (bytes * 10 + (bytes >> 8)) & 0x00FF00FF00FF00FF;
      bytes = (bytes * 100 + (bytes >> 16)) & 0x0000FFFF0000FFFF;
      *number = (bytes * 10'000 + (bytes >> 32)) & 0xFFFFFFFF;
      return bits / 8;
    } else {
      unsigned count = 0;
      for (*number = 0; count < 8 && IsDigit(at_[count]); ++count) {
        *number = 10 * *number + static_cast<std::uint64_t>(at_[count] - '0');
      }
      return count;
    }
  }
  bool Digits() {
    const char* const begin = at_;
    while (IsDigit(*at_)) ++at_;
    return at_ > begin;
  }
  bool AnyNumber() {
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
