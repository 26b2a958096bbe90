#include "ingest/fields/text_time.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "core/ascii.h"
#include "ingest/fields/clf_time.h"

namespace tocsin {
namespace {

constexpr std::size_t kToSeconds = 19;    // "2026-03-01T21:05:00"
constexpr std::size_t kSyslogBytes = 15;  // "Feb 10 23:15:39"
constexpr std::size_t kEpochDigitsMin = 10;
constexpr std::size_t kEpochBytesMax = 24;
constexpr std::size_t kZoneNameMax = 5;

constexpr std::size_t kDateBytesMin = 24;       // "Sun Jan 10 16:47:39 2021"
constexpr std::size_t kTimestampBytesMax = 48;  // with nanoseconds and a zone
constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";

struct NamedZone {
  std::string_view name;
  int minutes;
};

// Abbreviations that have the same offset everywhere.
constexpr NamedZone kZones[] = {
    {"UTC", 0},    {"GMT", 0},    {"Z", 0},      {"WET", 0},    {"WEST", 60},   {"CET", 60},
    {"CEST", 120}, {"EET", 120},  {"EEST", 180}, {"MSK", 180},  {"BST", 60},    {"SAST", 120},
    {"WAT", 60},   {"CAT", 120},  {"EAT", 180},  {"PKT", 300},  {"WIB", 420},   {"HKT", 480},
    {"AWST", 480}, {"JST", 540},  {"KST", 540},  {"ACST", 570}, {"ACDT", 630},  {"AEST", 600},
    {"AEDT", 660}, {"NZST", 720}, {"NZDT", 780}, {"EST", -300}, {"EDT", -240},  {"CDT", -300},
    {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420}, {"AKST", -540}, {"AKDT", -480},
    {"HST", -600},
};
// PostgreSQL's severities: one may follow a timestamp without a zone, and looks like a zone.
constexpr std::string_view kSeverities[] = {"LOG", "ERROR", "FATAL", "PANIC", "INFO"};

std::size_t DigitsAt(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && IsDigit(text[end])) ++end;
  return end - at;
}

// Length of "+01", "+0100" or "+01:00" at the beginning, or 0.
std::size_t OffsetBytes(std::string_view text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return 0;
  const std::size_t digits = DigitsAt(text, 1);
  if (digits == 4) return 5;
  if (digits != 2) return 0;
  return text.size() >= 6 && text[3] == ':' && DigitsAt(text.substr(0, 6), 4) == 2 ? 6 : 3;
}

// Parses a date and time with an offset, using ParseRfc3339.
std::optional<TimeUs> Instant(std::string_view to_seconds, std::string_view zone) {
  std::array<char, kToSeconds + 8> text;
  char* end = std::copy(to_seconds.begin(), to_seconds.end(), text.data());
  end = std::copy(zone.begin(), zone.end(), end);
  return ParseRfc3339({text.data(), static_cast<std::size_t>(end - text.data())});
}

}  // namespace

std::string_view TextTime::Fault(Result result) {
  switch (result) {
    case Result::kUnknownZone:
      return "timestamp in an unknown time zone: set time_zone";
    case Result::kNoYear:
      return "timestamp without a year: set year";
    default:
      return "timestamp is invalid or out of range";
  }
}

TextTime::Result TextTime::Take(std::string_view* text, TimeUs record_time, TimeUs* time) const {
  const std::string_view all = *text;
  if (all.empty()) return Result::kNone;
  if (IsUpper(all[0])) return TakeSyslog(text, record_time, time);
  if (!IsDigit(all[0])) return Result::kNone;
  if (all.size() >= kToSeconds && all[4] == '-') return TakeIso(text, time);
  std::size_t size = DigitsAt(all, 0);
  if (size < kEpochDigitsMin) return Result::kNone;
  if (size + 1 < all.size() && all[size] == '.') size += 1 + DigitsAt(all, size + 1);
  if (size > kEpochBytesMax) return Result::kNone;
  const std::optional<TimeUs> parsed = ParseTime(all.substr(0, size));
  if (!parsed) return Result::kOutOfRange;
  *time = *parsed;
  text->remove_prefix(size);
  return Result::kTaken;
}

std::optional<TimeUs> TextTime::ParseAll(std::string_view text, TimeUs record_time) const {
  if (text.size() == ClfTime::kBytes && text[2] == '/') return ClfTime().Parse(text);
  TimeUs time = kNoTime;
  if (text.size() >= kDateBytesMin && text[3] == ' ' && IsUpper(text[4])) {
    return ReadDate(text, &time) ? std::optional(time) : std::nullopt;
  }
  std::array<char, kTimestampBytesMax> dashed;
  if (text.size() >= kToSeconds && text.size() <= dashed.size() && text[4] == '/' &&
      text[7] == '/') {
    std::copy(text.begin(), text.end(), dashed.begin());
    dashed[4] = dashed[7] = '-';
    text = {dashed.data(), text.size()};
  }
  const bool taken = Take(&text, record_time, &time) == Result::kTaken && text.empty();
  return taken ? std::optional(time) : std::nullopt;
}

// Rearranges the parts into RFC 3339 with a zone name after it, which TakeIso parses.
bool TextTime::ReadDate(std::string_view text, TimeUs* time) const {
  const std::string_view day = text.substr(4, kSyslogBytes);
  const std::string_view year = text.substr(text.size() - 4);
  const std::size_t month = kMonths.find(day.substr(0, 3));
  if (text.size() > kTimestampBytesMax || month == kMonths.npos || month % 3 != 0) return false;
  std::array<char, 2 * kTimestampBytesMax> iso;
  char* end = iso.data();
  const auto put = [&end](std::string_view part) {
    end = std::copy(part.begin(), part.end(), end);
  };
  put(year);
  put(std::string_view("-01-02-03-04-05-06-07-08-09-10-11-12").substr(month, 3));
  put("-");
  *end++ = day[4] == ' ' ? '0' : day[4];
  put(day.substr(5, 1));
  put("T");
  put(day.substr(7));
  put(text.substr(4 + kSyslogBytes, text.size() - 8 - kSyslogBytes));  // " EST "
  std::string_view rest(iso.data(), static_cast<std::size_t>(end - iso.data()));
  return TakeIso(&rest, time) == Result::kTaken && (rest.empty() || rest == " ");
}

