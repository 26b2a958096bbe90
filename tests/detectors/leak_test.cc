#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const char* const kMemory = R"(name: memory
kind: leak
unit: percent
by: [service, host]
warn: {left: 6h, level: 3}
critical: {left: 30m, at_least: 80%, level: 2}
)";

// A sample a minute of what `percent` gives for the minute.
template <typename Percent>
void Minutes(Harness* harness, int minutes, Percent percent) {
  for (int i = 0; i < minutes; ++i) {
    harness->Pane({GaugeSample(percent(i))});
    for (int k = 1; k < kMinute; ++k) harness->Pane({});
  }
}

TEST(Leak, TicketFirstThenAPageWithTheTimeLeft) {
  Harness harness(kMemory);
  std::mt19937_64 random(1);
  std::normal_distribution<double> noise(0, 0.5);
  Minutes(&harness, 120, [&](int) { return 55 + noise(random); });
  EXPECT_THAT(harness.changes(), IsEmpty());
  const int start = harness.now();
  // 45 % in three hours, as a saw-tooth of the collector on top of it.
  Minutes(&harness, 175,
          [&](int minute) { return 55 + minute * 0.25 + 3.0 * (minute % 4) / 4 + noise(random); });
  ASSERT_TRUE(harness.FiredAt(0).has_value());
  EXPECT_LE(*harness.FiredAt(0), start + 60 * kMinute);
  ASSERT_TRUE(harness.FiredAt(1).has_value());
  const int page = *harness.FiredAt(1) - start;
  EXPECT_GE(page, 140 * kMinute);
  EXPECT_LE(page, 162 * kMinute);
  EXPECT_THAT(harness.EvidenceOf("baseline", "per_hour"), testing::StartsWith("0.1"));
  Signal signal;
  signal.series = {{"host", "api-3"}};
  signal.value = 25 * 60 + 7;
  EXPECT_EQ(harness.detector().Title(signal), "host=api-3 leaks: full in about 25m");
  // Killed and started again.
  Minutes(&harness, 60, [&](int) { return 30 + noise(random); });
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

TEST(Leak, NearMisses) {
  std::mt19937_64 random(2);
  std::normal_distribution<double> noise(0, 0.7);
  Harness stable(kMemory), saw_tooth(kMemory), day(kMemory), step(kMemory);
  for (Harness* harness : {&stable, &saw_tooth, &day, &step}) harness->check_copy = false;
  constexpr int kDays = 3 * 24 * 60;
  Minutes(&stable, kDays, [&](int) { return 90 + noise(random); });
  Minutes(&saw_tooth, kDays,
          [&](int minute) { return 50 + 40.0 * (minute % 25) / 25 + noise(random); });
  Minutes(&day, kDays, [&](int minute) {
    return 55 + 10 * std::sin(minute * 2 * 3.14159265 / 1440) + noise(random);
  });
  Minutes(&step, kDays, [&](int minute) { return (minute < 600 ? 50 : 85) + noise(random); });
  EXPECT_THAT(stable.changes(), IsEmpty());
  EXPECT_THAT(saw_tooth.changes(), IsEmpty());
  EXPECT_THAT(day.FiredAt(1), testing::Eq(std::nullopt));
  EXPECT_THAT(step.FiredAt(1), testing::Eq(std::nullopt));
}

// A sample speaks for the time since the one before: `for` is not counted in panes that had one.
TEST(Leak, ForRunsBetweenSamples) {
  Harness rare("name: m\nkind: leak\nunit: percent\nwarn: {left: 6h, for: 15m}\n");
  Harness often("name: m\nkind: leak\nunit: percent\nwarn: {left: 6h, for: 15m}\n");
  Minutes(&rare, 120, [&](int minute) { return 40 + minute * 0.25; });
  for (int i = 0; i < 120 * kMinute; ++i) often.Pane({GaugeSample(40 + i / kMinute * 0.25)});
  ASSERT_TRUE(often.FiredAt(0).has_value());
  ASSERT_TRUE(rare.FiredAt(0).has_value());
  EXPECT_NEAR(*rare.FiredAt(0), *often.FiredAt(0), kMinute);
}

TEST(Leak, UnitsAreSharesOfAll) {
  EXPECT_THAT(ErrorsOf("name: x\nkind: leak\nunit: absolute\nwarn: {}\n"),
              testing::ElementsAre(HasSubstr("unit")));
  EXPECT_THAT(ErrorsOf("name: x\nkind: leak\nwarn: {left: 90}\n"),
              testing::ElementsAre(HasSubstr("left")));
}

}  // namespace
}  // namespace tocsin
