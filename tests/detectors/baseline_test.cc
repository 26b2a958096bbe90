#include "detectors/statistics/baseline.h"

#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

const BaselinePace kPace(kPane);

TEST(RatioBaseline, IsWarmAfterThirtySamplesAndThirtyMinutes) {
  RatioBaseline busy;
  for (int i = 0; i < 30 * kMinute - 1; ++i) busy.Update({}, 0, 100, kPace);
  EXPECT_FALSE(busy.warm());
  busy.Update({}, 0, 100, kPace);
  EXPECT_TRUE(busy.warm());
  RatioBaseline sparse;  // one sample in ten minutes
  for (int i = 0; i < 29 * 10 * kMinute; ++i) {
    sparse.Update({}, 0, i % (10 * kMinute) == 0 ? 1 : 0, kPace);
  }
  EXPECT_FALSE(sparse.warm());
  sparse.Update({}, 0, 1, kPace);
  EXPECT_TRUE(sparse.warm());
}

TEST(RatioBaseline, UpperIsABoundWithAFloor) {
  RatioBaseline clean;
  for (int i = 0; i < 10 * kHour; ++i) clean.Update({}, 0, 1000, kPace);
  EXPECT_EQ(clean.Upper(0.002), 1e-4);
  RatioBaseline usual;
  for (int i = 0; i < 10 * kHour; ++i) usual.Update({}, 5, 1000, kPace);
  EXPECT_GT(usual.Upper(0.002), 0.005);
  EXPECT_LT(usual.Upper(0.002), 0.0051);
}

TEST(RatioBaseline, HalvesItsPastInAWeek) {
  RatioBaseline baseline;
  const int week = 7 * 24 * kHour;
  for (int i = 0; i < week; ++i) baseline.Update({}, 10, 1000, kPace);
  for (int i = 0; i < week; ++i) baseline.Update({}, 0, 1000, kPace);
  // One week of 1 % at half weight, one week of none: a third.
  EXPECT_NEAR(baseline.Mean(0), 0.01 / 3, 1e-5);
}

TEST(RatioBaseline, DispersionSeesClusters) {
  std::mt19937_64 random(3);
  RatioBaseline plain, clustered;
  std::poisson_distribution<int> two(2.0);
  for (int i = 0; i < 10 * kHour; ++i) {
    plain.Update({}, two(random), 1000, kPace);
    clustered.Update({}, 5 * std::poisson_distribution<int>(0.4)(random), 1000, kPace);
  }
  EXPECT_LT(plain.Dispersion(), 1.1);
  EXPECT_NEAR(clustered.Dispersion(), 5, 1.0);
  EXPECT_DOUBLE_EQ(clustered.Dispersion(100), clustered.Dispersion());
}

