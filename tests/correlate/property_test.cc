// Random signals, seeded: what must hold whatever happens. A failure prints its seed.
#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "correlate/correlator.h"
#include "tests/correlate/scenario.h"

namespace tocsin {
namespace {

struct TickInput {
  TimeUs tick = 0;
  bool partial = false;
  std::vector<TitledChange> changes;
  std::vector<SignalImpact> impacts;
  std::vector<std::pair<std::string, Fact>> facts;
  std::vector<ScopeUsers> users;
};

class Traffic {
 public:
  explicit Traffic(unsigned seed) : random_(seed) {}

  std::vector<TickInput> Make(int ticks) {
    std::vector<TickInput> inputs;
    for (int i = 0; i < ticks; ++i) inputs.push_back(Next());
    return inputs;
  }

 private:
  int Below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  TickInput Next() {
    TickInput input;
    input.tick = tick_;
    input.partial = Below(20) == 0;
    if (Below(4) == 0) Fire(&input);
    if (Below(12) == 0) {
      for (int burst = Below(6); burst > 0; --burst) Fire(&input);
    }
    for (auto signal = firing_.begin(); signal != firing_.end();) {
      const bool fired_now = signal->second.fired_at == tick_;
      if (!fired_now && signal->second.level > 1 && Below(40) == 0) {
        --signal->second.level;
        Change(SignalChangeKind::kRaised, signal->second, &input);
      } else if (!fired_now && Below(12) == 0) {
        signal->second.cleared_at = tick_;
        Change(SignalChangeKind::kCleared, signal->second, &input);
        signal = firing_.erase(signal);
        continue;
      }
      ++signal;
    }
    for (const auto& [id, signal] : firing_) Hurt(id, &input);
    if (Below(15) == 0) Deploy(&input);
    for (const char* env : {"prod", "staging"}) {
      input.users.push_back({.scope = Scenario::ScopeKey(env), .distinct = 50.0 + Below(50)});
    }
    tick_ += 10 * kSecondUs;
    return input;
  }

  void Change(SignalChangeKind kind, const Signal& signal, TickInput* input) {
    input->changes.push_back(
        {.change = {.kind = kind, .signal = signal}, .title = "title of " + signal.detector});
  }

  void Fire(TickInput* input) {
    Signal signal;
    const std::string env = Below(3) == 0 ? "staging" : "prod";
    signal.detector = "detector" + std::to_string(Below(5));
    signal.kind = "test";
    signal.scope = Scenario::ScopeKey(env);
    signal.series = {{"env", env}};
    if (Below(4) != 0)
      signal.series.emplace_back("service", std::string(1, static_cast<char>('a' + Below(6))));
    if (Below(3) == 0) signal.series.emplace_back("dependency", "db" + std::to_string(Below(3)));
    if (Below(10) == 0) {
      signal.classification = "attack";
      signal.evidence = {{.kind = "top",
                          .name = "client_ip",
                          .json = "[\"10.0.0." + std::to_string(Below(3)) + "\"]"}};
    }
    signal.degraded_only = Below(4) == 0;
    signal.level = 1 + Below(4);
    signal.onset = tick_ - (1 + Below(60)) * 10 * kSecondUs;
    if (Below(3) == 0) {
      signal.began = {.earliest = signal.onset - Below(4) * 10 * kSecondUs,
                      .latest = signal.onset + 10 * kSecondUs};
      signal.drifts = Below(8) == 0;
    }
    signal.fired_at = tick_;
    signal.id = SignalId(signal.detector, LabelsText(signal.series), tick_);
    if (!firing_.emplace(signal.id, signal).second) return;
    Change(SignalChangeKind::kFired, signal, input);
  }

