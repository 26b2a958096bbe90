// Drives a Correlator tick by tick for tests.
//
//   Scenario s;
//   s.config.correlate.topology = {{"api", {"db"}}};
//   const Hash128 id = s.Fire({.detector = "errors", .labels = {{"service", "api"}}, .level = 2});
//   s.Tick();                      // s.out holds what that tick said
//   s.Clear(id);  s.TickFor(5 * kMinuteUs);
//
// Ticks are 10 s apart; event time is one pane behind. The config may change until the first tick.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "correlate/correlator.h"

namespace tocsin {

struct FireOptions {
  std::string detector = "errors";
  Labels labels = {};  // beyond the scope's
  int level = 2;
  DurationUs onset_ago = 0;  // before the current pane's end
  std::string scope = "prod";
  Category category = Category::kAvailability;
  std::string classification = {};
  bool degraded_only = false;
  bool down = false;
  std::vector<Evidence> evidence = {};
  std::string title = {};
  // Length of the interval in which it began, which ends a pane after the onset; none: unknown.
  std::optional<DurationUs> width = {};
  bool drifts = false;
};

class Scenario {
 public:
  Scenario() {
    config.scope = {FieldRef{.kind = FieldRef::Kind::kField, .field = Field::kEnv, .label = {}}};
  }

  static std::string ScopeKey(std::string_view env) {
    std::string key;
    AppendKeyPart(env, &key);
    return key;
  }

  TimeUs pane_end() const { return tick - config.pane; }

  Hash128 Fire(const FireOptions& options) {
    TitledChange titled;
    Signal& signal = titled.change.signal;
    signal.detector = options.detector;
    signal.kind = "test";
    signal.scope = ScopeKey(options.scope);
    signal.series = {{"env", options.scope}};
    signal.series.insert(signal.series.end(), options.labels.begin(), options.labels.end());
    signal.category = options.category;
    signal.classification = options.classification;
    signal.level = options.level;
    signal.degraded_only = options.degraded_only;
    signal.down = options.down;
    signal.onset = pane_end() - options.onset_ago;
    signal.fired_at = tick;
    signal.evidence = options.evidence;
    signal.drifts = options.drifts;
    if (options.width) {
      signal.began.latest = signal.onset + config.pane;
      signal.began.earliest = signal.began.latest - *options.width;
    }
    signal.id = SignalId(options.detector, LabelsText(signal.series), tick);
    titled.title = options.title;
    firing_.push_back(signal);
    changes_.push_back(std::move(titled));
    return signal.id;
  }

  void Raise(const Hash128& id, int level) {
    for (Signal& signal : firing_) {
      if (signal.id != id) continue;
      signal.level = level;
      changes_.push_back(
          {.change = {.kind = SignalChangeKind::kRaised, .signal = signal}, .title = {}});
    }
  }

  void Continue(const Hash128& id, const std::string& title) {
    for (Signal& signal : firing_) {
      if (signal.id != id) continue;
      signal.evidence.push_back({.kind = "window", .name = "firing", .json = "\"6h\""});
      changes_.push_back(
          {.change = {.kind = SignalChangeKind::kContinued, .signal = signal}, .title = title});
    }
  }
  // Its condition holds in every tick until it clears; others keep firing without that.
  void KeepBreaching(const Hash128& id) { breaching_.insert(id); }

  void Clear(const Hash128& id) {
    const auto signal =
        std::find_if(firing_.begin(), firing_.end(), [&id](const Signal& s) { return s.id == id; });
    ASSERT_NE(signal, firing_.end());
    signal->cleared_at = tick;
    changes_.push_back(
        {.change = {.kind = SignalChangeKind::kCleared, .signal = *signal}, .title = {}});
    firing_.erase(signal);
    breaching_.erase(id);
  }

