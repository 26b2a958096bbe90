// Hours of the week in a time zone, such as those in which an office is staffed.
//
//   hours: {office: {days: [mon, tue, wed, thu, fri], from: "09:00", to: "17:30",
//                    time_zone: Europe/Berlin, except: ["2026-12-25"]}}
//
//   if (office.Contains(notification.tick)) …
//
// Hours that end before they begin go on past midnight and belong to the day on which they begin,
// also where `except` takes that day out. Decided by the given instant and the zone's rules alone;
// named zones come from the time zone database of the machine. Value type.
#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "config/node.h"
#include "core/time.h"

namespace tocsin {

struct WeekHours {
  std::string name;
  std::array<bool, 7> days = {true, true, true, true, true, false, false};  // from Monday
  // Of local time since midnight; of equal ones, the whole day.
  DurationUs from = 0, to = kDayUs;
  absl::TimeZone zone = absl::UTCTimeZone();
  std::vector<absl::CivilDay> except;

  bool Contains(TimeUs time) const;
  // "mon, tue 09:00-17:30 Europe/Berlin, not on 2026-12-25".
  std::string ToString() const;
};

// The section `hours`: by name. Wrong ones are reported and left out.
std::map<std::string, WeekHours> ReadHours(const ConfigNode& node, ErrorList* errors);

}  // namespace tocsin
