#include "engine/scope_limit.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/labels.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr TimeUs kStart = 1'772'400'000'000'000;

class ScopeLimitTest : public ::testing::Test {
 protected:
  static Plan NewPlan() {
    PlanOptions options;
    options.scope = {*FieldRef::Parse("env")};
    SeriesSpec spec;
    spec.by = {*FieldRef::Parse("service")};
    spec.measures = {Measure::Count()};
    return Plan::Compile(std::move(options), {spec});
  }
  static std::string Key(std::string_view env) {
    std::string key;
    AppendKeyPart(env, &key);
    return key;
  }
  const Aggregation& aggregation() const { return plan_.aggregations()[plan_.AggregationOf(0)]; }

  // Each service of each environment has one event.
  std::vector<std::string> Take(ScopeLimit* scopes, TimeUs tick,
                                const std::vector<std::pair<std::string, std::string>>& seen) {
    tables_.clear();
    tables_.resize(plan_.aggregations().size());
    std::optional<PaneTable>& table = tables_[plan_.AggregationOf(0)];
    table.emplace(&aggregation().layout);
    Event event;
    event.weight = 1;
    for (const auto& [env, service] : seen) {
      std::string key = Key(env);
      AppendKeyPart(service, &key);
      table->Accumulate(table->Row(key), event);
    }
    std::vector<std::string> gone = scopes->Take(
        tick, [this](std::string_view scope) { return scope == busy_; }, &tables_, &facts_);
    for (std::string& key : gone) key = std::string(KeyParts(key).front());
    return gone;
  }

  // "prod api 2" for each row, in key order.
  std::vector<std::string> Rows() const {
    const PaneTable& table = *tables_[plan_.AggregationOf(0)];
    std::vector<std::string> rows;
    for (const std::uint32_t row : table.SortedRows()) {
      std::string text;
      for (const std::string_view part : KeyParts(table.key(row))) text += std::string(part) + ' ';
      rows.push_back(text + std::to_string(table.Cell(row).Count(plan_.SlotsOf(0).front())));
    }
    return rows;
  }

  const Plan plan_ = NewPlan();
  std::string busy_;
  ScopeLimit::Tables tables_;
  ScopeLimit::Facts facts_;
};

TEST_F(ScopeLimitTest, PastTheLimitThereIsOneForAllOthers) {
  ScopeLimit scopes(&plan_, 2);
  EXPECT_THAT(Take(&scopes, kStart, {{"b", "api"}, {"d", "api"}, {"a", "web"}, {"c", "api"}}),
              IsEmpty());
  EXPECT_THAT(Rows(), ElementsAre("a web 1", "b api 1", "(other) (other) 2"));
  // Those that were there stay, whoever comes.
  Take(&scopes, kStart + kMinuteUs, {{"0", "api"}, {"a", "api"}, {"b", "web"}});
  EXPECT_THAT(Rows(), ElementsAre("a api 1", "b web 1", "(other) (other) 1"));
  EXPECT_EQ(scopes.size(), 2u);
}

TEST_F(ScopeLimitTest, FactsMoveToo) {
  ScopeLimit scopes(&plan_, 1);
  facts_.emplace_back(Key("b"), Fact());
  facts_.emplace_back(Key("a"), Fact());
  Take(&scopes, kStart, {});
  EXPECT_EQ(facts_[0].first, scopes.other());
  EXPECT_EQ(facts_[1].first, Key("a"));
}

TEST_F(ScopeLimitTest, TheOneThatWasSeenLongestAgoMakesRoom) {
  ScopeLimit scopes(&plan_, 2);
  Take(&scopes, kStart, {{"a", "api"}, {"b", "api"}});
  Take(&scopes, kStart + kMinuteUs, {{"a", "api"}});
  EXPECT_THAT(Take(&scopes, kStart + ScopeLimit::kIdleMin - 1, {{"c", "api"}}), IsEmpty());
  EXPECT_THAT(Take(&scopes, kStart + ScopeLimit::kIdleMin, {{"c", "api"}}), ElementsAre("b"));
  EXPECT_THAT(Rows(), ElementsAre("c api 1"));
  // What has an open incident stays.
  busy_ = Key("a");
  EXPECT_THAT(Take(&scopes, kStart + kDayUs, {{"c", "api"}, {"d", "api"}}), IsEmpty());
  EXPECT_THAT(Rows(), ElementsAre("c api 1", "(other) (other) 1"));
  busy_.clear();
  EXPECT_THAT(Take(&scopes, kStart + kDayUs, {{"c", "api"}, {"d", "api"}}), ElementsAre("a"));
}

TEST_F(ScopeLimitTest, SurvivesARestart) {
  ScopeLimit scopes(&plan_, 2);
  Take(&scopes, kStart, {{"a", "api"}, {"b", "api"}});
  ByteWriter out;
  scopes.Encode(&out);
  ScopeLimit restored(&plan_, 2);
  ByteReader in(out.view());
  restored.Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_THAT(Take(&restored, kStart + ScopeLimit::kIdleMin, {{"b", "api"}, {"c", "api"}}),
              ElementsAre("a"));
}

TEST_F(ScopeLimitTest, WithRoomForAllNothingMoves) {
  ScopeLimit scopes(&plan_);
  Take(&scopes, kStart, {{"a", "api"}});
  ScopeLimit unknowing(&plan_);
  unknowing.Fold(&tables_);
  EXPECT_THAT(Rows(), ElementsAre("a api 1")) << "ticks of before are learned from as they were";
}

}  // namespace
}  // namespace tocsin
