// Parses a sequence of RFC 3339 timestamps: "2026-05-17T10:05:03.123Z".
//
//   IsoTime time;
//   std::optional<TimeUs> t = time.Parse(text);      // as ParseTime, epoch numbers included
//
// Caches the last minute in UTC, which most timestamps share with the one before. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

#include "core/time.h"

namespace tocsin {

class IsoTime {
 public:
  std::optional<TimeUs> Parse(std::string_view text) {
    const TimeUs time = ParseInMinute(text);
    return time != kNoTime ? time : ParseAnew(text);
  }
  // Fast path: a timestamp within the cached minute that ends in Z and is not a leap second.
  // Returns kNoTime for all others.
  TimeUs ParseInMinute(std::string_view text) const {
    if (text.size() < kBytesMin || text.size() > kBytesMax || text.back() != 'Z' ||
        std::memcmp(text.data(), minute_text_.data(), kMinuteBytes) != 0) {
      return kNoTime;
    }
    const unsigned tens = Digit(text[kMinuteBytes]);
    const unsigned ones = Digit(text[kMinuteBytes + 1]);
    DurationUs of_minute = (10 * tens + ones) * kSecondUs;
    if (tens > 5 || ones > 9) return kNoTime;
    if (text.size() == kBytesMilli && text[kFractionAt - 1] == '.') {
      // The most common form.
      const unsigned a = Digit(text[kFractionAt]);
      const unsigned b = Digit(text[kFractionAt + 1]);
      const unsigned c = Digit(text[kFractionAt + 2]);
      if (a > 9 || b > 9 || c > 9) return kNoTime;
      of_minute += (100 * a + 10 * b + c) * kMillisecondUs;
    } else if (text.size() > kBytesMin) {
      if (text[kFractionAt - 1] != '.' || text.size() == kBytesMin + 1) return kNoTime;
      DurationUs unit = kSecondUs / 10;
      for (std::size_t i = kFractionAt; i + 1 < text.size(); ++i, unit /= 10) {
        const unsigned digit = Digit(text[i]);
        if (digit > 9) return kNoTime;
        of_minute += digit * unit;
      }
    }
    return minute_ + of_minute;
  }

 private:
  static constexpr std::size_t kMinuteBytes = 17;  // "2026-05-17T10:05:"
  static constexpr std::size_t kBytesMin = 20;     // "2026-05-17T10:05:03Z"
  static constexpr std::size_t kBytesMilli = 24;   // with milliseconds
  static constexpr std::size_t kBytesMax = 30;     // with nanoseconds
  static constexpr std::size_t kFractionAt = 20;

  static unsigned Digit(char c) { return static_cast<unsigned char>(c) - unsigned{'0'}; }
  std::optional<TimeUs> ParseAnew(std::string_view text);

  std::array<char, kMinuteBytes> minute_text_{};
  TimeUs minute_ = kNoTime;
};

}  // namespace tocsin
