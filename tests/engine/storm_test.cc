// Ten thousand incidents that open within a minute: what people, chats, trackers and logs hear of
// them, in virtual time, from the folding of pages to the receivers (tests/sinks/vendors.h).
#include <cstdlib>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/page_grouper.h"
#include "sinks/outbox.h"
#include "tests/sinks/sink_fixtures.h"
#include "tests/sinks/vendors.h"

namespace tocsin {
namespace {

constexpr int kIncidents = 10'000;
constexpr DurationUs kTick = 10 * kSecondUs;

class Storm : public testing::Test {
 protected:
  Storm() {
    setenv("TOCSIN_TEST_KEY", "R0123456789", 1);
    for (const auto& [name, kind] : std::map<std::string, std::string>{{"oncall", "pagerduty"},
                                                                       {"chat", "slack by token"},
                                                                       {"tickets", "github"},
                                                                       {"record", "file"}}) {
      for (const VendorKind& each : VendorKinds()) {
        if (each.name != kind) continue;
        sinks_.push_back(MakeSink(each.Stanza(name, "http://h")));
        vendors_[name] = each.make();
      }
    }
    routes_.resize(2);
    routes_[0].levels = {1, 2};
    routes_[0].to = {"oncall"};
    routes_[0].proceed = true;
    routes_[1].to = {"chat", "tickets", "record"};
  }

  static Incident Numbered(int number) {
    Incident incident = MakeIncident("incident " + std::to_string(number));
    incident.number = "INC-2026-" + std::to_string(number);
    return incident;
  }

  void Say(std::vector<Notification> notifications) {
    folder_.Fold(now_, &notifications);
    std::vector<OutboxEffect> effects;
    for (const Notification& notification : notifications) {
      outbox_.Submit(notification, now_, &effects);
    }
    Carry(std::move(effects));
  }

  // Runs until then, or until nothing is left to do.
  void RunUntil(TimeUs until) {
    for (;;) {
      const TimeUs due =
          std::min(outbox_.NextDue(), replies_.empty() ? INT64_MAX : replies_.front().at);
      if (due > until) break;
      now_ = std::max(now_, due);
      std::vector<OutboxEffect> effects;
      while (!replies_.empty() && replies_.front().at <= now_) {
        const Reply reply = std::move(replies_.front());
        replies_.pop_front();
        outbox_.OnReply(reply.delivery, reply.said, now_, &effects);
      }
      outbox_.Advance(now_, &effects);
      Carry(std::move(effects));
    }
    now_ = until;
  }

  void Carry(std::vector<OutboxEffect> effects) {
    while (!effects.empty()) {
      std::vector<OutboxEffect> more;
      for (const OutboxEffect& effect : effects) {
        if (effect.kind == OutboxEffect::Kind::kWrite) {
          outbox_.OnWritten(effect.delivery.id, now_, &more);
        } else if (effect.kind == OutboxEffect::Kind::kSend) {
          Send(effect.delivery);
        }
      }
      effects = std::move(more);
    }
  }

  // A file is written at once.
  static DurationUs TimeOf(const std::string& sink) {
    return sink == "record" ? kMillisecondUs : 100 * kMillisecondUs;
  }

  void Send(const Delivery& delivery) {
    for (const std::unique_ptr<Sink>& sink : sinks_) {
      if (sink->name() != delivery.sink) continue;
      const SinkRequest request = sink->RequestFor(delivery);
      replies_.push_back(
          {now_ + TimeOf(sink->name()), delivery.id, vendors_[sink->name()]->Receive(request)});
    }
    ++sent_;
    std::deque<TimeUs>& minute = minute_[delivery.sink];
    minute.push_back(now_);
    while (minute.front() <= now_ - kMinuteUs) minute.pop_front();
    busiest_[delivery.sink] = std::max(busiest_[delivery.sink], minute.size());
  }

  struct Reply {
    TimeUs at = 0;
    Hash128 delivery;
    SinkReply said;
  };

  std::vector<RouteConfig> routes_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::map<std::string, std::unique_ptr<Vendor>> vendors_;
  PageGrouper folder_{&routes_};
  Outbox outbox_{routes_, sinks_, /*seed=*/1};
  TimeUs now_ = 1'000 * kTick;
  std::deque<Reply> replies_;
  std::map<std::string, std::deque<TimeUs>> minute_;
  std::map<std::string, std::size_t> busiest_;  // most requests within a minute
  std::int64_t sent_ = 0;
};

TEST_F(Storm, IsSixPagesAndReachesEverybodyAtTheirPace) {
  const TimeUs start = now_;
  for (int tick = 0; tick < 6; ++tick) {
    std::vector<Notification> notifications;
    for (int i = tick * kIncidents / 6; i < (tick + 1) * kIncidents / 6; ++i) {
      notifications.push_back(Notify(NotificationAction::kTrigger, 2, Numbered(i)));
    }
    Say(std::move(notifications));
    RunUntil(now_ + kTick);
  }
  // Whoever is on call has heard all there is: five pages, and one for all others.
  const Vendor& oncall = *vendors_["oncall"];
  EXPECT_THAT(oncall.Texts(), testing::SizeIs(6));
  EXPECT_THAT(oncall.Texts(), testing::Contains(testing::HasSubstr("stands for what follows")));
  // What bears it has it at once, what does not waits.
  EXPECT_THAT(vendors_["record"]->Texts(), testing::SizeIs(kIncidents));
  EXPECT_LE(busiest_["chat"], 60u);
  EXPECT_LE(busiest_["tickets"], 80u);

  // In the middle of it one of level 1: nobody waits for that.
  Incident worst = Numbered(kIncidents);
  Say({Notify(NotificationAction::kTrigger, 1, worst)});
  RunUntil(now_ + 2 * kSecondUs);
  for (const char* sink : {"oncall", "chat", "tickets", "record"}) {
    EXPECT_EQ(vendors_[sink]->Of(worst.title, 1).opened, 1) << sink;
  }

  RunUntil(start + kHourUs);
  std::vector<Notification> ends;
  for (int i = 0; i <= kIncidents; ++i) {
    Incident incident = Numbered(i);
    incident.revision = 2;
    incident.state = IncidentState::kResolved;
    incident.resolved_at = incident.onset + kHourUs;
    ends.push_back(Notify(NotificationAction::kResolve, i == kIncidents ? 1 : 2, incident));
  }
  Say(std::move(ends));
  RunUntil(start + 24 * kHourUs);
  EXPECT_EQ(outbox_.pending(), 0u);
  EXPECT_LE(busiest_["chat"], 60u);
  EXPECT_LE(busiest_["tickets"], 80u);
  EXPECT_EQ(outbox_.counters().parked + outbox_.counters().retried, 0);
  for (const auto& [name, vendor] : vendors_) {
    EXPECT_THAT(vendor->Faults(), testing::IsEmpty()) << name;
    for (const int i : {0, 4, kIncidents / 2, kIncidents - 1}) {
      if (name == "oncall" && i > 4) continue;  // folded
      const Vendor::Thing thing = vendor->Of("incident " + std::to_string(i), 2);
      EXPECT_EQ(thing.opened, 1) << name << i;
      EXPECT_TRUE(thing.over) << name << i;
    }
  }
  // Nothing of it is kept.
  for (int i = 0; i <= kIncidents; ++i) {
    EXPECT_THAT(outbox_.DeliveriesOf(Numbered(i).id), testing::IsEmpty());
  }
}

}  // namespace
}  // namespace tocsin
