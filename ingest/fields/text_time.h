// Time stamps as text logs begin with them, which leave things out that an instant needs.
//
//   TextTime stamps(input);                          // time_zone: and year: of the input
//   std::string_view rest = "2026-01-01 12:00:00.123 CET [17] LOG:  ready";
//   TimeUs time;
//   stamps.Take(&rest, record_time, &time);          // Result::kTaken, rest " [17] LOG:  ready"
//
// Understood are RFC 3339 and its like with a blank, a comma before the fraction, or a zone's name
// behind it (PostgreSQL's %t and %m), syslog's "Feb 10 23:15:39", and an epoch of ten digits or
// more with a fraction or without. Where a stamp names no zone, it is `time_zone`'s, else UTC;
// names that several zones share (CST, IST) count as not known. Where it names no year, it is
// `year`, else the one that puts it nearest to the record's own time, or to the one that is said of
// all records of a file (InputConfig::record_time). Nothing here looks at a
// clock, and nothing is remembered, so that a line means the same wherever reading begins.
// Thread-compatible.
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
    kNone,         // no stamp here; the text is as before
    kUnknownZone,  // as the next two a stamp, but no instant
    kNoYear,
    kOutOfRange,
  };

  explicit TextTime(const InputConfig& input)
      : zone_(input.time_zone), year_(input.year), near_(input.record_time) {}

  Result Take(std::string_view* text, TimeUs record_time, TimeUs* time) const;

  // A text that is a stamp and nothing else, also as access logs ("17/May/2015:10:05:03 +0000") and
  // date(1) ("Sun Jan 10 16:47:39 EST 2021") write it. nullopt: none, or no instant.
  std::optional<TimeUs> ParseAll(std::string_view text, TimeUs record_time) const;

  // Why a stamp is no instant; static text.
  static std::string_view Fault(Result result);

 private:
  Result TakeIso(std::string_view* text, TimeUs* time) const;
  // What may follow a date and time of day: a fraction, and a zone.
  Result TakeRest(const CivilTime& civil, std::string_view* text, TimeUs* time) const;
  bool ReadDate(std::string_view text, TimeUs* time) const;
  Result TakeSyslog(std::string_view* text, TimeUs record_time, TimeUs* time) const;
  // The offset that stands here and the blank before it; zone_ or UTC where none does.
  Result TakeZone(std::string_view* text, DurationUs* offset) const;

  std::optional<DurationUs> zone_;
  int year_;
  TimeUs near_;  // of records without a time
};

}  // namespace tocsin
