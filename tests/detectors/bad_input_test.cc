// What no source should say and some do: numbers that cannot be, capacities of nothing, counters
// that begin again, hours without a word. Whatever comes, a series goes on, its evidence is finite
// and it stays small; one impossible sample pages nobody; and what breaks right afterwards is found
// as soon as on a good day. NaN and infinity end in the decoder (tests/ingest).
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "detectors/registry.h"
#include "tests/detectors/examples.h"
#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr double kMost = limits::kNumberMagnitudeMax;
constexpr std::int64_t kMostEvents = std::int64_t{1} << 32;  // as the decoder lets pass

// ---- Whatever comes ----

class BadInput : public testing::TestWithParam<std::string> {};

Event OfType(int type) {
  switch (type) {
    case 0:
      return Request(false, 80'000);
    case 1:
      return Connection("10.0.0.1", "a/1");
    case 2:
      return Login("10.0.0.2", true);
    case 3:
      return Session(true, "1.0", "Oops");
    case 4:
      return Payment(true);
    case 5:
      return LogLine("connection refused");
    default:
      break;
  }
  Event told;
  told.type = type == 6 ? EventType::kAlarm : EventType::kCheck;
  told.state = AlarmState::kAlarm;
  told.Normalize();
  return told;
}

// An event with the numbers that decoders let pass, at their edges.
Event AtTheEdge(std::mt19937_64* random) {
  static const std::vector<double> kNumbers = {
      0, -0.0, 1, -1, 1e-300, -1e-300, kMost, -kMost, std::numeric_limits<double>::denorm_min()};
  const auto roll = [&](std::size_t n) { return static_cast<std::size_t>((*random)() % n); };
  Event event = roll(2) == 0 ? GaugeSample(kNumbers[roll(kNumbers.size())])
                             : OfType(static_cast<int>(roll(8)));
  if (event.type == EventType::kMetric) {
    event.Set(Field::kUnit, roll(2) == 0 ? "a" : "b");
    if (roll(2) == 0) event.limit = kNumbers[roll(kNumbers.size())];
    if (roll(8) == 0) event.value.reset();
  } else if (roll(2) == 0) {
    event.cvss = kNumbers[roll(kNumbers.size())];
    event.duration = roll(2) == 0 ? 0 : static_cast<DurationUs>(kMost);
    event.status = roll(2) == 0 ? 0 : 99'999;
    event.Normalize();
  }
  if (roll(4) == 0) event.weight = kMostEvents;
  return event;
}

// Only a plot has places without a value.
void ExpectFinite(const Reading& reading, const std::vector<Evidence>& list) {
  for (const LevelReading& level : reading.level) {
    ASSERT_TRUE(std::isfinite(level.value)) << level.value;
    ASSERT_TRUE(std::isfinite(level.threshold)) << level.threshold;
  }
  for (const Evidence& evidence : list) {
    if (evidence.kind == "panes") continue;
    ASSERT_THAT(evidence.json, Not(HasSubstr("null"))) << evidence.kind << ' ' << evidence.name;
  }
}

TEST_P(BadInput, IsSurvived) {
  for (const unsigned seed : {1u, 2u}) {
    Harness harness(GetParam());
    std::mt19937_64 random(seed);
    std::size_t largest = 0;
    for (int i = 0; i < 2 * kHour; ++i) {
      if (random() % 100 == 0) harness.Skip(static_cast<int>(random() % (30 * kHour)));
      if (random() % 100 == 0) harness.deployed_at = kStart + harness.now() * kPane;
      std::vector<Event> events;
      for (std::uint64_t n = random() % 6; n > 0; --n) events.push_back(AtTheEdge(&random));
      ExpectFinite(harness.Pane(std::move(events)), harness.state().Explain());
      if (HasFatalFailure()) return;
      largest = std::max(largest, harness.Encoded().size());
    }
    // What a rich series may have; sketches are the larger part.
    EXPECT_LE(largest, 12u * 1024) << "seed " << seed;
    EXPECT_FALSE(harness.detector().Title(Signal()).empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, BadInput, testing::ValuesIn(ExampleStanzas()),
                         [](const testing::TestParamInfo<std::string>& param) {
                           return KindOf(param.param) + std::to_string(param.index);
                         });

// ---- One sample among good ones ----

// A day like any other and an incident, in the eyes of one kind.
struct Subject {
  std::string yaml;
  std::function<std::vector<Event>(int pane)> quiet;
  std::function<std::vector<Event>(int pane)> broken;  // panes since it began
  int found_within;                                    // panes
};

Event Stored(double value, std::string_view of) {
  Event event = GaugeSample(value, 100);
  event.Set(Field::kUnit, of);
  return event;
}

Event Check(bool failed) {
  Event event;
  event.type = EventType::kCheck;
  event.outcome = failed ? Outcome::kFailure : Outcome::kSuccess;
  event.Normalize();
  return event;
}

std::vector<Event> Times(int count, const Event& event) {
  return std::vector<Event>(static_cast<std::size_t>(count), event);
}

const std::vector<Subject>& Subjects() {
  const auto wobble = [](int pane) { return (pane * 7 % 11 - 5) * 0.2; };
  const auto level = [wobble](double of, double limit) {
    return [=](int pane) { return std::vector<Event>{GaugeSample(of + wobble(pane), limit)}; };
  };
  const auto rising = [wobble](int pane) {
    return std::vector<Event>{GaugeSample(60 + pane * 36.0 / kHour + wobble(pane), 100)};
  };
  const auto some = [](int count, const Event& event) {
    return [=](int) { return Times(count, event); };
  };
  const auto nothing = [](int) { return std::vector<Event>(); };
  static const std::vector<Subject> kSubjects = {
      {"name: x\nkind: saturation\ncritical: {above: 95%, for: 1m}\n", level(60, 100),
       level(98, 100), 8},
      {"name: x\nkind: saturation\nunit: percent\ncritical: {above: 95%, for: 1m}\n",
       level(60, 100), level(98, 100), 8},
      {"name: x\nkind: saturation\nunit: absolute\ncritical: {above: 95, for: 1m}\n",
       level(60, 100), level(98, 100), 8},
      // A counter that begins again, faster; what one sample adds is gone before three minutes are.
      {"name: x\nkind: rate\ncritical: {above: 50, window: 1m, for: 3m}\n",
       [](int pane) { return std::vector<Event>{GaugeSample(100.0 * pane)}; },
       [](int pane) { return std::vector<Event>{GaugeSample(1'000.0 * pane)}; }, 26},
      {"name: x\nkind: leak\ncritical: {left: 2h, at_least: 65%}\n", level(60, 100), rising, kHour},
      {"name: x\nkind: exhaustion\nunit: percent\ncritical: {left: 2h, at_least: 65%}\n",
       level(60, 100), rising, kHour},
      {"name: x\nkind: state\ncritical: {below: 10, for: 1m}\n", level(60, 100), level(4, 100), 8},
      {"name: x\nkind: state\nwhere: {type: check}\ncritical: {failures: 3}\n",
       some(1, Check(false)), some(1, Check(true)), 4},
      {"name: x\nkind: mismatch\ncompare: {unit: [a, b]}\ncritical: {above: 5, for: 1m}\n",
       [=](int pane) {
         return std::vector<Event>{Stored(60 + wobble(pane), "a"), Stored(60, "b")};
       },
       [=](int pane) {
         return std::vector<Event>{Stored(60 + wobble(pane), "a"), Stored(40, "b")};
       },
       8},
      {"name: x\nkind: storm\ngauge: true\ncritical: {above: 100, ratio: 3, for: 1m}\n",
       level(60, 100), level(300, 1000), 8},
      {"name: x\nkind: storm\ncritical: {above: 200, ratio: 3, window: 1m, for: 1m}\n",
       some(5, Connection("10.0.0.1", "a/1")), some(100, Connection("10.0.0.1", "a/1")), 14},
      {"name: x\nkind: burst\nwhere: {type: log}\ncritical: {count: 20, window: 1m}\n",
       some(1, LogLine("fine")), some(10, LogLine("fine")), 3},
      {"name: x\nkind: error_rate\ncritical: {above: 10%, window: 1m}\n", some(20, Request(false)),
       some(20, Request(true)), 4},
      {"name: x\nkind: success_ratio\ncritical: {below: 80%, window: 1m}\n",
       some(20, Payment(false)), some(20, Payment(true)), 4},
      {"name: x\nkind: crash_rate\ncritical: {above: 10%, window: 1m}\n",
       some(20, Session(false, "1.0", "")), some(20, Session(true, "1.0", "Oops")), 4},
      {"name: x\nkind: burn_rate\nobjective: 99%\ncritical: {rate: 5, long: 10m, short: 2m}\n",
       some(20, Request(false)), some(20, Request(true)), 10},
      {"name: x\nkind: deploy_regression\ncritical: {error_ratio: 2, error_above: 5%, window: "
       "1m}\n",
       some(20, Request(false, 80'000)), some(20, Request(true, 80'000)), 10},
      {"name: x\nkind: latency\ncritical: {p95_above_baseline: 2, window: 1m}\n",
       some(20, Request(false, 80'000)), some(20, Request(false, 800'000)), 8},
      {"name: x\nkind: absence\ncritical: {}\n", some(20, Request(false)), nothing, 4},
  };
  return kSubjects;
}

// What one sample of a quiet pane becomes.
struct Oddity {
  const char* name;
  std::function<void(Event*)> make;
};

const std::vector<Oddity>& Oddities() {
  const auto value = [](double to) {
    return [to](Event* event) {
      if (event->type == EventType::kMetric) event->value = to;
    };
  };
  const auto limit = [](std::optional<double> to) {
    return [to](Event* event) {
      if (event->type == EventType::kMetric) event->limit = to;
    };
  };
  static const std::vector<Oddity> kOddities = {
      {"Zero", value(0)},
      {"Negative", value(-60)},
      {"Huge", value(kMost)},
      {"HugeNegative", value(-kMost)},
      {"Tiny", value(1e-300)},
      {"AnotherUnit", value(60 * 1024)},
      {"NoValue", [](Event* event) { event->value.reset(); }},
      {"NoLimit", limit(std::nullopt)},
      {"LimitZero", limit(0)},
      {"LimitNegative", limit(-100)},
      {"LimitTiny", limit(1e-300)},
      {"LimitHuge", limit(kMost)},
      {"LimitBelow", limit(50)},
      {"Instantly",
       [](Event* event) { event->duration = event->type == EventType::kRequest ? 0 : -1; }},
      {"Endless",
       [](Event* event) {
         if (event->type == EventType::kRequest) event->duration = static_cast<DurationUs>(kMost);
       }},
      {"StatusOfNobody",
       [](Event* event) {
         if (event->type == EventType::kRequest) event->status = 0;
       }},
  };
  return kOddities;
}

class OddSample : public testing::TestWithParam<Oddity> {};

TEST_P(OddSample, PagesNobodyAndHidesNothing) {
  for (const Subject& subject : Subjects()) {
    SCOPED_TRACE(subject.yaml);
    Harness harness(subject.yaml);
    harness.check_copy = false;
    int pane = 0;
    for (; pane < 3 * kHour; ++pane) harness.Pane(subject.quiet(pane));
    std::vector<Event> odd = subject.quiet(pane++);
    GetParam().make(&odd.front());
    odd.front().Normalize();
    ExpectFinite(harness.Pane(std::move(odd)), harness.state().Explain());
    if (HasFatalFailure()) return;
    for (int i = 0; i < kMinute; ++i) harness.Pane(subject.quiet(pane++));
    EXPECT_THAT(harness.changes(), IsEmpty());
    harness.deployed_at = kStart + harness.now() * kPane;
    const int begin = harness.now();
    for (int i = 0; i < subject.found_within && harness.changes().empty(); ++i) {
      harness.Pane(subject.broken(i));
    }
    EXPECT_THAT(harness.FiredAt(1), testing::Optional(testing::Ge(begin)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, OddSample, testing::ValuesIn(Oddities()),
                         [](const testing::TestParamInfo<Oddity>& param) {
                           return std::string(param.param.name);
                         });

// ---- Nothing else any more ----

// Where a level is a share of something, that which is none neither pages nor ends an incident.
TEST(ImpossibleShares, SayNothingHoweverLong) {
  const std::vector<std::string> of_value = {"Negative", "Huge", "HugeNegative", "NoValue"};
  const std::vector<std::string> of_limit = {"NoLimit", "LimitZero", "LimitNegative", "LimitTiny"};
  for (const Subject& subject : Subjects()) {
    const bool percent = subject.yaml.find("unit: percent") != std::string::npos;
    const std::string kind = KindOf(subject.yaml);
    if (kind != "saturation" && kind != "leak" && kind != "exhaustion") continue;
    if (subject.yaml.find("absolute") != std::string::npos) continue;
    for (const Oddity& oddity : Oddities()) {
      const bool no_limit = std::count(of_limit.begin(), of_limit.end(), oddity.name) > 0;
      if (!std::count(of_value.begin(), of_value.end(), oddity.name) && (percent || !no_limit)) {
        continue;
      }
      SCOPED_TRACE(subject.yaml + oddity.name);
      Harness harness(subject.yaml);
      harness.check_copy = false;
      const auto hour_of = [&](const auto& panes, bool odd) {
        for (int i = 0; i < kHour; ++i) {
          std::vector<Event> events = panes(i);
          if (odd) oddity.make(&events.front());
          harness.Pane(std::move(events));
        }
      };
      hour_of(subject.quiet, false);
      hour_of(subject.quiet, true);
      EXPECT_THAT(harness.changes(), IsEmpty());
      hour_of(subject.quiet, false);
      hour_of(subject.broken, false);
      hour_of(subject.broken, true);
      EXPECT_TRUE(harness.rule().firing());
      EXPECT_THAT(harness.changes(), testing::SizeIs(1));
    }
  }
}

// That a capacity was halved is no garbage: there is as much more of it in use.
TEST(ChangedLimit, CountsFromItsFirstSample) {
  Harness harness("name: x\nkind: saturation\ncritical: {above: 95%, clear: 90%, for: 1m}\n");
  for (const double limit : {100.0, 50.0, 200.0}) {
    for (int i = 0; i < 3 * kMinute; ++i) harness.Pane({GaugeSample(60, limit)});
  }
  EXPECT_EQ(harness.FiredAt(1), 3 * kMinute + kMinute - 1);
  EXPECT_EQ(harness.ClearedAt(), 6 * kMinute + kMinute - 1);
}

// Where samples say their unit, a stanza that names it is deaf to others.
TEST(ChangedUnit, IsAnotherSeriesForWhoAsks) {
  Harness harness(
      "name: x\nkind: saturation\nwhere: {unit: percent}\nunit: percent\n"
      "critical: {above: 95%}\n");
  for (int i = 0; i < kHour; ++i) {
    Event event = GaugeSample(i < kHour / 2 ? 60 : 6'000);
    event.Set(Field::kUnit, i < kHour / 2 ? "percent" : "basis points");
    harness.Pane({event});
  }
  EXPECT_THAT(harness.changes(), IsEmpty());
  harness.Pane({Stored(97, "percent")});
  EXPECT_TRUE(harness.rule().firing());
}

// ---- Nothing at all ----

TEST(BadInputGap, HoursWithoutATickNeitherPageNorHide) {
  for (const Subject& subject : Subjects()) {
    for (const int hours : {2, 26}) {
      SCOPED_TRACE(subject.yaml + std::to_string(hours) + " h");
      Harness harness(subject.yaml);
      harness.check_copy = false;
      int pane = 0;
      for (; pane < 3 * kHour; ++pane) harness.Pane(subject.quiet(pane));
      harness.Skip(hours * kHour);
      for (int i = 0; i < kHour; ++i) harness.Pane(subject.quiet(pane++));
      EXPECT_THAT(harness.changes(), IsEmpty());
      harness.Skip(hours * kHour);
      harness.deployed_at = kStart + harness.now() * kPane;
      for (int i = 0; i < kMinute; ++i) harness.Pane(subject.quiet(pane++));
      for (int i = 0; i < subject.found_within && harness.changes().empty(); ++i) {
        harness.Pane(subject.broken(i));
      }
      EXPECT_TRUE(harness.FiredAt(1).has_value());
    }
  }
}

TEST(BadInputSubjects, AreOfEveryKind) {
  std::map<std::string, int> kinds;
  for (const Subject& subject : Subjects()) ++kinds[KindOf(subject.yaml)];
  EXPECT_EQ(kinds.size(), DetectorKinds().size());
}

}  // namespace
}  // namespace tocsin
