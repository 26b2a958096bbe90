// All series of one detector: their state, stepped once a tick.
//
//   SeriesSet set(&detector, spec_index, &plan);
//   set.Step({.tick = tick, …}, table, executor, &changes, &impacts);
//
// A series begins with its first pane that has events and is updated for every tick from then on.
// Updates of different series are independent and go through the executor; everything that is
// visible outside is collected afterwards and sorted. What fires for hours says so, now and then.
// Also remembers who was hurt on a series from the onset of a breach on, so that a signal can say it
// when it fires.
//
// Past the configured number of series of a scope its least recently seen idle one is evicted (ties
// by key); where none is idle, new keys count as (other) of their scope, a series that exists beside
// the limit. No scope has an influence on another one, except past the bound of the process
// (limits::kDetectorSeriesMax): there the least recently seen idle series of any scope makes room,
// and where there is none the scope of the new keys is among crowded_scopes().
//
// Where the state of its series is lost (an older build wrote it, the stanza changed), what fires
// is held: it fires on until its condition is found over. The rest is learned again from ticks that
// were decided before: BeginRelearning, Relearn for each, EndRelearning. Not thread-safe.
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

// The measures that say who was hurt; appended to every detector's own.
std::vector<Measure> ImpactMeasures();

class SeriesSet {
 public:
  struct Specs {
    std::size_t own = 0;
    std::optional<std::size_t> explaining;  // of Detector::Explaining
  };
  struct Limits {
    std::size_t scope_max = limits::kSeriesMax;        // as configured
    std::size_t all_max = limits::kDetectorSeriesMax;  // of all scopes
  };
  // All outlive the set. `specs` are places in the plan's.
  SeriesSet(const Detector* detector, Specs specs, const Plan* plan, Limits limits);

  using Scopes = absl::flat_hash_set<std::string_view, StringHash>;

  struct Context {
    TimeUs tick = 0;
    bool partial = false;
    const Scopes* heard = nullptr;  // of which something arrived in this tick; null: of all
    // For how long a deploy makes faults likely in its whole scope.
    DurationUs deploy_window = 0;
    // The scope's deploys from max(deploy_window, kDeployWatch) before the tick on, in order of
    // time; called before the parallel part.
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
  // Those of them for which only the process had no room.
  const std::set<std::string>& crowded_scopes() const { return crowded_; }
  // Those of its series, sorted.
  std::vector<std::string> ScopesOfSeries() const;
  // Drops the series of these scopes that do not fire.
  void Forget(const std::vector<std::string>& scopes);
  const Detector& detector() const { return *detector_; }
  // Firing signals, for a configuration that no longer has this detector.
  std::vector<Signal> Firing() const;

  // Begins with nothing but these signals, which fire. Returns those whose kind or labels no series
  // of this detector has. REQUIRES: the set is empty.
  std::vector<Signal> Hold(const std::vector<Signal>& firing);
  // Forgets all but what fires.
  void BeginRelearning();
  // A tick up to the last one that was decided, in order. Nothing of it is told.
  void Relearn(const Context& context, const PaneTable* table, const Executor& executor);
  // What fires without having been told is told with the next Step, if it still does.
  void EndRelearning();

  void Encode(ByteWriter* out) const;
  // The set is empty if `in` is malformed, or goes on behind it. REQUIRES: the set is empty.
  bool Decode(ByteReader* in);

 private:
  // Of one scope.
  struct Population {
    std::size_t series = 0;
    std::size_t explained = 0;
  };
  struct Series {
    std::string key;
    std::string scope;
    Population* population = nullptr;
    std::string service;             // or the app: whose deploys concern it; empty: everybody's
    std::string explaining_service;  // whose rows explain it; empty: those of its scope
    std::unique_ptr<SeriesState> state;
    RuleState rule;
    std::optional<Signal> signal;  // while firing
    SignalImpact since_onset;      // while a breach is pending
    TimeUs seen = kNoTime;         // last tick with events; kEvicted: to be removed
    bool other = false;            // stands for those past a limit
    bool explained = false;        // by the rows of its service

    // Of the tick being decided.
    CellView cell;
    PaneContext context;
    std::optional<RuleChange> change;
    Reading reading;
  };

  void TakeRows(const PaneTable& table, TimeUs tick);
  // Series that may make room for new ones.
  struct Idlers {
    Series* Next();                  // nullptr: none is left
    std::vector<Series*> left = {};  // the last one goes first
  };
  using Rows = std::span<const std::uint32_t>;
  // `rows` are in the order of their keys.
  void TakeNewRows(const PaneTable& table, Rows rows, TimeUs tick);
  // `of_all`: those of all scopes, once they are needed.
  void TakeRowsOfScope(const PaneTable& table, std::string_view scope, Rows rows, TimeUs tick,
                       std::optional<Idlers>* of_all);
  void TakeAsOther(const PaneTable& table, std::uint32_t row, TimeUs tick);
  Series* Find(std::string_view key);
  Series* Insert(std::string_view key, TimeUs tick);
  void MergeFresh();
  std::optional<std::string> KeyOf(const Signal& signal) const;
  void HoldFiring(Series* series, const Signal& signal) const;
  // Of those whose keys begin like that.
  Idlers Idle(std::string_view prefix, TimeUs tick) const;
  void SetExplained(Series* series, bool explained);
  // Neither counted nor found any more.
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
  // By scope; those without series are removed after a tick. How many there are of all scopes.
  std::map<std::string, Population, std::less<>> populations_;
  Population all_;
  std::vector<std::unique_ptr<Series>> series_;  // by key
  absl::flat_hash_map<std::string_view, Series*, StringHash> index_;
  std::vector<std::unique_ptr<Series>> fresh_;  // of this tick, not yet merged into series_
  std::optional<PaneTable> overflow_;           // of this tick: rows that count as (other)
  std::vector<std::string> scopes_with_others_;
  std::set<std::string> crowded_;
  std::map<std::string, Signal> held_;  // by key; while learning again
  std::int64_t evicted_ = 0;
  std::int64_t refused_ = 0;
};

}  // namespace tocsin
