// What an incident says about itself: title, category, advice, whom to call.
//
//   Describe(config, &record);
//
// To roll back comes first where a deploy is suspected. The lead is the earliest of the most severe
// signals: it gives title, category and runbook. Advice and people come from the stanzas of all
// members' detectors, the lead's first, each once. Thread-safe: a pure function over one record.
#pragma once

#include "config/config.h"
#include "correlate/record.h"

namespace tocsin {

// REQUIRES: the record lists a signal and its severity level is final for the tick.
void Describe(const Config& config, IncidentRecord* record);

}  // namespace tocsin
