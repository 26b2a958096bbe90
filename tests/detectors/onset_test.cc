// What each kind knows of when that began which it reports: an interval that has the true moment in
// it, and not much else.
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

// The interval of the signal that fires while the fault is fed, in seconds since it began.
struct Known {
  double earliest = 0, latest = 0;
};

template <typename Feed>
Known Learn(Harness* harness, int panes, Feed feed) {
  const auto began_at = static_cast<DurationUs>(harness->now()) * kPane;
  for (int i = 0; i < panes && harness->changes().empty(); ++i) feed(i);
  if (harness->changes().empty()) {
    ADD_FAILURE() << "it did not fire";
    return {};
  }
  const OnsetInterval& began = harness->changes().front().began;
  const auto seconds = [&](TimeUs time) {
    return static_cast<double>(time - began_at) / kSecondUs;
  };
  return {.earliest = seconds(began.earliest), .latest = seconds(began.latest)};
}

// The fault begins with a pane, so that its moment is 0 and it shows by 10 s.
void ExpectKnown(const Known& known, double width_max) {
  EXPECT_LE(known.earliest, 0);
  EXPECT_GE(known.latest, 0);
  EXPECT_LE(known.latest - known.earliest, width_max);
}

constexpr const char* kErrors =
    "{name: e, kind: error_rate, warn: {above: 5%, window: 5m, for: 5m}, "
    "critical: {above: 50%, window: 1m}}";

TEST(Onset, ManyRequestsFailAtOnce) {
  Harness harness(kErrors);
  harness.Requests(2 * kHour, 0, 20);
  ExpectKnown(Learn(&harness, kHour, [&](int) { harness.Requests(1, 20, 20); }), 10);
}

TEST(Onset, SomeRequestsFailAndForRunsForMinutes) {
  Harness harness(kErrors);
  harness.RequestsPerMinute(2 * kHour, 0, 300);
  ExpectKnown(Learn(&harness, kHour, [&](int) { harness.Requests(1, 5, 50); }), 20);
}

TEST(Onset, OfFewRequestsItIsKnownLess) {
  Harness harness(kErrors);
  harness.RequestsPerMinute(2 * kHour, 0, 12);
  // One of six, and the first fails after 20 s.
  const Known known =
      Learn(&harness, 2 * kHour, [&](int i) { harness.Requests(1, i % 3 == 2 ? 1 : 0, 2); });
  ExpectKnown(known, 150);
  EXPECT_GE(known.latest, 20);
}

TEST(Onset, AnOldBlipDoesNotMakeItOlder) {
  // The evidence of one failure is not used up when the fault begins.
  Harness harness("{name: e, kind: error_rate, warn: {above: 5%, window: 5m}}");
  harness.RequestsPerMinute(2 * kHour, 0, 12);
  harness.Requests(1, 1, 2);
  harness.RequestsPerMinute(2 * kMinute, 0, 12);
  ExpectKnown(Learn(&harness, kHour, [&](int) { harness.Requests(1, 2, 2); }), 30);
}

TEST(Onset, WhereNobodyAskedItMayHaveBegunBefore) {
  Harness harness(kErrors);
  harness.RequestsPerMinute(2 * kHour, 0, 12);
  harness.Requests(3, 0, 0);
  const Known known = Learn(&harness, kHour, [&](int) { harness.Requests(1, 2, 2); });
  ExpectKnown(known, 50);
  EXPECT_LE(known.earliest, -30);
}

TEST(Onset, TheNextFaultIsDatedByItself) {
  Harness harness(kErrors);
  harness.Requests(2 * kHour, 0, 20);
  harness.Requests(3, 20, 20);
  harness.Requests(4 * kMinute, 0, 20);
  ASSERT_EQ(harness.changes().size(), 2u);  // fired and cleared
  const int began = harness.now();
  harness.Requests(3, 20, 20);
  ASSERT_GE(harness.changes().size(), 3u);
  EXPECT_EQ(harness.changes()[2].began, (OnsetInterval{began * kPane, (began + 1) * kPane}));
}

TEST(Onset, SlowAnswers) {
  Harness harness("{name: l, kind: latency, warn: {p95_above: 1s, window: 5m, for: 5m}}");
  const auto requests = [&](DurationUs duration) {
    harness.Pane(std::vector<Event>(20, Request(false, duration)));
  };
  for (int i = 0; i < kHour; ++i) requests(100 * kMillisecondUs);
  ExpectKnown(Learn(&harness, kHour, [&](int) { requests(3 * kSecondUs); }), 10);
}

