// Finds the quotes of a line in one pass, and whether it holds what needs more care.
//
//   QuoteScan scan;
//   scan.Read(line);
//   scan.count();  scan.at(0);         // where the n-th quote stands
//   scan.ascii();  scan.escapes();     // is every byte below 128? is there a backslash?
//
// A quote behind an odd number of backslashes is text and not listed. At most kQuotesMax are listed:
// what follows belongs to fields that nobody reads. Reads nothing beyond the line.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace tocsin {

class QuoteScan {
 public:
  static constexpr std::size_t kQuotesMax = 32;

  // REQUIRES: line.size() < 2^32.
  void Read(std::string_view line) {
    count_ = 0;
    unsigned seen_high = 0;
    unsigned seen_backslash = 0;
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const auto block = [&](const char* bytes, std::size_t offset) {
      const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes));
      seen_high |= static_cast<unsigned>(_mm_movemask_epi8(text));
      seen_backslash |= static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(text, backslash)));
      auto quotes = static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(text, quote)));
      for (; quotes != 0 && count_ < kQuotesMax; quotes &= quotes - 1) {
        at_[count_++] = static_cast<std::uint32_t>(offset) +
                        static_cast<std::uint32_t>(std::countr_zero(quotes));
      }
    };
    std::size_t offset = 0;
    for (; offset + 16 <= line.size(); offset += 16) block(line.data() + offset, offset);
    if (offset < line.size()) {
      char rest[16] = {};
      std::memcpy(rest, line.data() + offset, line.size() - offset);
      block(rest, offset);
    }
#else
    for (std::size_t i = 0; i < line.size(); ++i) {
      seen_high |= static_cast<unsigned char>(line[i]) & 0x80u;
      seen_backslash |= line[i] == '\\' ? 1u : 0u;
      if (line[i] == '"' && count_ < kQuotesMax) at_[count_++] = static_cast<std::uint32_t>(i);
    }
#endif
    ascii_ = seen_high == 0;
    escapes_ = seen_backslash != 0;
    if (escapes_) DropEscaped(line);
  }

  std::size_t count() const { return count_; }
  // REQUIRES: n < count().
  std::size_t at(std::size_t n) const { return at_[n]; }
  bool ascii() const { return ascii_; }
  bool escapes() const { return escapes_; }

 private:
  void DropEscaped(std::string_view line) {
    std::size_t kept = 0;
    for (std::size_t n = 0; n < count_; ++n) {
      std::size_t backslashes = 0;
      while (backslashes < at_[n] && line[at_[n] - 1 - backslashes] == '\\') ++backslashes;
      if (backslashes % 2 == 0) at_[kept++] = at_[n];
    }
    count_ = kept;
  }

  std::array<std::uint32_t, kQuotesMax> at_;
  std::size_t count_ = 0;
  bool ascii_ = true;
  bool escapes_ = false;
};

}  // namespace tocsin