  void Deploy(const std::string& service, const std::string& version, DurationUs ago,
              const std::string& name = "release", const std::string& scope = "prod") {
    Fact fact;
    fact.type = EventType::kDeploy;
    fact.time = pane_end() - ago;
    fact.id = service + version + name;
    if (!service.empty()) fact.fields.emplace_back(Field::kService, service);
    if (!version.empty()) fact.fields.emplace_back(Field::kVersion, version);
    fact.fields.emplace_back(Field::kName, name);
    facts_.emplace_back(ScopeKey(scope), std::move(fact));
  }

  // `users` distinct users numbered from `first_user` failed on the signal's series in this pane.
  void Hurt(const Hash128& id, int users, int first_user = 0, bool capped = false) {
    SignalImpact impact;
    impact.signal = id;
    impact.total = impact.failed = users;
    impact.capped = capped;
    for (int i = 0; i < users; ++i)
      impact.failed_users.Add("user" + std::to_string(first_user + i));
    impacts_.push_back(std::move(impact));
  }

  void Users(double distinct, const std::string& scope = "prod") {
    users_.push_back({.scope = ScopeKey(scope), .distinct = distinct});
  }

  void Call(const std::string& service, const std::string& dependency) {
    calls_.push_back({.scope = ScopeKey("prod"), .call = {service, dependency}});
  }

  void Tick(bool partial = false) {
    if (!correlator) correlator = std::make_unique<Correlator>(config);
    for (const Hash128& id : breaching_) {
      const auto impact = std::find_if(impacts_.begin(), impacts_.end(),
                                       [&id](const SignalImpact& of) { return of.signal == id; });
      SignalImpact& of = impact == impacts_.end() ? impacts_.emplace_back() : *impact;
      of.signal = id;
      of.breaching = true;
    }
    std::sort(impacts_.begin(), impacts_.end(),
              [](const SignalImpact& a, const SignalImpact& b) { return a.signal < b.signal; });
    correlator->Tick({.tick = tick,
                      .pane_end = pane_end(),
                      .partial = partial,
                      .changes = changes_,
                      .impacts = impacts_,
                      .facts = facts_,
                      .users = users_,
                      .calls = calls_},
                     &out);
    changes_.clear();
    impacts_.clear();
    facts_.clear();
    users_.clear();
    calls_.clear();
    tick += config.pane;
  }

  // Ticks until `duration` has passed, collecting what each said in `out`.
  void TickFor(DurationUs duration) {
    CorrelatorOutput all;
    for (const TimeUs end = tick + duration; tick < end;) {
      Tick();
      std::move(out.lines.begin(), out.lines.end(), std::back_inserter(all.lines));
      std::move(out.notifications.begin(), out.notifications.end(),
                std::back_inserter(all.notifications));
    }
    out = std::move(all);
  }

  // The only open incident.
  const Incident& Only() const {
    const std::vector<const Incident*> open = correlator->Open();
    EXPECT_EQ(open.size(), 1u);
    static const Incident kNone;
    return open.empty() ? kNone : *open.front();
  }
  std::size_t OpenCount() const { return correlator->Open().size(); }

  // "trigger 2, resolve 3 after 2": what people were told.
  std::string Told() const {
    std::string text;
    for (const Notification& notification : out.notifications) {
      if (!text.empty()) text += ", ";
      text += NotificationActionName(notification.action);
      text += " " + std::to_string(notification.level);
      if (notification.after_trigger_of_level != 0) {
        text += " after " + std::to_string(notification.after_trigger_of_level);
      }
    }
    return text;
  }

  Config config;
  std::unique_ptr<Correlator> correlator;
  CorrelatorOutput out;
  TimeUs tick = *ParseRfc3339("2026-03-01T21:00:00Z");

 private:
  std::vector<TitledChange> changes_;
  std::vector<Signal> firing_;
  std::set<Hash128> breaching_;
  std::vector<SignalImpact> impacts_;
  std::vector<std::pair<std::string, Fact>> facts_;
  std::vector<ScopedCall> calls_;
  std::vector<ScopeUsers> users_;
};

}  // namespace tocsin
