#include "config/hours.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "config/value.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

constexpr std::array<const char*, 7> kDays = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

DurationUs SinceMidnight(const absl::CivilSecond& local) {
  return local.hour() * kHourUs + local.minute() * kMinuteUs + local.second() * kSecondUs;
}

std::string ClockText(DurationUs time) {
  return absl::StrFormat("%02d:%02d", time / kHourUs, time % kHourUs / kMinuteUs);
}

// "09:00", "24:00".
std::optional<DurationUs> ParseClock(std::string_view text) {
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto number = [&](std::size_t at) {
    int value = -1;
    const char* const end = text.data() + at + 2;
    return std::from_chars(text.data() + at, end, value).ptr == end ? value : -1;
  };
  const int hours = number(0);
  const int minutes = number(3);
  if (hours < 0 || minutes < 0 || minutes > 59 || 60 * hours + minutes > 24 * 60) {
    return std::nullopt;
  }
  return hours * kHourUs + minutes * kMinuteUs;
}

DurationUs ReadClock(std::string_view key, DurationUs fallback, ConfigReader* reader) {
  const std::string text = reader->String(key);
  if (text.empty()) return fallback;
  const std::optional<DurationUs> time = ParseClock(text);
  if (!time) {
    reader->Error(key, absl::StrCat(ToAbsl(key), " is ", Quoted(text),
                                    ": expected a time of day such as \"09:00\""));
  }
  return time.value_or(fallback);
}

void ReadDays(ConfigReader* reader, std::array<bool, 7>* days) {
  const std::vector<ConfigNode> names = reader->Texts("days");
  if (!names.empty()) days->fill(false);
  for (const ConfigNode& name : names) {
    const auto day = std::find(kDays.begin(), kDays.end(), name.scalar);
    if (day == kDays.end()) {
      reader->errors()->Add(name.at,
                            absl::StrCat("days has ", Quoted(name.scalar), ": expected some of ",
                                         absl::StrJoin(kDays, ", ")));
      continue;
    }
    (*days)[static_cast<std::size_t>(day - kDays.begin())] = true;
  }
}

absl::TimeZone ReadZone(ConfigReader* reader) {
  const std::string name = reader->String("time_zone", "UTC");
  absl::TimeZone zone = absl::UTCTimeZone();
  if (!absl::LoadTimeZone(name, &zone)) {
    reader->Error("time_zone",
                  absl::StrCat("time_zone is ", Quoted(name),
                               ": expected a name that this machine's time zone database (package "
                               "tzdata) has, such as Europe/Berlin"));
  }
  return zone;
}

WeekHours ReadWeekHours(const std::string& name, const ConfigNode& node, ErrorList* errors) {
  WeekHours hours;
  hours.name = name;
  ConfigReader reader(node, absl::StrCat("hours ", name), errors);
  ReadDays(&reader, &hours.days);
  hours.from = ReadClock("from", hours.from, &reader);
  hours.to = ReadClock("to", hours.to, &reader);
  hours.zone = ReadZone(&reader);
  for (const ConfigNode& text : reader.Texts("except")) {
    absl::CivilDay day;
    if (absl::ParseCivilTime(text.scalar, &day)) {
      hours.except.push_back(day);
    } else {
      errors->Add(text.at, absl::StrCat("except has ", Quoted(text.scalar),
                                        ": expected a day such as \"2026-12-25\""));
    }
  }
  reader.Finish();
  return hours;
}

}  // namespace

bool WeekHours::Contains(TimeUs time) const {
  const absl::CivilSecond local = absl::ToCivilSecond(absl::FromUnixMicros(time), zone);
  const DurationUs clock = SinceMidnight(local);
  const auto day_counts = [&](absl::CivilDay day) {
    const auto weekday = static_cast<std::size_t>(absl::GetWeekday(day));  // monday is 0
    return days[weekday] && std::find(except.begin(), except.end(), day) == except.end();
  };
  const absl::CivilDay today(local);
  if (from < to) return clock >= from && clock < to && day_counts(today);
  return (clock >= from && day_counts(today)) || (clock < to && day_counts(today - 1));
}

std::string WeekHours::ToString() const {
  std::vector<const char*> names;
  for (std::size_t i = 0; i < kDays.size(); ++i) {
    if (days[i]) names.push_back(kDays[i]);
  }
  std::string text = absl::StrCat(absl::StrJoin(names, ", "), " ", ClockText(from), "-",
                                  ClockText(to), " ", zone.name());
  if (except.empty()) return text;
  std::vector<std::string> off;
  for (const absl::CivilDay& day : except) off.push_back(absl::FormatCivilTime(day));
  return absl::StrCat(text, ", not on ", absl::StrJoin(off, ", "));
}

std::map<std::string, WeekHours> ReadHours(const ConfigNode& node, ErrorList* errors) {
  std::map<std::string, WeekHours> hours;
  if (node.kind != ConfigNode::Kind::kMap) {
    errors->Add(node.at, absl::StrCat("hours is ", Found(node),
                                      ": expected names, each with "
                                      "days, from, to and time_zone"));
    return hours;
  }
  for (const ConfigNode::Entry& entry : node.map) {
    hours[entry.key] = ReadWeekHours(entry.key, entry.value, errors);
  }
  return hours;
}

}  // namespace tocsin
