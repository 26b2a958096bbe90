// The life of an incident: its states, pages, reminders and number.
//
//   AdvanceState({.tick = …, .now = …, .watch = 3 min}, &record);
//   Pages pages = DecidePages(config, tick, &record);
//   Remind(config.severity, {.tick = …, .now = …}, &record, &pages);
//
// open → (acknowledged) → monitoring, once nothing fires → resolved, after `watch` without firing.
// A signal that fires while monitoring reopens the incident; so does one that fires after it
// resolved, until the resolve is sent to the sinks. Thread-safe: pure functions over one record.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "config/config.h"
#include "core/delivery.h"
#include "core/operator_action.h"
#include "correlate/record.h"

namespace tocsin {

struct LifecycleTime {
  TimeUs tick = 0;
  TimeUs now = 0;        // event time decided so far
  bool partial = false;  // data is missing: nothing resolves
  DurationUs watch = 0;
};

// Returns whether the state changed.
bool AdvanceState(const LifecycleTime& time, IncidentRecord* record);

// How long nothing may fire before the incident resolves. With flap damping the time doubles with
// each refiring after the first, up to an hour or the configured time, whichever is longer.
DurationUs WatchOf(const CorrelateConfig& config, const IncidentRecord& record);

// The notifications to send: at most one trigger, and the resolves of open keys. The caller fills
// in the incident of each notification once it is complete.
struct Pages {
  std::vector<Notification> triggers;
  std::vector<Notification> acknowledges;
  std::vector<Notification> updates;
  std::vector<Notification> escalations;
  std::vector<Notification> resolves;
};

// The first trigger waits for the tick after the opening one, so that a cause upstream can still
// join, except at level 1. A rise triggers the higher key; the lower one resolves after its
// receipt. While an incident is muted nothing is triggered. A resolved incident's open key resolves
// `reopen_within` later (at once when an operator resolved it or it was merged); an incident that
// was never triggered sends no resolve.
Pages DecidePages(const Config& config, TimeUs tick, IncidentRecord* record);

// Resolved, and no resolve is left to send.
bool IsOver(const IncidentRecord& record);

// Escalates an incident that was not acknowledged in time, and sends those already notified an
// update when a status update is due. Returns whether it escalated.
bool Remind(const SeverityScheme& scheme, const LifecycleTime& time, IncidentRecord* record,
            Pages* pages);

// Applies an operator action to this incident. Returns whether it changed anything: false for a
// repetition and for a resolved incident.
bool ApplyAction(const SeverityScheme& scheme, const OperatorAction& act, TimeUs tick,
                 IncidentRecord* record, Pages* pages);

// "INC-2026-001".
std::string IncidentNumber(int year, std::int64_t count);

// When the next status update is due, counted from a change at event time `now`; kNoTime when
// resolved or if the scheme has no update interval.
TimeUs NextUpdate(const SeverityScheme& scheme, TimeUs now, const Incident& incident);

}  // namespace tocsin
