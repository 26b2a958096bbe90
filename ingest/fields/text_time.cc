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

// "Feb 10 23:15:39", or with a space for the day's first digit. REQUIRES: kSyslogBytes.
CivilTime SyslogTime(std::string_view text, int year) {
  const bool one_digit = text[4] == ' ';
  return {.year = year,
          .month = MonthFromName(text.substr(0, 3)),
          .day = one_digit ? ParseDigits(text, 5, 1) : ParseDigits(text, 4, 2),
          .hour = text[9] == ':' ? ParseDigits(text, 7, 2) : -1,
          .minute = ParseDigits(text, 10, 2),
          .second = text[12] == ':' ? ParseDigits(text, 13, 2) : -1};
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

// "Sun Jan 10 16:47:39 EST 2021".
bool TextTime::ReadDate(std::string_view text, TimeUs* time) const {
  if (text.size() > kTimestampBytesMax) return false;
  const int year = ParseDigits(text, text.size() - 4, 4);
  const CivilTime civil = SyslogTime(text.substr(4, kSyslogBytes), year);
  std::string_view rest = text.substr(4 + kSyslogBytes, text.size() - 8 - kSyslogBytes);
  return TakeRest(civil, &rest, time) == Result::kTaken && (rest.empty() || rest == " ");
}

TextTime::Result TextTime::TakeIso(std::string_view* text, TimeUs* time) const {
  const std::string_view all = *text;
  if (all[7] != '-' || all[13] != ':' || all[16] != ':') return Result::kNone;
  const bool separated = all[10] == 'T' || all[10] == 't' || all[10] == ' ';
  const CivilTime civil = {.year = ParseDigits(all, 0, 4),
                           .month = ParseDigits(all, 5, 2),
                           .day = ParseDigits(all, 8, 2),
                           .hour = separated ? ParseDigits(all, 11, 2) : -1,
                           .minute = ParseDigits(all, 14, 2),
                           .second = ParseDigits(all, 17, 2)};
  std::string_view rest = all.substr(kToSeconds);
  const Result taken = TakeRest(civil, &rest, time);
  if (taken == Result::kTaken) *text = rest;
  return taken;
}

TextTime::Result TextTime::TakeRest(const CivilTime& civil, std::string_view* text,
                                    TimeUs* time) const {
  std::string_view rest = *text;
  DurationUs fraction = 0;
  if (!rest.empty() && (rest[0] == '.' || rest[0] == ',') && DigitsAt(rest, 1) > 0) {
    const std::size_t digits = DigitsAt(rest, 1);
    DurationUs unit = kSecondUs / 10;
    for (std::size_t i = 1; i <= digits; ++i, unit /= 10) fraction += (rest[i] - '0') * unit;
    rest.remove_prefix(1 + digits);
  }
  DurationUs offset = 0;
  if (const Result zone = TakeZone(&rest, &offset); zone != Result::kTaken) return zone;
  const std::optional<TimeUs> local = TimeOf(civil);
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
    const std::optional<DurationUs> parsed = ParseUtcOffset(rest.substr(0, size));
    if (!parsed) return Result::kOutOfRange;
    *offset = *parsed;
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
  if (MonthFromName(all.substr(0, 3)) == 0) return Result::kNone;
  const TimeUs near = record_time == kNoTime ? near_ : record_time;
  if (year_ == 0 && near == kNoTime) return Result::kNoYear;
  const auto in_year = [&](int year) -> std::optional<TimeUs> {
    const std::optional<TimeUs> local = TimeOf(SyslogTime(all, year));
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
