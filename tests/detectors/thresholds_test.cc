// Whoever lowers a threshold is never told later, or of less: for every kind of detector and each
// of its thresholds, detectors that differ in nothing else see the same traffic, which is drawn
// from wide ranges, and whenever a less sensitive one fires, every more sensitive one fires
// already.
//
// It holds within the day after which a firing storm takes what it sees for the usual. `ratio` is a
// multiple of that: from then on whoever set a lower one compares with the incident, and is not
// told of the next rise, while a higher one still compares with the calm before. Freezing the
// usual at the same multiple for all would not do: 2.5 times it must be frozen for a ratio of 2,
// and learned for one of 10, to which a morning is no incident.
#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/detectors/examples.h"
#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

constexpr int kThresholds = 5;
constexpr int kSeeds = 8;
constexpr int kPanes = 2'500;  // seven hours: baselines are warm after half an hour

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  double Between(double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(engine_);
  }
  double LogBetween(double low, double high) {
    return std::exp(Between(std::log(low), std::log(high)));
  }
  bool Chance(double p) { return Between(0, 1) < p; }
  int Below(int n) { return std::uniform_int_distribution<int>(0, n - 1)(engine_); }
  std::int64_t Poisson(double mean) {
    return mean > 0 ? std::poisson_distribution<std::int64_t>(mean)(engine_) : 0;
  }
  std::int64_t Binomial(std::int64_t n, double p) {
    return std::binomial_distribution<std::int64_t>(n, std::clamp(p, 0.0, 1.0))(engine_);
  }
  double Normal() { return std::normal_distribution<double>()(engine_); }

 private:
  std::mt19937_64 engine_;
};

