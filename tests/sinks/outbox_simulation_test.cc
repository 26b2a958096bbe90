// The outbox under crashes at every step, processes that lost their lease and do not know it,
// clocks that run unlike, lost requests and replies, and receivers with bad moments, from a seed,
// in virtual time, against the receivers of tests/sinks/vendors.h. One sink is PagerDuty, which
// counts as it does: a key has at most one open incident, a trigger of an open key changes nothing,
// one of a closed key opens a new incident and pages again; the other is of each kind in turn.
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

#include "sinks/lease.h"
#include "sinks/outbox.h"
#include "tests/sinks/sink_fixtures.h"
#include "tests/sinks/vendors.h"

namespace tocsin {
namespace {

// Crashes and failures happen before this; afterwards everything must come to its end.
constexpr TimeUs kBadUntil = 20 * kMinuteUs;
constexpr TimeUs kEnd = 12 * kHourUs;
constexpr TimeUs kForEver = 365 * kDayUs;
constexpr DurationUs kSessionTimeout = 30 * kSecondUs;
constexpr DurationUs kHeartbeatEvery = 3 * kSecondUs;
constexpr DurationUs kRequestTimeout = 10 * kSecondUs;

// Rules broken on purpose, to show that the oracle sees them.
enum class Broken {
  kNothing,
  kSendBeforeIntent,
  kTriggerAfterResolve,
  kNoEcho,
  kIgnoreLease,
  kNoLookUp
};

struct SimulationOptions {
  Broken broken = Broken::kNothing;
  // Requests may arrive long after their time-out, behind later ones.
  bool delayed_copies = false;
  // A coordinator reassigns the work when it has not heard from its owner, which may still be
  // running. The journal is a log that accepts records of both.
  bool zombies = false;
  // Every request fails for ten minutes, behind the point of no return or before it.
  bool outage = false;
  std::uint64_t lost_replies = 15;  // percent
  // The kind of the second sink, as an index into VendorKinds; −1: each in turn.
  int kind = -1;
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

struct Step {
  TimeUs at = 0;
  Notification notification;
};

// One run of the program, from its start to its end.
struct Process {
  explicit Process(std::uint64_t its_number, bool has_lease)
      : number(its_number), lease(has_lease ? kSessionTimeout : 0) {}

  const std::uint64_t number;
  std::unique_ptr<Outbox> outbox;
  std::set<std::uint64_t> unwritten;
  std::size_t decided = 0;
  TimeUs wake_at = INT64_MAX;
  TimeUs write_at = 0;
  std::uint64_t writes = 0;
  Lease lease;
  TimeUs cut_off_until = 0;  // from the coordinator
  std::int64_t fast = 0;     // its clock, in millionths
  TimeUs offset = 0;

  TimeUs Clock(TimeUs now) const { return offset + now * (1'000'000 + fast) / 1'000'000; }
  // When its clock shows that, or just after.
  TimeUs World(TimeUs clock) const { return (clock - offset) * 1'000'000 / (1'000'000 + fast) + 2; }
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, SimulationOptions options)
      : random_(seed), options_(options), crashes_left_(static_cast<int>(random_.Below(8))) {
    const std::vector<VendorKind>& kinds = VendorKinds();
    const std::size_t second =
        options.kind >= 0 ? static_cast<std::size_t>(options.kind) : seed % kinds.size();
    for (const auto& [name, kind] : {std::pair(std::string("oncall"), &kinds[0]),
                                     std::pair(std::string("second"), &kinds[second])}) {
      sinks_.push_back(MakeSink(kind->Stanza(name, "http://h")));
      vendors_[name] = kind->make();
    }
    refuses_ = random_.Percent(10);
    WriteScript(kinds[second].name == "statuspage" ? 1 : 1 + random_.Below(3));
  }

