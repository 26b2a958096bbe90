// The outbox under crashes at every step, lost requests and replies, and a receiver with bad
// moments, from a seed, in virtual time, against a model of PagerDuty: a key has at most one open
// incident; a trigger of an open key changes nothing, one of a closed key opens a new incident and
// pages again.
//
// A failure prints its seed; Simulate(seed, {}) repeats it.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "journal/journal.h"
#include "sinks/outbox.h"
#include "tests/sinks/sink_fixtures.h"

namespace tocsin {
namespace {

// Crashes and failures happen before this; afterwards everything must come to its end.
constexpr TimeUs kBadUntil = 20 * kMinuteUs;
constexpr TimeUs kEnd = 12 * kHourUs;

// Rules broken on purpose, to show that the oracle sees them.
enum class Broken { kNothing, kSendBeforeIntent, kTriggerAfterResolve, kNoEcho };

struct SimulationOptions {
  Broken broken = Broken::kNothing;
  // Requests may arrive long after their time-out, behind later ones.
  bool delayed_copies = false;
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}
  std::uint64_t Below(std::uint64_t bound) {
    std::uint64_t x = (state_ += 0x9e3779b97f4a7c15ULL);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return (x ^ (x >> 31)) % bound;
  }
  TimeUs Time(TimeUs least, TimeUs most) {
    return least + static_cast<TimeUs>(Below(static_cast<std::uint64_t>(most - least + 1)));
  }
  bool Percent(std::uint64_t share) { return Below(100) < share; }

 private:
  std::uint64_t state_;
};

class PagerDutyModel {
 public:
  struct Key {
    int opened = 0;
    bool open = false;
    bool resolved = false;
    bool opened_after_resolve = false;
  };

  void Receive(const std::string& body) {
    simdjson::dom::parser parser;
    simdjson::dom::element event;
    std::string_view action;
    std::string_view name;
    ASSERT_EQ(parser.parse(body).get(event), simdjson::SUCCESS);
    ASSERT_EQ(event["event_action"].get(action), simdjson::SUCCESS);
    ASSERT_EQ(event["dedup_key"].get(name), simdjson::SUCCESS);
    Key& key = keys_[std::string(name)];
    if (action == "trigger" && !key.open) {
      ++key.opened;
      key.open = true;
      key.opened_after_resolve = key.opened_after_resolve || key.resolved;
    } else if (action == "resolve") {
      key.open = false;
      key.resolved = true;
    }
  }
  const Key& At(const std::string& name) { return keys_[name]; }

 private:
  std::map<std::string, Key> keys_;
};

struct Step {
  TimeUs at = 0;
  Notification notification;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, SimulationOptions options)
      : random_(seed), options_(options), crashes_left_(static_cast<int>(random_.Below(8))) {
    for (const std::string name : {"oncall", "second"}) {
      sinks_.push_back(
          MakeSink("{name: " + name + ", kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY}"));
    }
    refuses_ = random_.Percent(10);
    WriteScript();
  }

  // What went wrong; empty if nothing did.
  std::set<std::string> Run() {
    for (const Step& step : script_) {
      At(step.at, /*survives=*/true, [this] { SubmitDue(); });
    }
    Start();
    while (!events_.empty() && now_ < kEnd) {
      auto next = events_.begin();
      now_ = next->first.first;
      const Event event = std::move(next->second);
      events_.erase(next);
      if (event.process == 0 || event.process == process_) event.run();
    }
    if (outbox_ == nullptr || !unwritten_.empty() || outbox_->pending() > 0) {
      violations_.insert("work is left at the end");
    }
    Judge();
    return violations_;
  }

 private:
  struct Event {
    std::uint64_t process = 0;  // dies with it; 0: survives
    std::function<void()> run;
  };

  void At(TimeUs at, bool survives, std::function<void()> run) {
    events_.emplace(std::pair(std::max(at, now_), ++order_),
                    Event{survives ? 0 : process_, std::move(run)});
  }

  // One to three incidents; each is triggered, perhaps raised and acknowledged, and resolved.
  void WriteScript() {
    const std::uint64_t incidents = 1 + random_.Below(3);
    for (std::uint64_t i = 0; i < incidents; ++i) {
      const Incident incident = MakeIncident("incident " + std::to_string(i));
      TimeUs at = random_.Time(0, 10 * kMinuteUs);
      int level = 1 + static_cast<int>(random_.Below(4));
      std::vector<int> triggered = {level};
      Add(at, NotificationAction::kTrigger, level, incident);
      while (level > 1 && random_.Percent(40)) {
        const int lower = level;
        level = 1 + static_cast<int>(random_.Below(static_cast<std::uint64_t>(level - 1)));
        at += random_.Time(0, 2 * kMinuteUs);
        triggered.push_back(level);
        Add(at, NotificationAction::kTrigger, level, incident);
        Add(at, NotificationAction::kResolve, lower, incident, level);
      }
      if (random_.Percent(30))
        Add(at += kSecondUs, NotificationAction::kAcknowledge, level, incident);
      const bool lasts = random_.Percent(50);
      if (lasts) lasting_.insert(Incident::DedupKey(incident.id, level));
      at += lasts ? 2 * kHourUs : random_.Time(0, 5 * kMinuteUs);
      for (const int each : triggered) Add(at, NotificationAction::kResolve, each, incident);
    }
    std::stable_sort(script_.begin(), script_.end(),
                     [](const Step& a, const Step& b) { return a.at < b.at; });
  }

