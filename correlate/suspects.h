// What may have caused an incident, and which of its components is furthest upstream.
//
//   SuspectSearch search{.topology = …, .deploys = …, .external = …, .window = …, .pane = …};
//   std::vector<const Deploy*> deploys = search.DeploysBehind(signal);
//   SuspectReport report = search.Report(signals);
//
// A release is suspected when it went out at most `window` before the onset of a signal, and the
// signal is on its service, on one that needs it (directly or not), or — if the signal has only a
// dependency — on something that the service needs; also when the release or the signal names no
// service at all. Releases are not suspected behind signals caused by clients (attacks, botnets,
// surges).
//
// Order of suspects: releases, those whose rollback was followed by the end of all their signals
// first, then the latest first; then components that are upstream of others in the incident,
// furthest upstream first, then earliest first, with external ones (by configuration or by a public
// host name) marked; then the only failing endpoint, the client, the addresses. Thread-compatible:
// const after construction.
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
  std::string component;            // furthest upstream; empty if no signal names one
  TimeUs rolled_back_at = kNoTime;  // the first rollback of a suspected deploy
  std::string roll_back;            // advice to undo the first suspected deploy; may be empty
};

struct SuspectSearch {
  const Topology& topology;
  const DeployLog& deploys;
  std::span<const std::string> external;  // names of dependencies run by third parties
  DurationUs window = 0;
  DurationUs pane = 0;

  std::vector<const Deploy*> DeploysBehind(const Signal& signal) const;
  SuspectReport Report(std::span<const Signal> signals) const;
};

}  // namespace tocsin
