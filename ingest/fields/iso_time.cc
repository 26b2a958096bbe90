#include "ingest/fields/iso_time.h"

#include <algorithm>

namespace tocsin {

std::optional<TimeUs> IsoTime::ParseAnew(std::string_view text) {
  const std::optional<TimeUs> time = ParseTime(text);
  if (!time || text.size() < kBytesMin || text.size() > kBytesMax || text.back() != 'Z') {
    return time;
  }
  std::array<char, kBytesMin> begin;
  std::copy_n(text.begin(), kMinuteBytes, begin.begin());
  std::copy_n("00Z", 3, begin.begin() + kMinuteBytes);
  if (const std::optional<TimeUs> minute = ParseRfc3339({begin.data(), begin.size()})) {
    std::copy_n(text.begin(), kMinuteBytes, minute_text_.begin());
    minute_ = *minute;
  }
  return time;
}

}  // namespace tocsin
