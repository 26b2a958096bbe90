// Stage 2: turns the journal's batches into signals, incidents and notifications.
//
//   Decider decider(&config, &plan, &detectors, SequentialExecutor());
//   TOCSIN_RETURN_IF_ERROR(decider.Append(record));
//   Decision decision;
//   while (decider.Step(&decision)) …        // one tick, or the operator actions between two ticks
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

// The plan of a configuration and its detectors: what stage 1 measures and stage 2 reads. With an
// older `format`: the plan that a build of that state format compiled from it.
Plan CompilePlan(const Config& config, const std::vector<std::unique_ptr<Detector>>& detectors,
                 int format = kStateFormat);

struct Decision {
  TimeUs tick = 0;
  bool partial = false;
  std::vector<OutputLine> lines;      // signals, then incidents
  std::vector<SignalChange> signals;  // those in `lines`, and those that only continue
  std::vector<Incident> incidents;
  std::vector<Notification> notifications;  // in the order of sending
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

  // All arguments outlive the decider.
  Decider(const Config* config, const Plan* plan,
          const std::vector<std::unique_ptr<Detector>>* detectors, Executor executor);

  absl::Status Append(std::string_view record);
  // Decides one tick, or applies the operator actions since the last one. Returns false when there
  // is nothing left to decide.
  bool Step(Decision* decision);

  const TickAssembler& assembler() const { return assembler_; }
  const Correlator& correlator() const { return correlator_; }
  const Counters& counters() const { return counters_; }
  std::size_t series() const;
  // Series that were evicted or refused because of the limit.
  std::int64_t series_over_limit() const;
  TimeUs last_tick() const { return last_tick_; }

  std::string Encode() const;
  // A detector's state is dropped if its stanza changed or if this build cannot read the version of
  // the state; everything else is restored. A signal that fires on such a detector keeps firing
  // until its condition is seen to be over. If its series changed as well (different filter, labels
  // or kind, or the detector was removed), it clears with the next tick. Errors are those of
  // SnapshotSections::Parse; the decider is unusable after an error. REQUIRES: nothing was
  // appended.
  absl::Status Restore(std::string_view snapshot);

  // Detectors whose state was not restored from the snapshot, each with the reason in words.
  struct Lost {
    std::size_t set = 0;
    std::string detector;
    std::string reason;
  };
  const std::vector<Lost>& lost() const { return lost_; }
  // Relearns the series of those detectors from ticks that were already decided. Pass the records
  // that the snapshot covers, as far back as they exist, in order, before the first Append.
  // FailedPrecondition for a record of an unknown plan; such a record is skipped.
  absl::Status Relearn(std::string_view record);
  // Ends relearning; the relearned state is used from the next tick on.
  void EndRelearning();

 private:
  bool StepActions(Decision* decision);
  // Calls `step` for each set with its context and its table of the tick.
  void ForEachSet(
      const AssembledTick& tick,
      absl::FunctionRef<void(std::size_t, const SeriesSet::Context&, const PaneTable*)> step) const;
  // The reason why the state was not restored; empty if it was.
  std::string RestoreDetector(std::size_t set, const DetectorSection& section, int format);
  void LimitScopes(AssembledTick* tick, ScopeLimit::Facts* facts);
  std::vector<std::pair<std::string, Fact>> ScopedFacts(std::vector<Fact> facts, TimeUs tick);
  void WriteLines(Decision* decision);

  const Plan* plan_;
  DurationUs deploy_window_;
  Executor executor_;
  TickAssembler assembler_;
  ScopeLimit scopes_;
  std::vector<SeriesSet> sets_;  // one per detector
  // By detector. `measured_`: hash of what defines its series; `fingerprints_`: hash of that and
  // the stanza.
  std::vector<std::string> measured_, fingerprints_;
  SeriesLimitAlarm series_limit_;
  ScopeUserCounts users_;
  Correlator correlator_;
  PageGrouper folder_;
  std::map<std::string, TimeUs> seen_facts_;  // scope and id → tick, for an hour
  std::vector<Signal> orphans_;               // signals to clear in the next tick
  std::vector<Lost> lost_;
  std::optional<TickAssembler> past_;  // set while relearning
  Counters counters_;
  TimeUs last_tick_ = kNoTime;
};

}  // namespace tocsin
