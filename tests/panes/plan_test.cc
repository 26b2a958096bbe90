#include "panes/plan.h"

#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/labels.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<FieldRef> Fields(const std::vector<std::string>& names) {
  std::vector<FieldRef> fields;
  for (const std::string& name : names) fields.push_back(*FieldRef::Parse(name));
  return fields;
}

struct SpecText {
  std::vector<std::string> inputs;
  std::string type;  // of `where`; empty: every event
  std::vector<std::string> by;
  std::vector<Measure> measures = {Measure::Count()};
};

SeriesSpec Spec(const SpecText& text) {
  SeriesSpec spec;
  spec.inputs = text.inputs;
  if (!text.type.empty()) spec.where.Require(*FieldRef::Parse("type"), {text.type});
  spec.by = Fields(text.by);
  spec.measures = text.measures;
  return spec;
}

PlanOptions Options() {
  return {
      .scope = Fields({"env"}),
      .inputs = {{"app", 10 * kSecondUs}, {"cloud", 180 * kSecondUs}, {"audit", 60 * kSecondUs}}};
}

Plan Compile(const std::vector<SpecText>& texts, const PlanOptions& options = Options()) {
  std::vector<SeriesSpec> specs;
  for (const SpecText& text : texts) specs.push_back(Spec(text));
  return Plan::Compile(options, specs);
}

const SpecText kBase = {{"app"}, "request", {"service"}};

TEST(Plan, ComputesEqualSpecsOnce) {
  struct Case {
    std::string name;
    SpecText other;
    bool same;
  };
  const std::vector<Case> cases = {
      {"equal", {{"app"}, "request", {"service"}}, true},
      {"other measures", {{"app"}, "request", {"service"}, {Measure::Gauge()}}, true},
      {"an input named twice", {{"app", "app"}, "request", {"service"}}, true},
      {"the scope named in by", {{"app"}, "request", {"env", "service"}}, true},
      {"a label named twice", {{"app"}, "request", {"service", "service"}}, true},
      {"other inputs", {{"cloud"}, "request", {"service"}}, false},
      {"all inputs", {{}, "request", {"service"}}, false},
      {"another predicate", {{"app"}, "query", {"service"}}, false},
      {"no predicate", {{"app"}, "", {"service"}}, false},
      {"other labels", {{"app"}, "request", {"endpoint"}}, false},
      {"more labels", {{"app"}, "request", {"service", "endpoint"}}, false},
  };
  for (const Case& c : cases) {
    const Plan plan = Compile({kBase, c.other});
    EXPECT_EQ(plan.AggregationOf(0) == plan.AggregationOf(1), c.same) << c.name;
    // And those of users and of calls.
    EXPECT_EQ(plan.aggregations().size(), c.same ? 3u : 4u) << c.name;
  }
}

TEST(Plan, NamesMayHoldAnyCharacter) {
  const Plan plan = Compile({{{}, "", {"labels.a,service"}},
                             {{}, "", {"labels.a", "service"}},
                             {{"x,y"}, "", {}},
                             {{"x", "y"}, "", {}},
                             {{"x|"}, "", {}},
                             {{"x"}, "", {"labels.|"}}});
  std::vector<std::size_t> aggregations;
  for (std::size_t i = 0; i < 6; ++i) aggregations.push_back(plan.AggregationOf(i));
  std::sort(aggregations.begin(), aggregations.end());
  EXPECT_EQ(std::unique(aggregations.begin(), aggregations.end()), aggregations.end());
}

TEST(Plan, GivesAnAggregationTheUnionOfItsMeasures) {
  const Plan plan = Compile(
      {{{"app"}, "request", {"service"}, {Measure::CountFailed(), Measure::Count()}},
       {{"app"}, "request", {"service"}, {Measure::Histogram(), Measure::Count()}},
       {{"app"}, "request", {"service"}, {Measure::TopK(Field::kUser, 64)}},
       {{"app"}, "request", {"service"}, {Measure::TopK(Field::kUser, 256), Measure::Count()}}});
  const TableLayout& layout = plan.aggregations()[plan.AggregationOf(0)].layout;
  EXPECT_EQ(layout.measures.size(), 5u);
  EXPECT_EQ(layout.counts, 2u);
  EXPECT_EQ(layout.histograms, 1u);
  EXPECT_EQ(layout.tops, 2u);
  EXPECT_EQ(layout.sums + layout.gauges + layout.counters + layout.distincts, 0u);
  const auto same = [](MeasureSlot a, MeasureSlot b) {
    return a.kind == b.kind && a.index == b.index;
  };
  // Every spec finds its own, in its own order.
  EXPECT_TRUE(same(plan.SlotsOf(0)[1], plan.SlotsOf(1)[1]));
  EXPECT_TRUE(same(plan.SlotsOf(0)[1], plan.SlotsOf(3)[1]));
  EXPECT_FALSE(same(plan.SlotsOf(0)[0], plan.SlotsOf(0)[1]));
  EXPECT_EQ(plan.SlotsOf(1)[0].kind, MeasureKind::kHistogram);
  EXPECT_FALSE(same(plan.SlotsOf(2)[0], plan.SlotsOf(3)[0])) << "another k is another measure";
}

