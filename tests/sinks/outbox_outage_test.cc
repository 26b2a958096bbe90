// A sink that is away for some minutes and comes back, from a seed, in virtual time: what waited
// leaves within one probe interval of the recovery, the oldest page of level 1 first, and nobody is
// paged for what is over.
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

#include "sinks/outbox.h"
#include "tests/sinks/sink_fixtures.h"

namespace tocsin {
namespace {

constexpr DurationUs kRequestTimeout = 10 * kSecondUs;
// sinks/sink_rate_limit.h
constexpr DurationUs kProbesApartMax = 18 * kSecondUs;
constexpr TimeUs kDown = kMinuteUs;
constexpr TimeUs kForEver = 365 * kDayUs;
constexpr DurationUs kLatencyMax = 300 * kMillisecondUs;

// Rules broken on purpose, to show that the oracle sees them.
enum class Broken {
  kNothing,
  kBackoffPerDelivery,  // what is sent again waits for its own number of attempts
  kReverseOrder,        // what may leave at once leaves in the opposite order
  kPageAfterEnd,        // what is over is sent all the same
};

enum class Outage { kErrors, kRefused, kSilent, kTooMany, kMixed, kCount };

struct Options {
  Broken broken = Broken::kNothing;
  // One delivery is never taken, whatever the others are.
  bool indigestible = false;
  int requests_per_minute = 0;
};

class Simulation {
 public:
  Simulation(std::uint64_t seed, Options options)
      : state_(seed * 0x9e3779b97f4a7c15ULL + 1),
        options_(options),
        outage_(static_cast<Outage>(Below(static_cast<std::uint64_t>(Outage::kCount)))),
        up_(kDown + Time(30 * kSecondUs, 10 * kMinuteUs)) {
    setenv("TOCSIN_TEST_KEY", "R0123456789", 1);
    sinks_.push_back(
        MakeSink("{name: oncall, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY, "
                 "requests_per_minute: " +
                 std::to_string(options.requests_per_minute) + "}"));
    outbox_ = std::make_unique<Outbox>(routes_, sinks_, seed);
    const std::uint64_t incidents = 2 + Below(40);
    for (std::uint64_t i = 0; i < incidents; ++i) WriteScript(i);
    if (options_.indigestible) indigestible_ = MakeIncident("incident 0").id;
  }

  std::set<std::string> Run() {
    while (!events_.empty() && now_ < up_ + kHourUs) {
      const auto next = events_.begin();
      now_ = next->first.first;
      const std::function<void()> run = std::move(next->second);
      events_.erase(next);
      run();
    }
    Judge();
    return violations_;
  }

 private:
  // The trigger of an incident.
  struct Page {
    std::pair<int, std::uint64_t> place;  // level and sequence
    TimeUs durable_at = INT64_MAX, taken_at = INT64_MAX, over_at = INT64_MAX;
  };
  struct Request {
    TimeUs begun = 0, ended = 0;
    Hash128 incident;
    bool pages = false, taken = false;
  };

  std::uint64_t Below(std::uint64_t bound) {
    std::uint64_t x = (state_ += 0x9e3779b97f4a7c15ULL);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return (x ^ (x >> 31)) % bound;
  }
  TimeUs Time(TimeUs least, TimeUs most) {
    return least + static_cast<TimeUs>(Below(static_cast<std::uint64_t>(most - least + 1)));
  }
  void At(TimeUs at, std::function<void()> run) {
    events_.emplace(std::pair(std::max(at, now_), ++order_), std::move(run));
  }

  void WriteScript(std::uint64_t number) {
    Incident incident = MakeIncident("incident " + std::to_string(number));
    const int level = 1 + static_cast<int>(Below(4));
    incident.severity_level = level;
    const TimeUs begins = Time(0, up_);
    // A quarter is over before the sink is back.
    const TimeUs ends = Below(4) == 0 ? Time(begins, up_) : up_ + 10 * kMinuteUs;
    Submit(begins, NotificationAction::kTrigger, level, incident);
    incident.state = IncidentState::kResolved;
    incident.resolved_at = incident.onset + kHourUs;
    Submit(ends, NotificationAction::kResolve, level, incident);
  }

  void Submit(TimeUs at, NotificationAction action, int level, const Incident& incident) {
    At(at, [this, notification = Notify(action, level, incident)] {
      if (notification.action == NotificationAction::kResolve) {
        pages_[notification.incident.id].over_at = now_;
      }
      std::vector<OutboxEffect> effects;
      outbox_->Submit(notification, now_, &effects);
      Carry(std::move(effects));
    });
  }