  void Add(TimeUs at, NotificationAction action, int level, const Incident& incident,
           int after = 0) {
    Step step{.at = at, .notification = Notify(action, level, incident)};
    step.notification.after_trigger_of_level = after;
    script_.push_back(std::move(step));
  }

  void Start() {
    outbox_ = std::make_unique<Outbox>(routes_, sinks_, random_.Below(1000));
    ASSERT_TRUE(journal_
                    ->ReadDeliveries([this](const Delivery& delivery) {
                      outbox_->Restore(delivery);
                      return absl::OkStatus();
                    })
                    .ok());
    // Stage 2 decides again what came after its snapshot.
    decided_ = snapshot_;
    SubmitDue();
    if (outbox_ != nullptr) Wake();
  }

  // kill -9: what was not yet written, and every reply, is lost; what was sent arrives.
  void Crash() {
    --crashes_left_;
    ++process_;
    outbox_.reset();
    unwritten_.clear();
    in_flight_.clear();
    wake_at_ = INT64_MAX;
    At(now_ + random_.Time(2 * kSecondUs, 12 * kSecondUs), /*survives=*/true, [this] { Start(); });
  }

  // True when the process just died; the caller must not touch the outbox.
  bool MayCrash() {
    if (crashes_left_ == 0 || now_ > kBadUntil || !random_.Percent(4)) return false;
    Crash();
    return true;
  }

  void SubmitDue() {
    while (outbox_ != nullptr && decided_ < script_.size() && script_[decided_].at <= now_) {
      std::vector<OutboxEffect> effects;
      outbox_->Submit(script_[decided_++].notification, now_, &effects);
      Carry(effects);
    }
    // A snapshot may only cover what is safe in the journal.
    if (outbox_ != nullptr && unwritten_.empty() && random_.Percent(50)) snapshot_ = decided_;
  }

  void Wake() {
    const TimeUs due = outbox_->NextDue();
    if (due == INT64_MAX || due >= wake_at_) return;
    wake_at_ = due;
    At(due, /*survives=*/false, [this] {
      wake_at_ = INT64_MAX;
      std::vector<OutboxEffect> effects;
      outbox_->Advance(now_, &effects);
      Carry(effects);
    });
  }

  void Carry(const std::vector<OutboxEffect>& effects) {
    for (const OutboxEffect& effect : effects) {
      if (MayCrash()) return;
      const Delivery& delivery = effect.delivery;
      switch (effect.kind) {
        case OutboxEffect::Kind::kWrite:
          if (options_.broken == Broken::kSendBeforeIntent &&
              delivery.state == DeliveryState::kIntended) {
            Send(delivery);
          }
          Write(delivery);
          break;
        case OutboxEffect::Kind::kSend:
          if (options_.broken == Broken::kSendBeforeIntent && delivery.attempts == 1) {
            // It is on its way already.
            Reply(delivery, 202, -1, kSecondUs);
            break;
          }
          if (options_.broken == Broken::kNoEcho && delivery.state == DeliveryState::kDelivered) {
            Reply(delivery, 202, -1, kSecondUs);
            break;
          }
          Send(delivery);
          break;
        case OutboxEffect::Kind::kForget:
          ended_[delivery.id] = delivery;
          ASSERT_TRUE(journal_->ForgetDeliveries(std::vector<Hash128>{delivery.id}).ok());
          break;
      }
    }
    if (outbox_ != nullptr) Wake();
  }

  // The writer is asynchronous and keeps the order.
  void Write(const Delivery& delivery) {
    unwritten_.insert(++writes_);
    write_at_ = std::max(write_at_, now_ + random_.Time(0, 50 * kMillisecondUs));
    At(write_at_, /*survives=*/false, [this, delivery, number = writes_] {
      if (MayCrash()) return;
      ASSERT_TRUE(journal_->WriteDeliveries(std::vector<Delivery>{delivery}).ok());
      durable_[delivery.id] = delivery;
      unwritten_.erase(number);
      if (options_.broken == Broken::kTriggerAfterResolve) RetryAbandoned(delivery);
      if (MayCrash()) return;
      std::vector<OutboxEffect> effects;
      outbox_->OnWritten(delivery.id, now_, &effects);
      Carry(effects);
    });
  }

