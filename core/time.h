// Event time: what every stage counts in.
//
//   absl::StatusOr<TimeUs> t = ParseTime("2026-03-01T21:05:00Z");
//   std::string s = FormatTime(*t);                 // "2026-03-01T21:05:00Z"
//   TimeUs pane = FloorTo(*t, 10 * kSecondUs);
//
// Times are microseconds since the Unix epoch, durations are microseconds; both are plain integers
// because stages 1 and 2 do integer arithmetic on them for every event. Nothing here reads a clock.
// Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tocsin {

using TimeUs = std::int64_t;
using DurationUs = std::int64_t;

inline constexpr DurationUs kMillisecondUs = 1'000;
inline constexpr DurationUs kSecondUs = 1'000'000;
inline constexpr DurationUs kMinuteUs = 60 * kSecondUs;
inline constexpr DurationUs kHourUs = 60 * kMinuteUs;
inline constexpr DurationUs kDayUs = 24 * kHourUs;
inline constexpr DurationUs kWeekUs = 7 * kDayUs;

// "Never", for fields that a state has not reached.
inline constexpr TimeUs kNoTime = INT64_MIN;

// Years 1970 to 2200: what we accept as a time; anything else is a malformed field.
inline constexpr TimeUs kMaxTime = 7'258'118'400 * kSecondUs;

// The largest multiple of `step` that is not above `time`. REQUIRES: step > 0.
constexpr TimeUs FloorTo(TimeUs time, DurationUs step) {
  TimeUs quotient = time / step;
  if (time % step < 0) --quotient;
  return quotient * step;
}

// The smallest multiple of `step` that is not below `time`. REQUIRES: step > 0.
constexpr TimeUs CeilTo(TimeUs time, DurationUs step) { return -FloorTo(-time, step); }

// A date and a time of day as they are written. Fields may be out of range; -1 is always.
struct CivilTime {
  int year = 0;
  int month = 0, day = 0;  // from 1
  int hour = 0, minute = 0, second = 0;
};

// The time at which a clock that is `offset` ahead of UTC shows `civil`. nullopt when there is no
// such date or time of day, or it is outside [1970, kMaxTime]. A leap second counts as the second
// after, and exists only at the end of a UTC day.
std::optional<TimeUs> TimeOf(const CivilTime& civil, DurationUs offset = 0);

// "+05:30", "-0300", "+01", "Z"; without anything: 0. nullopt when malformed.
std::optional<DurationUs> ParseUtcOffset(std::string_view text);

// The number that the `count` digits at `at` spell; -1 when one of them is not a digit.
// REQUIRES: at + count ≤ text.size().
int ParseDigits(std::string_view text, std::size_t at, std::size_t count);

// 1 for "Jan" to 12 for "Dec"; 0 for anything else.
int MonthFromName(std::string_view name);

// RFC 3339 with any number of fraction digits (beyond µs cut), 'T', 't' or a space between date and
// time, and a zone of 'Z', '±hh:mm', '±hhmm' or '±hh'. Without a zone: UTC. nullopt when malformed,
// for a day that does not exist, or outside [1970, kMaxTime]. A leap second counts as the second
// after.
std::optional<TimeUs> ParseRfc3339(std::string_view text);

// An epoch number in s, ms, µs or ns, told apart by magnitude (s below 1e11, ms below 1e14, µs
// below 1e17, else ns). nullopt when not finite, negative, or past kMaxTime.
std::optional<TimeUs> TimeFromEpoch(double value);
std::optional<TimeUs> TimeFromEpoch(std::int64_t value);

// RFC 3339 or a decimal epoch number.
std::optional<TimeUs> ParseTime(std::string_view text);

// RFC 3339 in UTC with as many of 0, 3 or 6 fraction digits as the value needs; "never" for
// kNoTime.
std::string FormatTime(TimeUs time);

// "21:05:30" of the UTC day, for terminals.
std::string FormatClock(TimeUs time);

// "90s", "5m", "1h30m", "250ms", "2w": exact, and short: below two minutes in seconds, below ten
// seconds in ms or µs if need be, else in the units from d down that are not zero. ParseDuration
// reads it back.
std::string FormatDuration(DurationUs duration);

// A number directly followed by us, ms, s, m, h, d or w, possibly several, largest unit first
// ("1h30m"). nullopt when malformed, negative or above ten years (3,650 days); no fractions. A
// number without a unit is malformed, 0 excepted.
std::optional<DurationUs> ParseDuration(std::string_view text);

// The UTC year of `time`; numbers incidents (INC-2026-001).
int UtcYear(TimeUs time);

// Hour of the week in UTC, 0 (Monday 00:00) to 167; the slot of a seasonal baseline.
int HourOfWeek(TimeUs time);

}  // namespace tocsin
