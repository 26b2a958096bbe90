// A signal whose condition holds no more ends: for every kind, after the fault the series goes back
// to what is normal for it, which is little but not nothing, and it clears within what its stanza
// implies: the window and keep_firing_for, and an hour more where the normal level is above the one
// that it clears at.
#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/detectors/examples.h"
#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using Events = std::vector<Event>;

// A fault and what comes after it.
struct Ending {
  std::string name;
  std::string stanza;
  std::function<Events(int pane)> fault;
  // `level` is within 0 … 1: from next to nothing to just below the threshold.
  std::function<Events(double level, int pane)> normal;
  int warm_up = 2 * kHour;   // panes before the fault
  double near = 1;           // from this level on it takes an hour more
  int drains = 5 * kMinute;  // panes until the window has forgotten the fault
  int fault_panes = kHour;
  std::function<Events(int pane)> before = nullptr;  // else the lowest level
  // A share within one standard error of its threshold may still be at it, and goes on firing: with
  // as few events as here this is the highest level that is further off.
  double most = 1;
};

Events Weighted(Event event, std::int64_t weight) {
  if (weight <= 0) return {};
  event.weight = weight;
  return {event};
}

Events Mixed(const Event& good, std::int64_t goods, const Event& bad, std::int64_t bads) {
  Events events = Weighted(good, goods);
  for (const Event& event : Weighted(bad, bads)) events.push_back(event);
  return events;
}

// One event in every so many panes where there is less than one a pane.
std::int64_t Spread(double per_pane, int pane) {
  return static_cast<std::int64_t>(per_pane * (pane + 1)) -
         static_cast<std::int64_t>(per_pane * pane);
}

Events RequestsFailing(double share, int pane, int per_pane = 1'000) {
  const std::int64_t bad = Spread(share * per_pane, pane);
  return Mixed(Request(false), per_pane - bad, Request(true), bad);
}