TextTime::Result TextTime::TakeIso(std::string_view* text, TimeUs* time) const {
  std::string_view rest = *text;
  if (rest[7] != '-' || rest[13] != ':' || rest[16] != ':') return Result::kNone;
  const std::string_view to_seconds = rest.substr(0, kToSeconds);
  rest.remove_prefix(kToSeconds);
  DurationUs fraction = 0;
  if (!rest.empty() && (rest[0] == '.' || rest[0] == ',') && DigitsAt(rest, 1) > 0) {
    const std::size_t digits = DigitsAt(rest, 1);
    DurationUs unit = kSecondUs / 10;
    for (std::size_t i = 1; i <= digits; ++i, unit /= 10) fraction += (rest[i] - '0') * unit;
    rest.remove_prefix(1 + digits);
  }
  DurationUs offset = 0;
  if (const Result zone = TakeZone(&rest, &offset); zone != Result::kTaken) return zone;
  const std::optional<TimeUs> local = Instant(to_seconds, {});
  if (!local || *local < offset) return Result::kOutOfRange;
  *time = *local - offset + fraction;
  if (*time > kMaxTime) return Result::kOutOfRange;
  *text = rest;
  return Result::kTaken;
}

TextTime::Result TextTime::TakeZone(std::string_view* text, DurationUs* offset) const {
  *offset = zone_.value_or(0);
  std::string_view rest = *text;
  if (rest.starts_with(' ')) rest.remove_prefix(1);
  if (const std::size_t size = OffsetBytes(rest); size > 0) {
    // Noon of the second day of 1970, so that the result is positive for any offset.
    const std::optional<TimeUs> noon = Instant("1970-01-02T12:00:00", rest.substr(0, size));
    if (!noon) return Result::kOutOfRange;
    *offset = kDayUs + 12 * kHourUs - *noon;
    *text = rest.substr(size);
    return Result::kTaken;
  }
  std::size_t size = 0;
  while (size < rest.size() && IsUpper(rest[size])) ++size;
  const std::string_view name = rest.substr(0, size);
  // A zone ends in a separator. A word continues with lower-case letters, digits or an equals sign.
  const bool is_word = size < rest.size() && rest[size] != ' ' && rest[size] != ':' &&
                       rest[size] != ',' && rest[size] != '[' && rest[size] != ']' &&
                       rest[size] != '"' && rest[size] != ';' && rest[size] != '|';
  if (size == 0 || size > kZoneNameMax || is_word ||
      std::find(std::begin(kSeverities), std::end(kSeverities), name) != std::end(kSeverities)) {
    return Result::kTaken;
  }
  const auto* const zone = std::find_if(std::begin(kZones), std::end(kZones),
                                        [&](const NamedZone& known) { return known.name == name; });
  if (zone != std::end(kZones)) {
    *offset = zone->minutes * kMinuteUs;
  } else if (!zone_) {
    return Result::kUnknownZone;
  }
  *text = rest.substr(size);
  return Result::kTaken;
}

TextTime::Result TextTime::TakeSyslog(std::string_view* text, TimeUs record_time,
                                      TimeUs* time) const {
  const std::string_view all = *text;
  if (all.size() < kSyslogBytes || all[3] != ' ' || all[6] != ' ' || all[9] != ':') {
    return Result::kNone;
  }
  const std::size_t month = kMonths.find(all.substr(0, 3));
  if (month == kMonths.npos || month % 3 != 0) return Result::kNone;
  const TimeUs near = record_time == kNoTime ? near_ : record_time;
  if (year_ == 0 && near == kNoTime) return Result::kNoYear;
  std::array<char, kToSeconds> iso;
  const auto put = [&](std::size_t at, std::string_view part) {
    std::copy(part.begin(), part.end(), iso.begin() + static_cast<std::ptrdiff_t>(at));
  };
  put(0, "0000-00-");
  iso[5] = static_cast<char>('0' + (month / 3 + 1) / 10);
  iso[6] = static_cast<char>('0' + (month / 3 + 1) % 10);
  put(8, all.substr(4, 2));
  if (iso[8] == ' ') iso[8] = '0';
  put(10, "T");
  put(11, all.substr(7, 8));
  const auto in_year = [&](int year) -> std::optional<TimeUs> {
    for (std::size_t i = 4; i-- > 0; year /= 10) iso[i] = static_cast<char>('0' + year % 10);
    const std::optional<TimeUs> local = Instant({iso.data(), iso.size()}, {});
    if (!local || *local < zone_.value_or(0)) return std::nullopt;
    return *local - zone_.value_or(0);
  };
  std::optional<TimeUs> found;
  if (year_ != 0) {
    found = in_year(year_);
  } else {
    const auto distance = [&](TimeUs t) { return t < near ? near - t : t - near; };
    for (int year = UtcYear(near) - 1; year <= UtcYear(near) + 1; ++year) {
      const std::optional<TimeUs> candidate = in_year(year);
      if (candidate && (!found || distance(*candidate) < distance(*found))) found = candidate;
    }
  }
  if (!found || *found > kMaxTime) return Result::kOutOfRange;
  *time = *found;
  text->remove_prefix(kSyslogBytes);
  return Result::kTaken;
}

}  // namespace tocsin
