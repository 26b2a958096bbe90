#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "detectors/statistics/ratio_evidence.h"
#include "detectors/statistics/window.h"
#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::string kRule = R"(name: errors
kind: error_rate
by: [service]
baseline: 0.2%
warn: {above: 1.5%, clear: 0.5%, window: 5m, for: 5m, level: 2}
critical: {above: 50%, window: 1m, level: 1}
)";

const std::string kWarnOnly = R"(name: errors
kind: error_rate
warn: {above: 1.5%, clear: 0.5%, window: 5m, for: 5m}
)";

struct Burst {
  std::string name;
  int per_minute;
  int bad_per_minute;              // during the burst
  int panes;                       // length of the burst
  int earliest = -1, latest = -1;  // pane after its start at which the warn level fires; −1: never
};

void PrintTo(const Burst& burst, std::ostream* out) { *out << burst.name; }

TEST(ErrorRate, AServiceOfWhichHalfTheRequestsFailIsDown) {
  struct Case {
    const char* stanza;
    double value;
    bool down;
  };
  for (const Case& c : {Case{"kind: error_rate\nby: [service]\n", 0.5, true},
                        Case{"kind: error_rate\nby: [service]\n", 0.49, false},
                        Case{"kind: error_rate\n", 0.9, true},
                        Case{"kind: error_rate\nby: [service, endpoint]\n", 0.9, false},
                        Case{"kind: error_rate\nby: [dependency]\n", 0.9, false},
                        Case{"kind: error_rate\nwhere: {type: transaction}\n", 0.9, false},
                        Case{"kind: error_rate\nfailure: {status: 429}\n", 0.9, false}}) {
    const Harness harness(std::string("name: e\nwarn: {above: 5%}\n") + c.stanza);
    Signal signal;
    signal.value = c.value;
    EXPECT_EQ(harness.detector().MeansDown(signal), c.down) << c.stanza << c.value;
  }
  const Harness successes(
      "name: s\nkind: success_ratio\nwhere: {type: request}\nwarn: {below: 95%}\n");
  Signal signal;
  signal.value = 0.4;
  EXPECT_TRUE(successes.detector().MeansDown(signal));
  signal.value = 0.6;
  EXPECT_FALSE(successes.detector().MeansDown(signal));
}

class ErrorRateBurst : public testing::TestWithParam<Burst> {};

TEST_P(ErrorRateBurst, FiresWhenItShould) {
  const Burst& burst = GetParam();
  Harness harness(kWarnOnly + "baseline: 0.2%\n");
  // 0.2 % fail on a quiet day.
  harness.check_copy = false;
  harness.RequestsPerMinute(2 * kHour, burst.per_minute / 500, burst.per_minute);
  const int start = harness.now();
  ASSERT_THAT(harness.fired(), IsEmpty());
  harness.check_copy = burst.per_minute <= 600;
  harness.RequestsPerMinute(burst.panes, burst.bad_per_minute, burst.per_minute);
  harness.RequestsPerMinute(20 * kMinute, burst.per_minute / 500, burst.per_minute);
  const std::vector<int> fired = harness.fired();
  if (burst.latest < 0) {
    EXPECT_THAT(fired, IsEmpty());
    return;
  }
  ASSERT_EQ(fired.size(), 1u);
  EXPECT_GE(fired[0] - start, burst.earliest);
  EXPECT_LE(fired[0] - start, burst.latest);
}

INSTANTIATE_TEST_SUITE_P(
    Table, ErrorRateBurst,
    testing::Values(
        // 5 min of `for` are 30 panes, the first being 0; one pane more is allowed.
        Burst{"at the threshold", 1200, 19, 60, 24, 32},
        Burst{"twice the threshold", 1200, 36, 60, 22, 30}, Burst{"all fail", 600, 600, 60, 22, 30},
        Burst{"little traffic, all fail", 10, 10, 60, 22, 36}, Burst{"just under", 1200, 14, 120},
        Burst{"far under", 1200, 6, 240}, Burst{"too short: 2 min at twice", 1200, 36, 12},
        Burst{"too short: 3 min at 5 %", 1200, 60, 18},
        Burst{"too short: 3 min at 20 %", 600, 120, 18},
        Burst{"too short: 3 min, all fail", 600, 600, 18},
        Burst{"too short: 2 min, little traffic, all fail", 10, 10, 12}),
    [](const testing::TestParamInfo<Burst>& param) { return std::to_string(param.index); });

