// Distinct users of each scope in the last 60 minutes.
//
//   users.Add(tick, table, slot);   for (const ScopeUsers& s : users.Counts()) …
//
// Twelve sketches of five minutes per scope; their union spans 55 to 60 minutes. About 12 KiB a
// scope. Not thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/hyperloglog.h"
#include "core/time.h"
#include "core/wire.h"
#include "correlate/correlator.h"
#include "panes/pane_table.h"

namespace tocsin {

class ScopeUserCounts {
 public:
  // `table` may be null; its keys are scopes.
  void Add(TimeUs tick, const PaneTable* table, MeasureSlot slot);
  std::vector<ScopeUsers> Counts() const;  // by scope

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  static constexpr DurationUs kSlot = 5 * kMinuteUs;
  static constexpr int kSlots = 12;

  std::map<std::string, std::map<TimeUs, HyperLogLog>> slots_;  // scope → start of slot → users
};

}  // namespace tocsin
