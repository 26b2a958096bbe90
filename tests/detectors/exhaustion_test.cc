#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::IsEmpty;

// A sample a pane that gains this much an hour.
void Grow(Harness* harness, double from, double per_hour, double hours) {
  const auto panes = static_cast<int>(hours * kHour);
  for (int i = 0; i < panes; ++i) harness->Pane({GaugeSample(from + per_hour * i / kHour, 100)});
}

TEST(Exhaustion, ADiskThatFillsUp) {
  Harness harness(
      "name: d\nkind: exhaustion\nby: [host]\nwarn: {left: 6h}\ncritical: {left: 30m}\n");
  Grow(&harness, 50, 0, 2);
  EXPECT_THAT(harness.changes(), IsEmpty());
  const int start = harness.now();
  Grow(&harness, 50, 20, 2.4);
  EXPECT_TRUE(harness.FiredAt(0).has_value());
  ASSERT_TRUE(harness.FiredAt(1).has_value());
  // Full after 2.5 h: half an hour before that, or a slot later.
  EXPECT_NEAR(*harness.FiredAt(1) - start, 2.0 * kHour, 6.0 * kMinute);
  Signal signal;
  signal.series = {{"host", "db-1"}};
  signal.value = 30;
  EXPECT_EQ(harness.detector().Title(signal), "host=db-1 fills up: full in about a minute");
}

TEST(Exhaustion, ALagThatGrowsTowardsItsMaximum) {
  Harness harness("name: r\nkind: exhaustion\nmax: 300\ncritical: {left: 30m, at_least: 20%}\n");
  Grow(&harness, 1, 0, 1);
  EXPECT_THAT(harness.changes(), IsEmpty());
  Grow(&harness, 1, 200, 1.4);
  EXPECT_TRUE(harness.FiredAt(1).has_value());
}

TEST(Exhaustion, SlowGrowthFarFromTheEndIsNone) {
  Harness harness("name: d\nkind: exhaustion\nwarn: {left: 6h}\ncritical: {left: 30m}\n");
  harness.check_copy = false;
  Grow(&harness, 40, 0.5, 24);
  EXPECT_THAT(harness.changes(), IsEmpty());
}

TEST(Exhaustion, ASampleWithoutALimitSaysNothing) {
  Harness harness("name: d\nkind: exhaustion\nwarn: {left: 6h}\n");
  for (int i = 0; i < 2 * kHour; ++i) harness.Pane({GaugeSample(i)});
  EXPECT_THAT(harness.changes(), IsEmpty());
}

}  // namespace
}  // namespace tocsin
