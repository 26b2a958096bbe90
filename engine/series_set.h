// All series of one detector: their state, stepped once a tick.
//
//   SeriesSet set(&detector, {.own = spec_index, .explaining = std::nullopt}, &plan, {});
//   set.Step(context, table, executor, &changes, &impacts);
//
// A series begins with its first pane that has events and is updated for every tick from then on.
// Updates of different series are independent and go through the executor; everything that is
// visible outside is collected afterwards and sorted. A signal that fires for hours is reported
// again at growing intervals (SignalChangeKind::kContinued). From the onset of a breach on, the set
// also accumulates the impact of a series, so that a signal can report it when it fires.
//
// When a scope has the configured number of series, a new series replaces the scope's least
// recently seen idle one (ties by key). If none is idle, new keys count as (other) of their scope,
// a series that exists beside the limit. Scopes do not influence each other, except at the limit of
// the process (limits::kDetectorSeriesMax): there the least recently seen idle series of any scope
// is evicted, and if none is idle, the scope of the new keys is added to crowded_scopes().
//
// When the state of the series is lost (an older build wrote it, or the stanza changed), firing
// signals are held: they keep firing until their condition is seen to be over. The rest is
// relearned from ticks that were decided before: BeginRelearning, Relearn for each tick,
// EndRelearning. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "core/limits.h"
#include "core/signal.h"
#include "core/string_hash.h"
#include "correlate/correlator.h"
#include "correlate/deploys.h"
#include "detectors/detector.h"
#include "detectors/state_machine.h"
#include "engine/executor.h"
#include "engine/explaining_rows.h"
#include "panes/plan.h"

namespace tocsin {

// The measures of an impact (failed events, transactions, users); appended to every detector's own.
std::vector<Measure> ImpactMeasures();

class SeriesSet {
 public:
  struct Specs {
    std::size_t own = 0;
    std::optional<std::size_t> explaining;  // of Detector::Explaining
  };
  struct Limits {
    std::size_t scope_max = limits::kSeriesMax;        // of one scope, as configured
    std::size_t all_max = limits::kDetectorSeriesMax;  // of all scopes together
  };
  // All pointers outlive the set. `specs` are indices into the plan's specs.
  SeriesSet(const Detector* detector, Specs specs, const Plan* plan, Limits limits);

  using Scopes = absl::flat_hash_set<std::string_view, StringHash>;

  struct Context {
    TimeUs tick = 0;
    bool partial = false;
    const Scopes* heard = nullptr;  // scopes with data in this tick; null: all
    // How long after a deploy faults are likely in its whole scope.
    DurationUs deploy_window = 0;
    // The scope's deploys since max(deploy_window, kDeployWatch) before the tick, in order of time;
    // called before the parallel part.
    absl::FunctionRef<std::span<const Deploy>(std::string_view scope)> deploys;
    const PaneTable* explaining = nullptr;  // of explaining_aggregation; null: nothing was measured
  };
  // `table` may be null: nothing was measured. Changes and impacts are appended, sorted by series.
  void Step(const Context& context, const PaneTable* table, const Executor& executor,
            std::vector<TitledChange>* changes, std::vector<SignalImpact>* impacts);

  std::optional<std::size_t> explaining_aggregation() const {
    if (!explaining_) return std::nullopt;
    return explaining_->aggregation();
  }
  std::size_t size() const { return series_.size(); }
  std::int64_t evicted() const { return evicted_; }
  std::int64_t refused() const { return refused_; }
  // Scopes in which something counted as (other) in the last step, sorted.
  const std::vector<std::string>& scopes_with_others() const { return scopes_with_others_; }
  // Those of them that were below their own limit but hit that of the process.
  const std::set<std::string>& crowded_scopes() const { return crowded_; }
  // The scopes that its series are in, sorted.
  std::vector<std::string> ScopesOfSeries() const;
  // Drops the series of these scopes that are not firing.
  void Forget(const std::vector<std::string>& scopes);
  const Detector& detector() const { return *detector_; }
  // Firing signals; needed to clear them if a later configuration does not have this detector.
  std::vector<Signal> Firing() const;

