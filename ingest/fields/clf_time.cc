#include "ingest/fields/clf_time.h"

#include <algorithm>

namespace tocsin {

bool ClfTime::ParseMinute(std::string_view text) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::size_t month = kMonths.find(text.substr(3, 3));
  if (month == kMonths.npos || month % 3 != 0) return false;
  if (text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' || text[17] != ':' ||
      text[20] != ' ') {
    return false;
  }
  const std::size_t number = month / 3 + 1;
  std::array<char, 24> iso;  // "2015-05-17T10:05:00+0000"
  char* at = iso.data();
  const auto put = [&](std::string_view part) { at = std::copy(part.begin(), part.end(), at); };
  put(text.substr(7, 4));
  put("-");
  *at++ = static_cast<char>('0' + number / 10);
  *at++ = static_cast<char>('0' + number % 10);
  put("-");
  put(text.substr(0, 2));
  put("T");
  put(text.substr(12, 5));
  put(":00");
  put(text.substr(kZoneAt + 1));
  const std::optional<TimeUs> minute = ParseRfc3339({iso.data(), iso.size()});
  if (!minute) return false;
  minute_ = *minute;
  std::copy(text.begin(), text.end(), minute_text_.begin());
  return true;
}

}  // namespace tocsin
