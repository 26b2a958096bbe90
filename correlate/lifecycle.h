// The life of an incident: its states, its pages, its reminders, its number.
//
//   AdvanceState({.tick = …, .now = …, .watch = 3 min}, &record);
//   Pages pages = DecidePages(config, tick, &record);
//   Remind(config.severity, tick, now, &record, &pages);
//
// open → (acknowledged) → monitoring, once nothing fires → resolved, after `watch` of that;
// something that fires while monitoring opens it again, and so does, until the sinks hear of the
// end, something that fires after that. Thread-safe: pure functions over one record.
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
  bool partial = false;  // nothing resolves on missing data
  DurationUs watch = 0;
};

// Returns whether the state changed.
bool AdvanceState(const LifecycleTime& time, IncidentRecord* record);

// How long nothing may fire before the incident is resolved. With flap damping it doubles with each
// time that it fired again but the first, up to an hour or the configured time, whichever is more.
DurationUs WatchOf(const CorrelateConfig& config, const IncidentRecord& record);

// Who is to hear what: at most one trigger, and the resolves of keys that are open. The incident of
// each notification is left for the caller to fill in once it is complete.
struct Pages {
  std::vector<Notification> triggers;
  std::vector<Notification> acknowledges;
  std::vector<Notification> updates;
  std::vector<Notification> escalations;
  std::vector<Notification> resolves;
};

// The first trigger waits for the tick after the opening one, so that a cause upstream can still
// join, except at level 1. A rise triggers the higher key; the lower one resolves after its
// receipt. While an incident is muted nothing is triggered. The resolved incident's open key
// resolves, `reopen_within` later (at once when a person resolved it); one that nobody heard of
// stays silent.
Pages DecidePages(const Config& config, TimeUs tick, IncidentRecord* record);

// Resolved, and nothing is left to be said.
bool IsOver(const IncidentRecord& record);

// Escalates what nobody has acknowledged in time, and reminds those who were told when a status
// update is due. Returns whether someone else was called.
bool Remind(const SeverityScheme& scheme, const LifecycleTime& time, IncidentRecord* record,
            Pages* pages);

// An act on this incident. Returns whether it changed anything: not when it is a repetition.
bool ApplyAction(const SeverityScheme& scheme, const OperatorAction& act, TimeUs tick,
                 IncidentRecord* record, Pages* pages);

// "INC-2026-001".
std::string IncidentNumber(int year, std::int64_t count);

// When people expect to hear again, counted from a change at event time `now`; kNoTime when
// resolved or where the scheme has no cadence.
TimeUs NextUpdate(const SeverityScheme& scheme, TimeUs now, const Incident& incident);

}  // namespace tocsin
