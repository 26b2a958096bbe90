#include "detectors/statistics/trend.h"

#include <algorithm>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace tocsin {
namespace {

constexpr DurationUs kPane = 10 * kSecondUs;
constexpr TimeUs kStart = 1'772'409'600 * kSecondUs;

// Adds panes with what `level` gives for the hours since the beginning.
template <typename Level>
void Feed(Trend* trend, double hours, Level level) {
  const auto panes = static_cast<int>(hours * 360);
  for (int i = 0; i < panes; ++i) trend->Add(kStart + i * kPane, level(i / 360.0));
}

TEST(Trend, FollowsALine) {
  Trend trend;
  Feed(&trend, 3, [](double hour) { return 0.5 + 0.1 * hour; });
  ASSERT_TRUE(trend.rising());
  EXPECT_NEAR(trend.per_hour(), 0.1, 1e-7);
  EXPECT_LE(trend.per_hour_low(), trend.per_hour());
  EXPECT_GE(trend.per_hour_high(), trend.per_hour());
  // 0.8 is reached now, the rest takes two hours; the last minimum is up to five minutes old.
  const std::optional<DurationUs> left = trend.TimeLeft(kStart + 3 * kHourUs);
  ASSERT_TRUE(left.has_value());
  EXPECT_NEAR(static_cast<double>(*left), 2.0 * kHourUs, 6.0 * kMinuteUs);
}

TEST(Trend, NeedsSevenSlots) {
  Trend trend;
  Feed(&trend, 35.0 / 60, [](double hour) { return 0.5 + hour; });
  EXPECT_FALSE(trend.rising());
  Feed(&trend, 2, [](double hour) { return 0.5 + hour; });
  EXPECT_TRUE(trend.rising());
}

TEST(Trend, SaysNothingOfWhatOnlySwings) {
  std::mt19937_64 random(1);
  std::normal_distribution<double> noise(0, 0.02);
  int rising = 0;
  for (int run = 0; run < 300; ++run) {
    Trend flat, saw_tooth;
    Feed(&flat, 4, [&](double) { return 0.9 + noise(random); });
    // A collector every 17 minutes.
    Feed(&saw_tooth, 4, [&](double hour) {
      const double cycles = hour * 60 / 17 + run * 0.01;
      return 0.6 + 0.25 * (cycles - static_cast<int>(cycles)) + noise(random);
    });
    rising += flat.rising() + saw_tooth.rising();
  }
  EXPECT_LE(rising, 4);
}

TEST(Trend, SeesALeakBehindASawTooth) {
  std::mt19937_64 random(2);
  std::normal_distribution<double> noise(0, 0.005);
  Trend trend;
  Feed(&trend, 4, [&](double hour) {
    const double cycles = hour * 60 / 3;
    return 0.5 + 0.1 * hour + 0.1 * (cycles - static_cast<int>(cycles)) + noise(random);
  });
  ASSERT_TRUE(trend.rising());
  EXPECT_NEAR(trend.per_hour(), 0.1, 0.01);
}

TEST(Trend, WhatHasRisenNeedNotRiseAnyMore) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> noise(0, 0.03);
  int rising = 0;
  for (int run = 0; run < 50; ++run) {
    Trend trend;
    // A cache that takes two hours to fill, an hour and a half ago.
    Feed(&trend, 4.5, [&](double hour) {
      return 0.5 + 0.15 * std::min(2.0, std::max(0.0, hour - 1)) + noise(random);
    });
    rising += trend.rising() ? 1 : 0;
  }
  EXPECT_LE(rising, 2);
}

TEST(Trend, ARestartBeginsAnew) {
  Trend trend;
  Feed(&trend, 3, [](double hour) { return hour < 2 ? 0.4 + 0.25 * hour : 0.3; });
  EXPECT_EQ(trend.restarts(), 1);
  EXPECT_FALSE(trend.rising());
  EXPECT_LE(trend.slots(), 13u);
}

TEST(Trend, OutlivesARestartOfOurs) {
  Trend trend;
  Feed(&trend, 2.5, [](double hour) { return 0.2 + 0.03 * hour * hour; });
  ByteWriter out;
  trend.Encode(&out);
  Trend copy;
  ByteReader in(out.view());
  copy.Decode(&in);
  ASSERT_TRUE(in.Done());
  EXPECT_EQ(copy.rising(), trend.rising());
  EXPECT_EQ(copy.per_hour(), trend.per_hour());
  EXPECT_EQ(copy.per_hour_low(), trend.per_hour_low());
  ByteWriter again;
  copy.Encode(&again);
  EXPECT_EQ(again.view(), out.view());
}

TEST(Trend, RefusesLevelsThatNobodyEncoded) {
  for (const double level : {0.5, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    ByteWriter out;
    out.Varint(1);
    out.Signed(7);
    out.Double(level);
    out.Signed(8);
    out.Double(0.5);
    out.Signed(0);
    Trend trend;
    ByteReader in(out.view());
    trend.Decode(&in);
    EXPECT_EQ(in.ok(), level == 0.5);
    EXPECT_EQ(trend.slots(), level == 0.5 ? 1u : 0u);
  }
}

}  // namespace
}  // namespace tocsin
