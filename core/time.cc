#include "core/time.h"

#include <charconv>
#include <chrono>
#include <system_error>

#include "core/ascii.h"

namespace tocsin {
namespace {

constexpr DurationUs kMaxParsedDuration = 3'650 * kDayUs;

std::chrono::year_month_day DateOf(TimeUs time) {
  return std::chrono::sys_days(std::chrono::days(FloorTo(time, kDayUs) / kDayUs));
}

// REQUIRES: value ≥ 0 and below 2^63.
std::int64_t Nearest(double value) {
  const auto whole = static_cast<std::int64_t>(value);
  return value - static_cast<double>(whole) < 0.5 ? whole : whole + 1;
}

// Takes ".123" off the front of `text`.
std::optional<DurationUs> TakeFraction(std::string_view* text) {
  if (text->empty() || text->front() != '.') return 0;
  DurationUs fraction = 0;
  DurationUs unit = kSecondUs / 10;
  std::size_t i = 1;
  for (; i < text->size() && IsDigit((*text)[i]); ++i) {
    fraction += ((*text)[i] - '0') * unit;
    unit /= 10;
  }
  if (i == 1) return std::nullopt;
  text->remove_prefix(i);
  return fraction;
}

// Appends `value` with leading zeros up to `width` digits. REQUIRES: value ≥ 0.
void AppendPadded(std::int64_t value, std::size_t width, std::string* out) {
  const std::string digits = std::to_string(value);
  if (digits.size() < width) out->append(width - digits.size(), '0');
  out->append(digits);
}

void AppendClock(DurationUs of_day, std::string* out) {
  AppendPadded(of_day / kHourUs, 2, out);
  out->push_back(':');
  AppendPadded(of_day % kHourUs / kMinuteUs, 2, out);
  out->push_back(':');
  AppendPadded(of_day % kMinuteUs / kSecondUs, 2, out);
}

struct Unit {
  std::string_view name;
  DurationUs length;
};

// Largest first.
constexpr Unit kUnits[] = {{"w", kWeekUs},   {"d", kDayUs},    {"h", kHourUs},
                           {"m", kMinuteUs}, {"s", kSecondUs}, {"ms", kMillisecondUs},
                           {"us", 1}};

// Takes a unit's name, which ends at a digit or at the end, off the front of `text`; its length, or
// 0 if there is no such unit.
DurationUs TakeUnit(std::string_view* text) {
  std::size_t size = 0;
  while (size < text->size() && !IsDigit((*text)[size])) ++size;
  const std::string_view name = text->substr(0, size);
  text->remove_prefix(size);
  for (const Unit& unit : kUnits) {
    if (unit.name == name) return unit.length;
  }
  return 0;
}

}  // namespace

int ParseDigits(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (!IsDigit(text[i])) return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

int MonthFromName(std::string_view name) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::size_t at = name.size() == 3 ? kMonths.find(name) : kMonths.npos;
  return at == kMonths.npos || at % 3 != 0 ? 0 : static_cast<int>(at / 3) + 1;
}

std::optional<DurationUs> ParseUtcOffset(std::string_view text) {
  if (text.empty() || text == "Z" || text == "z") return 0;
  if (text[0] != '+' && text[0] != '-') return std::nullopt;
  int minutes = 0;
  if (text.size() == 6 && text[3] == ':') {
    minutes = ParseDigits(text, 4, 2);
  } else if (text.size() == 5) {
    minutes = ParseDigits(text, 3, 2);
  } else if (text.size() != 3) {
    return std::nullopt;
  }
  const int hours = ParseDigits(text, 1, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const DurationUs offset = hours * kHourUs + minutes * kMinuteUs;
  return text[0] == '-' ? -offset : offset;
}

std::optional<TimeUs> TimeOf(const CivilTime& civil, DurationUs offset) {
  if (civil.year < 0 || civil.month < 1 || civil.day < 1 || civil.hour < 0 || civil.hour > 23 ||
      civil.minute < 0 || civil.minute > 59 || civil.second < 0 || civil.second > 60) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date(std::chrono::year(civil.year),
                                         std::chrono::month(static_cast<unsigned>(civil.month)),
                                         std::chrono::day(static_cast<unsigned>(civil.day)));
  if (!date.ok()) return std::nullopt;
  const TimeUs to_minute = std::chrono::sys_days(date).time_since_epoch().count() * kDayUs +
                           civil.hour * kHourUs + civil.minute * kMinuteUs - offset;
  // A leap second exists only at the end of a UTC day.
  if (civil.second == 60 && (to_minute + kMinuteUs) % kDayUs != 0) return std::nullopt;
  const TimeUs time = to_minute + civil.second * kSecondUs;
  if (time < 0 || time > kMaxTime) return std::nullopt;
  return time;
}

std::optional<TimeUs> ParseRfc3339(std::string_view text) {
  constexpr std::size_t kToSeconds = 19;  // "2026-03-01T21:05:00"
  if (text.size() < kToSeconds) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return std::nullopt;
  if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return std::nullopt;
  const CivilTime civil = {.year = ParseDigits(text, 0, 4),
                           .month = ParseDigits(text, 5, 2),
                           .day = ParseDigits(text, 8, 2),
                           .hour = ParseDigits(text, 11, 2),
                           .minute = ParseDigits(text, 14, 2),
                           .second = ParseDigits(text, 17, 2)};
  std::string_view rest = text.substr(kToSeconds);
  const std::optional<DurationUs> fraction = TakeFraction(&rest);
  if (!fraction) return std::nullopt;
  const std::optional<DurationUs> offset = ParseUtcOffset(rest);
  if (!offset) return std::nullopt;
  const std::optional<TimeUs> time = TimeOf(civil, *offset);
  if (!time || *time + *fraction > kMaxTime) return std::nullopt;
  return *time + *fraction;
}

std::optional<TimeUs> TimeFromEpoch(std::int64_t value) {
  if (value < 0) return std::nullopt;
  TimeUs time = value / 1'000;
  if (value < 100'000'000'000) {
    time = value * kSecondUs;
  } else if (value < 100'000'000'000'000) {
    time = value * kMillisecondUs;
  } else if (value < 100'000'000'000'000'000) {
    time = value;
  }
  if (time > kMaxTime) return std::nullopt;
  return time;
}

std::optional<TimeUs> TimeFromEpoch(double value) {
  // 9.2e18 keeps the conversion to an integer defined; it also turns away NaN and infinity.
  if (!(value >= 0 && value < 9.2e18)) return std::nullopt;
  TimeUs time = 0;
  if (value < 1e11) {
    // To the nearest microsecond: a double near 1.7e9 is off by up to 0.12 of one, and cutting
    // would turn 1700000000.123456 into …455.
    time = Nearest(value * 1e6);
  } else if (value < 1e14) {
    time = Nearest(value * 1e3);
  } else {
    return TimeFromEpoch(static_cast<std::int64_t>(value));
  }
  if (time > kMaxTime) return std::nullopt;
  return time;
}

std::optional<TimeUs> ParseTime(std::string_view text) {
  if (text.size() > 4 && text[4] == '-') return ParseRfc3339(text);
  const char* const end = text.data() + text.size();
  std::int64_t integer = 0;
  if (const auto [rest, error] = std::from_chars(text.data(), end, integer);
      error == std::errc() && rest == end) {
    return TimeFromEpoch(integer);
  }
  double number = 0;
  if (const auto [rest, error] = std::from_chars(text.data(), end, number);
      error == std::errc() && rest == end) {
    return TimeFromEpoch(number);
  }
  return std::nullopt;
}

std::string FormatTime(TimeUs time) {
  if (time == kNoTime) return "never";
  const TimeUs midnight = FloorTo(time, kDayUs);
  const std::chrono::year_month_day date = DateOf(time);
  const int year = static_cast<int>(date.year());
  std::string out;
  if (year < 0) out.push_back('-');
  AppendPadded(year < 0 ? -year : year, 4, &out);
  out.push_back('-');
  AppendPadded(static_cast<unsigned>(date.month()), 2, &out);
  out.push_back('-');
  AppendPadded(static_cast<unsigned>(date.day()), 2, &out);
  out.push_back('T');
  AppendClock(time - midnight, &out);
  const DurationUs fraction = (time - midnight) % kSecondUs;
  if (fraction != 0) {
    out.push_back('.');
    if (fraction % kMillisecondUs == 0) {
      AppendPadded(fraction / kMillisecondUs, 3, &out);
    } else {
      AppendPadded(fraction, 6, &out);
    }
  }
  out.push_back('Z');
  return out;
}

std::string FormatClock(TimeUs time) {
  std::string out;
  AppendClock(time - FloorTo(time, kDayUs), &out);
  return out;
}

std::string FormatDuration(DurationUs duration) {
  if (duration == 0) return "0s";
  // The least integer has no negative; one microsecond in 292,000 years is no loss.
  if (duration == INT64_MIN) ++duration;
  if (duration < 0) return "-" + FormatDuration(-duration);

  if (duration % kSecondUs == 0 && duration < 2 * kMinuteUs) {
    return std::to_string(duration / kSecondUs) + "s";
  }
  if (duration % kSecondUs != 0 && duration < 10 * kSecondUs) {
    return duration % kMillisecondUs == 0 ? std::to_string(duration / kMillisecondUs) + "ms"
                                          : std::to_string(duration) + "us";
  }
  if (duration % kWeekUs == 0) return std::to_string(duration / kWeekUs) + "w";
  std::string out;
  for (const Unit& unit : kUnits) {
    if (unit.length == kWeekUs) continue;  // "1w1d" is harder to read than "8d"
    if (duration < unit.length) continue;
    out.append(std::to_string(duration / unit.length)).append(unit.name);
    duration %= unit.length;
  }
  return out;
}

std::optional<DurationUs> ParseDuration(std::string_view text) {
  if (text == "0") return 0;
  if (text.empty()) return std::nullopt;
  DurationUs total = 0;
  DurationUs previous_unit = INT64_MAX;
  while (!text.empty()) {
    std::int64_t count = 0;
    const char* const end = text.data() + text.size();
    if (!IsDigit(text[0])) return std::nullopt;
    const auto [rest, error] = std::from_chars(text.data(), end, count);
    if (error != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
    const DurationUs unit = TakeUnit(&text);
    if (unit == 0 || unit >= previous_unit) return std::nullopt;
    previous_unit = unit;
    if (count > (kMaxParsedDuration - total) / unit) return std::nullopt;
    total += count * unit;
  }
  return total;
}

int UtcYear(TimeUs time) { return static_cast<int>(DateOf(time).year()); }

int HourOfWeek(TimeUs time) {
  // The epoch was a Thursday, three days after a Monday.
  const DurationUs since_monday = time - FloorTo(time - 4 * kDayUs, kWeekUs) - 4 * kDayUs;
  return static_cast<int>(since_monday / kHourUs);
}

}  // namespace tocsin
