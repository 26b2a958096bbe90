#include "panes/plan.h"

#include <algorithm>
#include <map>

#include "core/limits.h"
#include "core/wire.h"

namespace tocsin {
namespace {

// Of a spec, or of the aggregation that it becomes. Every part behind its length, because names may
// hold any character.
template <typename Measured>
std::string KeyOf(const Measured& measured) {
  ByteWriter key;
  key.Varint(measured.inputs.size());
  for (const std::string& input : measured.inputs) key.Bytes(input);
  key.Bytes(measured.where.ToString());
  for (const FieldRef& field : measured.by) key.Bytes(field.Name());
  return key.Take();
}

// Inputs sorted, and `by` as it is computed: the scope first, nothing twice.
SeriesSpec Canonical(const SeriesSpec& spec, const std::vector<FieldRef>& scope) {
  SeriesSpec canonical = spec;
  std::sort(canonical.inputs.begin(), canonical.inputs.end());
  canonical.inputs.erase(std::unique(canonical.inputs.begin(), canonical.inputs.end()),
                         canonical.inputs.end());
  canonical.by = scope;
  for (const FieldRef& field : spec.by) {
    if (std::find(canonical.by.begin(), canonical.by.end(), field) == canonical.by.end()) {
      canonical.by.push_back(field);
    }
  }
  return canonical;
}

DurationUs LargestDelay(const std::vector<PlanInput>& inputs,
                        const std::vector<std::string>& names) {
  DurationUs largest = 0;
  for (const PlanInput& input : inputs) {
    const bool reads = names.empty() || std::binary_search(names.begin(), names.end(), input.name);
    if (reads) largest = std::max(largest, input.delay);
  }
  return largest;
}

}  // namespace

bool Aggregation::Reads(const std::string& input) const {
  return inputs.empty() || std::binary_search(inputs.begin(), inputs.end(), input);
}

SummedMeasures SummedOf(const Aggregation& coarse, const Aggregation& fine) {
  SummedMeasures summed;
  const bool begins = coarse.by.size() < fine.by.size() &&
                      std::equal(coarse.by.begin(), coarse.by.end(), fine.by.begin());
  // Alarms are counted in panes of their own choice, each aggregation by itself.
  if (!begins || coarse.inputs != fine.inputs || coarse.delay != fine.delay ||
      coarse.where.ToString() != fine.where.ToString() ||
      coarse.where.MatchesType(EventType::kAlarm)) {
    return summed;
  }
  const auto slot_in_fine = [&](const Measure& measure) -> const MeasureSlot* {
    const std::vector<Measure>& all = fine.layout.measures;
    const auto found = std::find(all.begin(), all.end(), measure);
    return found == all.end() ? nullptr
                              : &fine.layout.slots[static_cast<std::size_t>(found - all.begin())];
  };
  std::vector<bool> counted;  // by measure: event by event
  for (std::size_t i = 0; i < coarse.layout.measures.size(); ++i) {
    const Measure& measure = coarse.layout.measures[i];
    const std::uint32_t mine = coarse.layout.slots[i].index;
    const MeasureSlot* theirs = nullptr;
    switch (measure.kind) {
      case MeasureKind::kCount:
      case MeasureKind::kSum:
      case MeasureKind::kHistogram:
      case MeasureKind::kDistinct:
        theirs = slot_in_fine(measure);
        if (theirs != nullptr) summed.pairs.push_back({measure.kind, mine, theirs->index});
        break;
      case MeasureKind::kTopK: {
        const FieldRef& next = fine.by[coarse.by.size()];
        if (fine.by.size() != coarse.by.size() + 1 || next.kind != FieldRef::Kind::kField ||
            next.field != measure.field) {
          break;
        }
        Measure count = Measure::Count();
        count.filter = measure.filter;
        count.threshold = measure.threshold;
        count.ref = measure.ref;
        count.text = measure.text;
        theirs = slot_in_fine(count);
        if (theirs != nullptr) summed.tops.push_back({mine, theirs->index});
        break;
      }
      case MeasureKind::kGauge:
      case MeasureKind::kCounter:
        break;
    }
    counted.push_back(theirs == nullptr);
  }
  summed.key_parts = coarse.by.size();
  const auto keep = [&](const std::vector<TableLayout::Step>& all,
                        std::vector<TableLayout::Step>* rest) {
    for (const TableLayout::Step& step : all) {
      if (counted[step.measure]) rest->push_back(step);
    }
  };
  keep(coarse.layout.steps.of_success, &summed.rest.of_success);
  keep(coarse.layout.steps.of_failure, &summed.rest.of_failure);
  return summed;
}

Plan Plan::Compile(PlanOptions options, const std::vector<SeriesSpec>& specs) {
  Plan plan;
  plan.options_ = std::move(options);
  std::vector<SeriesSpec> all;
  for (const SeriesSpec& spec : specs) all.push_back(Canonical(spec, plan.options_.scope));
  SeriesSpec users;
  users.measures = {Measure::Distinct(Field::kUser)};
  all.push_back(Canonical(users, plan.options_.scope));
  SeriesSpec calls;
  calls.where.Require(*FieldRef::Parse("type"), {"query"});
  calls.by = {*FieldRef::Parse("service"), *FieldRef::Parse("dependency")};
  calls.measures = {Measure::Count()};
  all.push_back(Canonical(calls, plan.options_.scope));

  // Ordered by key, so that the numbering depends on the set of specs and not on their order.
  std::map<std::string, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < all.size(); ++i) groups[KeyOf(all[i])].push_back(i);
  plan.spec_aggregation_.resize(all.size());
  plan.spec_slots_.resize(all.size());
  for (const auto& [key, members] : groups) {
    const SeriesSpec& first = all[members.front()];
    Aggregation aggregation;
    aggregation.inputs = first.inputs;
    aggregation.where = first.where;
    aggregation.by = first.by;
    std::vector<Measure> measures;
    for (const std::size_t member : members) {
      measures.insert(measures.end(), all[member].measures.begin(), all[member].measures.end());
    }
    aggregation.layout =
        TableLayout::Of(std::move(measures), plan.options_.scope.size(), aggregation.by.size());
    aggregation.delay = LargestDelay(plan.options_.inputs, aggregation.inputs);
    for (const FieldRef& field : aggregation.by) aggregation.by_names.push_back(field.Name());
    for (const std::size_t member : members) {
      plan.spec_aggregation_[member] = plan.aggregations_.size();
      for (const Measure& measure : all[member].measures) {
        plan.spec_slots_[member].push_back(aggregation.layout.SlotOf(measure));
      }
    }
    plan.aggregations_.push_back(std::move(aggregation));
  }
  plan.users_aggregation_ = plan.spec_aggregation_[specs.size()];
  plan.users_slot_ = plan.spec_slots_[specs.size()].front();
  plan.calls_aggregation_ = plan.spec_aggregation_[specs.size() + 1];
  plan.hash_ = plan.Describe().Hash();
  return plan;
}