// What goes on around a series: how much arrives, and what is wrong with it. Faults come and go,
// one after the other, of any strength and from one pane to hours; between them it may be silent.
struct World {
  explicit World(std::uint64_t seed)
      : random(seed),
        per_pane(random.LogBetween(0.2, 2'000)),
        usual(random.LogBetween(1e-4, 0.1)),
        interval(1 + random.Below(random.Chance(0.5) ? 1 : 12)) {}

  void NextPane() {
    ++pane;
    partial = random.Chance(0.01);
    deployed = pane % 700 == 699;
    if (--left > 0) return;
    fault = 0;
    silent = random.Chance(0.05);
    left = 1 + static_cast<int>(random.LogBetween(1, 400));
    if (!silent && random.Chance(0.5)) fault = random.LogBetween(0.001, 1);
    // One that fails a little is often followed by one that fails more.
    if (fault > 0) left = std::min(left, 1 + random.Below(200));
    lasts = left;
  }
  // How much of the fault has passed, up to 1.
  double Progress() const { return 1 - static_cast<double>(left - 1) / lasts; }
  std::int64_t Arrivals() { return silent ? 0 : random.Poisson(per_pane); }
  bool Sampled() { return !silent && pane % interval == 0; }

  Random random;
  double per_pane, usual;
  int interval;  // panes from one sample to the next
  int pane = -1, left = 0, lasts = 1;
  double fault = 0;  // 0: none; up to 1
  bool silent = false, partial = false, deployed = false;
  double level = 20, gain = 0;  // of what climbs, in percent and percent a pane
};

using Events = std::vector<Event>;

Events Outcomes(World* world, const std::function<Event(bool failed)>& event) {
  const std::int64_t total = world->Arrivals();
  const std::int64_t bad = world->random.Binomial(total, std::max(world->usual, world->fault));
  Events events;
  for (const bool failed : {false, true}) {
    if ((failed ? bad : total - bad) == 0) continue;
    events.push_back(event(failed));
    events.back().weight = failed ? bad : total - bad;
  }
  return events;
}

Events Requests(World* world) {
  return Outcomes(world, [](bool failed) { return Request(failed); });
}
Events Sessions(World* world) {
  return Outcomes(world, [](bool failed) { return Session(failed, "1.0", "Oops"); });
}
Events Payments(World* world) { return Outcomes(world, Payment); }

// Log-normal durations; in a fault all take longer, or a part of them times out.
Events Durations(World* world) {
  const std::int64_t total = world->Arrivals();
  const std::int64_t weight = 1 + total / 20;
  const bool times_out = world->left % 2 == 0;
  Events events;
  for (std::int64_t i = 0; i < total / weight; ++i) {
    double ms = 50 * std::exp(0.6 * world->random.Normal());
    if (times_out && world->random.Chance(world->fault)) ms = 30'000;
    if (!times_out) ms *= 1 + 40 * world->fault;
    const bool failed = world->random.Chance(std::max(world->usual, world->fault / 4));
    events.push_back(Request(failed, static_cast<DurationUs>(ms * 1000)));
    events.back().weight = weight;
  }
  return events;
}

Events Connections(World* world) {
  const auto count = static_cast<std::int64_t>(static_cast<double>(world->Arrivals()) *
                                               (1 + 60 * world->fault * world->fault));
  Events events;
  if (count > 0) events.push_back(Connection(world->fault > 0 ? "10.9.9.9" : "10.0.0.1", "a/1"));
  if (count > 0) events.back().weight = count;
  return events;
}

// A level from 0 to 100 that wanders, and in a fault is higher or climbs.
Events Level(World* world) {
  if (!world->Sampled()) return {};
  const double phase = std::sin(static_cast<double>(world->pane) / 300);
  const double level = 40 + 20 * phase + world->random.Normal() + 60 * world->fault;
  return {GaugeSample(std::clamp(level, 0.0, 100.0), 100)};
}
// Every two hours or so it begins anew, and climbs slowly, fast or not at all.
Events Climb(World* world) {
  if (world->pane % 800 == 0) {
    world->level = world->random.Between(5, 50);
    world->gain = world->random.Chance(0.8) ? world->random.LogBetween(1, 80) / kHour : 0;
  }
  world->level = std::min(100.0, world->level + world->gain);
  if (!world->Sampled()) return {};
  return {GaugeSample(std::min(100.0, world->level + 0.1 * world->random.Between(-1, 1)))};
}
Events Connected(World* world) {
  if (!world->Sampled()) return {};
  return {GaugeSample(world->per_pane * (1 + 60 * world->fault) + world->random.Between(0, 1))};
}
// The same, except that a fault swells.
Events Swelling(World* world) {
  if (!world->Sampled()) return {};
  const double times = 1 + 60 * world->fault * world->Progress();
  return {GaugeSample(world->per_pane * times + world->random.Between(0, 1))};
}
Events Counter(World* world) {
  static constexpr double kDay = 24 * kHour;
  if (!world->Sampled()) return {};
  // Sampled more rarely it has counted as much.
  const auto since = static_cast<double>(world->interval);
  Event event = GaugeSample(0);
  event.metric_type = MetricType::kDelta;
  event.value = since * (world->per_pane * (1 + 60 * world->fault) +
                         world->random.Between(0, 1) * world->pane / kDay);
  return {event};
}
Events Lines(World* world) {
  const std::int64_t lines =
      world->random.Poisson(world->usual * world->per_pane + 30 * world->fault * world->fault);
  Events events;
  if (lines > 0) events.push_back(LogLine("connection refused"));
  if (lines > 0) events.back().weight = lines;
  return events;
}
Events Logins(World* world) {
  Events events;
  for (std::int64_t i = 0; i < std::min<std::int64_t>(world->Arrivals(), 30); ++i) {
    const int address = world->random.Chance(world->fault) ? 0 : world->random.Below(100);
    events.push_back(Login(absl::StrCat("10.0.0.", address), /*failed=*/true));
  }
  return events;
}
Events Checks(World* world) {
  Events events;
  for (int i = 0; i < 2; ++i) {
    Event event;
    event.type = EventType::kCheck;
    const bool failed = world->random.Chance(std::max(world->usual, std::sqrt(world->fault)));
    event.outcome = failed ? Outcome::kFailure : Outcome::kSuccess;
    event.Normalize();
    if (world->Sampled()) events.push_back(event);
  }
  return events;
}
Events Vulnerabilities(World* world) {
  if (!world->Sampled() || !world->random.Chance(0.05)) return {};
  Event event;
  event.type = EventType::kAlarm;
  event.state = world->fault > 0 ? AlarmState::kAlarm : AlarmState::kOk;
  event.cvss = 10 * std::sqrt(world->fault);
  event.Normalize();
  return {event};
}
Events Pairs(World* world) {
  Events events;
  for (const char* unit : {"a", "b"}) {
    if (!world->Sampled()) continue;
    const double missing = *unit == 'b' ? 1'000 * world->fault : world->random.Between(0, 3);
    events.push_back(GaugeSample(10'000 + world->pane - missing));
    events.back().Set(Field::kUnit, unit);
  }
  return events;
}
Events Heartbeats(World* world) {
  Events events;
  if (!world->silent && !world->random.Chance(std::sqrt(world->fault))) {
    events.push_back(GaugeSample(1));
  }
  return events;
}

// One threshold of a kind.
struct Ladder {
  std::string name;
  std::string stanza;  // its kind and what else it needs
  std::string level;   // of a level; $ stands for the threshold
  double low, high;    // of which thresholds are drawn
  Events (*pane)(World*);
  bool more_is_sensitive = false;
  const char* unit = "";  // behind the number
  bool linear = false;    // drawn evenly; else by orders of magnitude
  bool whole = false;     // an integer
  bool windows = true;    // the level takes a window
};

std::vector<Ladder> Ladders() {
  return {
      {"error_rate", "kind: error_rate\n", "above: $", 0.0005, 0.9, Requests},
      {"error_rate_min_volume", "kind: error_rate\nmin_volume: 20\n", "above: $", 0.0005, 0.9,
       Requests},
      {"error_rate_baseline", "kind: error_rate\nbaseline: 1%\n", "above: $", 0.0005, 0.9,
       Requests},
      {"crash_rate", "kind: crash_rate\n", "above: $", 0.0005, 0.9, Sessions},
      {"success_ratio", "kind: success_ratio\n", "below: $", 0.3, 0.9995, Payments, true, "", true},
      {"burn_rate", "kind: burn_rate\nobjective: 98%\n", "rate: $, long: 1h, short: 5m", 0.2, 45,
       Requests, false, "", false, false, false},
      {"latency", "kind: latency\n", "p95_above: $", 20, 40'000, Durations, false, "ms", false,
       true},
      {"latency_factor", "kind: latency\n", "p95_above_baseline: $", 1.05, 50, Durations},
      {"latency_at_least", "kind: latency\n", "p95_above_baseline: 1.2, at_least: $", 20, 40'000,
       Durations, false, "ms", false, true},
      {"deploy_error_above", "kind: deploy_regression\n", "error_ratio: 2, error_above: $", 0.001,
       0.9, Requests},
      {"deploy_error_ratio", "kind: deploy_regression\n", "error_ratio: $, error_above: 0.1%", 1.5,
       100, Requests},
      {"deploy_p95_ratio", "kind: deploy_regression\n", "p95_ratio: $", 1.2, 50, Durations},
      {"deploy_p95_above", "kind: deploy_regression\n", "p95_ratio: 1.2, p95_above: $", 20, 40'000,
       Durations, false, "ms", false, true},
      {"storm", "kind: storm\n", "above: $", 3, 100'000, Connections},
      {"storm_ratio", "kind: storm\n", "above: 10, ratio: $", 2, 60, Connections},
      {"storm_above_and_ratio", "kind: storm\n", "above: $, ratio: 2", 3, 100'000, Connections},
      {"storm_gauge", "kind: storm\ngauge: true\n", "above: $", 1, 10'000, Connected, false, "",
       false, false, false},
      {"storm_gauge_ratio", "kind: storm\ngauge: true\n", "above: 1, ratio: $", 1.1, 60, Swelling,
       false, "", false, false, false},
      {"burst", "kind: burst\npattern: refused\n", "count: $", 1, 1'000, Lines, false, "", false,
       true},
      {"burst_per", "kind: burst\nwhere: {type: auth}\nper: client_ip\n", "count: $", 1, 300,
       Logins, false, "", false, true},
      {"saturation", "kind: saturation\n", "above: $", 0.01, 1, Level, false, "", true, false,
       false},
      {"saturation_absolute", "kind: saturation\nunit: absolute\n", "above: $", 1, 100, Level,
       false, "", true, false, false},
      {"leak_left", "kind: leak\nunit: percent\n", "left: $, at_least: 1%", 600, 2'000'000, Climb,
       true, "s", false, true, false},
      {"exhaustion_at_least", "kind: exhaustion\nunit: percent\n", "left: 20d, at_least: $", 0.01,
       0.99, Climb, false, "", true, false, false},
      {"rate", "kind: rate\n", "above: $", 0.01, 1'000, Counter},
      {"state_failures", "kind: state\nwhere: {type: check}\n", "failures: $", 1, 9, Checks, false,
       "", true, true, false},
      {"state_below", "kind: state\n", "below: $", 1, 100, Level, true, "", true, false, false},
      {"state_cvss", "kind: state\n", "cvss_above: $", 0, 9.9, Vulnerabilities, false, "", true,
       false, false},
      {"mismatch", "kind: mismatch\ncompare: {unit: [a, b]}\n", "above: $", 0.1, 900, Pairs, false,
       "", false, false, false},
      {"mismatch_share", "kind: mismatch\ncompare: {unit: [a, b]}\n", "above_share: $", 1e-5, 0.09,
       Pairs, false, "", false, false, false},
      {"absence", "kind: absence\nwhere: {type: metric}\nevery: 20s\n", "missed: $", 1, 60,
       Heartbeats, false, "", false, false, false},
  };
}

// The same detector with thresholds from the most to the least sensitive.
struct Rungs {
  std::vector<double> thresholds;
  std::vector<std::string> stanzas;
};

Rungs Draw(const Ladder& ladder, Random* random) {
  Rungs rungs;
  std::set<double> drawn;
  while (drawn.size() < kThresholds) {
    double threshold = ladder.linear ? random->Between(ladder.low, ladder.high)
                                     : random->LogBetween(ladder.low, ladder.high);
    if (ladder.whole) threshold = std::round(threshold);
    drawn.insert(threshold);
  }
  rungs.thresholds.assign(drawn.begin(), drawn.end());
  if (ladder.more_is_sensitive) std::reverse(rungs.thresholds.begin(), rungs.thresholds.end());
  const std::vector<std::string> windows = {"10s", "1m", "2m", "5m", "10m"};
  const std::vector<std::string> holds = {"0s", "0s", "1m", "5m"};
  const std::vector<std::string> keeps = {"0s", "1m", "5m"};
  const auto any = [&](const std::vector<std::string>& of) {
    return of[static_cast<std::size_t>(random->Below(static_cast<int>(of.size())))];
  };
  std::string rest = absl::StrCat(", for: ", any(holds));
  if (ladder.windows) absl::StrAppend(&rest, ", window: ", any(windows));
  const std::string keep = any(keeps);
  // Half of them have another level too, the same for all.
  const double other = rungs.thresholds[static_cast<std::size_t>(random->Below(kThresholds))];
  const bool warns = random->Chance(0.5);
  const auto level = [&](double threshold) {
    const std::string number =
        ladder.whole ? absl::StrCat(static_cast<std::int64_t>(threshold)) : absl::StrCat(threshold);
    std::string text = ladder.level;
    text.replace(text.find('$'), 1, number + ladder.unit);
    return text;
  };
  for (const double threshold : rungs.thresholds) {
    std::string stanza = absl::StrCat("name: x\n", ladder.stanza, "keep_firing_for: ", keep, "\n");
    if (warns) absl::StrAppend(&stanza, "warn: {", level(other), rest, "}\n");
    absl::StrAppend(&stanza, "critical: {", level(threshold), rest, "}\n");
    rungs.stanzas.push_back(stanza);
  }
  return rungs;
}

class Thresholds : public testing::TestWithParam<Ladder> {};

TEST_P(Thresholds, ALowerOneIsNeverLaterOrLess) {
  int fired = 0, earlier = 0;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    World world(static_cast<std::uint64_t>(seed));
    const Rungs rungs = Draw(GetParam(), &world.random);
    std::vector<Harness> harnesses;
    for (const std::string& stanza : rungs.stanzas) {
      harnesses.emplace_back(stanza);
      harnesses.back().check_copy = false;
    }
    for (int pane = 0; pane < kPanes; ++pane) {
      world.NextPane();
      const Events events = GetParam().pane(&world);
      std::vector<bool> was, is;  // firing at the critical level
      for (Harness& harness : harnesses) {
        harness.partial = world.partial;
        if (world.deployed) harness.deployed_at = kStart + harness.now() * kPane;
        harness.recent_deploy = harness.deployed_at != kNoTime && pane % 700 < 180;
        was.push_back(harness.rule().firing_slot() == 1);
        harness.Pane(events);
        is.push_back(harness.rule().firing_slot() == 1);
      }
      for (std::size_t i = 1; i < is.size(); ++i) {
        if (!is[i] || was[i]) continue;
        ++fired;
        earlier += was[i - 1] ? 1 : 0;
        ASSERT_TRUE(is[i - 1]) << "seed " << seed << ", pane " << pane << ": " << rungs.stanzas[i]
                               << "fires, and not " << rungs.stanzas[i - 1];
      }
    }
  }
  EXPECT_GE(fired, 20) << "the traffic has no incidents for it";
  EXPECT_GE(earlier, 5) << "the thresholds make no difference";
}

INSTANTIATE_TEST_SUITE_P(Ladders, Thresholds, testing::ValuesIn(Ladders()),
                         [](const testing::TestParamInfo<Ladder>& param) {
                           return param.param.name;
                         });

TEST(ThresholdLadders, EveryKindHasOne) {
  std::set<std::string> kinds;
  for (const Ladder& ladder : Ladders()) kinds.insert(KindOf(ladder.stanza));
  for (const std::string& kind : DetectorKinds()) EXPECT_TRUE(kinds.contains(kind)) << kind;
}

}  // namespace
}  // namespace tocsin
