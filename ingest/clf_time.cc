#include "ingest/clf_time.h"

#include <algorithm>
#include <cstring>

namespace tocsin {
namespace {

constexpr std::size_t kMinuteBytes = 18;  // "17/May/2015:10:05:"
constexpr std::size_t kZoneAt = 20;       // " +0000"

constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

unsigned Digit(char c) { return static_cast<unsigned char>(c) - unsigned{'0'}; }

// All but the seconds, which read 00.
std::optional<TimeUs> ParseMinute(std::string_view text) {
  const std::size_t month = kMonths.find(text.substr(3, 3));
  if (month == kMonths.npos || month % 3 != 0) return std::nullopt;
  if (text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' || text[17] != ':' ||
      text[20] != ' ') {
    return std::nullopt;
  }
  const std::size_t number = month / 3 + 1;
  std::array<char, 25> iso;  // "2015-05-17T10:05:00+0000"
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
  put(text.substr(kZoneAt + 1, 5));
  return ParseRfc3339({iso.data(), static_cast<std::size_t>(at - iso.data())});
}

}  // namespace

std::optional<TimeUs> ClfTime::Parse(std::string_view text) {
  const unsigned tens = Digit(text[kMinuteBytes]);
  const unsigned ones = Digit(text[kMinuteBytes + 1]);
  // A leap second counts as the second after.
  if (tens > 6 || ones > 9 || 10 * tens + ones > 60) return std::nullopt;
  if (minute_ == kNoTime || std::memcmp(text.data(), minute_text_.data(), kMinuteBytes) != 0 ||
      std::memcmp(text.data() + kZoneAt, minute_text_.data() + kZoneAt, kBytes - kZoneAt) != 0) {
    const std::optional<TimeUs> minute = ParseMinute(text);
    if (!minute) return std::nullopt;
    minute_ = *minute;
    std::memcpy(minute_text_.data(), text.data(), kBytes);
  }
  return minute_ + (10 * tens + ones) * kSecondUs;
}

}  // namespace tocsin
