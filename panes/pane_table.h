// All series of one aggregation in one pane: the accumulators, and what they merge into.
//
//   PaneTable table(&layout);
//   std::uint32_t row = table.Row(key);      // find or insert; past the cap the row of (other)
//   table.Accumulate(row, event);            // every measure
//   CellView cell = table.Cell(row);         // detectors read it by MeasureSlot
//
// Columns per measure kind, one stride a row, so that counting touches adjacent integers and rich
// measures cost nothing where there are none. Knows only its own pane: nothing here looks back.
// Merging is associative, and commutative except for counters and a full top-k, hence in source
// order. Accumulating is bounded: limits::kPaneKeysMax keys, then as many scopes' (other), then one
// for all. A merged table has at most the rows of its parts together. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/fixed_point.h"
#include "core/histogram.h"
#include "core/hyperloglog.h"
#include "core/space_saving.h"
#include "core/string_hash.h"
#include "panes/counter_set.h"
#include "panes/series_spec.h"

namespace tocsin {

// A gauge in one pane: first and last by (event time, value), so that order of arrival is no
// matter.
struct GaugeValue {
  std::int64_t samples = 0;
  TimeUs last_time = kNoTime;
  double last = 0, min = 0, max = 0;
  FixedSum sum;
  std::optional<double> limit;  // of the last sample that had one
  TimeUs limit_time = kNoTime;

  void Add(TimeUs time, double value, std::optional<double> limit_value);
  void Merge(const GaugeValue& other);
  bool operator==(const GaugeValue&) const = default;
};

// Where one measure of an aggregation lives.
struct MeasureSlot {
  MeasureKind kind = MeasureKind::kCount;
  std::uint32_t index = 0;  // within its kind's stride
};

// The measures of an aggregation, sorted canonically, and their slots.
struct TableLayout {
  std::vector<Measure> measures;
  std::vector<MeasureSlot> slots;  // parallel
  // What accumulating looks at, in one place: a measure is larger than a cache line.
  struct Step {
    MeasureKind kind;
    MeasureFilter filter;
    MeasureValue value;
    Field field;
    std::uint32_t index;    // of the slot
    std::uint32_t measure;  // in `measures`
    std::int64_t threshold;
  };
  // Of the measures that an event can touch: one that did not fail, and one that did.
  struct Steps {
    std::vector<Step> of_success, of_failure;
  };
  Steps steps;
  std::uint32_t counts = 0, sums = 0, gauges = 0, counters = 0, histograms = 0, distincts = 0,
                tops = 0;

  // Where a key past the cap goes: its first `scope_parts` values, then `other_suffix`; and where
  // one goes when there are too many scopes, or nothing but the scope in the key.
  std::size_t scope_parts = 0;
  std::string other_suffix;
  std::string other_scope;

  // A key has `parts` values, the first `scope_parts` of them the scope.
  static TableLayout Of(std::vector<Measure> measures, std::size_t scope_parts = 0,
                        std::size_t parts = 0);
  // The same of measures that are in canonical order already.
  static TableLayout InOrder(std::vector<Measure> measures, std::size_t scope_parts,
                             std::size_t parts);
  std::string OtherKey(std::string_view key) const;
  // True for the keys that stand for those past the cap.
  bool IsOther(std::string_view key) const;
  // REQUIRES: the measure is part of the layout.
  MeasureSlot SlotOf(const Measure& measure) const;
};

// One measure in two layouts. REQUIRES: of the same kind.
struct MeasurePair {
  MeasureSlot from, to;
};

// What the rows of a table need not count event by event, because rows whose keys go on where
// theirs end do: sums of those. Made by SummedOf (panes/plan.h).
struct SummedMeasures {
  struct Pair {
    MeasureKind kind;
    std::uint32_t mine, theirs;  // of the slots
  };
  std::vector<Pair> pairs;
  // A top-k of the value by which the finer keys go on: their counts.
  struct Top {
    std::uint32_t mine, count;
  };
  std::vector<Top> tops;
  std::size_t key_parts = 0;  // of ours
  TableLayout::Steps rest;    // what is left to count

