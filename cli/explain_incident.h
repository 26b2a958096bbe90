// Why the signals of an incident are in it: `tocsin explain INC-2026-001`.
//
//   std::fputs(ExplainIncident(incident, topology).c_str(), stdout);
//
// From the incident's line and the configured topology: what each signal has in common with those
// before it, or what it began together with. Thread-safe: a pure function.
#pragma once

#include <string>

#include "core/incident.h"
#include "correlate/topology.h"

namespace tocsin {

std::string ExplainIncident(const Incident& incident, const Topology& topology);

}  // namespace tocsin
