#include <random>
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

const char* const kTraffic = "name: a\nkind: absence\nby: [service]\ncritical: {level: 1}\n";
const char* const kBeat =
    "name: a\nkind: absence\nwhere: {type: metric}\nevery: 1m\nwarn: {missed: 3}\n";

// Panes of Poisson traffic at this rate a minute.
void Traffic(Harness* harness, int panes, double per_minute, std::mt19937_64* random) {
  std::poisson_distribution<int> count(per_minute / kMinute);
  for (int i = 0; i < panes; ++i) harness->Requests(1, 0, count(*random));
}

TEST(Absence, TrafficThatStops) {
  for (const double per_minute : {2.0, 10.0, 100.0, 1000.0}) {
    Harness harness(kTraffic);
    std::mt19937_64 random(1);
    Traffic(&harness, 6 * kHour, per_minute, &random);
    EXPECT_THAT(harness.changes(), IsEmpty()) << per_minute;
    const int start = harness.now();
    harness.Requests(3 * kHour, 0, 0);
    ASSERT_EQ(harness.fired().size(), 1u) << per_minute;
    // 17.9 expected ones and a pane, with room for the estimates.
    EXPECT_LE(harness.fired()[0] - start, 2 + static_cast<int>(1.5 * 17.9 / per_minute * kMinute))
        << per_minute;
    EXPECT_TRUE(harness.rule().firing());
    Traffic(&harness, 4 * kMinute, std::max(per_minute, 10.0), &random);
    EXPECT_TRUE(harness.ClearedAt().has_value()) << per_minute;
  }
}

// Fewer false pages take a longer silence.
TEST(Absence, IsSureAsTheBudgetSays) {
  std::vector<int> fired;
  for (const double budget : {0.1, 0.001, 1e-6}) {
    Harness harness(kTraffic, {.false_pages_per_series_week = budget});
    std::mt19937_64 random(8);
    Traffic(&harness, 2 * kHour, 6, &random);
    harness.Requests(kHour, 0, 0);
    ASSERT_EQ(harness.fired().size(), 1u);
    fired.push_back(harness.fired()[0]);
  }
  EXPECT_LT(fired[0], fired[1]);
  EXPECT_LT(fired[1], fired[2]);
}

// One event in three minutes: a quarter of an hour holds five, and what it is worth to miss them
// must not be forgotten while they are missed.
TEST(Absence, ThinTrafficThatStopsOnceTheHourIsKnown) {
  Harness harness(kTraffic);
  harness.check_copy = false;
  std::mt19937_64 random(6);
  Traffic(&harness, 23 * 24 * kHour, 0.35, &random);
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.check_copy = true;
  harness.Requests(2 * kHour, 0, 0);
  EXPECT_EQ(harness.fired().size(), 1u);
}

// Variance ÷ mean 4: the longer pauses are the usual ones here, and yet it is noticed in time.
TEST(Absence, OverdispersedTrafficThatStops) {
  Harness harness(kTraffic);
  harness.check_copy = false;
  std::mt19937_64 random(7);
  for (int i = 0; i < 12 * kHour; ++i) {
    std::gamma_distribution<double> rate(10.0 / kMinute / 3, 3);
    harness.Requests(1, 0, std::poisson_distribution<int>(rate(random))(random));
  }
  EXPECT_THAT(harness.changes(), IsEmpty());
  const int start = harness.now();
  harness.Requests(kHour, 0, 0);
  ASSERT_EQ(harness.fired().size(), 1u);
  // P(0) of a pane is 4^(−λ/3), so 17.9 take 3 / ln 4 = 2.2 times as long as without.
  EXPECT_LE(harness.fired()[0] - start, 2 + static_cast<int>(1.3 * 2.2 * 17.9 / 10 * kMinute));
}

TEST(Absence, NoFalseAlarmInWeeksOfThinTraffic) {
  Harness harness(kTraffic);
  harness.check_copy = false;
  std::mt19937_64 random(2);
  Traffic(&harness, 28 * 24 * kHour, 3, &random);
  EXPECT_THAT(harness.changes(), IsEmpty());
}

// A business application: busy by day, next to nothing at night, from its first day on.
TEST(Absence, ANightIsNoAbsence) {
  Harness harness(kTraffic);
  harness.check_copy = false;
  std::mt19937_64 random(3);
  for (int day = 0; day < 10; ++day) {
    for (int hour = 0; hour < 24; ++hour) {
      const double rates[] = {0.05, 0, 0, 0.02, 0.5, 3, 20, 60, 90, 100, 100, 90};
      Traffic(&harness, kHour, rates[hour < 12 ? hour : 23 - hour], &random);
    }
  }
  EXPECT_THAT(harness.changes(), IsEmpty());
}