// A few failures by chance, and minutes later half a minute in which 5 % fail: the rate over all of
// the five minutes is above, and a few more by chance say that it goes on. It is over all the same.
TEST(ErrorRate, ABlipAfterChanceDoesNotSkipFor) {
  for (int later = kMinute; later < 4 * kMinute; ++later) {
    Harness harness("name: x\nkind: error_rate\nwarn: {above: 0.2%, window: 5m, for: 5m}\n");
    harness.check_copy = false;
    const auto quiet = [&](int panes) {
      for (int i = 0; i < panes; ++i) harness.Requests(1, i % 5 == 0 ? 1 : 0, 200);
    };
    quiet(3 * kHour);
    for (const int bad : {2, 0, 3, 0, 0, 2, 1}) harness.Requests(1, bad, 200);
    quiet(later);
    for (const int bad : {16, 10, 7, 0, 0, 0, 2, 0, 2}) harness.Requests(1, bad, 200);
    EXPECT_THAT(harness.fired(), IsEmpty()) << later;
  }
}

TEST(ErrorRate, TwoBlipsDoNotSkipForAndFiveMinutesDo) {
  for (int later = kMinute; later < 4 * kMinute; ++later) {
    Harness harness("name: x\nkind: error_rate\nwarn: {above: 0.2%, window: 5m, for: 5m}\n");
    harness.check_copy = false;
    harness.Requests(3 * kHour, 2, 2'000);
    harness.Requests(3, 60, 2'000);
    harness.Requests(later, 2, 2'000);
    harness.Requests(3, 60, 2'000);
    harness.Requests(5 * kMinute, 2, 2'000);
    EXPECT_THAT(harness.fired(), IsEmpty()) << later;
    harness.Requests(5 * kMinute + 2, 20, 2'000);
    EXPECT_EQ(harness.fired().size(), 1u) << later;
  }
}

TEST(ErrorRate, OneOfTwoNeverBreaches) {
  Harness harness(kRule);
  harness.Requests(kHour, 0, 0);
  harness.Requests(1, 1, 2);
  harness.Requests(kHour, 0, 0);
  EXPECT_THAT(harness.changes(), IsEmpty());
}

TEST(ErrorRate, AllFailingAtTenAMinuteIsCriticalWithinThreeMinutes) {
  Harness harness(kRule);
  harness.RequestsPerMinute(kHour, 0, 10);
  const int start = harness.now();
  harness.RequestsPerMinute(5 * kMinute, 10, 10);
  ASSERT_TRUE(harness.FiredAt(1).has_value());
  EXPECT_LE(*harness.FiredAt(1) - start, 3 * kMinute);
  EXPECT_GE(*harness.FiredAt(1) - start, 2);
}

TEST(ErrorRate, FirstPanesOfANewSeriesCount) {
  Harness harness(kRule);
  harness.Requests(2, 100, 100);
  EXPECT_EQ(harness.FiredAt(1), 0);
}

TEST(ErrorRate, ClearsWithinTwoMinutesOfTheLastFailure) {
  for (const int per_minute : {60, 600}) {
    Harness harness(kRule);
    harness.RequestsPerMinute(20 * kMinute, 0, per_minute);
    harness.RequestsPerMinute(10 * kMinute, per_minute * 3 / 10, per_minute);
    ASSERT_TRUE(harness.FiredAt(0).has_value());
    const int end = harness.now();
    harness.RequestsPerMinute(20 * kMinute, 0, per_minute);
    ASSERT_TRUE(harness.ClearedAt().has_value()) << per_minute;
    EXPECT_LE(*harness.ClearedAt() - end, 2 * kMinute + 1) << per_minute;
    EXPECT_GE(*harness.ClearedAt() - end, kMinute);
    EXPECT_EQ(harness.changes().size(), 2u);
  }
}

TEST(ErrorRate, KeepsFiringBetweenTheThresholds) {
  Harness harness(kRule);
  harness.RequestsPerMinute(10 * kMinute, 24, 1200);
  ASSERT_TRUE(harness.rule().firing());
  harness.RequestsPerMinute(30 * kMinute, 9, 1200);  // 0.75 %: above clear
  EXPECT_TRUE(harness.rule().firing());
  harness.RequestsPerMinute(30 * kMinute, 4, 1200);  // 0.33 %
  EXPECT_FALSE(harness.rule().firing());
}

// Longer than an hour between them is not what it fired for.
TEST(ErrorRate, ClearsAfterAnHourBetweenTheThresholds) {
  Harness harness(kRule);
  harness.check_copy = false;
  harness.RequestsPerMinute(10 * kMinute, 24, 1200);
  harness.RequestsPerMinute(kHour - 5 * kMinute, 9, 1200);
  EXPECT_TRUE(harness.rule().firing());
  harness.RequestsPerMinute(20 * kMinute, 9, 1200);
  EXPECT_FALSE(harness.rule().firing());
}

// 0.7 % is above half of the threshold, where it clears by default, and what this service always
// has.
TEST(ErrorRate, ClearsAtWhatIsUsual) {
  Harness harness("name: e\nkind: error_rate\nwarn: {above: 1%, window: 2m}\n");
  harness.check_copy = false;
  harness.RequestsPerMinute(4 * kHour, 42, 6'000);
  ASSERT_THAT(harness.changes(), IsEmpty());
  harness.RequestsPerMinute(10 * kMinute, 180, 6'000);
  ASSERT_TRUE(harness.rule().firing());
  harness.RequestsPerMinute(3 * kMinute, 42, 6'000);
  EXPECT_FALSE(harness.rule().firing());
}

// A series that is first seen in the middle of a fault: that the fault is usual by then, after half
// an hour, does not mean that it is over.
TEST(ErrorRate, AFaultThatIsAllThatWasEverSeenIsNotUsual) {
  for (const int failing : {20, 60, 200, 300, 600}) {
    Harness harness("name: e\nkind: error_rate\nwarn: {above: 2%, window: 5m}\n");
    harness.check_copy = false;
    harness.RequestsPerMinute(3 * kHour, failing, 600);
    EXPECT_EQ(harness.changes().size(), 1u) << failing;
    EXPECT_TRUE(harness.rule().firing()) << failing;
    harness.RequestsPerMinute(5 * kMinute, 1, 600);
    EXPECT_FALSE(harness.rule().firing()) << failing;
    // And the next one is found, if not as soon as later.
    harness.RequestsPerMinute(3 * kHour, 1, 600);
    harness.RequestsPerMinute(10 * kMinute, 200, 600);
    EXPECT_TRUE(harness.rule().firing()) << failing;
  }
}

// What was evidence of the last fault is none of the next: after each of them a single failure now
// and then is nothing, at any threshold.
TEST(ErrorRate, OneFaultIsFiredForOnce) {
  for (const char* above : {"0.1%", "1%", "4%", "25%"}) {
    Harness harness(std::string("name: e\nkind: error_rate\nwarn: {window: 2m, above: ") + above +
                    "}\n");
    harness.check_copy = false;
    harness.RequestsPerMinute(3 * kHour, 0, 60);
    for (int i = 0; i < 5; ++i) {
      harness.RequestsPerMinute(5 * kMinute, 30, 60);
      harness.RequestsPerMinute(5 * kMinute, 0, 60);
      for (int k = 0; k < 6; ++k) {
        harness.Requests(1, 1, 10);
        harness.RequestsPerMinute(20 * kMinute, 0, 60);
      }
    }
    EXPECT_EQ(harness.fired().size(), 5u) << above;
  }
}

// Little traffic after the fault, and all of it well.
TEST(ErrorRate, ClearsBelowTheMinimalVolume) {
  Harness harness(kRule + "min_volume: 100\n");
  harness.RequestsPerMinute(10 * kMinute, 100, 200);
  ASSERT_TRUE(harness.rule().firing());
  harness.RequestsPerMinute(10 * kMinute, 0, 10);
  EXPECT_FALSE(harness.rule().firing());
}

TEST(ErrorRate, AClearOfZeroIsReachedWithoutFailures) {
  Harness harness("name: e\nkind: error_rate\nwarn: {above: 5%, clear: 0%, window: 1m}\n");
  harness.RequestsPerMinute(5 * kMinute, 100, 200);
  ASSERT_TRUE(harness.rule().firing());
  harness.RequestsPerMinute(3 * kMinute, 0, 200);
  EXPECT_FALSE(harness.rule().firing());
}

TEST(ErrorRate, SilenceIsNeverRecovery) {
  Harness harness(kRule);
  harness.Requests(kMinute, 50, 100);
  ASSERT_TRUE(harness.rule().firing());
  harness.Requests(2 * kHour, 0, 0);
  EXPECT_TRUE(harness.rule().firing());
}

TEST(ErrorRate, RaisesWhenItGetsWorse) {
  Harness harness(kRule);
  harness.RequestsPerMinute(10 * kMinute, 24, 1200);
  EXPECT_TRUE(harness.FiredAt(0).has_value());
  harness.RequestsPerMinute(3 * kMinute, 1200, 1200);
  ASSERT_EQ(harness.changes().size(), 2u);
  EXPECT_EQ(harness.changes()[1].kind, SignalChangeKind::kRaised);
  EXPECT_EQ(harness.changes()[1].slot, 1);
}

TEST(ErrorRate, OnsetIsNearTheFirstFailures) {
  Harness harness(kRule);
  harness.RequestsPerMinute(kHour, 2, 1200);
  const int start = harness.now();
  harness.RequestsPerMinute(10 * kMinute, 36, 1200);
  ASSERT_EQ(harness.changes().size(), 1u);
  EXPECT_GE(harness.changes()[0].onset, start);
  EXPECT_LE(harness.changes()[0].onset, start + 4);
}

TEST(ErrorRate, LearnsWhatIsUsual) {
  // 1 % fail always; with a warm baseline that is the usual rate, and 1.2 % no news.
  Harness harness(kWarnOnly);
  harness.check_copy = false;
  harness.RequestsPerMinute(4 * kHour, 12, 1200);
  EXPECT_THAT(harness.changes(), IsEmpty());
  const double usual = std::stod(harness.EvidenceOf("baseline", "rate"));
  EXPECT_GT(usual, 0.01);
  EXPECT_LT(usual, 0.0105);
  Harness low(kWarnOnly);
  low.check_copy = false;
  low.RequestsPerMinute(4 * kHour, 1, 1200);
  const double learned = std::stod(low.EvidenceOf("baseline", "rate"));
  EXPECT_GT(learned, 1.0 / 1200);
  EXPECT_LT(learned, 1.2 / 1200);
}

TEST(ErrorRate, ColdBaselineIsThePrior) {
  Harness harness(kWarnOnly);
  harness.RequestsPerMinute(29 * kMinute, 0, 1200);
  EXPECT_EQ(harness.EvidenceOf("baseline", "rate"), "0.002");
  harness.RequestsPerMinute(2 * kMinute, 0, 1200);
  EXPECT_LT(std::stod(harness.EvidenceOf("baseline", "rate")), 0.001);
}

TEST(ErrorRate, BaselineFreezesWhileFiringAndInPartialPanes) {
  Harness harness(kWarnOnly);
  harness.check_copy = false;
  harness.RequestsPerMinute(2 * kHour, 2, 1200);
  const std::string before = harness.EvidenceOf("baseline", "rate");
  harness.partial = true;
  harness.RequestsPerMinute(kHour, 600, 1200);
  EXPECT_NEAR(std::stod(harness.EvidenceOf("baseline", "rate")), std::stod(before), 1e-5);
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.partial = false;
  harness.RequestsPerMinute(2 * kHour, 100, 1200);
  EXPECT_TRUE(harness.rule().firing());
  EXPECT_NEAR(std::stod(harness.EvidenceOf("baseline", "rate")), std::stod(before), 1e-5);
}

TEST(ErrorRate, LearnsAnewAfterADay) {
  Harness harness(kWarnOnly);
  harness.check_copy = false;
  harness.RequestsPerMinute(2 * kHour, 1, 600);
  harness.RequestsPerMinute(23 * kHour, 30, 600);
  EXPECT_EQ(harness.EvidenceOf("baseline", "state"), "");
  EXPECT_TRUE(harness.rule().firing());
  harness.RequestsPerMinute(3 * kHour, 30, 600);
  EXPECT_EQ(harness.EvidenceOf("baseline", "state"), "\"learning anew after 24 h\"");
  EXPECT_NEAR(std::stod(harness.EvidenceOf("baseline", "rate")), 0.05, 0.003);
  // What has lasted for a day is how it is now; ten times as many is news again.
  EXPECT_FALSE(harness.rule().firing());
  harness.RequestsPerMinute(10 * kMinute, 300, 600);
  EXPECT_TRUE(harness.rule().firing());
}

// As the last release wrote it: a CUSUM for each level, and p0.
TEST(ErrorRate, KeepsWhatTheLastReleaseHasLearned) {
  ByteWriter out;
  CountRing ring(kPlotPanes + 1);
  ring.Push(1, 100);
  ring.Encode(&out);
  for (const DurationUs gate : {DurationUs{5'000}, 50'000 * kSecondUs, DurationUs{0}}) {
    out.Signed(gate);
  }
  for (const double value : {400.0, 100'000.0, 900.0, 900.0}) out.Double(value);
  out.Double(0.004);
  out.Varint(0);
  for (const double value : {3.0, 0.004, 0.015, 1.3, -0.01}) out.Double(value);
  for (const bool value : {false, true, /*no tops*/ false}) out.Bool(value);
  Harness harness(kWarnOnly);
  ByteReader in(out.view(), 5);
  harness.state().Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_NEAR(std::stod(harness.EvidenceOf("baseline", "rate")), 0.0042, 1e-4);
  harness.Requests(1, 1, 100);
}

TEST(ErrorRate, MinVolumeMakesItUnknown) {
  Harness harness(kRule + "min_volume: 100\n");
  harness.RequestsPerMinute(10 * kMinute, 10, 10);  // 50 in 5 min
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.RequestsPerMinute(10 * kMinute, 200, 200);
  EXPECT_FALSE(harness.changes().empty());
}

TEST(ErrorRate, ADeployNeedsLessEvidence) {
  const std::string rule =
      "name: e\nkind: error_rate\nbaseline: 0.2%\ncritical: {above: 5%, window: 1m}\n";
  for (const bool deploy : {false, true}) {
    Harness harness(rule);
    harness.recent_deploy = deploy;
    harness.RequestsPerMinute(kHour, 0, 60);
    harness.Requests(1, 5, 10);  // 5·7·ln 2 − 10·ln(1 + 0.002·127) = 22.0
    EXPECT_EQ(harness.changes().size(), 1u);
    Harness less(rule);
    less.recent_deploy = deploy;
    less.RequestsPerMinute(kHour, 0, 60);
    less.Requests(1, 4, 10);  // 17.1: between h − ln 10 = 15.6 and h = 17.9
    EXPECT_EQ(less.changes().size(), deploy ? 1u : 0u);
  }
}

TEST(ErrorRate, ExplainsInOrder) {
  Harness harness(kRule);
  harness.RequestsPerMinute(10 * kMinute, 36, 1200);
  std::vector<std::string> kinds;
  for (const Evidence& evidence : harness.state().Explain()) kinds.push_back(evidence.kind);
  EXPECT_THAT(kinds, testing::ElementsAre("window", "samples", "samples", "baseline", "threshold",
                                          "evidence_floor", "top", "top", "panes"));
  EXPECT_EQ(harness.EvidenceOf("window", "duration"), "\"5m\"");
  EXPECT_EQ(harness.EvidenceOf("samples", "events"), "6000");
  EXPECT_EQ(harness.EvidenceOf("samples", "failed"), "180");
  // h / KL = 17.918 / 0.01732: the figure of the detection notes.
  EXPECT_NEAR(std::stod(harness.EvidenceOf("evidence_floor", "events")), 1035, 5);
  EXPECT_THAT(harness.EvidenceOf("top", "endpoint"), HasSubstr(R"("key":"/orders")"));
  EXPECT_THAT(harness.EvidenceOf("panes", "rate"), HasSubstr("0.03,0.03,0.03]"));
}

// Failures that come in clusters are weaker evidence; how much of it is needed is said.
TEST(ErrorRate, TheEvidenceFloorCountsTheDispersion) {
  Harness harness("name: e\nkind: error_rate\nwarn: {above: 50%}\n");
  harness.check_copy = false;
  for (int i = 0; i < 6 * kHour; ++i) harness.Requests(1, i % 4 == 0 ? 3 : 0, 60);
  const double dispersion = std::stod(harness.EvidenceOf("baseline", "dispersion"));
  EXPECT_NEAR(dispersion, 2.25, 0.2);  // 0.75 a pane on average, 3 at once
  const double p0 = std::stod(harness.EvidenceOf("baseline", "rate"));
  EXPECT_NEAR(std::stod(harness.EvidenceOf("evidence_floor", "events")),
              dispersion * EvidenceFloor(DetectorEnvironment().EvidenceThreshold(), p0, 0.5), 1);
}

TEST(ErrorRate, TitleSaysWhat) {
  Harness harness(kRule);
  Signal signal;
  signal.series = {{"service", "api"}};
  signal.value = 0.1234;
  signal.threshold = 0.015;
  EXPECT_EQ(harness.detector().Title(signal),
            "error rate of service=api is 12.3 % (above 1.5 % over 5m)");
}

TEST(ErrorRate, DefaultsToRequestsUnlessTold) {
  Harness requests(kRule);
  Event session;
  session.type = EventType::kSession;
  EXPECT_FALSE(requests.detector().Spec().where.Matches(session));
  Harness sessions(kRule + "where: {type: session}\n");
  EXPECT_TRUE(sessions.detector().Spec().where.Matches(session));
}

// The promise of the budget: no false page on quiet traffic. Ten simulated weeks of a series with
// binomial failures at the usual rate.
TEST(ErrorRate, QuietTrafficStaysQuiet) {
  for (const double per_pane : {1.7, 17.0, 170.0}) {
    Harness harness(kWarnOnly);
    harness.check_copy = false;
    std::mt19937_64 random(7);
    std::poisson_distribution<int> requests(per_pane), failures(per_pane * 0.002);
    const int panes = per_pane > 100 ? 3 * 8640 : 3 * 7 * 8640;
    for (int i = 0; i < panes; ++i) {
      const int bad = failures(random);
      harness.Requests(1, bad, std::max(bad, requests(random)));
    }
    EXPECT_THAT(harness.changes(), IsEmpty()) << per_pane;
  }
}

TEST(ErrorRate, AStatusMayCountAsTheFailure) {
  Harness harness(
      "name: e\nkind: error_rate\nfailure: {status: 429}\nby: [service]\n"
      "warn: {above: 5%, window: 5m, for: 5m}\n");
  const auto pane = [&](int status, int count) {
    std::vector<Event> events(40, Request(false));
    for (int i = 0; i < count; ++i) {
      Event event = Request(false);
      event.status = status;
      event.Set(Field::kUserAgent, "crawler/1.0");
      event.Normalize();
      events.push_back(event);
    }
    harness.Pane(std::move(events));
  };
  for (int i = 0; i < kHour; ++i) pane(503, 10);
  EXPECT_THAT(harness.changes(), testing::IsEmpty());
  for (int i = 0; i < 10 * kMinute; ++i) pane(429, 10);
  EXPECT_EQ(harness.fired().size(), 1u);
  EXPECT_THAT(harness.EvidenceOf("top", "user_agent"), testing::HasSubstr("crawler/1.0"));
  // So many that all evidence is gone before it clears.
  while (!harness.ClearedAt() && harness.now() < 2 * kHour) {
    harness.Pane(std::vector<Event>(200, Request(false)));
  }
  EXPECT_THAT(harness.EvidenceOf("top", "user_agent"), testing::HasSubstr("crawler/1.0"))
      << "what is said at the end still names them";
  Signal signal;
  signal.value = 0.2;
  signal.threshold = 0.05;
  EXPECT_EQ(harness.detector().Title(signal),
            "share of status 429 of all is 20 % (above 5 % over 5m)");
  EXPECT_THAT(ErrorsOf("name: e\nkind: error_rate\nfailure: 429\nwarn: {above: 5%}\n"),
              testing::ElementsAre(testing::HasSubstr("{status: 429}")));
}

}  // namespace
}  // namespace tocsin
