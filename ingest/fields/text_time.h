// Parses the timestamps at the beginning of text log lines, which may lack a time zone or a year.
//
//   TextTime text_time(input);                       // uses the input's time_zone: and year:
//   std::string_view rest = "2026-01-01 12:00:00.123 CET [17] LOG:  ready";
//   TimeUs time;
//   text_time.Take(&rest, record_time, &time);       // Result::kTaken, rest " [17] LOG:  ready"
//
// Accepts RFC 3339, also with a space instead of T, a comma before the fraction, or a zone name
// after it (PostgreSQL's %t and %m); syslog's "Feb 10 23:15:39"; and epoch numbers of at least ten
// digits, with or without a fraction. A timestamp without a zone is in `time_zone`, else UTC; names
// that several zones share (CST, IST) are unknown. A timestamp without a year is in `year`, else in
// the year that puts it nearest to the record's timestamp, or to InputConfig::record_time if the
// record has none. It uses neither a clock nor state, so that a line has the same meaning wherever
// reading begins. Thread-compatible.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "config/config.h"
#include "core/time.h"

namespace tocsin {

class TextTime {
 public:
  enum class Result : std::uint8_t {
    kTaken,
    kNone,         // no timestamp here; the text is unchanged
    kUnknownZone,  // this and the next two: a timestamp, but not a valid time
    kNoYear,
    kOutOfRange,
  };

  explicit TextTime(const InputConfig& input)
      : zone_(input.time_zone), year_(input.year), near_(input.record_time) {}

  // Parses a timestamp at the beginning of `text` and, if it is valid, removes it.
  Result Take(std::string_view* text, TimeUs record_time, TimeUs* time) const;

  // Parses a string that is only a timestamp, also in the formats of access logs
  // ("17/May/2015:10:05:03 +0000") and date(1) ("Sun Jan 10 16:47:39 EST 2021"). nullopt: not a
  // timestamp, or not a valid time.
  std::optional<TimeUs> ParseAll(std::string_view text, TimeUs record_time) const;

  // Why a timestamp is not a valid time; a static string.
  static std::string_view Fault(Result result);

 private:
  Result TakeIso(std::string_view* text, TimeUs* time) const;
  // What may follow a date and time of day: a fraction, and a zone.
  Result TakeRest(const CivilTime& civil, std::string_view* text, TimeUs* time) const;
  bool ReadDate(std::string_view text, TimeUs* time) const;
  Result TakeSyslog(std::string_view* text, TimeUs record_time, TimeUs* time) const;
  // Removes a zone and the space before it; without one the offset is zone_, else UTC.
  Result TakeZone(std::string_view* text, DurationUs* offset) const;

  std::optional<DurationUs> zone_;
  int year_;
  TimeUs near_;  // for records without a timestamp
};

}  // namespace tocsin