  // What went wrong; empty if nothing did.
  std::set<std::string> Run() {
    for (const Step& step : script_) {
      At(step.at, nullptr, [this] {
        for (const auto& [number, process] : processes_) SubmitDue(process.get());
        Bury();
      });
    }
    Start();
    while (!events_.empty() && now_ < kEnd) {
      auto next = events_.begin();
      now_ = next->first.first;
      const Event event = std::move(next->second);
      events_.erase(next);
      if (event.process == 0 || processes_.contains(event.process)) event.run();
      Bury();
    }
    const auto owner = processes_.find(owner_);
    if (owner == processes_.end() || !owner->second->unwritten.empty() ||
        owner->second->outbox->pending() > 0) {
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

  void At(TimeUs at, const Process* process, std::function<void()> run) {
    events_.emplace(std::pair(std::max(at, now_), ++order_),
                    Event{process == nullptr ? 0 : process->number, std::move(run)});
  }

  // Each incident is triggered, perhaps raised and acknowledged, and resolved.
  void WriteScript(std::uint64_t incidents) {
    for (std::uint64_t i = 0; i < incidents; ++i) {
      Incident incident = MakeIncident("incident " + std::to_string(i));
      TimeUs at = random_.Time(0, 10 * kMinuteUs);
      int level = 1 + static_cast<int>(random_.Below(4));
      const auto set_level = [&] {
        incident.severity_level = level;
        incident.severity = "SEV" + std::to_string(level);
      };
      set_level();
      std::vector<int> triggered = {level};
      Add(at, NotificationAction::kTrigger, level, incident);
      incident.revision = 2;
      while (level > 1 && random_.Percent(40)) {
        const int lower = level;
        level = 1 + static_cast<int>(random_.Below(static_cast<std::uint64_t>(level - 1)));
        set_level();
        at += random_.Time(0, 2 * kMinuteUs);
        triggered.push_back(level);
        Add(at, NotificationAction::kTrigger, level, incident);
        Add(at, NotificationAction::kResolve, lower, incident, level);
      }
      if (random_.Percent(30)) {
        incident.state = IncidentState::kAcknowledged;
        incident.acknowledged_by = "ana";
        Add(at += kSecondUs, NotificationAction::kAcknowledge, level, incident);
      }
      const bool lasts = random_.Percent(50);
      if (lasts) lasting_.insert(Incident::DedupKey(incident.id, level));
      at += lasts ? 2 * kHourUs : random_.Time(0, 5 * kMinuteUs);
      incident.state = IncidentState::kResolved;
      incident.resolved_at = incident.onset + 2 * kHourUs;
      for (const int each : triggered) Add(at, NotificationAction::kResolve, each, incident);
    }
    std::stable_sort(script_.begin(), script_.end(),
                     [](const Step& a, const Step& b) { return a.at < b.at; });
  }

  void Add(TimeUs at, NotificationAction action, int level, const Incident& incident,
           int after = 0) {
    Step step{.at = at, .notification = Notify(action, level, incident)};
    step.notification.after_trigger_of_level = after;
    step.notification.tick = incident.detected_at + at;
    script_.push_back(std::move(step));
  }

  void Start() {
    owner_ = ++started_;
    Process* const process =
        processes_.emplace(owner_, std::make_unique<Process>(owner_, options_.zombies))
            .first->second.get();
    if (options_.zombies) {
      process->fast = static_cast<std::int64_t>(random_.Below(10'001)) - 5'000;
      process->offset = random_.Time(0, kDayUs);
      process->lease.Renewed(process->Clock(now_));
      heard_ = now_;
      Heartbeat(process);
    }
    process->outbox = std::make_unique<Outbox>(routes_, sinks_, random_.Below(1000));
    for (const Delivery& delivery : Journal()) process->outbox->Restore(delivery);
    // Stage 2 decides again what came after its snapshot.
    process->decided = snapshot_;
    SubmitDue(process);
    Wake(process);
  }

  // A log as it stands; of a journal that replaces, the last record of each.
  std::vector<Delivery> Journal() const {
    if (options_.zombies) return log_;
    std::vector<Delivery> last;
    for (const auto& [id, delivery] : durable_) last.push_back(delivery);
    std::sort(last.begin(), last.end(),
              [](const Delivery& a, const Delivery& b) { return a.sequence < b.sequence; });
    return last;
  }

  void Heartbeat(Process* process) {
    if (now_ > process->cut_off_until && now_ < kBadUntil && random_.Percent(3)) {
      process->cut_off_until = now_ + random_.Time(5 * kSecondUs, 90 * kSecondUs);
    }
    if (now_ > kBadUntil + 2 * kMinuteUs && process->number == owner_) {
      // From now on all is well.
      process->lease.Renewed(kForEver);
      heard_ = kForEver;
      return;
    }
    if (now_ >= process->cut_off_until) {
      const TimeUs asked = process->Clock(now_);
      At(now_ + random_.Time(0, kSecondUs), process, [this, process, asked] {
        if (process->number != owner_) return Kill(process);  // it is told that it lost its work
        heard_ = now_;
        At(now_ + random_.Time(0, kSecondUs), process,
           [process, asked] { process->lease.Renewed(asked); });
        At(now_ + kSessionTimeout, nullptr, [this] { HandOn(); });
      });
    }
    At(now_ + kHeartbeatEvery, process, [this, process] { Heartbeat(process); });
    At(now_ + kSessionTimeout + kSecondUs, nullptr, [this] { HandOn(); });
  }

  void HandOn() {
    if (now_ - heard_ >= kSessionTimeout) Start();
  }

  // kill -9: what was not yet written, and every reply, is lost; what was sent arrives.
  void Kill(Process* process) { dead_.insert(process->number); }
  // Once nothing of it is on the stack.
  void Bury() {
    for (const std::uint64_t number : std::exchange(dead_, {})) {
      processes_.erase(number);
      std::erase_if(in_flight_, [&](const auto& each) { return each.second == number; });
      // Without a coordinator a process supervisor restarts it.
      if (!options_.zombies) {
        At(now_ + random_.Time(2 * kSecondUs, 12 * kSecondUs), nullptr, [this] { Start(); });
      }
    }
  }
  bool Dead(const Process* process) const { return dead_.contains(process->number); }

  // True when the process just died; the caller must not go on.
  bool MayCrash(Process* process) {
    if (Dead(process)) return true;
    if (crashes_left_ == 0 || now_ > kBadUntil || !random_.Percent(4)) return false;
    --crashes_left_;
    Kill(process);
    return true;
  }

  void SubmitDue(Process* process) {
    while (!Dead(process) && process->decided < script_.size() &&
           script_[process->decided].at <= now_) {
      std::vector<OutboxEffect> effects;
      process->outbox->Submit(script_[process->decided++].notification, process->Clock(now_),
                              &effects);
      Carry(process, effects);
    }
    // A snapshot may only cover what is safe in the journal.
    if (!Dead(process) && process->unwritten.empty() && random_.Percent(50)) {
      snapshot_ = std::max(snapshot_, process->decided);
    }
  }

  void Wake(Process* process) {
    const TimeUs due = process->outbox->NextDue();
    if (due == INT64_MAX || due >= process->wake_at) return;
    process->wake_at = due;
    At(process->World(due), process, [this, process, due] {
      if (process->wake_at == due) process->wake_at = INT64_MAX;
      std::vector<OutboxEffect> effects;
      process->outbox->Advance(process->Clock(now_), &effects);
      Carry(process, effects);
    });
  }

  void Carry(Process* process, const std::vector<OutboxEffect>& effects) {
    for (const OutboxEffect& effect : effects) {
      if (MayCrash(process)) return;
      const Delivery& delivery = effect.delivery;
      switch (effect.kind) {
        case OutboxEffect::Kind::kWrite:
          if (options_.broken == Broken::kSendBeforeIntent &&
              delivery.state == DeliveryState::kIntended) {
            Send(process, delivery, SinkOf(delivery).RequestFor(delivery));
          }
          Write(process, delivery);
          break;
        case OutboxEffect::Kind::kSend:
          if ((options_.broken == Broken::kSendBeforeIntent && delivery.attempts == 1) ||
              (options_.broken == Broken::kNoEcho && delivery.state == DeliveryState::kDelivered)) {
            // It is on its way already, or was left out.
            Reply(process, delivery, kSecondUs, [] { return Status(202); });
            break;
          }
          Send(process, delivery, SinkOf(delivery).RequestFor(delivery));
          break;
        case OutboxEffect::Kind::kLookUp:
          if (options_.broken == Broken::kNoLookUp) {
            Reply(process, delivery, kSecondUs, [] { return Status(404); });
            break;
          }
          Send(process, delivery, SinkOf(delivery).LookUpFor(delivery));
          break;
        case OutboxEffect::Kind::kForget:
          ended_[delivery.id] = delivery;
          durable_.erase(delivery.id);
          std::erase_if(log_, [&](const Delivery& record) { return record.id == delivery.id; });
          break;
      }
    }
    if (!Dead(process)) Wake(process);
  }

  // The writer is asynchronous and keeps the order.
  void Write(Process* process, const Delivery& delivery) {
    const std::uint64_t number = ++process->writes;
    process->unwritten.insert(number);
    process->write_at = std::max(process->write_at, now_ + random_.Time(0, 50 * kMillisecondUs));
    At(process->write_at, process, [this, process, delivery, number] {
      if (MayCrash(process)) return;
      log_.push_back(delivery);
      // A delivered state is final, even if an outdated process writes another one.
      Delivery& known = durable_[delivery.id];
      if (known.state != DeliveryState::kDelivered || !options_.zombies) known = delivery;
      process->unwritten.erase(number);
      if (options_.broken == Broken::kTriggerAfterResolve) RetryAbandoned(delivery);
      if (MayCrash(process)) return;
      std::vector<OutboxEffect> effects;
      process->outbox->OnWritten(delivery.id, process->Clock(now_), &effects);
      Carry(process, effects);
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
    Arrive(it->second.sink, SinkOf(delivery).RequestFor(it->second), now_ + kSecondUs);
  }

  const Sink& SinkOf(const Delivery& delivery) const {
    return delivery.sink == sinks_[0]->name() ? *sinks_[0] : *sinks_[1];
  }

  // What the receiver will have said by then.
  std::shared_ptr<SinkReply> Arrive(const std::string& sink, const SinkRequest& request,
                                    TimeUs at) {
    auto reply = std::make_shared<SinkReply>();
    At(at, nullptr, [this, sink, request, reply] { *reply = vendors_[sink]->Receive(request); });
    return reply;
  }

  static SinkReply Status(int status, std::int64_t retry_after_ms = -1) {
    SinkReply reply;
    reply.status = status;
    reply.retry_after_ms = retry_after_ms;
    return reply;
  }

  void Reply(Process* process, const Delivery& delivery, DurationUs after,
             const std::function<SinkReply()>& reply) {
    At(now_ + after, process, [this, process, delivery, reply] {
      if (MayCrash(process)) return;
      in_flight_.erase({delivery.incident, delivery.sink});
      std::vector<OutboxEffect> effects;
      SinkReply said = reply();
      if (SinkOf(delivery).protocol() == "SMTP") said.status = OfSmtp(said.status);
      process->outbox->OnReply(delivery.id, said, process->Clock(now_), &effects);
      if (MayCrash(process)) return;
      Carry(process, effects);
    });
  }

  // Where 4xx is what may be tried again.
  static int OfSmtp(int status) {
    if (status == 500 || status == 503 || status == 429) return 451;
    return status == 400 ? 554 : status;
  }

  void CheckSend(const Process& process, const Delivery& delivery, bool look_up) {
    const auto durable = durable_.find(delivery.id);
    if (durable == durable_.end() && !ended_.contains(delivery.id)) {
      violations_.insert("sent before its intent was durable");
    }
    if (!in_flight_.emplace(std::pair(delivery.incident, delivery.sink), process.number).second) {
      violations_.insert("two in flight for one incident and sink");
    }
    const std::string key = delivery.sink + delivery.dedup_key;
    if (look_up) return;
    if (delivery.action == NotificationAction::kTrigger) {
      if (resolves_sent_.contains(key)) violations_.insert("a trigger sent after its resolve");
      const bool forgets = SinkOf(delivery).resend_every() > 0;
      if (durable != durable_.end() && durable->second.state != DeliveryState::kIntended &&
          !forgets) {
        violations_.insert("a trigger sent after its end was written");
      }
    } else if (delivery.action == NotificationAction::kResolve) {
      resolves_sent_.insert(key);
    }
  }

  void Send(Process* process, const Delivery& delivery, const SinkRequest& request) {
    const bool look_up = request.method == "GET";
    if (!process->lease.Covers(process->Clock(now_), kRequestTimeout) &&
        options_.broken != Broken::kIgnoreLease) {
      At(now_, process, [this, process, id = delivery.id] {
        std::vector<OutboxEffect> effects;
        process->outbox->OnHeld(id, process->Clock(now_), &effects);
        Carry(process, effects);
      });
      return;
    }
    CheckSend(*process, delivery, look_up);
    const DurationUs latency = random_.Time(1, 300 * kMillisecondUs);
    const std::uint64_t luck = now_ > kBadUntil ? 100 : random_.Below(100);
    const auto arrive = [&](DurationUs after) {
      return Arrive(delivery.sink, request, now_ + after);
    };
    if (options_.outage && now_ > 3 * kMinuteUs && now_ < 13 * kMinuteUs) {
      if (random_.Percent(50)) arrive(latency);
      Reply(process, delivery, 2 * latency, [] { return Status(500); });
    } else if (
        luck <
        options_.lost_replies) {  // arrives, but the reply is lost; perhaps long after the time-out
      arrive(options_.delayed_copies ? random_.Time(1, 50 * kSecondUs) : latency);
      Reply(process, delivery, kRequestTimeout, [] { return Status(0); });
    } else if (luck < options_.lost_replies + 15) {  // never arrives
      Reply(process, delivery, random_.Percent(50) ? kRequestTimeout : latency,
            [] { return Status(0); });
    } else if (luck < options_.lost_replies + 25) {
      Reply(process, delivery, latency, [] { return Status(503); });
    } else if (luck < options_.lost_replies + 30) {  // failed behind the point of no return
      arrive(latency);
      Reply(process, delivery, 2 * latency, [] { return Status(500); });
    } else if (luck < options_.lost_replies + 40) {
      const bool says_when = random_.Percent(50);
      const auto wait = says_when ? static_cast<std::int64_t>(random_.Below(90'000)) : -1;
      Reply(process, delivery, latency, [wait] { return Status(429, wait); });
    } else if (luck < options_.lost_replies + 43 && refuses_ && !look_up) {
      Reply(process, delivery, latency, [] { return Status(400); });
    } else if (luck < options_.lost_replies + 48) {  // a proxy's page, or ten megabytes of it
      Reply(process, delivery, 2 * latency, [reply = arrive(latency)] {
        if (reply->status / 100 == 2) reply->body = "<html>";
        return *reply;
      });
    } else {
      Reply(process, delivery, 2 * latency, [reply = arrive(latency)] { return *reply; });
    }
  }

  const Delivery* End(const std::string& sink, const Notification& notification,
                      NotificationAction action) const {
    const Hash128 id = DeliveryId(sink, notification.incident.id, notification.level, action);
    const auto it = ended_.find(id);
    return it == ended_.end() ? nullptr : &it->second;
  }

  void Judge() {
    for (const auto& [id, delivery] : durable_) ended_[id] = delivery;
    for (const std::unique_ptr<Sink>& sink : sinks_) {
      for (const std::string& fault : vendors_[sink->name()]->Faults()) violations_.insert(fault);
      for (const Step& step : script_) {
        if (step.notification.action == NotificationAction::kTrigger) {
          JudgeTrigger(*sink, step.notification);
        }
      }
    }
  }

  void JudgeTrigger(const Sink& sink, const Notification& notification) {
    const Vendor& vendor = *vendors_[sink.name()];
    const Vendor::Thing thing = vendor.Of(notification.incident.title, notification.level);
    const Delivery* trigger = End(sink.name(), notification, NotificationAction::kTrigger);
    const Delivery* resolve = End(sink.name(), notification, NotificationAction::kResolve);
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
    if (sink.has_idempotency_key() && !resolve_parked && !resolve->echoed) {
      violations_.insert("a resolve without its echo");
    }
    // Where all levels are one thing, any refusal may be the one that mattered.
    const bool excused = resolve_parked || (refuses_ && !vendor.by_level());
    if (!thing.over && !excused) violations_.insert("open at the end");
    if (thing.opened > 1 && vendor.tells_repeats()) violations_.insert("paged twice");
    if (thing.repeats > 0 && vendor.tells_repeats()) violations_.insert("told twice");
    if (thing.begun_after_end && !excused) violations_.insert("opened after its resolve");
    if (trigger->state == DeliveryState::kDelivered && thing.opened == 0) {
      violations_.insert("a receipt without a page");
    }
    // What lasted longer than every outage was paged, not just given up.
    const bool lasting =
        lasting_.contains(Incident::DedupKey(notification.incident.id, notification.level));
    if (lasting && !parked && thing.opened == 0) violations_.insert("nobody was paged");
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

  std::map<std::uint64_t, std::unique_ptr<Process>> processes_;
  std::set<std::uint64_t> dead_;
  std::uint64_t started_ = 0;
  std::uint64_t owner_ = 0;
  TimeUs heard_ = 0;  // when the coordinator last heard of the owner

  // Of the world.
  std::vector<Delivery> log_;
  std::map<Hash128, Delivery> durable_;
  std::map<Hash128, Delivery> ended_;
  std::map<std::pair<Hash128, std::string>, std::uint64_t> in_flight_;  // by which process
  std::set<std::string> resolves_sent_;
  std::size_t snapshot_ = 0;
  std::map<std::string, std::unique_ptr<Vendor>> vendors_;
  std::set<std::string> violations_;
};

std::set<std::string> Simulate(std::uint64_t seed, SimulationOptions options) {
  setenv("TOCSIN_TEST_KEY", "R0123456789", 1);
  setenv("TOCSIN_TEST_URL", "https://hooks.slack.example/T0", 1);
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

constexpr int kPagerDuty = 0;

int KindOf(const std::string& name) {
  const std::vector<VendorKind>& kinds = VendorKinds();
  const auto found = std::find_if(kinds.begin(), kinds.end(),
                                  [&](const VendorKind& kind) { return kind.name == name; });
  return static_cast<int>(found - kinds.begin());
}

TEST(OutboxSimulation, OnePagePerIncidentAndLevelWhateverHappens) {
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    ASSERT_THAT(Simulate(seed, {}), testing::IsEmpty()) << "seed " << seed;
  }
}

TEST(OutboxSimulation, WhoeverLostTheLeaseKeepsSilent) {
  for (std::uint64_t seed = 1; seed <= 10'000; ++seed) {
    ASSERT_THAT(Simulate(seed, {.zombies = true}), testing::IsEmpty()) << "seed " << seed;
  }
}

TEST(OutboxSimulation, TenMinutesOfServerErrors) {
  EXPECT_THAT(Count(1000, {.outage = true}), testing::IsEmpty());
}

TEST(OutboxSimulation, ThirtyPercentOfTheRepliesAreLost) {
  EXPECT_THAT(Count(1000, {.lost_replies = 30}), testing::IsEmpty());
}

TEST(OutboxSimulation, TheOracleSeesAZombieThatIgnoresItsLease) {
  const std::map<std::string, int> counts =
      Count(500, {.broken = Broken::kIgnoreLease, .zombies = true, .kind = kPagerDuty});
  EXPECT_GT(counts.count("two in flight for one incident and sink") +
                counts.count("a trigger sent after its end was written") +
                counts.count("a trigger sent after its resolve"),
            0u);
}

TEST(OutboxSimulation, TheOracleSeesWhatIsNotLookedUp) {
  for (const char* const kind : {"github", "gitlab", "jira", "slack by token", "statuspage"}) {
    const std::map<std::string, int> counts =
        Count(100, {.broken = Broken::kNoLookUp, .kind = KindOf(kind)});
    // What is posted once more says so; what the first one opened nobody ends.
    EXPECT_GT(counts.count("open at the end") + counts.count("told twice"), 0u) << kind;
  }
}

TEST(OutboxSimulation, TheEchoClosesWhatDelayedCopiesOpened) {
  std::map<std::string, int> counts = Count(1000, {.delayed_copies = true, .kind = kPagerDuty});
  // This much no client can prevent: the copy was on its way.
  counts.erase("opened after its resolve");
  counts.erase("paged twice");
  EXPECT_THAT(counts, testing::IsEmpty());
}

TEST(OutboxSimulation, TheOracleSeesAMissingEcho) {
  const std::map<std::string, int> counts =
      Count(1000, {.broken = Broken::kNoEcho, .delayed_copies = true, .kind = kPagerDuty});
  EXPECT_GT(counts.count("open at the end"), 0u);
}

TEST(OutboxSimulation, TheOracleSeesASendBeforeItsIntent) {
  const std::map<std::string, int> counts =
      Count(100, {.broken = Broken::kSendBeforeIntent, .kind = kPagerDuty});
  ASSERT_EQ(counts.count("sent before its intent was durable"), 1u);
  EXPECT_GE(counts.at("sent before its intent was durable"), 90);
}

TEST(OutboxSimulation, TheOracleSeesATriggerRetriedAfterItsResolve) {
  const std::map<std::string, int> counts =
      Count(300, {.broken = Broken::kTriggerAfterResolve, .kind = kPagerDuty});
  ASSERT_EQ(counts.count("opened after its resolve"), 1u);
  EXPECT_GE(counts.at("opened after its resolve"), 30);
}

}  // namespace
}  // namespace tocsin