  // The broken rule: the receipt of a resolve sends its abandoned trigger once more.
  void RetryAbandoned(const Delivery& delivery) {
    if (delivery.action != NotificationAction::kResolve) return;
    if (delivery.state != DeliveryState::kDelivered || delivery.echoed) return;
    const Hash128 trigger =
        DeliveryId(delivery.sink, delivery.incident, delivery.level, NotificationAction::kTrigger);
    const auto it = durable_.find(trigger);
    if (it == durable_.end() || it->second.state != DeliveryState::kAbandoned) return;
    Arrive(it->second, now_ + kSecondUs);
  }

  const Sink& SinkOf(const Delivery& delivery) const {
    return delivery.sink == sinks_[0]->name() ? *sinks_[0] : *sinks_[1];
  }

  void Arrive(const Delivery& delivery, TimeUs at) {
    const std::string body = SinkOf(delivery).Render(delivery).body;
    At(at, /*survives=*/true, [this, sink = delivery.sink, body] { models_[sink].Receive(body); });
  }

  void Reply(const Delivery& delivery, int status, std::int64_t retry_after_ms, DurationUs after) {
    At(now_ + after, /*survives=*/false, [this, delivery, status, retry_after_ms] {
      if (MayCrash()) return;
      in_flight_.erase({delivery.incident, delivery.sink});
      SinkReply reply;
      reply.status = status;
      reply.retry_after_ms = retry_after_ms;
      std::vector<OutboxEffect> effects;
      outbox_->OnReply(delivery.id, reply, now_, &effects);
      if (MayCrash()) return;
      Carry(effects);
    });
  }

  void CheckSend(const Delivery& delivery) {
    const auto durable = durable_.find(delivery.id);
    if (durable == durable_.end()) violations_.insert("sent before its intent was durable");
    if (!in_flight_.insert({delivery.incident, delivery.sink}).second) {
      violations_.insert("two in flight for one incident and sink");
    }
    if (delivery.action == NotificationAction::kTrigger) {
      if (resolves_sent_.contains(delivery.sink + delivery.dedup_key)) {
        violations_.insert("a trigger sent after its resolve");
      }
      if (durable != durable_.end() && durable->second.state != DeliveryState::kIntended) {
        violations_.insert("a trigger sent after its end was written");
      }
    } else if (delivery.action == NotificationAction::kResolve) {
      resolves_sent_.insert(delivery.sink + delivery.dedup_key);
    }
  }

