// Fills in an incident's descriptive fields: title, category, advice, runbook, escalation.
//
//   Describe(config, &record);
//
// The lead is the earliest of the most severe signals: it gives title, category and runbook. Advice
// and escalation roles come from the stanzas of all members' detectors, the lead's first, each
// once. If a deploy is suspected, rolling it back is the first advice. Thread-safe: a pure function
// over one record.
#pragma once

#include "config/config.h"
#include "correlate/record.h"

namespace tocsin {

// REQUIRES: the record lists a signal and its severity level is final for the tick.
void Describe(const Config& config, IncidentRecord* record);

}  // namespace tocsin
