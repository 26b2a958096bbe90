// The life of an incident: its states, its pages, its number, its next status update.
//
//   AdvanceState({.tick = …, .now = …, .watch = 3 min}, &record);
//   Pages pages = DecidePages(scheme, tick, &record);
//
// open → (acknowledged) → monitoring, once nothing fires → resolved, after `watch` of that;
// something that fires while monitoring opens it again. Thread-safe: pure functions over one
// record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"
#include "core/delivery.h"
#include "correlate/record.h"

namespace tocsin {

struct LifecycleTime {
  TimeUs tick = 0;
  TimeUs now = 0;        // event time decided so far
  bool partial = false;  // nothing resolves on missing data
  DurationUs watch = 0;
};

// Returns whether the state changed.
bool AdvanceState(const LifecycleTime& time, IncidentRecord* record);

// Who is to hear what: at most one trigger, and the resolves of keys that are open. The incident of
// each notification is left for the caller to fill in once it is complete.
struct Pages {
  std::vector<Notification> triggers;
  std::vector<Notification> resolves;
};

// The first trigger waits for the tick after the opening one, so that a cause upstream can still
// join, except at level 1. A rise triggers the higher key; the lower one resolves after its
// receipt. The resolved incident's open key resolves; one that nobody heard of stays silent.
Pages DecidePages(const SeverityScheme& scheme, TimeUs tick, IncidentRecord* record);

// "INC-2026-001".
std::string IncidentNumber(int year, std::int64_t count);

// When people expect to hear again, counted from a change at event time `now`; kNoTime when
// resolved or where the scheme has no cadence.
TimeUs NextUpdate(const SeverityScheme& scheme, TimeUs now, const Incident& incident);

}  // namespace tocsin
