// Stage 2: from the journal's batches to signals, incidents and what people should be told.
//
//   Decider decider(&config, &plan, &detectors, SequentialExecutor());
//   TOCSIN_RETURN_IF_ERROR(decider.Append(record));
//   Decision decision;
//   while (decider.Step(&decision)) …        // one tick each, or what people did between two
//
// A thread-free object driven by the order of the batches alone: no clock, no I/O. In each tick it
// updates and evaluates all series (in parallel through the executor), sorts the changes, and
// correlates sequentially. Its whole state goes into a snapshot. Memory is bounded by the series
// limits and by how far sources run ahead.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "config/config.h"
#include "correlate/correlator.h"
#include "detectors/detector.h"
#include "engine/executor.h"
#include "engine/page_folder.h"
#include "engine/scope_users.h"
#include "engine/series_limit_alarm.h"
#include "engine/series_set.h"
#include "engine/tick_assembler.h"
#include "journal/journal.h"
#include "panes/plan.h"

namespace tocsin {

// The plan of a configuration and its detectors: what stage 1 measures and stage 2 reads.
Plan CompilePlan(const Config& config, const std::vector<std::unique_ptr<Detector>>& detectors);

struct Decision {
  TimeUs tick = 0;
  bool partial = false;
  std::vector<OutputLine> lines;      // signals, then incidents
  std::vector<SignalChange> signals;  // as in the lines, and those that only continue
  std::vector<Incident> incidents;
  std::vector<Notification> notifications;  // in the order to be told
};

class Decider {
 public:
  struct Counters {
    std::int64_t ticks = 0;
    std::int64_t partial_ticks = 0;
    std::int64_t signals_fired = 0;
    std::int64_t incidents_opened = 0;
    std::int64_t pages = 0;
  };

  // All outlive the decider.
  Decider(const Config* config, const Plan* plan,
          const std::vector<std::unique_ptr<Detector>>* detectors, Executor executor);

  absl::Status Append(std::string_view record);
  // One tick, or what people did since the last one; false when nothing is left to decide.
  bool Step(Decision* decision);

  const TickAssembler& assembler() const { return assembler_; }
  const Correlator& correlator() const { return correlator_; }
  const Counters& counters() const { return counters_; }
  std::size_t series() const;
  // Series that were evicted or refused because of the limit.
  std::int64_t series_over_limit() const;
  TimeUs last_tick() const { return last_tick_; }

  // A snapshot of a configuration whose detectors differ keeps the state of those that are the
  // same; signals of the others clear with the next tick.
  std::string Encode() const;
  absl::Status Restore(std::string_view snapshot);

 private:
  bool StepActs(Decision* decision);
  std::vector<std::pair<std::string, Fact>> ScopedFacts(std::vector<Fact> facts, TimeUs tick);
  void WriteLines(Decision* decision);

  const Plan* plan_;
  DurationUs deploy_window_;
  Executor executor_;
  TickAssembler assembler_;
  std::vector<SeriesSet> sets_;            // one a detector
  std::vector<std::string> fingerprints_;  // of each detector's stanza and measures
  SeriesLimitAlarm series_limit_;
  ScopeUserCounts users_;
  Correlator correlator_;
  PageFolder folder_;
  std::map<std::string, TimeUs> seen_facts_;  // id → tick, for an hour
  std::vector<Signal> orphans_;               // to clear with the next tick
  Counters counters_;
  TimeUs last_tick_ = kNoTime;
};

}  // namespace tocsin
