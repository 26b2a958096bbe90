// Scans lines whose fields are separated by spaces or quoted, such as access logs.
//
//   FieldScanner scan(record);                // 203.0.113.7 - - "a \"b\"" 200 17 …
//   for (; !scan.done(); scan.EndLine()) {
//     scan.BeginLine();
//     scan.Word(&address);                    // up to, not including, the next space
//     if (scan.Skip(" - - \"") && scan.Quoted(&text)) …     // text: a \"b\", still escaped
//     scan.Rest();                            //  200 17 …
//   }
//
// Every call returns whether the expected item was found. After false the position is unspecified
// but still within the same line. The end of a line is searched only on demand; no field extends
// beyond it. Quoted fields are scanned 64 bytes at a time; nothing beyond the record is read.
// `ascii` and `escapes` tell whether the scanned part of the line was all ASCII and whether it
// contained a backslash. Lines are split as in text_lines.h.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/limits.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace tocsin {

class FieldScanner {
 public:
  explicit FieldScanner(std::string_view record)
      : at_(record.data()),
        begin_(at_),
        end_(at_ + record.size()),
        line_(at_),
        block_(at_),
        block_end_(at_) {}

  bool done() const { return at_ == end_; }
  void BeginLine() {
    line_ = at_;
    ascii_ = true;
    escapes_ = false;
  }
  // The whole line, and its unscanned rest.
  std::string_view Line() const { return From(line_); }
  std::string_view Rest() const { return From(at_); }
  bool AtLineEnd() const { return IsLineEnd(at_); }
  bool IsTooLong() const {
    const std::size_t size = AtLineEnd() ? static_cast<std::size_t>(at_ - line_) : Line().size();
    return size > limits::kEventBytesMax;
  }
  void EndLine() {
    if (at_ < end_ && *at_ != '\n') at_ = LineFeed(at_);
    if (at_ < end_) ++at_;
  }

  // The bytes from the position to the end of the record, including the following lines.
  std::string_view ahead() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }
  // Whether the line ends `bytes` bytes ahead. REQUIRES, here and below: bytes <= ahead().size(),
  // and those bytes belong to this line.
  bool IsLineEnd(std::size_t bytes) const { return IsLineEnd(at_ + bytes); }
  // Skips bytes that are known to be ASCII without a backslash.
  void Advance(std::size_t bytes) { at_ += bytes; }
  // Skips bytes that are not.
  void AdvanceOverAny(std::size_t bytes) {
    at_ += bytes;
    ascii_ = false;
  }
  bool ascii() const { return ascii_; }
  bool escapes() const { return escapes_; }

  bool Skip(std::string_view literal) {
    if (!ahead().starts_with(literal)) return false;
    at_ += literal.size();
    return true;
  }

  bool Word(std::string_view* text) {
    const char* const begin = at_;
#ifdef __SSE2__
    if (end_ - at_ >= 16) {
      // This also stops at any control character, such as a line feed. One that belongs to the word
      // is handled by the loop below.
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at_));
      const __m128i low = _mm_cmpgt_epi8(_mm_set1_epi8(' ' + 1), bytes);  // and all from 128 on
      const unsigned found = Mask(low);
      at_ += found == 0 ? 16 : std::countr_zero(found);
    }
#endif
    for (; at_ < end_ && *at_ != ' ' && *at_ != '\n'; ++at_) {
      ascii_ = ascii_ && static_cast<signed char>(*at_) >= 0;
    }
    *text = {begin, static_cast<std::size_t>(at_ - begin)};
    return at_ < end_ && *at_ == ' ';
  }

  // Reads from just after an opening quote to the first unescaped closing quote and skips that.
  bool Quoted(std::string_view* text) {
    const char* const begin = at_;
    for (;;) {
      const char* const stop = NextSpecial(at_);
      if (stop == nullptr || *stop == '\n') return false;
      if (*stop == '"') {
        *text = {begin, static_cast<std::size_t>(stop - begin)};
        at_ = stop + 1;
        return true;
      }
      const bool escape = *stop == '\\';
      escapes_ = escapes_ || escape;
      ascii_ = ascii_ && escape;
      if (escape && (end_ - stop < 2 || stop[1] == '\n')) return false;
      at_ = stop + (escape ? 2 : 1);
    }
  }

 private:
  const char* LineFeed(const char* at) const {
    const auto* const found =
        static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end_ - at)));
    return found == nullptr ? end_ : found;
  }
  bool IsLineEnd(const char* at) const {
    if (at == end_ || *at == '\n') return true;
    return *at == '\r' && (at + 1 == end_ || at[1] == '\n');
  }
  // From `at` to the end of the line.
  std::string_view From(const char* at) const {
    const char* const feed = LineFeed(at);
    std::string_view text(at, static_cast<std::size_t>(feed - at));
    if (text.ends_with('\r')) text.remove_suffix(1);
    return text;
  }

  // The first quote, backslash, line feed or byte >= 128 at or after `at`; nullptr: none.
  const char* NextSpecial(const char* at) {
#ifdef __SSE2__
    if (end_ - begin_ >= kBlock) {
      for (;;) {
        if (at < block_end_) {
          const std::uint64_t found = found_ >> (at - block_);
          if (found != 0) return at + std::countr_zero(found);
          at = block_end_;
        }
        if (at >= end_) return nullptr;
        // Near the end of the record the block starts earlier; its first bytes are ignored.
        block_ = std::min(at, end_ - kBlock);
        block_end_ = block_ + kBlock;
        found_ = SpecialsOf(block_);
      }
    }
#endif
    for (; at < end_; ++at) {
      if (*at == '"' || *at == '\\' || *at == '\n' || static_cast<signed char>(*at) < 0) return at;
    }
    return nullptr;
  }
#ifdef __SSE2__
  static constexpr std::ptrdiff_t kBlock = 64;

  // The high bit of each byte: set by a comparison, or because the byte is >= 128.
  static unsigned Mask(__m128i bytes) { return static_cast<unsigned>(_mm_movemask_epi8(bytes)); }
  static std::uint64_t SpecialsOf(const char* block) {
    const auto in16 = [block](int from) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + from));
      const __m128i quotes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
      const __m128i escapes = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
      const __m128i feeds = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'));
      return std::uint64_t{
          Mask(_mm_or_si128(_mm_or_si128(quotes, escapes), _mm_or_si128(feeds, bytes)))};
    };
    return in16(0) | (in16(16) << 16) | (in16(32) << 32) | (in16(48) << 48);
  }
#endif

  const char* at_;
  const char* const begin_;
  const char* const end_;
  const char* line_;
  // The block that NextSpecial scanned last, and the special bytes in it, one bit each.
  const char* block_;
  const char* block_end_;
  std::uint64_t found_ = 0;
  bool ascii_ = true;
  bool escapes_ = false;
};

}  // namespace tocsin
