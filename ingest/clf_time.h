// The time stamp of access logs, "17/May/2015:10:05:03 +0000" (Apache's %t, nginx's $time_local).
//
//   ClfTime time;
//   std::optional<TimeUs> t = time.Parse(text);      // nullopt: not one of those
//
// Remembers the last minute, which most lines share with the one before. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "core/time.h"

namespace tocsin {

class ClfTime {
 public:
  static constexpr std::size_t kBytes = 26;

  // REQUIRES: text.size() == kBytes.
  std::optional<TimeUs> Parse(std::string_view text);

 private:
  std::array<char, kBytes> minute_text_{};  // its seconds mean nothing
  TimeUs minute_ = kNoTime;
};

}  // namespace tocsin
