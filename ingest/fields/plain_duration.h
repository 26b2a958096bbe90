// Fast parser for durations like "12.345ms": a decimal with a common unit, as most logs write them.
//
//   DurationUs duration = PlainDuration::Parse(text);         // −1: another form
//
// The result is bit-identical to EventBuilder's digit-by-digit parser: all digits as an integer,
// divided by a power of ten, times the unit in milliseconds, rounded to whole microseconds.
// Thread-safe: a pure function.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/time.h"

namespace tocsin {

class PlainDuration {
 public:
  // REQUIRES of Parse: this many bytes are readable from the beginning of the text.
  static constexpr std::size_t kBytes = 16;

  static DurationUs Parse(std::string_view text) {
    const std::uint64_t head = Load(text.data());
    const unsigned before = DigitsIn(head);
    if (before == 0 || before == 8 || text.data()[before] != '.') return -1;
    const std::uint64_t tail = Load(text.data() + before + 1);
    const unsigned behind = DigitsIn(tail);
    if (behind == 0 || before + behind > 8) return -1;
    const double unit = UnitOf(text, before + 1 + behind);
    if (unit == 0) return -1;
    // All digits, without the point.
    const std::uint64_t digits =
        (head & ((std::uint64_t{1} << (8 * before)) - 1)) | (tail << (8 * before));
    const auto number = static_cast<double>(Number(digits, before + behind));
    return static_cast<DurationUs>(number / kScales[behind] * unit * 1e3 + 0.5);
  }

 private:
  static constexpr double kScales[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8};
  static constexpr std::uint64_t kEach = 0x0101010101010101;

  // The first byte becomes the lowest.
  static std::uint64_t Load(const char* bytes) {
    std::uint64_t word;
    std::memcpy(&word, bytes, sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    return word;
  }
  // The number of leading digits.
  static unsigned DigitsIn(std::uint64_t word) {
    // Sets the high bit of each byte that is more than '9' or less than '0'. A carry or borrow can
    // come only from an earlier byte that is not a digit, after which no byte matters.
    const std::uint64_t others =
        ((word + (0x7F - '9') * kEach) | (word - '0' * kEach)) & (0x80 * kEach);
    return static_cast<unsigned>(std::countr_zero(others)) / 8;
  }
  // The number in the first `count` bytes. REQUIRES: they are digits, and count > 0.
  static std::int64_t Number(std::uint64_t word, unsigned count) {
    // Moves the digits to the high end, with zeros before them; then combines pairs, fours and all
    // eight.
    word = (word - '0' * kEach) << (64 - 8 * count);
    word = word * 10 + (word >> 8);
    word = ((word & 0x000000FF000000FF) * (100 + (std::uint64_t{1'000'000} << 32)) +
            ((word >> 16) & 0x000000FF000000FF) * (1 + (std::uint64_t{10'000} << 32))) >>
           32;
    return static_cast<std::int64_t>(word);
  }
  // The unit at `at`, which must end the text, in milliseconds; 0: another unit.
  static double UnitOf(std::string_view text, std::size_t at) {
    if (text.size() == at + 2 && text[at + 1] == 's') {
      if (text[at] == 'm') return 1;
      return text[at] == 'u' ? 1e-3 : text[at] == 'n' ? 1e-6 : 0;
    }
    return text.size() == at + 1 && text[at] == 's' ? 1e3 : 0;
  }
};

}  // namespace tocsin