PlanDescription Plan::Describe() const {
  PlanDescription description{
      .pane = options_.pane, .scope_parts = options_.scope.size(), .tables = {}};
  for (const Aggregation& aggregation : aggregations_) {
    PlanDescription::Table table{.key = KeyOf(aggregation),
                                 .delay = aggregation.delay,
                                 .parts = aggregation.by.size(),
                                 .columns = {}};
    for (const Measure& measure : aggregation.layout.measures) {
      table.columns.push_back({measure.ToString(), measure.kind, measure.k});
    }
    description.tables.push_back(std::move(table));
  }
  return description;
}

Hash128 PlanDescription::Hash() const {
  std::string text =
      "pane " + std::to_string(pane) + " scope " + std::to_string(scope_parts) + '\n';
  for (const Table& table : tables) {
    text += table.key + " delay " + std::to_string(table.delay);
    for (const Column& column : table.columns) text += ' ' + column.text;
    text += '\n';
  }
  return HashBytes(text);
}

void PlanDescription::Encode(ByteWriter* out) const {
  out->Signed(pane);
  out->Varint(scope_parts);
  out->Varint(tables.size());
  for (const Table& table : tables) {
    out->Bytes(table.key);
    out->Signed(table.delay);
    out->Varint(table.parts);
    out->Varint(table.columns.size());
    for (const Column& column : table.columns) {
      out->Bytes(column.text);
      out->Byte(static_cast<std::uint8_t>(column.kind));
      out->Varint(column.k);
    }
  }
}

PlanDescription PlanDescription::Decode(ByteReader* in) {
  PlanDescription description;
  description.pane = in->Signed();
  description.scope_parts = in->Varint();
  for (std::size_t i = in->Count(4); i > 0 && in->ok(); --i) {
    Table table;
    table.key = in->Bytes();
    table.delay = in->Signed();
    table.parts = in->Varint();
    if (table.parts > limits::kLabelsMax || description.scope_parts > table.parts) in->Fail();
    for (std::size_t n = in->Count(3); n > 0 && in->ok(); --n) {
      Column column;
      column.text = in->Bytes();
      const std::uint8_t kind = in->Byte();
      const std::uint64_t k = in->Varint();
      if (kind > static_cast<std::uint8_t>(MeasureKind::kTopK) || k < 1 || k > SpaceSaving::kMaxK) {
        in->Fail();
        break;
      }
      column.kind = static_cast<MeasureKind>(kind);
      column.k = static_cast<std::uint32_t>(k);
      table.columns.push_back(std::move(column));
    }
    description.tables.push_back(std::move(table));
  }
  return in->ok() ? description : PlanDescription{};
}

DurationUs Plan::InputDelay(const std::string& input) const {
  for (const PlanInput& known : options_.inputs) {
    if (known.name == input) return known.delay;
  }
  return LargestDelay(options_.inputs, {});
}

DurationUs Plan::DelayMax(const std::string& input) const {
  DurationUs largest = InputDelay(input);
  for (const Aggregation& aggregation : aggregations_) {
    if (aggregation.Reads(input)) largest = std::max(largest, aggregation.delay);
  }
  return largest;
}

std::string_view Plan::ScopeOf(std::string_view series_key) const {
  ByteReader in(series_key);
  for (std::size_t i = 0; i < scope_fields(); ++i) in.Bytes();
  return in.ok() ? series_key.substr(0, series_key.size() - in.remaining()) : series_key;
}

}  // namespace tocsin
