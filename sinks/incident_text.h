// Formats parts of an incident as short strings, for the incident card and the post-mortem.
//
//   UsersText(incident.impact)          // "2,104 of 15,012 affected (14 %)"
//   ValueText(signal, signal.value)     // "71.3 %", "97 %", "812 ms"
//
// Each result is one line without control characters. Thread-safe: pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/incident.h"

namespace tocsin {

// Sanitises text that may come from an event: one line, no control characters, bounded length.
std::string Safe(std::string_view text);
// "21:04:30"; "unknown" for kNoTime.
std::string ClockText(TimeUs time);
// "2026-03-10 21:04:30 UTC".
std::string DateAndClockText(TimeUs time);

// The evidence of this kind and name (an empty name matches any); nullptr if there is none.
const Evidence* FindEvidence(const Signal& signal, std::string_view kind,
                             std::string_view name = "");
// The values of a plot, "[0.1,null,0.3]", one for each of the last panes; empty when malformed.
std::vector<std::optional<double>> PlotOf(const Evidence& evidence);
double Largest(std::span<const std::optional<double>> values);
// A value in the unit that the detector plots: a rate or share in percent, a latency in ms, a level
// that has a limit in percent of that limit, anything else as a plain number.
std::string ValueText(const Signal& signal, double value);
// The labels of the series that are not part of the scope.
std::string OwnLabelsText(const Incident& incident, const Signal& signal);
// "prod, rupaya-db": scope and component.
std::string WhereText(const Incident& incident);
// "2,104 of 15,012 affected (14 %)", "unknown".
std::string UsersText(const Impact& impact);
// "2,301 requests, 9 transactions worth 1,200".
std::string FailedText(const Impact& impact);

}  // namespace tocsin
