// What a scope decides depends on what arrived for that scope alone: two scopes decided together
// give the lines and notifications that each gives alone, byte for byte, also when one of them is
// past its series limit and while one of them is silent.
#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "core/labels.h"
#include "engine/decider.h"
#include "engine/source_partition.h"
#include "tests/engine/setup.h"
#include "tests/engine/text_decoder.h"

namespace tocsin {
namespace {

using ::testing::Contains;
using testing::EngineSetup;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::TextDecoder;

constexpr const char* kYaml = R"(
inputs: [{name: app, file: app.log}]
limits: {series_max: 6}
topology:
  s0: [db0]
detectors:
  - {name: gone, kind: absence, by: [service], critical: {level: 1}}
  - {name: beats, kind: absence, where: {type: metric}, every: 1m, by: [dependency],
     warn: {missed: 3, level: 3}}
  - {name: errors, kind: error_rate, by: [service],
     critical: {above: 20%, window: 1m, for: 0s, level: 2}}
  - {name: pool, kind: saturation, by: [dependency], max: 100,
     warn: {above: 80%, for: 0s, level: 3}}
  - {name: connections, kind: storm, gauge: true, by: [dependency],
     warn: {above: 50, ratio: 2, level: 3}}
  - {name: refused, kind: burst, where: {type: request, status: 500}, by: [service],
     warn: {count: 8, window: 1m, level: 3}}
)";
constexpr std::int64_t kHours = 4;

// What goes on in one environment, of which nothing is shared with another but the names. Episodes
// of several minutes: a service that fails, one that stops, a full pool, a label that explodes, and
// nothing at all.
class Environment {
 public:
  Environment(std::string name, std::uint64_t seed)
      : name_(std::move(name)), random_(seed), sparse_(random_() % 2 == 0) {}

