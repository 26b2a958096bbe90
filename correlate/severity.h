// The severity of an incident, and the rule that set it.
//
//   RaiseForSignal(signal, &incident);
//   RaiseForUsers(scheme, users_failed, &incident);
//   ApplyScheme(scheme, &incident);                   // name, response time
//
// The level is the most severe that any rule has given since the incident opened: it never falls
// while people work on it. Thread-safe: pure functions.
#pragma once

#include <cstdint>

#include "config/config.h"
#include "core/incident.h"
#include "correlate/record.h"

namespace tocsin {

// Each returns whether it raised the level.
bool RaiseForSignal(const Signal& signal, Incident* incident);

// By the category of a firing signal (data loss, a breach).
bool RaiseForCategory(const SeverityScheme& scheme, const Signal& signal, Incident* incident);

// By the number of users with a failed event (`users_failed`, from series that can mean *down*) and
// by their share of impact.users_total; rules may require that a service is down. Not applied when
// a limit made the number of users unknown; the share is not applied when the total is unknown;
// neither is applied to a pure surge, whose level its detector has capped.
bool RaiseForUsers(const SeverityScheme& scheme, std::int64_t users_failed, Incident* incident);

// Level 1 when a signal that can mean *down* still fires long after the suspected deploy was rolled
// back.
bool RaiseAfterRollback(const SeverityScheme& scheme, TimeUs now, IncidentRecord* record);

// The level's name and response time.
void ApplyScheme(const SeverityScheme& scheme, Incident* incident);

}  // namespace tocsin