  bool empty() const { return pairs.empty() && tops.empty(); }
};

class PaneTable;

// One row, read-only; an absent row reads as zeros and empty sketches. Valid while its table lives.
class CellView {
 public:
  CellView() = default;  // empty
  CellView(const PaneTable* table, std::uint32_t row) : table_(table), row_(row) {}
  bool present() const { return table_ != nullptr; }

  std::int64_t Count(MeasureSlot slot) const;
  double Sum(MeasureSlot slot) const;
  const GaugeValue& Gauge(MeasureSlot slot) const;
  const CounterSet& Counters(MeasureSlot slot) const;
  const LogHistogram& Histogram(MeasureSlot slot) const;
  const HyperLogLog& Distinct(MeasureSlot slot) const;
  const SpaceSaving& Top(MeasureSlot slot) const;

 private:
  const PaneTable* table_ = nullptr;
  std::uint32_t row_ = 0;
};

class PaneTable {
 public:
  // `layout` outlives the table.
  explicit PaneTable(const TableLayout* layout) : layout_(layout) {}
  // Not copied: the index holds views of the keys, which stay where they are in a move.
  PaneTable(PaneTable&&) = default;
  PaneTable& operator=(PaneTable&&) = default;

  // Finds or inserts; a new key past the cap goes to (other) of its scope.
  std::uint32_t Row(std::string_view key);
  std::optional<std::uint32_t> FindRow(std::string_view key) const;
  void Accumulate(std::uint32_t row, const Event& event) { Accumulate(row, event, layout_->steps); }
  // `steps` are some of the layout's.
  void Accumulate(std::uint32_t row, const Event& event, const TableLayout::Steps& steps);
  // Adds what `summed` says of `finer`, but for its rows of (other), to the rows whose keys theirs
  // begin with.
  void Sum(const PaneTable& finer, const SummedMeasures& summed);
  void Merge(const PaneTable& other);
  // Adds one row of another table of this layout to the row of `key`.
  void MergeRow(const PaneTable& other, std::uint32_t from, std::string_view key);
  // The same rows with the measures of another layout: those that `pairs` name, the rest empty.
  PaneTable Translated(const TableLayout* layout, const std::vector<MeasurePair>& pairs) const;

  std::uint32_t rows() const { return static_cast<std::uint32_t>(keys_.size()); }
  std::string_view key(std::uint32_t row) const { return keys_[row]; }
  CellView Cell(std::uint32_t row) const { return CellView(this, row); }
  // Rows in key order.
  std::vector<std::uint32_t> SortedRows() const;
  // How often Row gave that of (other) because of the cap.
  std::int64_t capped() const { return capped_; }
  const TableLayout& layout() const { return *layout_; }

  // Rows in key order, so equal tables encode equally.
  void Encode(ByteWriter* out) const;
  // Marks `in` as failed when the content does not fit the layout.
  static PaneTable Decode(const TableLayout* layout, ByteReader* in);

 private:
  friend class CellView;
  std::uint32_t NewRow(std::string_view key);
  std::uint32_t FindOrNewRow(std::string_view key);
  void SumTop(const SummedMeasures::Top& top, const PaneTable& finer,
              const std::vector<std::uint32_t>& row_of);

  const TableLayout* layout_;
  // A deque never moves its elements, so the index can hold views of them.
  std::deque<std::string> keys_;
  absl::flat_hash_map<std::string_view, std::uint32_t, StringHash> index_;
  std::vector<std::int64_t> counts_;
  std::vector<FixedSum> sums_;
  std::vector<GaugeValue> gauges_;
  std::vector<CounterSet> counters_;
  std::vector<LogHistogram> histograms_;
  std::vector<HyperLogLog> distincts_;
  std::vector<SpaceSaving> tops_;
  std::int64_t capped_ = 0;
};

}  // namespace tocsin
