#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kPool = R"(name: pool
kind: saturation
where: {type: metric}
by: [dependency]
warn: {above: 80%, for: 5m, level: 3}
critical: {above: 95%, level: 2}
)";
// One sample of `value` (limit 100) every `every` panes, `samples` times.
void Sample(Harness* harness, double value, int samples, int every = 1) {
  for (int i = 0; i < samples; ++i) {
    harness->Pane({GaugeSample(value, 100)});
    for (int k = 1; k < every; ++k) harness->Pane({});
  }
}

TEST(Saturation, CriticalAtOnceWarnAfterFor) {
  Harness harness(kPool);
  Sample(&harness, 50, 10);
  Sample(&harness, 80, 29);
  EXPECT_THAT(harness.changes(), IsEmpty());
  Sample(&harness, 80, 1);
  EXPECT_EQ(harness.FiredAt(0), 39);
  Sample(&harness, 95, 1);
  EXPECT_EQ(harness.FiredAt(1), 40);
}

TEST(Saturation, NearMisses) {
  Harness below(kPool);
  Sample(&below, 79, kHour);
  EXPECT_THAT(below.changes(), IsEmpty());
  Harness brief(kPool);
  for (int i = 0; i < 5; ++i) {
    Sample(&brief, 94, 24);  // 4 min
    Sample(&brief, 70, 6);
  }
  EXPECT_THAT(brief.changes(), IsEmpty());
}

TEST(Saturation, ClearsWithHysteresis) {
  Harness harness(kPool);
  Sample(&harness, 100, 3);
  ASSERT_TRUE(harness.rule().firing());
  Sample(&harness, 76, kHour);  // below 80 and 95, not below 75
  EXPECT_TRUE(harness.rule().firing());
  const int end = harness.now();
  Sample(&harness, 74, 10);
  EXPECT_EQ(harness.ClearedAt(), end + kMinute - 1);
}

TEST(Saturation, AGaugeOnceAMinuteNeedsNoMoreThanFor) {
  Harness harness(kPool);
  Sample(&harness, 50, 20, kMinute);
  const int start = harness.now();
  Sample(&harness, 85, 20, kMinute);
  // Breaches at 0, 60, … s; after the sample at 300 s the stretch is 5 min and a pane.
  EXPECT_THAT(harness.fired(), ElementsAre(start + 5 * kMinute));
  Sample(&harness, 50, 3, kMinute);
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

TEST(Saturation, AnEmptyPaneNeitherBreaksNorExtends) {
  Harness harness(kPool);
  Sample(&harness, 50, 20);
  Sample(&harness, 85, 29);
  harness.Pane({});
  harness.Pane({});
  EXPECT_THAT(harness.changes(), IsEmpty());
  Sample(&harness, 85, 1);
  EXPECT_THAT(harness.fired(), ElementsAre(51));
}

TEST(Saturation, AnOutageOfTheGaugeDoesNotCount) {
  Harness harness(kPool);
  Sample(&harness, 50, 20);
  Sample(&harness, 85, 10);
  for (int i = 0; i < kHour; ++i) harness.Pane({});
  Sample(&harness, 85, 10);
  // 10 panes before and 10 after are no 5 min; the hour between is not credited.
  EXPECT_THAT(harness.changes(), IsEmpty());
  Sample(&harness, 85, 10);
  EXPECT_FALSE(harness.changes().empty());
}

TEST(Saturation, SilenceNeverClears) {
  Harness harness(kPool);
  Sample(&harness, 99, 2);
  for (int i = 0; i < kHour; ++i) harness.Pane({});
  EXPECT_TRUE(harness.rule().firing());
}

TEST(Saturation, NoLimitSaysNothing) {
  Harness harness(kPool);
  for (int i = 0; i < kHour; ++i) harness.Pane({GaugeSample(1e9)});
  EXPECT_THAT(harness.changes(), IsEmpty());
  Harness fixed("name: p\nkind: saturation\nmax: 200\ncritical: {above: 95%}\n");
  fixed.Pane({GaugeSample(189)});
  EXPECT_THAT(fixed.changes(), IsEmpty());
  fixed.Pane({GaugeSample(190)});
  EXPECT_THAT(fixed.fired(), ElementsAre(1));
}

TEST(Saturation, PercentAndAbsolute) {
  Harness percent("name: cpu\nkind: saturation\nunit: percent\nwarn: {above: 90%}\n");
  percent.Pane({GaugeSample(89.9)});
  percent.Pane({GaugeSample(90.5)});
  EXPECT_THAT(percent.fired(), ElementsAre(1));
  Harness lag("name: lag\nkind: saturation\nunit: absolute\nwarn: {above: 60, clear: 30}\n");
  lag.Pane({GaugeSample(59)});
  lag.Pane({GaugeSample(61)});
  EXPECT_THAT(lag.fired(), ElementsAre(1));
  EXPECT_EQ(lag.EvidenceOf("threshold", "level"), "60");
}

TEST(Saturation, ExplainsInOrder) {
  Harness harness(kPool);
  Sample(&harness, 96, 3);
  std::vector<std::string> kinds;
  for (const Evidence& evidence : harness.state().Explain()) kinds.push_back(evidence.kind);
  EXPECT_THAT(kinds, ElementsAre("window", "samples", "samples", "baseline", "threshold", "panes"));
  EXPECT_EQ(harness.EvidenceOf("samples", "value"), "96");
  EXPECT_EQ(harness.EvidenceOf("baseline", "limit"), "100");
  EXPECT_EQ(harness.EvidenceOf("panes", "level"), "[0.96,0.96,0.96]");
  Signal signal;
  signal.series = {{"dependency", "orders-db"}};
  signal.value = 0.96;
  signal.threshold = 0.95;
  EXPECT_EQ(harness.detector().Title(signal), "dependency=orders-db is at 96 % (above 95 %)");
}

TEST(Saturation, APatternMakesItABurstOfLogLines) {
  Harness harness("name: p\nkind: saturation\npattern: (?i)exhausted\ncritical: {count: 2}\n");
  harness.Pane({LogLine("pool exhausted"), LogLine("all is well")});
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.Pane({LogLine("Pool EXHAUSTED")});
  EXPECT_THAT(harness.fired(), ElementsAre(1));
}

}  // namespace
}  // namespace tocsin