  void Hurt(const Hash128& id, TickInput* input) {
    SignalImpact impact;
    impact.signal = id;
    impact.failed = Below(4);
    impact.breaching = Below(3) != 0;
    impact.failed_transactions = impact.failed == 0 ? 0 : Below(2);
    impact.failed_amount = 0.1 * static_cast<double>(impact.failed_transactions);
    for (std::int64_t i = 0; i < impact.failed; ++i) {
      impact.failed_users.Add("user" + std::to_string(Below(60)));
    }
    input->impacts.push_back(std::move(impact));
  }

  void Deploy(TickInput* input) {
    Fact fact;
    fact.type = EventType::kDeploy;
    fact.time = tick_ - Below(100) * kSecondUs;
    fact.fields = {{Field::kService, std::string(1, static_cast<char>('a' + Below(6)))},
                   {Field::kVersion, "v" + std::to_string(Below(9))},
                   {Field::kName, Below(4) == 0 ? "rollback" : "release"}};
    input->facts.emplace_back(Scenario::ScopeKey("prod"), std::move(fact));
  }

  std::mt19937 random_;  // its sequence is fixed by the standard
  TimeUs tick_ = *ParseRfc3339("2026-12-31T23:40:00Z");
  std::map<Hash128, Signal> firing_;
};

Config MakeConfig() {
  Config config = Scenario().config;
  config.correlate.topology = {{"a", {"b", "db0"}}, {"b", {"db1"}}, {"d", {"e", "db2"}}};
  config.severity.users_share = {
      {.above = 0.5, .level = 1}, {.above = 0.2, .level = 2}, {.above = 0, .level = 3}};
  config.severity.users_count = {{.above = 30, .level = 2, .down = true}};
  config.severity.level_1_after_rollback = 2 * kMinuteUs;
  return config;
}

void Drive(const TickInput& input, Correlator* correlator, CorrelatorOutput* out) {
  correlator->Tick({.tick = input.tick,
                    .pane_end = input.tick - 10 * kSecondUs,
                    .partial = input.partial,
                    .changes = input.changes,
                    .impacts = input.impacts,
                    .facts = input.facts,
                    .users = input.users},
                   out);
}

std::string Text(const CorrelatorOutput& out) {
  std::string text;
  for (const Incident& line : out.lines) text += line.ToJson() + "\n";
  for (const Notification& told : out.notifications) {
    text += std::string(NotificationActionName(told.action)) + " " + std::to_string(told.level) +
            " after " + std::to_string(told.after_trigger_of_level) + " " + told.incident.ToJson() +
            "\n";
  }
  return text;
}

// Follows one run and checks every tick.
class Checker {
 public:
  void Check(const TickInput& input, const Correlator& correlator, const CorrelatorOutput& out) {
    for (const TitledChange& titled : input.changes) {
      const Signal& signal = titled.change.signal;
      if (titled.change.kind == SignalChangeKind::kCleared) {
        firing_.erase(signal.id);
      } else {
        firing_[signal.id] = signal;
      }
    }
    CheckMembers(correlator);
    CheckLines(out);
    CheckNotifications(out);
  }

 private:
  void CheckMembers(const Correlator& correlator) {
    std::set<Hash128> seen;
    for (const Incident* incident : correlator.Open()) {
      bool fires = false;
      for (const Signal& member : incident->signals) {
        EXPECT_EQ(member.scope, incident->scope);
        EXPECT_LE(incident->severity_level, member.level);
        EXPECT_GE(member.onset, incident->onset);
        if (!member.firing()) continue;
        fires = true;
        EXPECT_TRUE(seen.insert(member.id).second) << "in two incidents";
        EXPECT_TRUE(firing_.contains(member.id)) << "cleared, yet firing in its incident";
      }
      EXPECT_EQ(incident->state, fires ? IncidentState::kOpen : IncidentState::kMonitoring);
      EXPECT_NE(incident->state, IncidentState::kResolved);
    }
    EXPECT_EQ(seen.size(), firing_.size());
  }

