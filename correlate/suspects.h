// What may have caused an incident, and which of its components lies furthest upstream.
//
//   SuspectSearch search{.topology = …, .deploys = …, .external = …, .window = 30 min, .pane = 10 s};
//   std::vector<const Deploy*> deploys = search.DeploysBehind(signal);
//   SuspectReport report = search.Report(signals);
//
// A release is suspected when it went out at most `window` before the onset of a signal on its
// service, on one that needs it (directly or not), or — if the signal knows only a dependency — on
// something that the service needs; also when one of the two names no service at all. First comes
// the one whose rollback was followed by the end of all that it stood behind, then the latest. What
// hostile or many clients do is not blamed on a release. Then come components upstream of others in
// the incident, furthest first, earliest first, external ones (as configured, or by a public host's
// name) marked; then the one failing endpoint, the client, the
// addresses. Thread-compatible: const after construction.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/incident.h"
#include "correlate/deploys.h"
#include "correlate/topology.h"

namespace tocsin {

struct SuspectReport {
  std::vector<Suspect> suspects;    // at most limits::kIncidentSuspectsMax
  std::string component;            // furthest upstream; empty when no signal names one
  TimeUs rolled_back_at = kNoTime;  // the first rollback of a suspected deploy
  std::string roll_back;            // advice: undo the first suspected deploy; empty without one
};

struct SuspectSearch {
  const Topology& topology;
  const DeployLog& deploys;
  std::span<const std::string> external;  // dependencies that others run
  DurationUs window = 0;
  DurationUs pane = 0;

  std::vector<const Deploy*> DeploysBehind(const Signal& signal) const;
  SuspectReport Report(std::span<const Signal> signals) const;
};

}  // namespace tocsin
