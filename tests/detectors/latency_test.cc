#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

const std::string kAbsolute = R"(name: slow
kind: latency
by: [service]
warn: {p95_above: 2s, window: 5m, for: 5m, level: 2}
)";
const std::string kFactor = R"(name: slow
kind: latency
warn: {p95_above_baseline: 3, window: 5m, for: 5m}
)";
const std::string kBoth = R"(name: slow
kind: latency
where: {type: query}
warn: {p95_above: 500ms, p95_above_baseline: 3, window: 5m, for: 5m}
)";

// `panes` panes of `total` events, `slow` of them of that duration and the others of `usual_ms`.
void Feed(Harness* harness, int panes, int total, int slow, DurationUs slow_ms,
          DurationUs usual_ms = 100, EventType type = EventType::kRequest) {
  for (int i = 0; i < panes; ++i) {
    std::vector<Event> events;
    for (int k = 0; k < total; ++k) {
      // A little spread, the same in every pane.
      events.push_back(Request(false, (k < slow ? slow_ms : usual_ms + k % 10) * kMillisecondUs));
      events.back().type = type;
    }
    harness->Pane(std::move(events));
  }
}

struct Slowness {
  std::string name;
  std::string rule;
  int total, slow;  // a pane
  DurationUs slow_ms;
  int panes;
  int latest = -1;  // pane after its start; −1: never
};

void PrintTo(const Slowness& row, std::ostream* out) { *out << row.name; }

class LatencyTable : public testing::TestWithParam<Slowness> {};

TEST_P(LatencyTable, FiresWhenItShould) {
  const Slowness& row = GetParam();
  Harness harness(row.rule);
  harness.check_copy = false;
  const EventType type = row.rule == kBoth ? EventType::kQuery : EventType::kRequest;
  Feed(&harness, kHour, row.total, 0, 0, 100, type);
  harness.check_copy = true;
  const int start = harness.now();
  Feed(&harness, row.panes, row.total, row.slow, row.slow_ms, 100, type);
  Feed(&harness, 20 * kMinute, row.total, 0, 0, 100, type);
  if (row.latest < 0) {
    EXPECT_THAT(harness.changes(), IsEmpty());
    return;
  }
  ASSERT_EQ(harness.changes().size(), 2u);  // fired and cleared
  EXPECT_LE(harness.changes()[0].pane - start, row.latest);
  EXPECT_GE(harness.changes()[0].pane - start, 20);
  EXPECT_LE(harness.changes()[1].pane - start, row.panes + 2 * kMinute + 1);
}

INSTANTIATE_TEST_SUITE_P(
    Table, LatencyTable,
    testing::Values(Slowness{"8 % above 2 s", kAbsolute, 100, 8, 2500, 60, 30},
                    Slowness{"all above", kAbsolute, 20, 20, 2500, 60, 30},
                    Slowness{"little traffic", kAbsolute, 2, 2, 2500, 60, 32},
                    Slowness{"slow, but below 2 s", kAbsolute, 100, 100, 1990, 60},
                    Slowness{"4 % above: the p95 is below", kAbsolute, 100, 4, 9000, 60},
                    Slowness{"too short: 3 min", kAbsolute, 100, 30, 2500, 18},
                    Slowness{"four times the baseline", kFactor, 100, 50, 440, 60, 30},
                    Slowness{"twice the baseline", kFactor, 100, 100, 220, 60},
                    Slowness{"above the baseline, too short", kFactor, 100, 50, 440, 18},
                    Slowness{"above both", kBoth, 100, 50, 600, 60, 30},
                    Slowness{"above the factor only", kBoth, 100, 50, 440, 60}),
    [](const testing::TestParamInfo<Slowness>& param) { return std::to_string(param.index); });

TEST(Latency, TheFactorWaitsForABaseline) {
  Harness harness(kFactor);
  Feed(&harness, 10 * kMinute, 100, 0, 0);
  Feed(&harness, 10 * kMinute, 100, 100, 9000);
  EXPECT_THAT(harness.changes(), IsEmpty());
  // The fixed threshold of a rule with both does not wait.
  Harness both(kBoth);
  Feed(&both, 10 * kMinute, 100, 100, 9000, 100, EventType::kQuery);
  EXPECT_FALSE(both.changes().empty());
}

TEST(Latency, AtLeastKeepsTinyBaselinesQuiet) {
  const std::string floor =
      "name: slow\nkind: latency\nwarn: {p95_above_baseline: 3, at_least: 1s, for: 5m}\n";
  Harness harness(floor);
  Feed(&harness, kHour, 20, 0, 0, 5);
  Feed(&harness, 20 * kMinute, 20, 20, 500, 5);
  EXPECT_THAT(harness.changes(), IsEmpty());
}

TEST(Latency, ValuesAreMilliseconds) {
  Harness harness(kAbsolute);
  Feed(&harness, 20 * kMinute, 100, 0, 0);
  Feed(&harness, 10 * kMinute, 100, 50, 3000);
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_NEAR(harness.changes()[0].value, 3000, 30);
  EXPECT_EQ(harness.EvidenceOf("threshold", "p95_ms"), "2000");
  Signal signal;
  signal.value = 3012.3456;
  signal.threshold = 2000;
  EXPECT_EQ(harness.detector().Title(signal),
            "p95 latency of all is 3012.3 ms (above 2000 ms over 5m)");
  EXPECT_TRUE(harness.detector().common().degraded_only);
  EXPECT_EQ(harness.detector().common().category, Category::kPerformance);
}

TEST(Latency, ExplainsInOrder) {
  Harness harness(kFactor);
  Feed(&harness, kHour, 20, 0, 0);
  std::vector<std::string> kinds;
  for (const Evidence& evidence : harness.state().Explain()) kinds.push_back(evidence.kind);
  EXPECT_THAT(kinds, ElementsAre("window", "samples", "samples", "baseline", "baseline",
                                 "threshold", "evidence_floor", "value", "value", "panes"));
  EXPECT_NEAR(std::stod(harness.EvidenceOf("baseline", "p95_ms")), 109, 1);
}

}  // namespace
}  // namespace tocsin
