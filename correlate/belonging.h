// Whether a signal that has something in common with an open incident still belongs to it.
//
//   switch (BelongingOf(record, signal, same_series, {.topology = …, .join_window = 5 min})) …
//
// It does when it began within `join_window` of the incident's onset; when it began while something
// of the incident fired that had got worse in the last 45 min; and when its series is one of the
// incident's that fires on and off. What begins later is news of its own, for an incident of which
// something fires for days must not swallow a week's outages. It still belongs if something of the
// incident explains it, which is that of a signal whose condition holds when it begins, that began
// no more than a day before and does not drift:
//   - what it needs, directly or through others, is a service that is down, or a dependency of
//     which something fires at level 2 or 1: a database that has been down for hours takes along
//     whoever begins to use it only now;
//   - it is about a component that does not work at all;
//   - it is the same attacker's.
// Thread-safe: a pure function.
#pragma once

#include <cstdint>

#include "correlate/record.h"
#include "correlate/topology.h"

namespace tocsin {

enum class Belonging : std::uint8_t {
  kNone,    // the incident was over when it began
  kBeside,  // the incident went on, but this is another one
  kCause,   // the incident explains it
  kMember,
};

struct BelongingContext {
  const Topology& topology;
  DurationUs join_window = 0;
};

// `same_series`: a listed signal of the incident has its detector and series.
Belonging BelongingOf(const IncidentRecord& record, const Signal& signal, bool same_series,
                      const BelongingContext& context);

}  // namespace tocsin