TEST(Plan, PutsTheScopeInFront) {
  PlanOptions options = Options();
  options.scope = Fields({"env", "region"});
  const Plan plan =
      Compile({{{}, "", {"service", "env"}}, {{}, "", {"region"}}, {{}, "", {}}}, options);
  EXPECT_THAT(plan.aggregations()[plan.AggregationOf(0)].by_names,
              ElementsAre("env", "region", "service"));
  EXPECT_THAT(plan.aggregations()[plan.AggregationOf(1)].by_names, ElementsAre("env", "region"));
  EXPECT_EQ(plan.AggregationOf(1), plan.AggregationOf(2));
  EXPECT_EQ(plan.scope_fields(), 2u);

  std::string scope, series;
  for (const char* part : {"prod", ""}) AppendKeyPart(part, &scope);
  series = scope;
  AppendKeyPart("api", &series);
  EXPECT_EQ(plan.ScopeOf(series), scope);
  EXPECT_EQ(plan.ScopeOf(scope), scope);
  std::string other = scope;
  AppendKeyPart("(other)", &other);
  EXPECT_EQ(plan.aggregations()[plan.AggregationOf(0)].layout.OtherKey(series), other);
}

TEST(Plan, CountsTheUsersOfAScope) {
  const Plan plan = Compile({kBase});
  const Aggregation& users = plan.aggregations()[plan.users_aggregation()];
  EXPECT_THAT(users.by_names, ElementsAre("env"));
  EXPECT_THAT(users.inputs, IsEmpty());
  EXPECT_EQ(users.layout.measures.size(), 1u);
  EXPECT_EQ(plan.users_slot().kind, MeasureKind::kDistinct);
  // A detector that reads the same shares it.
  const Plan shared = Compile({{{}, "", {}, {Measure::Count()}}});
  EXPECT_EQ(shared.aggregations().size(), 2u);
  EXPECT_EQ(shared.users_aggregation(), shared.AggregationOf(0));
}

TEST(Plan, CountsTheCallsOfAService) {
  const Plan plan = Compile({kBase});
  const Aggregation& calls = plan.aggregations()[plan.calls_aggregation()];
  EXPECT_THAT(calls.by_names, ElementsAre("env", "service", "dependency"));
  EXPECT_TRUE(calls.where.MatchesType(EventType::kQuery));
  EXPECT_FALSE(calls.where.MatchesType(EventType::kRequest));
}

TEST(Plan, TakesTheLargestDelayOfTheInputs) {
  struct Case {
    std::vector<std::string> inputs;
    DurationUs delay;
  };
  const std::vector<Case> cases = {
      {{"app"}, 10 * kSecondUs},
      {{"audit", "app"}, 60 * kSecondUs},
      {{}, 180 * kSecondUs},
  };
  for (const Case& c : cases) {
    const Plan plan = Compile({{c.inputs, "request", {"service"}}});
    const Aggregation& aggregation = plan.aggregations()[plan.AggregationOf(0)];
    EXPECT_EQ(aggregation.delay, c.delay);
    EXPECT_EQ(aggregation.Reads("app"), true);
    EXPECT_EQ(aggregation.Reads("cloud"), c.inputs.empty());
  }
  const Plan plan = Compile({kBase});
  EXPECT_EQ(plan.InputDelay("app"), 10 * kSecondUs);
  EXPECT_EQ(plan.InputDelay("audit"), 60 * kSecondUs);
  EXPECT_EQ(plan.InputDelay("unheard of"), 180 * kSecondUs);
  EXPECT_EQ(plan.DelayMax("app"), 180 * kSecondUs) << "the users of a scope are counted over all";
}

TEST(Plan, HashIsThatOfWhatIsMeasured) {
  const SpecText second = {{}, "query", {"dependency"}, {Measure::Histogram(), Measure::Count()}};
  const Hash128 hash = Compile({kBase, second}).hash();
  EXPECT_EQ(Compile({kBase, second}).hash(), hash);
  EXPECT_EQ(Compile({second, kBase}).hash(), hash) << "order of detectors";
  EXPECT_EQ(Compile({kBase, second, kBase}).hash(), hash) << "one more that reads the same";
  SpecText reordered = second;
  std::reverse(reordered.measures.begin(), reordered.measures.end());
  EXPECT_EQ(Compile({kBase, reordered}).hash(), hash) << "order of measures";

  std::vector<std::pair<std::string, Plan>> changed;
  changed.emplace_back("one detector less", Compile({kBase}));
  for (const auto& [name, spec] : std::vector<std::pair<std::string, SpecText>>{
           {"inputs", {{"app"}, "query", {"dependency"}, second.measures}},
           {"where", {{}, "request", {"dependency"}, second.measures}},
           {"by", {{}, "query", {"service"}, second.measures}},
           {"measures", {{}, "query", {"dependency"}, {Measure::Count()}}},
           {"a threshold", {{}, "query", {"dependency"}, {Measure::CountAbove(1)}}},
           {"another threshold", {{}, "query", {"dependency"}, {Measure::CountAbove(2)}}}}) {
    changed.emplace_back(name, Compile({kBase, spec}));
  }
  PlanOptions options = Options();
  options.pane = 20 * kSecondUs;
  changed.emplace_back("pane", Compile({kBase, second}, options));
  options = Options();
  options.inputs[1].delay = 190 * kSecondUs;
  changed.emplace_back("delay", Compile({kBase, second}, options));
  options = Options();
  options.scope = Fields({"env", "region"});
  changed.emplace_back("scope", Compile({kBase, second}, options));
  for (std::size_t i = 0; i < changed.size(); ++i) {
    EXPECT_NE(changed[i].second.hash(), hash) << changed[i].first;
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(changed[i].second.hash(), changed[j].second.hash())
          << changed[i].first << " and " << changed[j].first;
    }
  }
  // The same keys, but cut differently into scope and rest.
  options.scope = Fields({"env"});
  const Plan narrow = Compile({{{}, "", {"region"}}}, options);
  options.scope = Fields({"env", "region"});
  const Plan wide = Compile({{{}, "", {}}}, options);
  EXPECT_NE(narrow.hash(), wide.hash());
}

}  // namespace
}  // namespace tocsin
