// Decides whether a signal that has something in common with an open incident still belongs to it.
//
//   switch (BelongingOf(record, signal, same_series, {.topology = …, .join_window = 5 min})) …
//
// A signal belongs to the incident
//   - when it began within `join_window` of the incident's onset,
//   - when it began while the incident fired and had got worse in the last 45 min, or
//   - when its series is one of the incident's that fires on and off.
//
// A later signal is a separate incident: an incident that fires for days must not absorb a week's
// outages. It still belongs if a firing signal of the incident explains it. Only a signal whose
// condition holds when the new one begins, that began at most a day before it, and that does not
// drift can explain it. It does so when
//   - the new signal needs, directly or through others, a service that is down or a dependency of
//     which something fires at level 2 or 1: a database that has been down for hours also breaks
//     services that begin to use it only now,
//   - both are about a component that does not work at all, or
//   - both name the same attacker.
//
// Thread-safe: a pure function.
#pragma once

#include <cstdint>

#include "correlate/record.h"
#include "correlate/topology.h"

namespace tocsin {

enum class Belonging : std::uint8_t {
  kNone,    // the incident was over when the signal began
  kBeside,  // the incident was still firing, but the signal is a separate incident
  kCause,   // the incident explains the signal
  kMember,
};

struct BelongingContext {
  const Topology& topology;
  DurationUs join_window = 0;
};

// `same_series`: some listed signal of the incident has the same detector and series.
Belonging BelongingOf(const IncidentRecord& record, const Signal& signal, bool same_series,
                      const BelongingContext& context);

}  // namespace tocsin