  void Send(const Delivery& delivery) {
    CheckSend(delivery);
    const DurationUs latency = random_.Time(1, 300 * kMillisecondUs);
    const std::uint64_t luck = now_ > kBadUntil ? 100 : random_.Below(100);
    const DurationUs timeout = 10 * kSecondUs;
    if (luck < 15) {  // arrives, but the reply is lost; perhaps long after the time-out
      const DurationUs delay = options_.delayed_copies ? random_.Time(1, 50 * kSecondUs) : latency;
      Arrive(delivery, now_ + delay);
      Reply(delivery, 0, -1, timeout);
    } else if (luck < 30) {  // never arrives
      Reply(delivery, 0, -1, random_.Percent(50) ? timeout : latency);
    } else if (luck < 40) {
      Reply(delivery, 503, -1, latency);
    } else if (luck < 45) {  // failed behind the point of no return
      Arrive(delivery, now_ + latency);
      Reply(delivery, 500, -1, 2 * latency);
    } else if (luck < 55) {
      Reply(delivery, 429, static_cast<std::int64_t>(random_.Below(90'000)), latency);
    } else if (luck < 58 && refuses_) {
      Reply(delivery, 400, -1, latency);
    } else {
      Arrive(delivery, now_ + latency);
      Reply(delivery, 202, -1, 2 * latency);
    }
  }

  const Delivery* End(const std::string& sink, const Notification& notification,
                      NotificationAction action) const {
    const Hash128 id = DeliveryId(sink, notification.incident.id, notification.level, action);
    const auto it = ended_.find(id);
    return it == ended_.end() ? nullptr : &it->second;
  }

  void Judge() {
    ASSERT_TRUE(journal_
                    ->ReadDeliveries([this](const Delivery& delivery) {
                      ended_[delivery.id] = delivery;
                      return absl::OkStatus();
                    })
                    .ok());
    for (const std::unique_ptr<Sink>& sink : sinks_) {
      for (const Step& step : script_) {
        if (step.notification.action == NotificationAction::kTrigger) {
          JudgeKey(sink->name(), step.notification);
        }
      }
    }
  }

  void JudgeKey(const std::string& sink, const Notification& notification) {
    const std::string name = Incident::DedupKey(notification.incident.id, notification.level);
    const PagerDutyModel::Key& key = models_[sink].At(name);
    const Delivery* trigger = End(sink, notification, NotificationAction::kTrigger);
    const Delivery* resolve = End(sink, notification, NotificationAction::kResolve);
    if (trigger == nullptr || resolve == nullptr) {
      violations_.insert("a delivery that was never intended");
      return;
    }
    const bool parked = trigger->state == DeliveryState::kParked;
    const bool resolve_parked = resolve->state == DeliveryState::kParked;
    if (trigger->state == DeliveryState::kIntended) violations_.insert("a trigger without an end");
    if ((parked || resolve_parked) && !refuses_) violations_.insert("parked without a refusal");
    if (!resolve_parked && resolve->state != DeliveryState::kDelivered) {
      violations_.insert("a resolve without a receipt");
    }
    if (!resolve_parked && !resolve->echoed) violations_.insert("a resolve without its echo");
    if (key.open && !resolve_parked) violations_.insert("open at the end");
    if (key.opened > 1) violations_.insert("paged twice");
    if (key.opened_after_resolve) violations_.insert("opened after its resolve");
    if (trigger->state == DeliveryState::kDelivered && key.opened == 0) {
      violations_.insert("a receipt without a page");
    }
    // What lasted longer than every outage was paged, not just given up.
    if (lasting_.contains(name) && !parked && key.opened != 1)
      violations_.insert("nobody was paged");
  }

  Random random_;
  const SimulationOptions options_;
  int crashes_left_;
  bool refuses_ = false;
  std::vector<RouteConfig> routes_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::vector<Step> script_;
  std::set<std::string> lasting_;  // keys resolved two hours later

  TimeUs now_ = 0;
  std::uint64_t order_ = 0;
  std::map<std::pair<TimeUs, std::uint64_t>, Event> events_;

  // Of the process.
  std::uint64_t process_ = 1;
  std::unique_ptr<Outbox> outbox_;
  std::set<std::uint64_t> unwritten_;
  std::set<std::pair<Hash128, std::string>> in_flight_;
  std::size_t decided_ = 0;
  TimeUs wake_at_ = INT64_MAX;
  TimeUs write_at_ = 0;
  std::uint64_t writes_ = 0;

  // Of the world.
  std::unique_ptr<Journal> journal_ = NewMemoryJournal();
  std::map<Hash128, Delivery> durable_;
  std::map<Hash128, Delivery> ended_;
  std::set<std::string> resolves_sent_;
  std::size_t snapshot_ = 0;
  std::map<std::string, PagerDutyModel> models_;
  std::set<std::string> violations_;
};

std::set<std::string> Simulate(std::uint64_t seed, SimulationOptions options) {
  setenv("TOCSIN_TEST_KEY", "R0123456789", 1);
  return Simulation(seed, options).Run();
}

// How many seeds show each violation.
std::map<std::string, int> Count(int seeds, SimulationOptions options) {
  std::map<std::string, int> counts;
  for (int seed = 1; seed <= seeds; ++seed) {
    for (const std::string& violation : Simulate(static_cast<std::uint64_t>(seed), options)) {
      ++counts[violation];
    }
  }
  return counts;
}

TEST(OutboxSimulation, OnePagePerIncidentAndLevelWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    ASSERT_THAT(Simulate(seed, {}), testing::IsEmpty()) << "seed " << seed;
  }
}

TEST(OutboxSimulation, TheEchoClosesWhatDelayedCopiesOpened) {
  std::map<std::string, int> counts = Count(1000, {.delayed_copies = true});
  // This much no client can prevent: the copy was on its way.
  counts.erase("opened after its resolve");
  counts.erase("paged twice");
  EXPECT_THAT(counts, testing::IsEmpty());
}

TEST(OutboxSimulation, TheOracleSeesAMissingEcho) {
  const std::map<std::string, int> counts =
      Count(1000, {.broken = Broken::kNoEcho, .delayed_copies = true});
  EXPECT_GT(counts.count("open at the end"), 0u);
}

TEST(OutboxSimulation, TheOracleSeesASendBeforeItsIntent) {
  const std::map<std::string, int> counts = Count(100, {.broken = Broken::kSendBeforeIntent});
  ASSERT_EQ(counts.count("sent before its intent was durable"), 1u);
  EXPECT_GE(counts.at("sent before its intent was durable"), 90);
}

TEST(OutboxSimulation, TheOracleSeesATriggerRetriedAfterItsResolve) {
  const std::map<std::string, int> counts = Count(300, {.broken = Broken::kTriggerAfterResolve});
  ASSERT_EQ(counts.count("opened after its resolve"), 1u);
  EXPECT_GE(counts.at("opened after its resolve"), 30);
}

}  // namespace
}  // namespace tocsin