  // Starts with only these firing signals. Returns those that cannot be held, because their kind or
  // labels do not match this detector's series. REQUIRES: the set is empty.
  std::vector<Signal> Hold(const std::vector<Signal>& firing);
  // Forgets everything except firing signals.
  void BeginRelearning();
  // Learns from a tick that was already decided. Call in order, at most up to the last decided
  // tick. Emits nothing.
  void Relearn(const Context& context, const PaneTable* table, const Executor& executor);
  // A condition that began to hold during relearning is reported by the next Step, if it still
  // holds.
  void EndRelearning();

  void Encode(ByteWriter* out) const;
  // Returns false and leaves the set empty if `in` is malformed or has trailing bytes. REQUIRES:
  // the set is empty.
  bool Decode(ByteReader* in);

 private:
  // Number of series, and of those that are explained by rows; of one scope or of all.
  struct Population {
    std::size_t series = 0;
    std::size_t explained = 0;
  };
  struct Series {
    std::string key;
    std::string scope;
    Population* population = nullptr;
    std::string service;             // or app, whose deploys concern it; empty: all deploys do
    std::string explaining_service;  // whose rows explain it; empty: all of its scope
    std::unique_ptr<SeriesState> state;
    RuleState rule;
    std::optional<Signal> signal;  // while firing
    SignalImpact since_onset;      // while a breach is pending
    TimeUs seen = kNoTime;         // last tick with events; kEvicted: remove it
    bool other = false;            // the (other) series, for keys past a limit
    bool explained = false;        // gets explaining rows

    // Of the tick being decided.
    CellView cell;
    PaneContext context;
    std::optional<RuleChange> change;
    Reading reading;
  };

  void TakeRows(const PaneTable& table, TimeUs tick);
  // Idle series, which may be evicted to make room for new ones.
  struct Idlers {
    Series* Next();                  // nullptr when none is left
    std::vector<Series*> left = {};  // evicted from the back
  };
  using Rows = std::span<const std::uint32_t>;
  // `rows` are in the order of their keys.
  void TakeNewRows(const PaneTable& table, Rows rows, TimeUs tick);
  // `of_all`: the idle series of all scopes, found on first use.
  void TakeRowsOfScope(const PaneTable& table, std::string_view scope, Rows rows, TimeUs tick,
                       std::optional<Idlers>* of_all);
  void TakeAsOther(const PaneTable& table, std::uint32_t row, TimeUs tick);
  Series* Find(std::string_view key);
  Series* Insert(std::string_view key, TimeUs tick);
  void MergeFresh();
  std::optional<std::string> KeyOf(const Signal& signal) const;
  void HoldFiring(Series* series, const Signal& signal) const;
  // The idle series whose keys begin with `prefix`.
  Idlers Idle(std::string_view prefix, TimeUs tick) const;
  void SetExplained(Series* series, bool explained);
  // Removes the series from the counts and the index.
  void Leave(Series* series);
  void Evict(Series* series);
  void Clear();
  void Update(Series* series) const;
  SpecCells CellsOf(const Series& series) const;
  void AddImpact(const Series& series, SignalImpact* impact) const;
  void Collect(Series* series, std::vector<TitledChange>* changes,
               std::vector<SignalImpact>* impacts) const;
  TitledChange Change(const RuleChange& change, Series* series) const;
  Signal NewSignal(const Series& series, const RuleChange& fired) const;

  const Detector* detector_;
  std::size_t spec_;
  const Plan* plan_;
  Limits limits_;
  const Aggregation* aggregation_;
  std::size_t impact_measure_;  // index of the first of ImpactMeasures in the spec
  std::optional<ExplainingRows> explaining_;
  // By scope, without empty ones after a tick; and the sum of all scopes.
  std::map<std::string, Population, std::less<>> populations_;
  Population all_;
  std::vector<std::unique_ptr<Series>> series_;  // by key
  absl::flat_hash_map<std::string_view, Series*, StringHash> index_;
  std::vector<std::unique_ptr<Series>> fresh_;  // of this tick, not yet merged into series_
  std::optional<PaneTable> overflow_;           // rows of this tick that count as (other)
  std::vector<std::string> scopes_with_others_;
  std::set<std::string> crowded_;
  std::map<std::string, Signal> held_;  // by key; while relearning
  std::int64_t evicted_ = 0;
  std::int64_t refused_ = 0;
};

}  // namespace tocsin
