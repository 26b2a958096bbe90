#include "core/number_text.h"

#include <limits>

#include <gtest/gtest.h>

namespace tocsin {
namespace {

TEST(PercentTextTest, HasThreeDigitsAtMost) {
  EXPECT_EQ(PercentText(0.0153), "1.53 %");
  EXPECT_EQ(PercentText(0.71312), "71.3 %");
  EXPECT_EQ(PercentText(1), "100 %");
  EXPECT_EQ(ShortNumber(12.3456), "12.3");
  EXPECT_EQ(ShortNumber(-1.239), "-1.24");
}

TEST(GroupedNumberTest, PutsACommaEveryThreeDigits) {
  EXPECT_EQ(GroupedNumber(0), "0");
  EXPECT_EQ(GroupedNumber(999), "999");
  EXPECT_EQ(GroupedNumber(1'000), "1,000");
  EXPECT_EQ(GroupedNumber(-123), "-123");
  EXPECT_EQ(GroupedNumber(-1'234'567), "-1,234,567");
  EXPECT_EQ(GroupedNumber(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(RoughDurationTest, RoundsToAUnitForPeople) {
  EXPECT_EQ(RoughDuration(20 * kSecondUs), "20 s");
  EXPECT_EQ(RoughDuration(119 * kSecondUs), "119 s");
  EXPECT_EQ(RoughDuration(5 * kMinuteUs + 40 * kSecondUs), "6 min");
  EXPECT_EQ(RoughDuration(150 * kMinuteUs), "3 h");
}

}  // namespace
}  // namespace tocsin
