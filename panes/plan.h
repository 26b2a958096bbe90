// The Plan: every distinct (inputs, where, by) of all detectors, with the union of their measures.
//
//   Plan plan = Plan::Compile({.scope = …, .inputs = …, .pane = …}, specs);
//   const Aggregation& a = plan.aggregations()[plan.AggregationOf(spec)];
//   plan.SlotsOf(spec)                                     // parallel to that spec's measures
//
// However many detectors read an aggregation, it is computed once. The scope's fields stand in
// front of every `by`. The plan's hash names it in every PaneBatch, so that batches of two plans
// never mix. Two aggregations of its own count the distinct users of each scope and the
// queries of each service to each dependency. Immutable once
// compiled, hence shareable between threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/time.h"
#include "core/wire.h"
#include "panes/pane_table.h"
#include "panes/series_spec.h"

namespace tocsin {

struct PlanInput {
  std::string name;
  DurationUs delay = 10 * kSecondUs;
};

struct Aggregation {
  std::vector<std::string> inputs;  // sorted; empty: all
  Predicate where;
  std::vector<FieldRef> by;  // scope first
  std::vector<std::string> by_names;
  TableLayout layout;
  DurationUs delay = 0;  // the largest of its inputs

  bool Reads(const std::string& input) const;
};

// What `coarse` may take from `fine` when a pane closes: both count the same events, and the keys
// of `fine` go on where those of `coarse` end. Empty where there is nothing.
SummedMeasures SummedOf(const Aggregation& coarse, const Aggregation& fine);

struct PlanOptions {
  std::vector<FieldRef> scope;
  std::vector<PlanInput> inputs;
  DurationUs pane = 10 * kSecondUs;
};

// What a plan measures, as data that can be kept; panes/plan_translation.h reads by it.
struct PlanDescription {
  struct Column {
    std::string text;  // Measure::ToString
    MeasureKind kind = MeasureKind::kCount;
    std::uint32_t k = 0;  // of a top-k
    bool operator==(const Column&) const = default;
  };
  struct Table {
    std::string key;  // inputs, filter and labels
    DurationUs delay = 0;
    std::size_t parts = 0;  // values of a series key
    std::vector<Column> columns;
  };
  DurationUs pane = 0;
  std::size_t scope_parts = 0;
  std::vector<Table> tables;  // in order of their keys

  // The plan's.
  Hash128 Hash() const;
  void Encode(ByteWriter* out) const;
  static PlanDescription Decode(ByteReader* in);
};

class Plan {
 public:
  static Plan Compile(PlanOptions options, const std::vector<SeriesSpec>& specs);

  const std::vector<Aggregation>& aggregations() const { return aggregations_; }
  std::size_t AggregationOf(std::size_t spec) const { return spec_aggregation_[spec]; }
  const std::vector<MeasureSlot>& SlotsOf(std::size_t spec) const { return spec_slots_[spec]; }
  // The aggregation whose only measure is the distinct users of a scope.
  std::size_t users_aggregation() const { return users_aggregation_; }
  MeasureSlot users_slot() const { return users_slot_; }
  // The aggregation of queries by service and dependency, which shows who needs whom.
  std::size_t calls_aggregation() const { return calls_aggregation_; }

  DurationUs pane() const { return options_.pane; }
  std::size_t scope_fields() const { return options_.scope.size(); }
  const std::vector<FieldRef>& scope() const { return options_.scope; }
  const Hash128& hash() const { return hash_; }
  PlanDescription Describe() const;
  // Declared delay of an input; that of unknown ones is the largest.
  DurationUs InputDelay(const std::string& input) const;
  // The largest delay of any aggregation that reads the input.
  DurationUs DelayMax(const std::string& input) const;

  // The part of a series key that is its scope.
  std::string_view ScopeOf(std::string_view series_key) const;

 private:
  PlanOptions options_;
  std::vector<Aggregation> aggregations_;
  std::vector<std::size_t> spec_aggregation_;
  std::vector<std::vector<MeasureSlot>> spec_slots_;
  std::size_t users_aggregation_ = 0;
  MeasureSlot users_slot_;
  std::size_t calls_aggregation_ = 0;
  Hash128 hash_;
};

}  // namespace tocsin
