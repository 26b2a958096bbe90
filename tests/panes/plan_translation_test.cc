#include "panes/plan_translation.h"

#include <gtest/gtest.h>

#include "core/labels.h"

namespace tocsin {
namespace {

constexpr DurationUs kPane = 10 * kSecondUs;

SeriesSpec SpecBy(const char* label, std::vector<Measure> measures) {
  SeriesSpec spec;
  spec.by = {*FieldRef::Parse(label)};
  spec.measures = std::move(measures);
  return spec;
}

Plan PlanOf(const std::vector<SeriesSpec>& specs, DurationUs pane = kPane) {
  return Plan::Compile(
      {.scope = {*FieldRef::Parse("env")}, .inputs = {{"app", pane}}, .pane = pane}, specs);
}

Event MakeEvent() {
  Event event;
  event.time = kSecondUs;
  event.type = EventType::kRequest;
  event.status = 500;
  event.duration = 20'000;
  event.value = 7;
  event.Set(Field::kEnv, "prod");
  event.Set(Field::kService, "api");
  event.Set(Field::kUser, "ann");
  event.Normalize();
  return event;
}

// What the plan measures of one event, by way of its encoding.
std::string Measured(const Plan& plan) {
  PaneBatch batch;
  batch.source = "app/0";
  batch.tick = kPane;
  for (std::uint32_t i = 0; i < plan.aggregations().size(); ++i) {
    const Aggregation& aggregation = plan.aggregations()[i];
    if (!aggregation.where.Matches(MakeEvent())) continue;
    PaneTable table(&aggregation.layout);
    std::string key;
    std::array<char, 12> scratch;
    for (const FieldRef& field : aggregation.by) {
      AppendKeyPart(field.Get(MakeEvent(), scratch), &key);
    }
    table.Accumulate(table.Row(key), MakeEvent());
    batch.tables.emplace_back(i, std::move(table));
  }
  return EncodeBatch(batch, plan)[0];
}

TEST(PlanDescription, SaysWhatTheHashIsOfAndSurvivesItsEncoding) {
  const Plan plan = PlanOf({SpecBy("service", {Measure::Count(), Measure::Histogram()}),
                            SpecBy("endpoint", {Measure::TopK(Field::kUser, 8)})});
  EXPECT_EQ(plan.Describe().Hash(), plan.hash());
  ByteWriter out;
  plan.Describe().Encode(&out);
  ByteReader in(out.view());
  EXPECT_EQ(PlanDescription::Decode(&in).Hash(), plan.hash());
  EXPECT_TRUE(in.Done());
}

TEST(PlanTranslation, TakesOverWhatBothMeasure) {
  const std::vector<Measure> both = {Measure::Count(), Measure::CountFailed(), Measure::Histogram(),
                                     Measure::Gauge()};
  std::vector<Measure> old_measures = both, new_measures = both;
  old_measures.push_back(Measure::TopK(Field::kUser, 8));
  old_measures.push_back(Measure::Distinct(Field::kUser));
  new_measures.push_back(Measure::TopK(Field::kUser, 16));
  new_measures.insert(new_measures.begin(), Measure::CountAbove(10'000));
  const Plan old_plan =
      PlanOf({SpecBy("service", old_measures), SpecBy("version", {Measure::Count()})});
  const Plan new_plan =
      PlanOf({SpecBy("service", new_measures), SpecBy("endpoint", {Measure::Count()})});
  ASSERT_NE(old_plan.hash(), new_plan.hash());
  const auto translation = PlanTranslation::Between(old_plan.Describe(), &new_plan);
  ASSERT_NE(translation, nullptr);
  const std::string record = Measured(old_plan);
  const absl::StatusOr<Chunk> chunk = DecodeChunk(record);
  ASSERT_TRUE(chunk.ok());
  const absl::StatusOr<PaneBatch> batch = translation->Decode(*chunk, chunk->bytes);
  ASSERT_TRUE(batch.ok()) << batch.status();
  EXPECT_EQ(batch->source, "app/0");
  // The one that both have, and that of the users of the scope.
  ASSERT_EQ(batch->tables.size(), 2u);
  const auto table_of = [&](std::size_t aggregation) -> const PaneTable* {
    for (const auto& [index, table] : batch->tables) {
      if (index == aggregation) return &table;
    }
    return nullptr;
  };
  EXPECT_EQ(table_of(new_plan.AggregationOf(1)), nullptr);
  const PaneTable* table = table_of(new_plan.AggregationOf(0));
  ASSERT_NE(table, nullptr);
  ASSERT_EQ(table->rows(), 1u);
  const CellView cell = table->Cell(0);
  const auto slot = [&](const Measure& measure) {
    return new_plan.aggregations()[new_plan.AggregationOf(0)].layout.SlotOf(measure);
  };
  EXPECT_EQ(cell.Count(slot(Measure::Count())), 1);
  EXPECT_EQ(cell.Count(slot(Measure::CountFailed())), 1);
  EXPECT_EQ(cell.Count(slot(Measure::CountAbove(10'000))), 0);
  EXPECT_EQ(cell.Histogram(slot(Measure::Histogram())).count(), 1);
  EXPECT_EQ(cell.Gauge(slot(Measure::Gauge())).last, 7);
  EXPECT_TRUE(cell.Top(slot(Measure::TopK(Field::kUser, 16))).entries().empty());
  // What was translated is written and read as of the new plan.
  const std::string again = EncodeBatch(*batch, new_plan)[0];
  const absl::StatusOr<Chunk> again_chunk = DecodeChunk(again);
  ASSERT_TRUE(again_chunk.ok());
  EXPECT_TRUE(DecodeContent(*again_chunk, again_chunk->bytes, new_plan).ok());
}

TEST(PlanTranslation, IsNoneBetweenPlansOfOtherPanesOrScopes) {
  const Plan plan = PlanOf({SpecBy("service", {Measure::Count()})});
  const Plan longer = PlanOf({SpecBy("service", {Measure::Count()})}, 2 * kPane);
  EXPECT_EQ(PlanTranslation::Between(plan.Describe(), &longer), nullptr);
  PlanDescription other = plan.Describe();
  other.scope_parts = 0;
  EXPECT_EQ(PlanTranslation::Between(other, &plan), nullptr);
}

}  // namespace
}  // namespace tocsin
