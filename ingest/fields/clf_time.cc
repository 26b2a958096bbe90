#include "ingest/fields/clf_time.h"

#include <algorithm>

namespace tocsin {

bool ClfTime::ParseMinute(std::string_view text) {
  if (text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' || text[17] != ':' ||
      text[20] != ' ') {
    return false;
  }
  const std::optional<DurationUs> offset = ParseUtcOffset(text.substr(kZoneAt + 1));
  if (!offset) return false;
  const std::optional<TimeUs> minute = TimeOf({.year = ParseDigits(text, 7, 4),
                                               .month = MonthFromName(text.substr(3, 3)),
                                               .day = ParseDigits(text, 0, 2),
                                               .hour = ParseDigits(text, 12, 2),
                                               .minute = ParseDigits(text, 15, 2)},
                                              *offset);
  if (!minute) return false;
  minute_ = *minute;
  std::copy(text.begin(), text.end(), minute_text_.begin());
  return true;
}

}  // namespace tocsin