  // The events of one second, in order.
  void Second(std::int64_t second, std::vector<std::string>* events) {
    if (second >= until_) NextEpisode(second);
    if (episode_ == 4) return;
    const auto event = [&](const std::string& text) {
      events->push_back(
          absl::StrCat("t=", second * 1'000, " env=", name_, " user=u", random_() % 30, " ", text));
    };
    if (second % 30 == 0) {
      for (int i = 0; i < 3; ++i) {
        const bool full = episode_ == 2 && i == victim_;
        event(absl::StrCat("type=metric dependency=db", i, " value=", full ? 96 : 30));
      }
    }
    if (second % 1'200 == 0) {
      // An id is unique within its scope.
      event(absl::StrCat("type=deploy id=d", second, " service=s", victim_, " version=v", second));
    }
    if (episode_ == 3) {
      event(absl::StrCat("type=request status=200 service=x", second, "-", random_() % 10));
    }
    if (sparse_ && second % 20 != 0) return;
    for (int i = 0; i < 3; ++i) {
      if (episode_ == 1 && i == victim_) continue;
      if (random_() % 3 == 0) continue;
      const bool fails = random_() % 100 < (episode_ == 0 && i == victim_ ? 70u : 1u);
      event(absl::StrCat("type=request service=s", i, " status=", fails ? 500 : 200));
    }
  }

 private:
  void NextEpisode(std::int64_t second) {
    const bool warm = second >= 2'400;
    episode_ = warm ? static_cast<int>(random_() % 7) : 5;
    victim_ = static_cast<int>(random_() % 3);
    until_ = second + (warm ? 120 + static_cast<std::int64_t>(random_() % 2'700) : 2'400);
  }

  std::string name_;
  std::mt19937_64 random_;
  bool sparse_;
  int episode_ = 5, victim_ = 0;
  std::int64_t until_ = 0;
};

std::vector<PaneBatch> Batches(const EngineSetup& setup, const std::vector<std::string>& events) {
  SourcePartition::Options options;
  options.plan = &setup.plan;
  options.input = "app";
  options.source = "app/0";
  options.decoder = std::make_unique<TextDecoder>();
  SourcePartition partition(std::move(options));
  std::vector<PaneBatch> batches;
  const auto take = [&] {
    for (PaneBatch& batch : partition.TakeBatches()) batches.push_back(std::move(batch));
  };
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto offset = static_cast<std::int64_t>(i);
    partition.Feed({.offset = offset, .next_offset = offset + 1, .bytes = events[i]});
    take();
  }
  partition.End();
  take();
  return batches;
}

// What of a batch is this scope's; all of it if there is no scope. A batch is sent also when it is
// empty, as it is to each partition of a cluster.
PaneBatch OfScope(const PaneBatch& batch, const std::string& env, const Plan& plan) {
  std::string scope;
  AppendKeyPart(env, &scope);
  PaneBatch part;
  part.source = batch.source;
  part.first_tick = batch.first_tick;
  part.tick = batch.tick;
  part.last = batch.last;
  for (const auto& [aggregation, table] : batch.tables) {
    PaneTable rows(&table.layout());
    for (std::uint32_t row = 0; row < table.rows(); ++row) {
      const std::string_view key = table.key(row);
      if (env.empty() || plan.ScopeOf(key) == scope) rows.MergeRow(table, row, key);
    }
    if (rows.rows() > 0) part.tables.emplace_back(aggregation, std::move(rows));
  }
  for (const Fact& fact : batch.facts) {
    std::vector<LabelView> labels;
    const Event event = fact.AsEvent(&labels);
    if (env.empty() || event.Get(Field::kEnv) == env) part.facts.push_back(fact);
  }
  return part;
}

struct Output {
  std::vector<std::string> said;  // lines and notifications with their ticks, sorted
  std::int64_t refused = 0;
};

Output Decide(const EngineSetup& setup, const std::vector<PaneBatch>& batches,
              const std::string& env) {
  Decider decider(&setup.config, &setup.plan, &setup.detectors, SequentialExecutor());
  Output output;
  const auto feed = [&](const std::string& record) {
    ASSERT_TRUE(decider.Append(record).ok());
    Decision decision;
    while (decider.Step(&decision)) {
      for (const OutputLine& line : decision.lines) {
        output.said.push_back(FormatTime(line.tick) + ' ' + line.text);
      }
      for (const Notification& notification : decision.notifications) {
        output.said.push_back(absl::StrCat(FormatTime(notification.tick), " ",
                                           std::string(NotificationActionName(notification.action)),
                                           " ", notification.level, " ",
                                           notification.incident.ToJson()));
      }
    }
  };
  feed(EncodeControl({.sources = {"app/0"}}));
  for (const PaneBatch& batch : batches) {
    for (const std::string& chunk : EncodeBatch(OfScope(batch, env, setup.plan), setup.plan)) {
      feed(chunk);
    }
  }
  std::sort(output.said.begin(), output.said.end());
  output.refused = decider.series_over_limit();
  return output;
}

TEST(ScopeInvariance, TwoScopesTogetherDecideWhatEachDecidesAlone) {
  const std::unique_ptr<EngineSetup> setup = EngineSetup::From(kYaml);
  ASSERT_NE(setup, nullptr);
  std::vector<std::string> all;
  std::int64_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Environment prod("prod", 2 * seed), test("test", 2 * seed + 1);
    std::vector<std::string> events;
    for (std::int64_t second = 0; second < kHours * 3'600; ++second) {
      prod.Second(second, &events);
      test.Second(second, &events);
    }
    const std::vector<PaneBatch> batches = Batches(*setup, events);
    const Output together = Decide(*setup, batches, "");
    const Output alone = Decide(*setup, batches, "prod"), other = Decide(*setup, batches, "test");
    std::vector<std::string> apart;
    std::merge(alone.said.begin(), alone.said.end(), other.said.begin(), other.said.end(),
               std::back_inserter(apart));
    const auto [left, right] =
        std::mismatch(together.said.begin(), together.said.end(), apart.begin(), apart.end());
    ASSERT_TRUE(left == together.said.end() && right == apart.end())
        << "seed " << seed << ", together:\n"
        << (left == together.said.end() ? "nothing" : *left) << "\napart:\n"
        << (right == apart.end() ? "nothing" : *right);
    EXPECT_EQ(together.refused, alone.refused + other.refused);
    EXPECT_THAT(alone.said, Not(IsEmpty()));
    refused += together.refused;
    all.insert(all.end(), apart.begin(), apart.end());
  }
  EXPECT_GT(refused, 0);
  for (const char* detector :
       {"gone", "beats", "errors", "pool", "connections", "refused", "tocsin-series-limit"}) {
    EXPECT_THAT(all, Contains(HasSubstr(absl::StrCat(R"("detector":")", detector, "\""))));
  }
  EXPECT_THAT(all, Contains(HasSubstr("\"service\":\"(other)\"")));
  EXPECT_THAT(all, Contains(HasSubstr(R"("kind":"deploy")"))) << "facts count in either";
}

}  // namespace
}  // namespace tocsin
