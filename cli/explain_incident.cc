#include "cli/explain_incident.h"

#include <algorithm>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/string_hash.h"
#include "correlate/evidence.h"
#include "sinks/incident_text.h"

namespace tocsin {
namespace {

// "api needs orders-db"; empty where neither needs the other directly.
std::string EdgeText(const Component& a, const Component& b, const Topology& topology) {
  for (const auto& [from, to] : {std::pair(a, b), std::pair(b, a)}) {
    if (topology.Needs(from, to)) return absl::StrCat(Safe(from.name), " needs ", Safe(to.name));
  }
  return "";
}

// What two signals have in common, in words; empty if that is nothing that can be told from them.
std::string CommonText(const Signal& signal, const Signal& earlier, const Topology& topology) {
  if (signal.detector == earlier.detector && signal.series == earlier.series) {
    return "the same series again";
  }
  const std::vector<Component> own = ComponentsOf(signal), others = ComponentsOf(earlier);
  for (const Component& one : own) {
    for (const Component& other : others) {
      if (one.name == other.name) return absl::StrCat("it is about ", Safe(one.name), ", too");
    }
  }
  for (const Component& one : own) {
    for (const Component& other : others) {
      const std::string edge = EdgeText(one, other, topology);
      if (!edge.empty()) return "the topology: " + edge;
    }
  }
  const std::vector<std::string> addresses = TopNames(signal, "client_ip");
  const std::vector<std::string> known = TopNames(earlier, "client_ip");
  if (!addresses.empty() && !known.empty() && addresses.front() == known.front()) {
    return "the same address: " + Safe(addresses.front());
  }
  return "";
}

std::string ReasonText(const Incident& incident, std::size_t index, const Topology& topology) {
  const std::span<const Signal> signals = incident.signals;
  const Signal& signal = signals[index];
  if (index == 0) return "opened it";
  // Where it joined only because it began then, nothing else is to be looked for.
  for (const TimelineEntry& entry : incident.timeline) {
    if (entry.what != kJoinedTogether || entry.at != signal.fired_at) continue;
    for (const Component& component : ComponentsOf(signal)) {
      if (entry.text.starts_with(component.name + " began ")) return Safe(entry.text);
    }
    if (entry.text.starts_with(signal.detector + " began ")) return Safe(entry.text);
  }
  for (const Signal& earlier : signals.first(index)) {
    std::string common = CommonText(signal, earlier, topology);
    if (!common.empty()) return common;
  }
  for (const Suspect& suspect : incident.suspects) {
    if (suspect.kind == "deploy") return "a deploy behind both: " + Safe(suspect.name);
  }
  return "a call that was seen when it fired, or a common beginning or a signal that is not listed";
}

}  // namespace

std::string ExplainIncident(const Incident& incident, const Topology& topology) {
  std::string text =
      absl::StrCat(Safe(incident.number), " ", Safe(incident.severity), ", ",
                   ToAbsl(IncidentStateName(incident.state)), ": ", Safe(incident.title), "\n");
  for (std::size_t i = 0; i < incident.signals.size(); ++i) {
    const Signal& signal = incident.signals[i];
    absl::StrAppend(&text, "  ", ClockText(signal.fired_at), " ", Safe(signal.detector), " (",
                    OwnLabelsText(incident, signal), "), since ", ClockText(signal.onset), "\n    ",
                    ReasonText(incident, i, topology), "\n");
  }
  if (!incident.beside.empty()) {
    absl::StrAppend(&text, "  beside ", Safe(absl::StrJoin(incident.beside, ", ")),
                    ": it has something in common with it, but began long after that last got "
                    "worse\n");
  }
  if (!incident.merged_into.empty()) {
    absl::StrAppend(&text, "  merged into ", Safe(incident.merged_into),
                    ": a signal has something in common with both\n");
  }
  return text;
}

}  // namespace tocsin