// A share that varies by its half makes little of one failure and much of a hundred.
TEST(RatioBaseline, DispersionGrowsWithTheEvents) {
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> share(0.001, 0.003);
  RatioBaseline baseline;
  for (int i = 0; i < 24 * kHour; ++i) {
    const int total = i % 2 == 0 ? 1'000 : 19'000;
    std::poisson_distribution<int> bad(share(random) * total);
    baseline.Update({}, bad(random), total, kPace);
  }
  // The relative variance is 1/12: 1 + 20/12 on average, 1 + 100/12 of fifty thousand.
  EXPECT_NEAR(baseline.Dispersion(), 2.67, 0.3);
  EXPECT_EQ(baseline.Dispersion(1'000), baseline.Dispersion());
  EXPECT_NEAR(baseline.Dispersion(50'000), 9.33, 1);
}

// A share of 0.2 % that is by a third higher at noon than on average.
TEST(RatioBaseline, LearnsHowFarADaySwings) {
  for (const int total : {20, 200, 2'000}) {
    std::mt19937_64 random(5);
    RatioBaseline baseline;
    for (int i = 0; i < 14 * 24 * kHour; ++i) {
      const double hours = i / static_cast<double>(kHour);
      const double share = 0.002 * (1 + std::cos(hours / 24 * 6.2832) / 3);
      baseline.Update({}, std::poisson_distribution<int>(share * total)(random), total, kPace);
    }
    EXPECT_NEAR(baseline.Swing(), 1.0 / 3, 0.05) << total;
    EXPECT_NEAR(baseline.Upper(0), 0.002 * 4 / 3, 0.0002) << total;
    ByteWriter out;
    baseline.Encode(&out);
    RatioBaseline copy;
    ByteReader in(out.view());
    copy.Decode(&in);
    EXPECT_TRUE(in.Done());
    EXPECT_EQ(copy.Swing(), baseline.Swing());
  }
}

TEST(RatioBaseline, ChanceIsNoSwingAndABadHourALittle) {
  int swings = 0;
  for (const int total : {1, 20, 200, 2'000}) {
    for (unsigned seed = 1; seed <= 10; ++seed) {
      std::mt19937_64 random(seed);
      std::poisson_distribution<int> bad(0.002 * total);
      RatioBaseline baseline;
      for (int i = 0; i < 7 * 24 * kHour; ++i) baseline.Update({}, bad(random), total, kPace);
      swings += baseline.Swing() > 0 ? 1 : 0;
      const double quiet = baseline.Swing();
      for (int i = 0; i < kHour; ++i) baseline.Update({}, 3 * bad(random), total, kPace);
      for (int i = 0; i < kHour; ++i) baseline.Update({}, bad(random), total, kPace);
      EXPECT_LT(baseline.Swing() - quiet, 0.15) << total << ", seed " << seed;
    }
  }
  EXPECT_LT(swings, 20);  // more than one standard error: one in six by chance
}

TEST(RatioBaseline, ReadsWhatTheLastReleaseWrote) {
  ByteWriter out;
  for (const DurationUs gate : {DurationUs{5'000}, 50'000 * kSecondUs, DurationUs{0}}) {
    out.Signed(gate);
  }
  for (const double value : {30.0, 20'000.0, 1'600.0, 800.0}) out.Double(value);
  RatioBaseline baseline;
  ByteReader in(out.view(), 5);
  baseline.Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_TRUE(baseline.warm());
  EXPECT_NEAR(baseline.Mean(0), 30.0 / 21'000, 1e-9);
  EXPECT_EQ(baseline.Dispersion(), 1);
}

TEST(RateBaseline, KnowsTheHourOfTheWeekAfterThreeVisits) {
  RateBaseline baseline;
  const int week = 7 * 24 * kHour;
  const auto time = [](int pane) { return kStart + pane * kPane; };
  for (int i = 0; i < 4 * week; ++i) {
    const bool busy = i % week >= 12 * kHour && i % week < 13 * kHour;
    baseline.Update({}, time(i), busy ? 40 : 2, kPace);
    if (i == 2 * week) {
      EXPECT_LT(baseline.Mean(time(12 * kHour)), 3);
    }
  }
  EXPECT_EQ(baseline.Mean(time(12 * kHour)), 40);
  EXPECT_EQ(baseline.Mean(time(13 * kHour)), 2);
}

TEST(RateBaseline, FollowsAChangeOfTheSeason) {
  RateBaseline baseline;
  const int week = 7 * 24 * kHour;
  for (int i = 0; i < 20 * week; ++i) {
    baseline.Update({}, kStart + i * kPane, i < 10 * week ? 10 : 20, kPace);
  }
  // Ten visits at ¾ each have forgotten all but 6 %.
  EXPECT_NEAR(baseline.Mean(kStart), 20, 1);
}

TEST(RateBaseline, KeepsUpWithADayThatItHasNotSeen) {
  RateBaseline baseline;
  double count = 10;
  for (int hour = 0; hour < 12; ++hour) {
    count *= 1.3;  // to 23 times the first
    for (int i = 0; i < kHour; ++i) {
      const TimeUs time = kStart + (hour * kHour + i) * kPane;
      if (hour > 0) {
        EXPECT_LT(count, 2 * baseline.Mean(time));
      }
      baseline.Update({}, time, count, kPace);
    }
  }
}

TEST(RateBaseline, TheSeasonIsNoDispersion) {
  std::mt19937_64 random(5);
  RateBaseline baseline;
  for (int i = 0; i < 4 * 7 * 24 * kHour; ++i) {
    const bool night = i / kHour % 24 < 8;
    std::poisson_distribution<int> count(night ? 20.0 : 100.0);
    baseline.Update({}, kStart + i * kPane, count(random), kPace);
  }
  const TimeUs night = kStart + 4 * kWeekUs;
  ASSERT_TRUE(baseline.Knows(night));
  EXPECT_LT(baseline.Dispersion(night), 1.2);
}

TEST(QuantileBaseline, ForgetsAfterTwoDays) {
  QuantileBaseline baseline;
  LogHistogram slow, fast;
  for (int i = 0; i < 10; ++i) slow.Add(900'000), fast.Add(100'000);
  for (int i = 0; i < 24 * kHour; ++i) baseline.Update({}, &slow, kPace);
  EXPECT_NEAR(static_cast<double>(baseline.p95()), 900'000, 9'000);
  for (int i = 0; i < 48 * kHour + kMinute; ++i) baseline.Update({}, &fast, kPace);
  EXPECT_NEAR(static_cast<double>(baseline.p95()), 100'000, 1'000);
}

TEST(LearnGate, StartsAnewAfterADayOfFreezing) {
  RatioBaseline baseline;
  for (int i = 0; i < 10 * kHour; ++i) baseline.Update({}, 1, 1000, kPace);
  const double before = baseline.Mean(0);
  for (int i = 0; i < 24 * kHour - 1; ++i) baseline.Update({.frozen = true}, 100, 1000, kPace);
  EXPECT_EQ(baseline.Mean(0), before);
  EXPECT_FALSE(baseline.relearning());
  for (int i = 0; i < 2 * kHour; ++i) baseline.Update({.frozen = true}, 100, 1000, kPace);
  EXPECT_TRUE(baseline.relearning());
  EXPECT_GT(baseline.Mean(0), 0.09);
  // It says so for a day, also when it is frozen no more.
  for (int i = 0; i < 21 * kHour; ++i) baseline.Update({}, 100, 1000, kPace);
  EXPECT_TRUE(baseline.relearning());
  for (int i = 0; i < 2 * kHour; ++i) baseline.Update({}, 100, 1000, kPace);
  EXPECT_FALSE(baseline.relearning());
}

}  // namespace
}  // namespace tocsin
