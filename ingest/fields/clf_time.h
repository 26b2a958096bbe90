// Parses the timestamp of access logs, "17/May/2015:10:05:03 +0000" (Apache's %t, nginx's
// $time_local).
//
//   ClfTime time;
//   std::optional<TimeUs> t = time.Parse(text);      // nullopt: invalid
//
// Caches the last minute, which most lines share with the line before. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

#include "core/time.h"

namespace tocsin {

class ClfTime {
 public:
  static constexpr std::size_t kBytes = 26;

  // REQUIRES: text.size() == kBytes.
  std::optional<TimeUs> Parse(std::string_view text) {
    const unsigned tens = Digit(text[kMinuteBytes]);
    const unsigned ones = Digit(text[kMinuteBytes + 1]);
    // A leap second counts as the second after it.
    if (tens > 6 || ones > 9 || 10 * tens + ones > 60) return std::nullopt;
    const char* const zone = text.data() + kZoneAt;
    if (std::memcmp(text.data(), minute_text_.data(), kMinuteBytes) != 0 ||
        std::memcmp(zone, minute_text_.data() + kZoneAt, kBytes - kZoneAt) != 0) {
      if (!ParseMinute(text)) return std::nullopt;
    }
    return minute_ + (10 * tens + ones) * kSecondUs;
  }

 private:
  static constexpr std::size_t kMinuteBytes = 18;  // "17/May/2015:10:05:"
  static constexpr std::size_t kZoneAt = 20;       // " +0000"

  static unsigned Digit(char c) { return static_cast<unsigned char>(c) - unsigned{'0'}; }
  // Parses all but the seconds and caches the result.
  bool ParseMinute(std::string_view text);

  std::array<char, kBytes> minute_text_{};  // the seconds in it are ignored
  TimeUs minute_ = kNoTime;
};

}  // namespace tocsin