// The pipeline is doubted for half an hour, as long as nothing else is heard.
TEST(Absence, SilenceOfAllIsUnknownForHalfAnHour) {
  for (const bool partial : {false, true}) {
    Harness harness(kTraffic);
    std::mt19937_64 random(4);
    Traffic(&harness, 2 * kHour, 100, &random);
    harness.others_alive = false;
    harness.Requests(kHour / 4, 0, 0);
    harness.partial = partial;
    harness.Requests(kHour / 4, 0, 0);
    EXPECT_THAT(harness.changes(), IsEmpty());
    harness.others_alive = partial;
    harness.Requests(kMinute, 0, 0);
    EXPECT_EQ(harness.fired().size(), partial ? 0u : 1u)
        << "a source that is left out says nothing";
    harness.partial = false;
    harness.Requests(kMinute, 0, 0);
    EXPECT_EQ(harness.fired().size(), 1u);
  }
}

TEST(Absence, AfterAPauseOfThePipelineSilenceAmongOthersCounts) {
  Harness harness(kTraffic);
  std::mt19937_64 random(4);
  Traffic(&harness, 2 * kHour, 10, &random);
  harness.others_alive = false;
  harness.Requests(20 * kMinute, 0, 0);
  harness.others_alive = true;
  harness.Requests(3, 0, 0);
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.Requests(kMinute, 0, 0);
  EXPECT_EQ(harness.fired().size(), 1u);
}

// The only series of its scope, one event in two to twenty minutes: while it pauses nothing else is
// heard. Its pauses are no incidents, and its end is one.
TEST(Absence, ASparseSeriesThatIsAloneInItsScope) {
  for (const double per_minute : {0.05, 0.1, 0.5}) {
    Harness harness(kTraffic);
    harness.check_copy = false;
    std::mt19937_64 random(9);
    std::poisson_distribution<int> count(per_minute / kMinute);
    for (int i = 0; i < 28 * 24 * kHour; ++i) {
      const int events = count(random);
      harness.others_alive = events > 0;
      harness.Requests(1, 0, events);
    }
    EXPECT_THAT(harness.changes(), IsEmpty()) << per_minute;
    harness.others_alive = false;
    const int start = harness.now();
    harness.Requests(12 * kHour, 0, 0);
    ASSERT_EQ(harness.fired().size(), 1u) << per_minute;
    EXPECT_LE(harness.fired()[0] - start,
              kHour / 2 + static_cast<int>(1.5 * 17.9 / per_minute * kMinute));
  }
}

// A scope in which little arrives: of a long silence the pipeline is doubted once, not with each
// pane in which nothing else is heard.
TEST(Absence, AmongFewOthersItIsNotMuchLater) {
  Harness harness(kTraffic);
  harness.check_copy = false;
  std::mt19937_64 random(10);
  std::poisson_distribution<int> count(1.0 / kMinute);
  for (int i = 0; i < 4 * kHour; ++i) {
    const int events = count(random);
    harness.others_alive = events > 0 || i % 30 == 0;
    harness.Requests(1, 0, events);
  }
  EXPECT_THAT(harness.changes(), IsEmpty());
  const int start = harness.now();
  for (int i = 0; i < 2 * kHour; ++i) {
    harness.others_alive = i % 30 == 0;
    harness.Requests(1, 0, 0);
  }
  ASSERT_EQ(harness.fired().size(), 1u);
  EXPECT_LE(harness.fired()[0] - start, kHour / 2 + static_cast<int>(1.5 * 17.9 * kMinute));
}

TEST(Absence, SilentUntilWarmAndBeforeTheFirst) {
  Harness harness(kTraffic);
  std::mt19937_64 random(5);
  harness.Requests(kHour, 0, 0);
  Traffic(&harness, 10 * kMinute, 100, &random);
  harness.Requests(15 * kMinute, 0, 0);
  EXPECT_THAT(harness.changes(), IsEmpty());
}

TEST(Absence, AHeartbeatThatIsDue) {
  Harness harness(kBeat);
  for (int i = 0; i < 3; ++i) {
    harness.Pane({GaugeSample(1)});
    harness.Requests(17, 0, 0);  // two missed
  }
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.Pane({GaugeSample(1)});
  harness.Requests(17, 0, 0);
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.Requests(1, 0, 0);
  EXPECT_THAT(harness.fired(), ElementsAre(harness.now() - 1));
  for (int i = 0; i < 2 * kMinute; ++i) harness.Pane({GaugeSample(1)});
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

// All that its scope has: it is late by the time in which one is due.
TEST(Absence, AHeartbeatThatIsAloneInItsScope) {
  Harness harness(kBeat);
  for (int i = 0; i < 10 * kMinute; ++i) {
    harness.others_alive = i % kMinute == 0;
    if (harness.others_alive) {
      harness.Pane({GaugeSample(1)});
    } else {
      harness.Requests(1, 0, 0);
    }
  }
  harness.others_alive = false;
  harness.Requests(4 * kMinute - kMinute, 0, 0);
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.Requests(kMinute, 0, 0);
  EXPECT_EQ(harness.fired().size(), 1u);
}

TEST(Absence, MissedNeedsEvery) {
  EXPECT_THAT(ErrorsOf("name: x\nkind: absence\nwarn: {missed: 3}\n"),
              ElementsAre(HasSubstr("requires 'every'")));
}

}  // namespace
}  // namespace tocsin