  void Carry(std::vector<OutboxEffect> effects) {
    if (options_.broken == Broken::kReverseOrder) std::reverse(effects.begin(), effects.end());
    for (const OutboxEffect& effect : effects) {
      if (effect.kind == OutboxEffect::Kind::kWrite) Write(effect.delivery);
      if (effect.kind == OutboxEffect::Kind::kSend) Send(effect.delivery);
    }
    const TimeUs due = outbox_->NextDue();
    if (due == INT64_MAX || due >= wake_at_) return;
    wake_at_ = due;
    At(due, [this, due] {
      if (wake_at_ == due) wake_at_ = INT64_MAX;
      std::vector<OutboxEffect> advanced;
      outbox_->Advance(now_, &advanced);
      Carry(std::move(advanced));
    });
  }

  void Write(const Delivery& delivery) {
    if (options_.broken == Broken::kPageAfterEnd && delivery.state == DeliveryState::kAbandoned) {
      Begin(delivery);
    }
    write_at_ = std::max(write_at_, now_ + Time(0, 5 * kMillisecondUs));
    At(write_at_, [this, delivery] {
      if (delivery.action == NotificationAction::kTrigger) {
        Page& page = pages_[delivery.incident];
        page.place = {delivery.level, delivery.sequence};
        if (page.durable_at == INT64_MAX) page.durable_at = now_;
      }
      std::vector<OutboxEffect> effects;
      outbox_->OnWritten(delivery.id, now_, &effects);
      Carry(std::move(effects));
    });
  }

  void Send(const Delivery& delivery) {
    if (options_.broken != Broken::kBackoffPerDelivery || delivery.attempts == 1) {
      return Begin(delivery);
    }
    const auto doublings = static_cast<int>(std::min<std::int64_t>(delivery.attempts - 2, 8));
    At(now_ + std::min(kSecondUs << doublings, 200 * kSecondUs),
       [this, delivery] { Begin(delivery); });
  }

  void Begin(const Delivery& delivery) {
    const bool down = now_ >= kDown && now_ < up_;
    const bool pages = delivery.action == NotificationAction::kTrigger;
    if (pages && pages_[delivery.incident].over_at <= now_) {
      violations_.insert("a page after its end");
    }
    // What was on its way when the outage became known has ended by then.
    if (down && now_ > known_at_ + kRequestTimeout) {
      ++probes_;
      if (in_flight_ > 0) violations_.insert("two probes at once");
    }
    ++in_flight_;
    SinkReply reply;
    DurationUs after = Time(1, kLatencyMax);
    if (down) {
      reply = Fault(&after);
    } else {
      reply.status = pages && delivery.incident == indigestible_ ? 500 : 202;
    }
    const bool taken = reply.status == 202;
    begun_.push_back({now_, now_ + after, delivery.incident, pages, taken});
    At(now_ + after, [this, delivery, reply, pages, taken] {
      --in_flight_;
      if (pages && taken) pages_[delivery.incident].taken_at = now_;
      const bool own_fault = delivery.incident == indigestible_;
      if (!taken && !own_fault && known_at_ == kForEver) known_at_ = now_;
      if (taken) known_at_ = kForEver;
      std::vector<OutboxEffect> effects;
      outbox_->OnReply(delivery.id, reply, now_, &effects);
      Carry(std::move(effects));
    });
  }

  SinkReply Fault(DurationUs* after) {
    SinkReply reply;
    const Outage how = outage_ == Outage::kMixed ? static_cast<Outage>(Below(4)) : outage_;
    if (how == Outage::kErrors) reply.status = Below(2) == 0 ? 500 : 503;
    if (how == Outage::kTooMany) reply.status = 429;
    if (how == Outage::kSilent) *after = kRequestTimeout;
    if (reply.status == 0) reply.error = "no answer";
    return reply;
  }

  bool Waits(const Hash128& incident, const Page& page, TimeUs at) const {
    return page.durable_at < at && page.taken_at > at && page.over_at > at &&
           incident != indigestible_;
  }

  void Judge() {
    for (const auto& [incident, page] : pages_) {
      if (page.over_at > up_ && page.taken_at == INT64_MAX && incident != indigestible_) {
        violations_.insert("nobody was paged");
      }
    }
    if (outbox_->pending() > 0) violations_.insert("work is left at the end");
    // Rounds of two, after 1, 2, 4, 8 and then 12 s and more.
    if (probes_ > 2 * (5 + (up_ - kDown) / (12 * kSecondUs))) violations_.insert("too many probes");
    const auto first = std::find_if(begun_.begin(), begun_.end(), [this](const Request& request) {
      return request.begun >= up_ && request.taken;
    });
    const bool waited = std::any_of(pages_.begin(), pages_.end(), [this](const auto& each) {
      return Waits(each.first, each.second, up_);
    });
    if (!waited) return;
    if (first == begun_.end()) {
      violations_.insert("nobody was paged");
      return;
    }
    const bool may_hang = outage_ == Outage::kSilent || outage_ == Outage::kMixed;
    const DurationUs on_its_way = may_hang ? kRequestTimeout : kLatencyMax;
    if (first->begun > up_ + kProbesApartMax + on_its_way + Pace())
      violations_.insert("noticed late");
    JudgeOrder(first);
  }

