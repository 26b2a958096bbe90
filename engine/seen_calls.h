// The calls from services to dependencies seen in one tick; the correlator learns from them.
//
//   std::vector<ScopedCall> calls = SeenCalls(table);    // of plan.calls_aggregation()
//
// Thread-safe: a pure function.
#pragma once

#include <vector>

#include "correlate/correlator.h"
#include "panes/pane_table.h"

namespace tocsin {

// Sorted by scope, service and dependency. `table` may be null.
std::vector<ScopedCall> SeenCalls(const PaneTable* table);

}  // namespace tocsin