Events Answers(double slow_share, int pane) {
  const std::int64_t slow = Spread(slow_share * 1'000, pane);
  return Mixed(Request(false, 20'000), 1'000 - slow, Request(false, 900'000), slow);
}

Event CheckOf(bool failed) {
  Event event;
  event.type = EventType::kCheck;
  event.outcome = failed ? Outcome::kFailure : Outcome::kSuccess;
  event.Normalize();
  return event;
}

Event AlarmOf(AlarmState state) {
  Event event;
  event.type = EventType::kAlarm;
  event.state = state;
  event.cvss = 9.8;
  event.Normalize();
  return event;
}

Events PairOf(double difference, int pane) {
  if (pane % 3 != 0) return {};
  Events events = {GaugeSample(10'000 + pane), GaugeSample(10'000 + pane - difference)};
  events[0].Set(Field::kUnit, "a");
  events[1].Set(Field::kUnit, "b");
  return events;
}

Events Increase(double a_second) {
  Event event = GaugeSample(a_second * 10);
  event.metric_type = MetricType::kDelta;
  return {event};
}

std::vector<Ending> Endings() {
  return {
      {"error_rate", "kind: error_rate\nwarn: {above: 5%, window: 5m}\n",
       [](int pane) { return RequestsFailing(0.3, pane); },
       [](double level, int pane) { return RequestsFailing(0.05 * level, pane); }, 2 * kHour, 0.49},
      {"error_rate_long_window", "kind: error_rate\nwarn: {above: 5%, window: 2h}\n",
       [](int pane) { return RequestsFailing(0.3, pane); },
       [](double level, int pane) { return RequestsFailing(0.05 * level, pane); }, 2 * kHour, 0.49,
       2 * kHour},
      {"crash_rate", "kind: crash_rate\nwarn: {above: 2%, window: 5m}\n",
       [](int) { return Mixed(Session(false, "1", ""), 900, Session(true, "1", "e"), 100); },
       [](double level, int pane) {
         const std::int64_t bad = Spread(20 * level, pane);
         return Mixed(Session(false, "1", ""), 1'000 - bad, Session(true, "1", "e"), bad);
       },
       2 * kHour, 0.49, 5 * kMinute, kHour, nullptr, 0.95},
      {"success_ratio", "kind: success_ratio\nwarn: {below: 90%, window: 5m}\n",
       [](int) { return Mixed(Payment(false), 50, Payment(true), 50); },
       [](double level, int pane) {
         const std::int64_t bad = Spread(10 * level, pane);
         return Mixed(Payment(false), 100 - bad, Payment(true), bad);
       },
       2 * kHour, 0.49, 5 * kMinute, kHour, nullptr, 0.94},
      {"latency", "kind: latency\nwarn: {p95_above: 500ms, window: 5m}\n",
       [](int pane) { return Answers(0.5, pane); },
       [](double level, int pane) { return Answers(0.05 * level, pane); }, 2 * kHour, 0.7},
      {"latency_factor", "kind: latency\nwarn: {p95_above_baseline: 3, window: 5m}\n",
       [](int pane) { return Answers(0.5, pane); },
       [](double level, int pane) { return Answers(0.05 * level, pane); }, 2 * kHour, 0.7},
      {"burn_rate", "kind: burn_rate\nobjective: 99%\nwarn: {rate: 5, long: 1h, short: 5m}\n",
       [](int pane) { return RequestsFailing(0.3, pane); },
       [](double level, int pane) { return RequestsFailing(0.05 * level, pane); }},
      {"saturation", "kind: saturation\nwarn: {above: 80%}\n",
       [](int) { return Events{GaugeSample(95, 100)}; },
       [](double level, int) { return Events{GaugeSample(80 * level, 100)}; }, kHour, 0.93},
      {"saturation_low", "kind: saturation\nwarn: {above: 4%}\n",
       [](int) { return Events{GaugeSample(9, 100)}; },
       [](double level, int) { return Events{GaugeSample(4 * level, 100)}; }, kHour, 0.49},
      {"storm", "kind: storm\nwarn: {above: 1000, ratio: 3, window: 5m}\n",
       [](int) { return Weighted(Connection("10.0.0.1", "a"), 500); },
       [](double level, int pane) {
         return Weighted(Connection("10.0.0.1", "a"), Spread(1.0 + 32 * level, pane));
       },
       2 * kHour, 0.48},
      {"storm_gauge", "kind: storm\ngauge: true\nwarn: {above: 1000}\n",
       [](int) { return Events{GaugeSample(5'000)}; },
       [](double level, int) { return Events{GaugeSample(1 + 998 * level)}; }, 2 * kHour, 0.48},
      {"burst", "kind: burst\npattern: refused\nwarn: {count: 20, window: 1m}\n",
       [](int pane) { return Weighted(LogLine("refused"), pane == 0 ? 20 : 0); },
       [](double level, int pane) {
         // Up to nineteen in seven panes, which is what is counted.
         return Weighted(LogLine("refused"), Spread(0.056 + 2.6 * level, pane));
       },
       0, 1, kMinute, 1},
      {"burst_per",
       "kind: burst\nwhere: {type: auth}\nper: client_ip\nwarn: {count: 20, window: 1m}\n",
       [](int) { return Weighted(Login("10.0.0.1", true), 10); },
       [](double level, int pane) {
         return Weighted(Login("10.0.0.1", true), Spread(0.056 + 2.6 * level, pane));
       },
       0},
      {"rate", "kind: rate\nwarn: {above: 10, window: 1m}\n", [](int) { return Increase(50); },
       [](double level, int) { return Increase(10 * level); }, kHour},
      {"rate_clear_zero", "kind: rate\nwarn: {above: 10, clear: 0, window: 1m}\n",
       [](int) { return Increase(50); }, [](double level, int) { return Increase(10 * level); },
       kHour, 0.001},
      {"state_below", "kind: state\nwarn: {below: 10}\n",
       [](int) { return Events{GaugeSample(2)}; },
       [](double level, int) { return Events{GaugeSample(20 - 9 * level)}; }, kHour},
      {"state_checks", "kind: state\nwhere: {type: check}\nwarn: {failures: 3}\n",
       [](int) { return Events{CheckOf(true)}; },
       // Fails now and then, or every other time.
       [](double level, int pane) {
         return Events{CheckOf(pane % (2 + static_cast<int>(40 * (1 - level))) == 1)};
       },
       kHour, 0.8},
      {"state_alarm", "kind: state\nwarn: {}\n",
       [](int) { return Events{AlarmOf(AlarmState::kAlarm)}; },
       [](double, int) { return Events{AlarmOf(AlarmState::kOk)}; }, kHour},
      {"mismatch", "kind: mismatch\ncompare: {unit: [a, b]}\nwarn: {above: 10}\n",
       [](int pane) { return PairOf(500, pane); },
       [](double level, int pane) { return PairOf(10 * level, pane); }, kHour},
      {"absence", "kind: absence\nwhere: {type: request}\nwarn: {}\n", [](int) { return Events{}; },
       // Never so little that a pane has nothing: that would be silence.
       [](double level, int pane) {
         return Weighted(Request(false), Spread(20 * (0.05 + level), pane));
       },
       2 * kHour, 1, 5 * kMinute, kHour, [](int) { return Weighted(Request(false), 20); }},
      {"absence_every", "kind: absence\nevery: 1m\nwarn: {missed: 3}\n",
       [](int) { return Events{}; },
       [](double level, int pane) { return Weighted(Request(false), Spread(0.1 + level, pane)); },
       kHour},
      {"deploy_regression",
       "kind: deploy_regression\nwarn: {error_ratio: 3, error_above: 1%, window: 5m}\n",
       [](int pane) { return RequestsFailing(0.2, pane); },
       [](double level, int pane) { return RequestsFailing(0.001 + 0.008 * level, pane); },
       2 * kHour, 0.55},
      {"leak", "kind: leak\nunit: percent\nwarn: {left: 6h}\n",
       [](int pane) { return Events{GaugeSample(20 + pane / 18.0)}; },
       // Stays where it is.
       [](double level, int pane) {
         return Events{GaugeSample(40 + 40 * level + (pane % 3 - 1) * 0.2)};
       },
       kHour, 1, 2 * kHour, 2 * kHour},
      {"exhaustion", "kind: exhaustion\nunit: percent\nwarn: {left: 6h}\n",
       [](int pane) { return Events{GaugeSample(20 + pane / 18.0)}; },
       [](double level, int pane) {
         return Events{GaugeSample(40 + 40 * level + (pane % 3 - 1) * 0.2)};
       },
       kHour, 1, 2 * kHour, 2 * kHour}};
}

class Clearing : public testing::TestWithParam<Ending> {};

TEST_P(Clearing, EndsWithItsCondition) {
  const Ending& ending = GetParam();
  // What the default of keep_firing_for takes, and the minute that it looks at.
  constexpr int kKeep = 2 * kMinute + 2;
  for (const double level : {0.0, 0.003, 0.05, 0.2, 0.45, 0.69, 0.9, 0.97}) {
    if (level > ending.most) continue;
    Harness harness("name: x\n" + ending.stanza);
    harness.check_copy = false;
    for (int i = 0; i < ending.warm_up; ++i) {
      harness.Pane(ending.before ? ending.before(i) : ending.normal(0, i));
    }
    ASSERT_TRUE(harness.changes().empty()) << "level " << level;
    harness.deployed_at = kStart + harness.now() * kPane;
    for (int i = 0; i < ending.fault_panes; ++i) harness.Pane(ending.fault(i));
    ASSERT_TRUE(harness.rule().firing()) << "level " << level;
    const int end = harness.now();
    const int bound = kKeep + ending.drains + (level >= ending.near ? kHour + 10 * kMinute : 0);
    for (int i = 0; i < bound; ++i) harness.Pane(ending.normal(level, i));
    ASSERT_TRUE(harness.ClearedAt().has_value()) << "level " << level << ", " << bound << " panes";
    EXPECT_GE(*harness.ClearedAt(), end - 1);
    EXPECT_FALSE(harness.rule().firing()) << "level " << level;
    EXPECT_EQ(harness.changes().size(), 2u) << "level " << level;
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, Clearing, testing::ValuesIn(Endings()),
                         [](const testing::TestParamInfo<Ending>& param) {
                           return param.param.name;
                         });

TEST(ClearingKinds, AreAll) {
  std::set<std::string> kinds;
  for (const Ending& ending : Endings()) kinds.insert(KindOf(ending.stanza));
  for (const std::string& kind : DetectorKinds()) EXPECT_TRUE(kinds.contains(kind)) << kind;
}

// What adaptive kinds take for usual is frozen while it fires; a rise that stays for more than a
// day is what is usual now, and they say so.
struct Adaptive {
  std::string name, stanza;
  std::function<Events(double times, int pane)> traffic;  // so many times what was usual
};

class Relearning : public testing::TestWithParam<Adaptive> {};

TEST_P(Relearning, AfterADayAndSaysSo) {
  const Adaptive& adaptive = GetParam();
  Harness harness("name: x\n" + adaptive.stanza);
  harness.check_copy = false;
  for (int i = 0; i < 3 * kHour; ++i) harness.Pane(adaptive.traffic(1, i));
  ASSERT_TRUE(harness.changes().empty());
  harness.deployed_at = kStart + harness.now() * kPane;
  for (int i = 0; i < 23 * kHour; ++i) harness.Pane(adaptive.traffic(8, i));
  EXPECT_TRUE(harness.rule().firing());
  EXPECT_EQ(harness.EvidenceOf("baseline", "state"), "");
  while (harness.rule().firing() && harness.now() < 32 * kHour) {
    harness.Pane(adaptive.traffic(8, harness.now()));
  }
  EXPECT_FALSE(harness.rule().firing());
  EXPECT_NE(harness.EvidenceOf("baseline", "state"), "");
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Relearning,
    testing::Values(
        Adaptive{"error_rate", "kind: error_rate\nwarn: {above: 2%}\n",
                 [](double times, int pane) { return RequestsFailing(0.005 * times, pane, 200); }},
        Adaptive{"success_ratio", "kind: success_ratio\nwarn: {below: 98%}\n",
                 [](double times, int pane) {
                   const std::int64_t bad = Spread(times, pane);
                   return Mixed(Payment(false), 200 - bad, Payment(true), bad);
                 }},
        Adaptive{"latency_factor", "kind: latency\nwarn: {p95_above_baseline: 3}\n",
                 [](double times, int) {
                   return Weighted(Request(false, static_cast<DurationUs>(20'000 * times)), 200);
                 }},
        Adaptive{"storm", "kind: storm\nwarn: {above: 100, ratio: 3}\n",
                 [](double times, int pane) {
                   return Weighted(Connection("10.0.0.1", "a"), Spread(10 * times, pane));
                 }},
        Adaptive{"storm_gauge", "kind: storm\ngauge: true\nwarn: {above: 10, ratio: 3}\n",
                 [](double times, int) { return Events{GaugeSample(10 * times)}; }},
        Adaptive{"deploy_regression",
                 "kind: deploy_regression\nwarn: {error_ratio: 3, error_above: 1%}\n",
                 [](double times, int pane) { return RequestsFailing(0.005 * times, pane, 200); }}),
    [](const testing::TestParamInfo<Adaptive>& param) { return param.param.name; });

// That silence has become usual does not mean that it is over.
TEST(AbsenceOfADay, GoesOnAndSaysSo) {
  Harness harness("name: x\nkind: absence\nwarn: {}\n");
  harness.check_copy = false;
  harness.Requests(3 * kHour, 0, 5);
  harness.Requests(26 * kHour, 0, 0);
  EXPECT_TRUE(harness.rule().firing());
  EXPECT_NE(harness.EvidenceOf("baseline", "state"), "");
  harness.Requests(2 * kMinute, 0, 1);
  EXPECT_FALSE(harness.rule().firing());
}

}  // namespace
}  // namespace tocsin
