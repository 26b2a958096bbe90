// Stage 2: from the journal's batches to signals, incidents and what people should be told.
//
//   Decider decider(&config, &plan, &detectors, SequentialExecutor());
//   TOCSIN_RETURN_IF_ERROR(decider.Append(record));
//   Decision decision;
//   while (decider.Step(&decision)) …        // one tick each, or what people did between two
//
// A thread-free object driven by the order of the batches alone: no clock, no I/O. In each tick it
// updates and evaluates all series (in parallel through the executor), sorts the changes, and
// correlates sequentially. Its whole state goes into a snapshot (engine/snapshot.h). Memory is
// bounded by the series limits and by how far sources run ahead.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "config/config.h"
#include "core/state_format.h"
#include "correlate/correlator.h"
#include "detectors/detector.h"
#include "engine/executor.h"
#include "engine/page_grouper.h"
#include "engine/scope_limit.h"
#include "engine/scope_users.h"
#include "engine/series_limit_alarm.h"
#include "engine/series_set.h"
#include "engine/snapshot.h"
#include "engine/tick_assembler.h"
#include "journal/journal.h"
#include "panes/plan.h"

namespace tocsin {

// The plan of a configuration and its detectors: what stage 1 measures and stage 2 reads; or what
// it was in a build of an earlier state format.
Plan CompilePlan(const Config& config, const std::vector<std::unique_ptr<Detector>>& detectors,
                 int format = kStateFormat);

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

  std::string Encode() const;
  // The state of a detector is lost where its stanza changed, or where a build wrote it whose state
  // this one cannot read; all else is restored. What fires there fires on until its condition is
  // found over, unless its series are not what they were (another filter, other labels, another
  // kind, no such detector any more): then it clears with the next tick. Errors as of
  // SnapshotSections::Parse; the decider is of no use then. REQUIRES: nothing was appended.
  absl::Status Restore(std::string_view snapshot);

  // Detectors that the snapshot restored has no state of, and why in words.
  struct Lost {
    std::size_t set = 0;
    std::string detector;
    std::string reason;
  };
  const std::vector<Lost>& lost() const { return lost_; }
  // Learns their series from what was decided before: the records that the snapshot stands for, as
  // far back as there are any, in order, before anything is appended. FailedPrecondition for one
  // of another plan, which is left out.
  absl::Status Relearn(std::string_view record);
  // What was learned holds from the next tick on.
  void EndRelearning();

 private:
  bool StepActions(Decision* decision);
  // With what each set is to see of a tick.
  void ForEachSet(
      const AssembledTick& tick,
      absl::FunctionRef<void(std::size_t, const SeriesSet::Context&, const PaneTable*)> step) const;
  // Why the state was not taken over; empty if it was.
  std::string RestoreDetector(std::size_t set, const DetectorSection& section, int format);
  void LimitScopes(AssembledTick* tick, ScopeLimit::Facts* facts);
  std::vector<std::pair<std::string, Fact>> ScopedFacts(std::vector<Fact> facts, TimeUs tick);
  void WriteLines(Decision* decision);

  const Plan* plan_;
  DurationUs deploy_window_;
  Executor executor_;
  TickAssembler assembler_;
  ScopeLimit scopes_;
  std::vector<SeriesSet> sets_;  // one a detector
  // Of each detector: what its series are, and that with its stanza.
  std::vector<std::string> measured_, fingerprints_;
  SeriesLimitAlarm series_limit_;
  ScopeUserCounts users_;
  Correlator correlator_;
  PageGrouper folder_;
  std::map<std::string, TimeUs> seen_facts_;  // scope and id → tick, for an hour
  std::vector<Signal> orphans_;               // to clear with the next tick
  std::vector<Lost> lost_;
  std::optional<TickAssembler> past_;  // while learning again
  Counters counters_;
  TimeUs last_tick_ = kNoTime;
};

}  // namespace tocsin