  void CheckLines(const CorrelatorOutput& out) {
    for (const Incident& line : out.lines) {
      EXPECT_EQ(line.revision, ++revision_[line.id]);
      if (line.revision == 1) {
        EXPECT_TRUE(numbers_.insert(line.scope + line.number).second) << line.number;
      }
      const auto level = level_.try_emplace(line.id, line.severity_level).first;
      EXPECT_LE(line.severity_level, level->second) << "severity fell";
      level->second = line.severity_level;
      EXPECT_FALSE(resolved_.contains(line.id));
      if (line.state == IncidentState::kResolved) resolved_.insert(line.id);
    }
  }

  void CheckNotifications(const CorrelatorOutput& out) {
    for (const Notification& told : out.notifications) {
      if (told.action == NotificationAction::kChange) {
        EXPECT_TRUE(changes_.insert(told.incident.id).second) << "a deploy told twice";
        continue;
      }
      const std::pair key(told.incident.id, told.level);
      if (told.action == NotificationAction::kTrigger) {
        EXPECT_TRUE(triggered_.insert(key).second) << "a key triggered twice";
        EXPECT_TRUE(open_keys_.insert(key).second);
        EXPECT_FALSE(resolved_.contains(told.incident.id));
      } else {
        EXPECT_EQ(open_keys_.erase(key), 1u) << "resolved without a trigger, or twice";
      }
    }
    for (const auto& [incident, level] : open_keys_) {
      EXPECT_FALSE(resolved_.contains(incident)) << "a key stays open for ever";
    }
  }

  std::map<Hash128, Signal> firing_;
  std::map<Hash128, std::int64_t> revision_;
  std::map<Hash128, int> level_;
  std::set<Hash128> resolved_;
  std::set<std::string> numbers_;
  std::set<Hash128> changes_;
  std::set<std::pair<Hash128, int>> triggered_, open_keys_;
};

TEST(CorrelatorProperty, HoldsUnderShufflingAndRestarts) {
  const Config config = MakeConfig();
  std::size_t lines = 0;
  std::size_t merges = 0;
  std::size_t resolves = 0;
  std::size_t joined = 0;  // by coincidence
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    Correlator straight(config);
    Correlator shuffled(config);
    auto restarted = std::make_unique<Correlator>(config);
    Checker checker;
    for (const TickInput& input : Traffic(seed).Make(200)) {
      CorrelatorOutput expected;
      Drive(input, &straight, &expected);
      checker.Check(input, straight, expected);
      lines += expected.lines.size();
      for (const Incident& line : expected.lines) {
        merges += line.merged_into.empty() ? 0 : 1;
        resolves += line.state == IncidentState::kResolved ? 1 : 0;
        joined += line.timeline.empty() || line.timeline.back().what != kJoinedTogether ? 0 : 1;
      }

      CorrelatorOutput actual;
      TickInput mixed = input;
      std::shuffle(mixed.changes.begin(), mixed.changes.end(), random);
      std::shuffle(mixed.facts.begin(), mixed.facts.end(), random);
      Drive(mixed, &shuffled, &actual);
      ASSERT_EQ(Text(actual), Text(expected)) << "order within a tick";

      if (random() % 8 == 0) {
        ByteWriter out;
        restarted->Encode(&out);
        ByteReader in(out.view());
        auto fresh = std::make_unique<Correlator>(config);
        fresh->Decode(&in);
        ASSERT_TRUE(in.Done());
        ByteWriter again;
        fresh->Encode(&again);
        ASSERT_EQ(again.view(), out.view());
        restarted = std::move(fresh);
      }
      Drive(input, restarted.get(), &actual);
      ASSERT_EQ(Text(actual), Text(expected)) << "restarts";
      if (testing::Test::HasFailure()) return;
    }
  }
  // The traffic reaches what the test is about.
  EXPECT_GT(lines, 1000u);
  EXPECT_GT(merges, 20u);
  EXPECT_GT(resolves, 100u);
  EXPECT_GT(joined, 100u);
}

}  // namespace
}  // namespace tocsin