TEST(Onset, AChecksThirdFailureSaysWhenTheFirstWas) {
  Harness harness("{name: c, kind: state, where: {type: check}, critical: {failures: 3}}");
  Event good, bad;
  good.type = bad.type = EventType::kCheck;
  good.outcome = Outcome::kSuccess;
  bad.outcome = Outcome::kFailure;
  good.Normalize();
  bad.Normalize();
  // One a minute, in the first second of a pane.
  const auto minute = [&](const Event& check) {
    harness.Pane({check});
    for (int i = 1; i < kMinute; ++i) harness.Pane({});
  };
  for (int i = 0; i < 20; ++i) minute(good);
  const Known known = Learn(&harness, kHour, [&](int) { minute(bad); });
  EXPECT_EQ(known.earliest, -59);
  EXPECT_EQ(known.latest, 1);
}

TEST(Onset, AnAlarmHasBeenWatchedForMinutes) {
  Harness harness("{name: a, kind: state, critical: {}}");
  Event alarm;
  alarm.type = EventType::kAlarm;
  alarm.state = AlarmState::kAlarm;
  alarm.Normalize();
  const Known known = Learn(&harness, 1, [&](int) { harness.Pane({alarm}); });
  EXPECT_EQ(known.earliest, -299);
  EXPECT_EQ(known.latest, 1);
}

TEST(Onset, AGaugeCrossedBetweenTwoSamples) {
  Harness harness(
      "{name: g, kind: saturation, max: 100, by: [dependency], where: {name: pool}, "
      "critical: {above: 95%, for: 3m}}");
  Event sample = GaugeSample(40);
  sample.Set(Field::kName, "pool");
  const auto minute = [&](double value) {
    Event now = sample;
    now.value = value;
    harness.Pane({now});
    for (int i = 1; i < kMinute; ++i) harness.Pane({});
  };
  for (int i = 0; i < 20; ++i) minute(40);
  const Known known = Learn(&harness, kHour, [&](int) { minute(99); });
  EXPECT_EQ(known.earliest, -50);
  EXPECT_EQ(known.latest, 10);
}

TEST(Onset, SilenceBeganAfterTheLastEvent) {
  Harness harness("{name: a, kind: absence, critical: {}}");
  harness.RequestsPerMinute(2 * kHour, 0, 60);
  ExpectKnown(Learn(&harness, kHour, [&](int) { harness.Pane({}); }), 10);

  Harness beat(
      "{name: b, kind: absence, where: {type: metric}, every: 10m, critical: {missed: 3}}");
  beat.Pane({GaugeSample(1)});
  const Known known = Learn(&beat, 2 * kHour, [&](int) { beat.Pane({}); });
  EXPECT_EQ(known.earliest, 0);
  EXPECT_EQ(known.latest, 600);
}

TEST(Onset, ABurstBeganWithinItsWindowUnlessItCameAtOnce) {
  constexpr const char* kBurst =
      "{name: b, kind: burst, pattern: exhausted, critical: {count: 3, window: 1m}}";
  const std::vector<Event> lines(3, LogLine("pool exhausted"));
  Harness at_once(kBurst);
  ExpectKnown(Learn(&at_once, 1, [&](int) { at_once.Pane(lines); }), 10);

  Harness slowly(kBurst);
  for (int i = 0; i < kHour; ++i) slowly.Pane({});
  const Known known = Learn(&slowly, kHour, [&](int) { slowly.Pane({lines[0]}); });
  ExpectKnown(known, 70);
}

TEST(Onset, ARateMayHaveRisenAnywhereInItsWindow) {
  Harness harness("{name: r, kind: rate, warn: {above: 5, window: 2m}}");
  double total = 0;
  const auto pane = [&](double increase) {
    Event counter = GaugeSample(total += increase);
    counter.metric_type = MetricType::kCounter;
    harness.Pane({counter});
  };
  for (int i = 0; i < kHour; ++i) pane(1);
  ExpectKnown(Learn(&harness, kHour, [&](int) { pane(80); }), 120);
}

TEST(Onset, ABudgetBurnsSinceAMinute) {
  Harness harness("{name: b, kind: burn_rate, objective: 99.9%, critical: {}}");
  harness.Requests(3 * kHour, 0, 20);
  ExpectKnown(Learn(&harness, kHour, [&](int) { harness.Requests(1, 4, 20); }), 120);
}

TEST(Onset, AStormOfRequests) {
  Harness harness(
      "{name: s, kind: storm, where: {type: request}, critical: {above: 500, window: 5m, for: "
      "5m}}");
  harness.Requests(2 * kHour, 0, 5);
  ExpectKnown(Learn(&harness, kHour, [&](int) { harness.Requests(1, 0, 100); }), 20);
}

}  // namespace
}  // namespace tocsin