  DurationUs Pace() const {
    return options_.requests_per_minute == 0 ? 0 : kMinuteUs / options_.requests_per_minute;
  }

  // The most urgent that waits leaves first, and when that is taken all others, in order.
  void JudgeOrder(std::vector<Request>::const_iterator first) {
    // The second probe of a round may be any.
    const bool second =
        first != begun_.begin() &&
        first->begun == std::max(std::prev(first)->ended, std::prev(first)->begun + Pace());
    if (first->pages && !second) {
      const std::pair<int, std::uint64_t> place = pages_[first->incident].place;
      for (const auto& [incident, page] : pages_) {
        if (Waits(incident, page, first->begun) && page.place < place) {
          violations_.insert("the most urgent did not leave first");
        }
      }
    }
    const TimeUs released = first->ended;
    std::pair<int, std::uint64_t> last = {0, 0};
    DurationUs bound = kSecondUs;
    for (auto next = std::next(first); next != begun_.end(); ++next) {
      bound += Pace();
      if (!next->pages || next->begun < released) continue;
      const Page& page = pages_[next->incident];
      if (!Waits(next->incident, page, released)) continue;
      // One that is never taken may close the sink for a moment, and a second probe is any.
      if (page.place < last && !options_.indigestible) violations_.insert("out of order");
      last = page.place;
      // Eight at once, or one each pace.
      bound += kLatencyMax;
      if (next->begun > released + bound) violations_.insert("left late");
    }
  }

  std::uint64_t state_;
  const Options options_;
  const Outage outage_;
  const TimeUs up_;  // when the sink is back
  Hash128 indigestible_;
  std::vector<RouteConfig> routes_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::unique_ptr<Outbox> outbox_;

  TimeUs now_ = 0;
  TimeUs write_at_ = 0;
  TimeUs wake_at_ = INT64_MAX;
  std::uint64_t order_ = 0;
  std::map<std::pair<TimeUs, std::uint64_t>, std::function<void()>> events_;
  std::map<Hash128, Page> pages_;  // by incident
  std::vector<Request> begun_;
  TimeUs known_at_ = kForEver;  // when the sink failed, since it took something last
  int in_flight_ = 0;
  std::int64_t probes_ = 0;
  std::set<std::string> violations_;
};

// How many of so many seeds show each violation.
std::map<std::string, int> Count(std::uint64_t seeds, Options options) {
  std::map<std::string, int> counts;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    for (const std::string& violation : Simulation(seed, options).Run()) ++counts[violation];
  }
  return counts;
}

void ExpectNothing(std::uint64_t seeds, Options options) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    ASSERT_THAT(Simulation(seed, options).Run(), testing::IsEmpty()) << "seed " << seed;
  }
}

TEST(OutboxOutage, WhatWaitedLeavesWithinOneProbeTheMostUrgentFirst) { ExpectNothing(5'000, {}); }

TEST(OutboxOutage, AtItsPace) { ExpectNothing(2'000, {.requests_per_minute = 60}); }

TEST(OutboxOutage, ADeliveryThatIsNeverTakenHoldsUpNobody) {
  ExpectNothing(2'000, {.indigestible = true});
  ExpectNothing(2'000, {.indigestible = true, .requests_per_minute = 60});
}

TEST(OutboxOutage, TheOracleSeesABackoffPerDelivery) {
  const std::map<std::string, int> counts = Count(200, {.broken = Broken::kBackoffPerDelivery});
  ASSERT_EQ(counts.count("left late") + counts.count("noticed late"), 2u);
  EXPECT_GE(counts.at("left late") + counts.at("noticed late"), 100);
}

TEST(OutboxOutage, TheOracleSeesAnotherOrder) {
  const std::map<std::string, int> counts = Count(200, {.broken = Broken::kReverseOrder});
  ASSERT_EQ(counts.count("out of order"), 1u);
  EXPECT_GE(counts.at("out of order"), 100);
}

TEST(OutboxOutage, TheOracleSeesAPageAfterItsEnd) {
  const std::map<std::string, int> counts = Count(200, {.broken = Broken::kPageAfterEnd});
  ASSERT_EQ(counts.count("a page after its end"), 1u);
  EXPECT_GE(counts.at("a page after its end"), 50);
}

}  // namespace
}  // namespace tocsin
