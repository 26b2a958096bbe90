#include "ingest/fields/iso_time.h"

#include <algorithm>

namespace tocsin {

std::optional<TimeUs> IsoTime::ParseAnew(std::string_view text) {
  const std::optional<TimeUs> time = ParseTime(text);
  if (!time || text.size() < kBytesMin || text.size() > kBytesMax || text.back() != 'Z') {
    return time;
  }
  // A leap second is in the minute after.
  if (text.substr(kMinuteBytes, 2) != "60") {
    std::copy_n(text.begin(), kMinuteBytes, minute_text_.begin());
    minute_ = FloorTo(*time, kMinuteUs);
  }
  return time;
}

}  // namespace tocsin
