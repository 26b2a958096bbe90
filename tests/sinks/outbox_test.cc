// The outbox's invariants, one by one, in virtual time.
#include "sinks/outbox.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sinks/lease.h"
#include "tests/sinks/sink_fixtures.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr NotificationAction kTrigger = NotificationAction::kTrigger;
constexpr NotificationAction kAcknowledge = NotificationAction::kAcknowledge;
constexpr NotificationAction kResolve = NotificationAction::kResolve;

struct Traits {
  explicit Traits(std::string sink, bool wakes_people = true, bool recognises_repeats = true,
                  std::string spare = "")
      : name(std::move(sink)),
        pages(wakes_people),
        idempotent(recognises_repeats),
        fallback(std::move(spare)) {}
  std::string name;
  bool pages, idempotent;
  std::string fallback;
  DurationUs resend_every = 0;
  bool looks_up = false;
  bool refreshes = false;
  int per_minute = 0;
};

class TestSink final : public Sink {
 public:
  explicit TestSink(Traits traits) : Sink(traits.name, "test"), traits_(std::move(traits)) {}
  bool pages() const override { return traits_.pages; }
  bool has_idempotency_key() const override { return traits_.idempotent; }
  DurationUs resend_every() const override { return traits_.resend_every; }
  bool Wants(NotificationAction action) const override {
    return Sink::Wants(action) || (action == NotificationAction::kRefresh && traits_.refreshes);
  }
  std::optional<SinkRequest> RenderLookUp(const Delivery&) const override {
    return traits_.looks_up ? std::optional(SinkRequest()) : std::nullopt;
  }
  // "arrived 7", "missing", "unknown".
  SinkLookUp Found(const Delivery&, const SinkReply& reply) const override {
    if (reply.body == "missing") return {SinkLookUp::Answer::kMissing, ""};
    if (reply.body == "unknown") return {SinkLookUp::Answer::kUnknown, ""};
    if (reply.body.starts_with("arrived "))
      return {SinkLookUp::Answer::kArrived, reply.body.substr(8)};
    return {};
  }
  std::string ReceiptOf(const SinkReply& reply) const override { return reply.body; }
  SinkRequest Render(const Delivery&) const override { return {}; }

 private:
  Traits traits_;
};

// An outbox whose effects are texts: "write oncall trigger 2 intended", "send oncall trigger 2 #1",
// "forget …". Writes are durable only once Written() says so; replies come when Reply() says so.
class OutboxTest : public testing::Test {
 protected:
  OutboxTest() { Restart({Traits("oncall")}); }

  void Restart(const std::vector<Traits>& sinks, bool keep_journal = false) {
    outbox_.reset();
    sinks_.clear();
    for (const Traits& traits : sinks) {
      if (traits.fallback.empty() && traits.per_minute == 0) {
        sinks_.push_back(std::make_unique<TestSink>(traits));
      } else {
        // Only the registry sets a fallback and a pace.
        sinks_.push_back(
            MakeSink("{name: " + traits.name + ", kind: webhook, url: 'http://h/'" +
                     (traits.fallback.empty() ? "" : ", fallback: " + traits.fallback) +
                     ", requests_per_minute: " + std::to_string(traits.per_minute) + "}"));
      }
    }
    outbox_ = std::make_unique<Outbox>(routes_, sinks_, /*seed=*/1);
    unwritten_.clear();
    in_flight_.clear();
    if (keep_journal) {
      std::vector<Delivery> deliveries;
      for (const auto& [id, delivery] : journal_) deliveries.push_back(delivery);
      std::sort(deliveries.begin(), deliveries.end(),
                [](const Delivery& a, const Delivery& b) { return a.sequence < b.sequence; });
      for (const Delivery& delivery : deliveries) outbox_->Restore(delivery);
    } else {
      journal_.clear();
    }
  }

  std::string Submit(NotificationAction action, int level, const std::string& incident = "a",
                     int after = 0) {
    Notification notification = Notify(action, level, MakeIncident(incident));
    notification.after_trigger_of_level = after;
    std::vector<OutboxEffect> effects;
    outbox_->Submit(notification, now_, &effects);
    return Carry(effects);
  }
  // Makes everything written so far durable.
  std::string Written() {
    std::string log;
    for (const Delivery& delivery : std::exchange(unwritten_, {})) {
      journal_[delivery.id] = delivery;
      std::vector<OutboxEffect> effects;
      outbox_->OnWritten(delivery.id, now_, &effects);
      log += Carry(effects);
    }
    return log;
  }
  // Answers what is in flight for this action.
  std::string Reply(NotificationAction action, int level, int status,
                    const std::string& incident = "a", const std::string& sink = "oncall",
                    std::int64_t retry_after_ms = -1, const std::string& body = "") {
    SinkReply reply;
    reply.status = status;
    reply.body = body;
    reply.error = status == 0 ? "connection refused" : "";
    reply.retry_after_ms = retry_after_ms;
    const Hash128 id = DeliveryId(sink, HashBytes(incident), level, action);
    EXPECT_EQ(in_flight_.erase(id), 1u) << "nothing in flight";
    std::vector<OutboxEffect> effects;
    outbox_->OnReply(id, reply, now_, &effects);
    return Carry(effects);
  }
  std::string Advance(DurationUs by) {
    now_ += by;
    std::vector<OutboxEffect> effects;
    outbox_->Advance(now_, &effects);
    return Carry(effects);
  }
  // Submit, Written, a 202 and Written again.
  void Deliver(NotificationAction action, int level, const std::string& incident = "a") {
    Submit(action, level, incident);
    Written();
    Reply(action, level, 202, incident);
    Written();
  }

  std::string Carry(const std::vector<OutboxEffect>& effects) {
    std::string log;
    for (const OutboxEffect& effect : effects) {
      const Delivery& d = effect.delivery;
      const std::string what = d.sink + " " + std::string(NotificationActionName(d.action)) + " " +
                               std::to_string(d.level);
      switch (effect.kind) {
        case OutboxEffect::Kind::kWrite:
          unwritten_.push_back(d);
          log += "write " + what + " " + std::string(DeliveryStateName(d.state)) +
                 (d.echoed ? " echoed" : "") + "\n";
          break;
        case OutboxEffect::Kind::kSend:
          EXPECT_TRUE(journal_.contains(d.id)) << "sent before its intent is durable: " << what;
          EXPECT_TRUE(in_flight_.insert(d.id).second) << "sent twice at once: " << what;
          log += "send " + what + " #" + std::to_string(d.attempts) + "\n";
          last_sent_ = d;
          break;
        case OutboxEffect::Kind::kLookUp:
          EXPECT_TRUE(in_flight_.insert(d.id).second) << "sent twice at once: " << what;
          log += "look up " + what + "\n";
          break;
        case OutboxEffect::Kind::kForget:
          journal_.erase(d.id);
          log += "forget " + what + "\n";
          break;
      }
    }
    return log;
  }

  std::vector<RouteConfig> routes_;
  std::vector<std::unique_ptr<Sink>> sinks_;
  std::unique_ptr<Outbox> outbox_;
  TimeUs now_ = 1000 * kSecondUs;
  std::vector<Delivery> unwritten_;
  std::map<Hash128, Delivery> journal_;
  std::set<Hash128> in_flight_;
  Delivery last_sent_;
};

TEST_F(OutboxTest, NothingIsSentBeforeItsIntentIsDurable) {
  EXPECT_EQ(Submit(kTrigger, 2), "write oncall trigger 2 intended\n");
  EXPECT_EQ(Advance(kHourUs), "");
  EXPECT_EQ(outbox_->NextDue(), INT64_MAX);
  EXPECT_EQ(outbox_->pending(), 1u);
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\n");
  EXPECT_EQ(Reply(kTrigger, 2, 202), "write oncall trigger 2 delivered\n");
  EXPECT_EQ(Written(), "");
  EXPECT_EQ(outbox_->pending(), 0u);
  EXPECT_EQ(outbox_->counters().delivered, 1);
}

TEST_F(OutboxTest, TheDeliveryCarriesKeyAndIncident) {
  Submit(kTrigger, 2);
  ASSERT_EQ(unwritten_.size(), 1u);
  const Incident incident = MakeIncident("a");
  EXPECT_EQ(unwritten_[0].dedup_key, incident.id.Hex() + ":2");
  EXPECT_EQ(unwritten_[0].payload, incident.ToJson());
  EXPECT_EQ(unwritten_[0].tick, incident.detected_at);
  EXPECT_EQ(unwritten_[0].sequence, 1u);
  EXPECT_EQ(unwritten_[0].id, DeliveryId("oncall", incident.id, 2, kTrigger));
}

TEST_F(OutboxTest, ASecondSubmitDoesNothing) {
  Deliver(kTrigger, 2);
  EXPECT_EQ(Submit(kTrigger, 2), "");
  Restart({Traits("oncall")}, /*keep_journal=*/true);
  EXPECT_EQ(Submit(kTrigger, 2), "");
  EXPECT_EQ(Advance(kHourUs), "");
}

TEST_F(OutboxTest, OneIsInFlightInOrderOfSequence) {
  Submit(kTrigger, 2);
  Submit(kAcknowledge, 2);
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\n");
  EXPECT_EQ(Submit(kTrigger, 1, "b"), "write oncall trigger 1 intended\n");
  // Another incident does not wait.
  EXPECT_EQ(Written(), "send oncall trigger 1 #1\n");
  EXPECT_EQ(Reply(kTrigger, 2, 202), "write oncall trigger 2 delivered\n");
  // The next one waits for the receipt to be durable.
  EXPECT_EQ(Advance(kSecondUs), "");
  EXPECT_EQ(Written(), "send oncall acknowledge 2 #1\n");
  Submit(kResolve, 2);
  EXPECT_EQ(Written(), "");
  Reply(kAcknowledge, 2, 202);
  EXPECT_EQ(Written(), "send oncall resolve 2 #1\n");
}

TEST_F(OutboxTest, ATriggerInFlightEndsBeforeItsResolve) {
  Submit(kTrigger, 2);
  Written();
  EXPECT_EQ(Submit(kResolve, 2), "write oncall resolve 2 intended\n");
  EXPECT_EQ(Written(), "");
  EXPECT_EQ(Reply(kTrigger, 2, 202), "write oncall trigger 2 delivered\n");
  EXPECT_EQ(Written(), "send oncall resolve 2 #1\n");
}

TEST_F(OutboxTest, ATriggerThatFailedIsNotRetriedOnceAResolveIsIntended) {
  Submit(kTrigger, 2);
  Written();
  Submit(kResolve, 2);
  Written();
  EXPECT_EQ(Reply(kTrigger, 2, 503), "write oncall trigger 2 abandoned\n");
  Written();
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall resolve 2 #1\n");
  EXPECT_EQ(outbox_->counters().abandoned, 1);
}

TEST_F(OutboxTest, ATriggerThatWaitsForItsRetryIsAbandonedByAResolve) {
  Submit(kTrigger, 2);
  Written();
  EXPECT_EQ(Reply(kTrigger, 2, 503), "");
  EXPECT_EQ(Submit(kResolve, 2),
            "write oncall resolve 2 intended\nwrite oncall trigger 2 abandoned\n");
  // Both writes must be durable, not just one of them.
  EXPECT_EQ(Advance(2 * kSecondUs), "");
  EXPECT_EQ(Written(), "send oncall resolve 2 #1\n");
}

TEST_F(OutboxTest, NobodyIsPagedForWhatIsOver) {
  Submit(kTrigger, 2);
  Submit(kResolve, 2);
  EXPECT_EQ(Written(), "send oncall resolve 2 #1\n");
}

TEST_F(OutboxTest, ATicketIsWrittenForWhatIsOver) {
  Restart({Traits("oncall", /*pages=*/false)});
  Submit(kTrigger, 2);
  Submit(kResolve, 2);
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\n");
  EXPECT_EQ(Reply(kTrigger, 2, 503), "write oncall trigger 2 abandoned\n");
}

TEST_F(OutboxTest, AResolveIsRepeatedOnceAfterAMinute) {
  Deliver(kTrigger, 2);
  Submit(kResolve, 2);
  Written();
  EXPECT_EQ(Reply(kResolve, 2, 202), "write oncall resolve 2 delivered\n");
  Written();
  EXPECT_EQ(outbox_->NextDue(), now_ + kMinuteUs);
  EXPECT_EQ(Advance(kMinuteUs - 1), "");
  EXPECT_EQ(Advance(1), "send oncall resolve 2 #2\n");
  EXPECT_EQ(Reply(kResolve, 2, 202), "write oncall resolve 2 delivered echoed\n");
  EXPECT_EQ(Written(), "");
  EXPECT_EQ(Advance(kHourUs - 1), "");
  EXPECT_EQ(outbox_->counters().delivered, 2);
}

TEST_F(OutboxTest, AnEchoIsRetriedButNeverParked) {
  Deliver(kTrigger, 2);
  Deliver(kResolve, 2);
  EXPECT_EQ(Advance(kMinuteUs), "send oncall resolve 2 #2\n");
  EXPECT_EQ(Reply(kResolve, 2, 500), "");
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall resolve 2 #3\n");
  EXPECT_EQ(Reply(kResolve, 2, 400), "write oncall resolve 2 delivered echoed\n");
  EXPECT_EQ(outbox_->counters().parked, 0);
}

TEST_F(OutboxTest, AnEchoSurvivesARestart) {
  Deliver(kTrigger, 2);
  Deliver(kResolve, 2);
  Restart({Traits("oncall")}, /*keep_journal=*/true);
  EXPECT_EQ(outbox_->NextDue(), 0);
  EXPECT_EQ(Advance(0), "");
  EXPECT_EQ(Advance(kMinuteUs), "send oncall resolve 2 #2\n");
  Reply(kResolve, 2, 202);
  Written();
  Restart({Traits("oncall")}, /*keep_journal=*/true);
  EXPECT_EQ(Advance(kMinuteUs), "");
}

TEST_F(OutboxTest, WhatFollowsCarriesTheReceiptOfTheFirst) {
  const auto sent = [&](NotificationAction action, int level) {
    std::vector<OutboxEffect> effects;
    outbox_->Submit(Notify(action, level, MakeIncident("a")), now_, &effects);
    Carry(effects);
    std::string receipt = "none was sent";
    for (const Delivery& delivery : std::exchange(unwritten_, {})) {
      journal_[delivery.id] = delivery;
      effects.clear();
      outbox_->OnWritten(delivery.id, now_, &effects);
      for (const OutboxEffect& effect : effects) receipt = effect.delivery.receipt;
      Carry(effects);
    }
    return receipt;
  };
  const auto reply = [&](NotificationAction action, int level, const std::string& body) {
    SinkReply said;
    said.status = 200;
    said.body = body;
    const Hash128 id = DeliveryId("oncall", HashBytes("a"), level, action);
    in_flight_.erase(id);
    std::vector<OutboxEffect> effects;
    outbox_->OnReply(id, said, now_, &effects);
    Carry(effects);
    Written();
  };
  EXPECT_EQ(sent(kTrigger, 2), "");
  reply(kTrigger, 2, "ticket 7");
  EXPECT_EQ(sent(kAcknowledge, 2), "ticket 7");
  reply(kAcknowledge, 2, "comment 8");
  Restart({Traits("oncall")}, /*keep_journal=*/true);
  EXPECT_EQ(sent(kTrigger, 1), "ticket 7") << "the first one's, also after a restart";
  reply(kTrigger, 1, std::string(5000, 'x'));
  EXPECT_EQ(outbox_->DeliveriesOf(HashBytes("a"))[2].receipt.size(), limits::kReceiptBytesMax);
}

TEST_F(OutboxTest, WhatWasRefusedIsSentAgainByHand) {
  std::vector<OutboxEffect> effects;
  const auto retry = [&](const std::string& incident) {
    effects.clear();
    return outbox_->RetryParked(HashBytes(incident), now_, &effects);
  };
  Submit(kTrigger, 2);
  Written();
  EXPECT_EQ(Reply(kTrigger, 2, 400), "write oncall trigger 2 parked\n");
  Written();
  ASSERT_EQ(outbox_->DeliveriesOf(HashBytes("a")).size(), 1u);
  EXPECT_EQ(outbox_->DeliveriesOf(HashBytes("a"))[0].state, DeliveryState::kParked);
  EXPECT_EQ(outbox_->DeliveriesOf(HashBytes("a"))[0].last_error, "HTTP 400");
  EXPECT_EQ(retry("b"), 0u);
  EXPECT_EQ(retry("a"), 1u);
  EXPECT_EQ(Carry(effects), "write oncall trigger 2 intended\n") << "not sent before it is durable";
  EXPECT_EQ(Written(), "send oncall trigger 2 #2\n");
  EXPECT_EQ(retry("a"), 0u) << "it is on its way";
  EXPECT_EQ(Reply(kTrigger, 2, 202), "write oncall trigger 2 delivered\n");
  EXPECT_EQ(retry("a"), 0u);
}

TEST_F(OutboxTest, WhatIsOverIsNotPagedAgainByHand) {
  Submit(kTrigger, 2);
  Written();
  Reply(kTrigger, 2, 400);
  Written();
  Submit(kResolve, 2);
  Written();
  Reply(kResolve, 2, 202);
  Written();
  std::vector<OutboxEffect> effects;
  outbox_->RetryParked(HashBytes("a"), now_, &effects);
  EXPECT_THAT(Carry(effects) + Written(), testing::Not(testing::HasSubstr("send")));
}

TEST_F(OutboxTest, ASinkThatForgetsIsToldAgainUntilItIsOver) {
  Traits forgets("oncall");
  forgets.resend_every = kMinuteUs;
  Restart({forgets});
  Deliver(kTrigger, 2);
  EXPECT_EQ(Advance(kMinuteUs - 1), "");
  EXPECT_EQ(Advance(1), "send oncall trigger 2 #2\n");
  EXPECT_EQ(Reply(kTrigger, 2, 200), "") << "its receipt is written already";
  EXPECT_EQ(Advance(kMinuteUs), "send oncall trigger 2 #3\n");
  // A repetition is tried again like anything else, and may be refused.
  EXPECT_EQ(Reply(kTrigger, 2, 503), "");
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall trigger 2 #4\n");
  EXPECT_EQ(Reply(kTrigger, 2, 400), "");
  EXPECT_EQ(outbox_->counters().parked, 0);
  // After a restart the time of the last send is unknown.
  Restart({forgets}, /*keep_journal=*/true);
  EXPECT_EQ(Advance(0), "");
  EXPECT_EQ(Advance(kMinuteUs), "send oncall trigger 2 #2\n");
  // The end waits for what is on its way, and then there is only the end.
  EXPECT_EQ(Submit(kResolve, 2), "write oncall resolve 2 intended\n");
  EXPECT_EQ(Written(), "");
  EXPECT_EQ(Reply(kTrigger, 2, 503), "");
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall resolve 2 #1\n");
  EXPECT_EQ(Reply(kResolve, 2, 200), "write oncall resolve 2 delivered\n");
  Written();
  EXPECT_EQ(Advance(kMinuteUs), "send oncall resolve 2 #2\n");
  EXPECT_EQ(Reply(kResolve, 2, 200), "write oncall resolve 2 delivered echoed\n");
  Written();
  EXPECT_EQ(Advance(kHourUs), "forget oncall trigger 2\nforget oncall resolve 2\n");
}

TEST_F(OutboxTest, ASinkThatCannotTellARepeatGetsNoEcho) {
  Restart({Traits("oncall", /*pages=*/false, /*idempotent=*/false)});
  Deliver(kTrigger, 2);
  Deliver(kResolve, 2);
  EXPECT_EQ(Advance(kHourUs - 1), "");
  EXPECT_EQ(Advance(1), "forget oncall trigger 2\nforget oncall resolve 2\n");
}

TEST_F(OutboxTest, RetriesForEverWithBackoff) {
  Submit(kTrigger, 2);
  Written();
  DurationUs expected = kSecondUs;
  for (int attempt = 1; attempt <= 30; ++attempt) {
    SCOPED_TRACE(attempt);
    EXPECT_EQ(Reply(kTrigger, 2, attempt % 2 == 0 ? 503 : 0), "");
    const DurationUs wait = outbox_->NextDue() - now_;
    EXPECT_GE(wait, expected);
    EXPECT_LE(wait, expected + expected / 2);
    EXPECT_EQ(Advance(wait - 1), "");
    EXPECT_EQ(Advance(1), "send oncall trigger 2 #" + std::to_string(attempt + 1) + "\n");
    expected = std::min(2 * expected, 12 * kSecondUs);
  }
  EXPECT_EQ(Reply(kTrigger, 2, 202), "write oncall trigger 2 delivered\n");
  EXPECT_EQ(outbox_->counters().retried, 30);
}

TEST_F(OutboxTest, HonoursRetryAfterForTheWholeSink) {
  Restart({Traits("oncall"), Traits("other")});
  Submit(kTrigger, 2);
  Written();
  Reply(kTrigger, 2, 202, "a", "other");
  EXPECT_EQ(Reply(kTrigger, 2, 429, "a", "oncall", 120'000), "");
  Written();
  const TimeUs until = now_ + 2 * kMinuteUs;
  EXPECT_GE(outbox_->NextDue(), until);
  EXPECT_LE(outbox_->NextDue(), until + kSecondUs);
  // Another incident waits too, at this sink only.
  Submit(kTrigger, 1, "b");
  EXPECT_EQ(Written(), "send other trigger 1 #1\n");
  EXPECT_EQ(Advance(2 * kMinuteUs - 1), "");
  EXPECT_EQ(Advance(kSecondUs), "send oncall trigger 1 #1\n");
  EXPECT_EQ(Reply(kTrigger, 1, 202, "b"),
            "write oncall trigger 1 delivered\nsend oncall trigger 2 #2\n");
}

TEST_F(OutboxTest, BelievesRetryAfterUpToABound) {
  for (const auto& [status, bound] : {std::pair(503, 5 * kMinuteUs), std::pair(429, kHourUs)}) {
    Restart({Traits("oncall")});
    Submit(kTrigger, 2);
    Written();
    Reply(kTrigger, 2, status, "a", "oncall", INT64_MAX);
    EXPECT_GE(outbox_->NextDue(), now_ + bound);
    EXPECT_LE(outbox_->NextDue(), now_ + bound + kSecondUs);
  }
}

TEST_F(OutboxTest, WhileASinkFailsOneAtATimeAsksAndTheFirstThatIsTakenReleasesAll) {
  Submit(kTrigger, 3, "a");
  Written();
  EXPECT_EQ(Reply(kTrigger, 3, 503, "a"), "");
  Submit(kTrigger, 2, "b");
  Submit(kTrigger, 1, "c");
  Submit(kTrigger, 1, "d");
  EXPECT_EQ(Written(), "") << "they wait, too";
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall trigger 1 #1\n");
  EXPECT_EQ(Advance(kHourUs), "") << "one at a time";
  // One more in this round, of those that were not asked for longest.
  EXPECT_EQ(Reply(kTrigger, 1, 503, "c"), "send oncall trigger 1 #1\n");
  EXPECT_EQ(Reply(kTrigger, 1, 503, "d"), "");
  // An incident that ends meanwhile is not paged, and does not delay others.
  EXPECT_EQ(Submit(kResolve, 1, "c"),
            "write oncall resolve 1 intended\nwrite oncall trigger 1 abandoned\n");
  Written();
  EXPECT_EQ(Advance(3 * kSecondUs), "send oncall trigger 1 #2\n");
  EXPECT_EQ(Reply(kTrigger, 1, 202, "d"),
            "write oncall trigger 1 delivered\nsend oncall resolve 1 #1\n"
            "send oncall trigger 2 #1\nsend oncall trigger 3 #2\n")
      << "the page that ended may have arrived, and is ended there";
}

TEST_F(OutboxTest, ADeliveryThatItsReceiverCannotDigestHoldsUpNobody) {
  Submit(kTrigger, 1, "bad");
  Written();
  EXPECT_EQ(Reply(kTrigger, 1, 500, "bad"), "");
  Submit(kTrigger, 3, "good");
  Written();
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall trigger 1 #2\n");
  EXPECT_EQ(Reply(kTrigger, 1, 500, "bad"), "send oncall trigger 3 #1\n");
  EXPECT_EQ(Reply(kTrigger, 3, 202, "good"),
            "write oncall trigger 3 delivered\nsend oncall trigger 1 #3\n");
  // Now it is known whose fault it is: it backs off by itself, ever longer.
  DurationUs expected = kSecondUs;
  for (int attempt = 4; attempt < 10; ++attempt) {
    EXPECT_EQ(Reply(kTrigger, 1, 500, "bad"), "");
    Submit(kTrigger, 3, "good " + std::to_string(attempt));
    EXPECT_EQ(Written(), "send oncall trigger 3 #1\n");
    Reply(kTrigger, 3, 202, "good " + std::to_string(attempt));
    Written();
    const DurationUs wait = outbox_->NextDue() - now_;
    EXPECT_GE(wait, expected);
    EXPECT_LE(wait, expected + expected / 2);
    EXPECT_EQ(Advance(wait), "send oncall trigger 1 #" + std::to_string(attempt) + "\n");
    expected = std::min(2 * expected, 12 * kSecondUs);
  }
  EXPECT_EQ(Reply(kTrigger, 1, 202, "bad"), "write oncall trigger 1 delivered\n");
}

TEST_F(OutboxTest, WhatFailsByItsOwnFaultAgainAndAgainGoesLast) {
  Submit(kTrigger, 1, "bad");
  Written();
  // Each time it fails, another one is taken.
  for (int i = 0; i < 4; ++i) {
    const std::string name = "good " + std::to_string(i);
    Submit(kTrigger, 3, name);
    Written();
    Reply(kTrigger, 1, 500, "bad");
    Reply(kTrigger, 3, 202, name);
    Written();
    Advance(20 * kSecondUs);
  }
  Reply(kTrigger, 1, 500, "bad");
  // Eight others that are on their way keep it waiting, and a ninth passes it.
  for (int i = 0; i < 9; ++i) Submit(kTrigger, 4, "more " + std::to_string(i));
  Written();
  EXPECT_EQ(Advance(20 * kSecondUs), "");
  EXPECT_EQ(Reply(kTrigger, 4, 202, "more 0"),
            "write oncall trigger 4 delivered\nsend oncall trigger 4 #1\n");
  EXPECT_THAT(Reply(kTrigger, 4, 202, "more 1"), HasSubstr("send oncall trigger 1"));
}

TEST_F(OutboxTest, EightAtOnceTheMostUrgentFirst) {
  for (int i = 0; i < 9; ++i) Submit(kTrigger, 3, "a" + std::to_string(i));
  Submit(kTrigger, 1, "b");
  const std::string sent = Written();
  EXPECT_EQ(std::count(sent.begin(), sent.end(), '\n'), 8);
  EXPECT_EQ(Reply(kTrigger, 3, 202, "a0"),
            "write oncall trigger 3 delivered\nsend oncall trigger 1 #1\n");
  EXPECT_EQ(Reply(kTrigger, 3, 202, "a1"),
            "write oncall trigger 3 delivered\nsend oncall trigger 3 #1\n");
}

TEST_F(OutboxTest, SaysWhatIsKnownOfADeliveryWithoutItsPayload) {
  Submit(kTrigger, 2, "a");
  Written();
  Reply(kTrigger, 2, 503, "a");
  Advance(2 * kSecondUs);
  ASSERT_EQ(outbox_->DeliveriesOf(HashBytes("a")).size(), 1u);
  const Delivery delivery = outbox_->DeliveriesOf(HashBytes("a"))[0];
  EXPECT_EQ(delivery.attempts, 2);
  EXPECT_EQ(delivery.payload, "");
  EXPECT_EQ(last_sent_.payload, MakeIncident("a").ToJson());
}

TEST_F(OutboxTest, RefusalsPark) {
  for (const int status : {400, 401, 404, 301}) {
    Restart({Traits("oncall")});
    Submit(kTrigger, 2);
    Written();
    EXPECT_EQ(Reply(kTrigger, 2, status), "write oncall trigger 2 parked\n") << status;
    EXPECT_EQ(unwritten_[0].last_error, "HTTP " + std::to_string(status));
    Written();
    EXPECT_EQ(Advance(kDayUs), "");
    EXPECT_EQ(outbox_->counters().parked, 1);
    Restart({Traits("oncall")}, /*keep_journal=*/true);
    EXPECT_EQ(Advance(kDayUs), "");
  }
}

TEST_F(OutboxTest, ARefusedTriggerGoesToTheFallback) {
  const std::vector<Traits> sinks = {Traits("oncall", true, true, "spare"), Traits("spare")};
  routes_.resize(1);
  routes_[0].to = {"oncall"};
  Restart(sinks);
  Submit(kTrigger, 2);
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\n");
  EXPECT_EQ(Reply(kTrigger, 2, 400),
            "write oncall trigger 2 parked\nwrite spare trigger 2 intended\n");
  EXPECT_EQ(Written(), "send spare trigger 2 #1\n");
  EXPECT_EQ(Reply(kTrigger, 2, 202, "a", "spare"), "write spare trigger 2 delivered\n");
  Written();
  // Sinks that were sent the trigger get the resolve.
  EXPECT_EQ(Submit(kResolve, 2),
            "write oncall resolve 2 intended\nwrite spare resolve 2 intended\n");
}

TEST_F(OutboxTest, TheFallbackIsNotForgottenByACrash) {
  const std::vector<Traits> sinks = {Traits("oncall", true, true, "spare"), Traits("spare")};
  routes_.resize(1);
  routes_[0].to = {"oncall"};
  Restart(sinks);
  Submit(kTrigger, 2);
  Written();
  Reply(kTrigger, 2, 400);
  unwritten_.pop_back();  // the parked state reached the journal, the fallback's intent did not
  Written();
  Restart(sinks, /*keep_journal=*/true);
  EXPECT_EQ(Advance(0), "write spare trigger 2 intended\n");
  EXPECT_EQ(Written(), "send spare trigger 2 #1\n");
  // Nor is it sent for what is over.
  Restart(sinks);
  Submit(kTrigger, 2);
  Written();
  Submit(kResolve, 2);
  Written();
  EXPECT_EQ(Reply(kTrigger, 2, 400), "write oncall trigger 2 parked\n");
}

TEST_F(OutboxTest, SinksDoNotWaitForEachOther) {
  Restart({Traits("oncall"), Traits("other")});
  Submit(kTrigger, 2);
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\nsend other trigger 2 #1\n");
  Reply(kTrigger, 2, 202, "a", "other");
  Submit(kResolve, 2);
  EXPECT_EQ(Written(), "send other resolve 2 #1\n");
}

TEST_F(OutboxTest, TheLowerLevelIsResolvedAfterTheHigherOnesReceipt) {
  Deliver(kTrigger, 3);
  Submit(kTrigger, 2);
  Submit(kResolve, 3, "a", /*after=*/2);
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\n");
  EXPECT_EQ(Reply(kTrigger, 2, 503), "");
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall trigger 2 #2\n");
  Reply(kTrigger, 2, 202);
  EXPECT_EQ(Written(), "send oncall resolve 3 #1\n");
}

TEST_F(OutboxTest, TheLowerLevelWaitsEvenIfItWasIntendedFirst) {
  Deliver(kTrigger, 3);
  Submit(kResolve, 3, "a", /*after=*/2);
  Submit(kTrigger, 2);
  unwritten_ = {unwritten_[1], unwritten_[0]};
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\n");
  Reply(kTrigger, 2, 202);
  EXPECT_EQ(Written(), "send oncall resolve 3 #1\n");
}

TEST_F(OutboxTest, TheLowerLevelGoesOnWithoutTheHigherOne) {
  // Never meant for this sink.
  Deliver(kTrigger, 3);
  Submit(kResolve, 3, "a", /*after=*/2);
  EXPECT_EQ(Written(), "send oncall resolve 3 #1\n");
  // Parked.
  Deliver(kTrigger, 3, "b");
  Submit(kTrigger, 2, "b");
  Submit(kResolve, 3, "b", /*after=*/2);
  Written();
  Reply(kTrigger, 2, 400, "b");
  EXPECT_EQ(Written(), "send oncall resolve 3 #1\n");
  // Abandoned.
  Deliver(kTrigger, 3, "c");
  Submit(kTrigger, 2, "c");
  Written();
  Submit(kResolve, 3, "c", /*after=*/2);
  Reply(kTrigger, 2, 503, "c");
  Written();
  EXPECT_EQ(Submit(kResolve, 2, "c"),
            "write oncall resolve 2 intended\nwrite oncall trigger 2 abandoned\n");
  Written();
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall resolve 3 #1\n");
}

TEST_F(OutboxTest, ALowerTriggerWithoutReceiptDoesNotHoldTheHigherOne) {
  Submit(kTrigger, 3);
  Written();
  Reply(kTrigger, 3, 0);
  Submit(kTrigger, 1);
  EXPECT_EQ(Submit(kResolve, 3, "a", /*after=*/1),
            "write oncall resolve 3 intended\nwrite oncall trigger 3 abandoned\n");
  Written();
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall trigger 1 #1\n");
}

TEST_F(OutboxTest, AnAcknowledgementNeedsADeliveredTrigger) {
  EXPECT_EQ(Submit(kAcknowledge, 2), "");
  Submit(kTrigger, 2);
  Written();
  Submit(kAcknowledge, 2);
  Written();
  EXPECT_EQ(Reply(kTrigger, 2, 400),
            "write oncall trigger 2 parked\nwrite oncall acknowledge 2 abandoned\n");
}

TEST_F(OutboxTest, WhoeverGotTheTriggerGetsTheResolve) {
  routes_.resize(1);
  routes_[0].to = {"oncall"};
  Deliver(kTrigger, 2);
  routes_[0].to = {"other"};
  Restart({Traits("oncall"), Traits("other")}, /*keep_journal=*/true);
  EXPECT_EQ(Submit(kResolve, 2), "write oncall resolve 2 intended\n");
}

TEST_F(OutboxTest, AResolveOfWhatNobodyHeardOfGoesNowhere) {
  EXPECT_EQ(Submit(kResolve, 2), "");
  Deliver(kTrigger, 2);
  EXPECT_EQ(Submit(kResolve, 3), "");
  EXPECT_EQ(Submit(kResolve, 2, "b"), "");
}

TEST_F(OutboxTest, WhatACrashMayHaveSentIsSentAgainAsARepeat) {
  Submit(kTrigger, 2);
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\n");
  Restart({Traits("oncall")}, /*keep_journal=*/true);
  EXPECT_EQ(outbox_->NextDue(), 0);
  EXPECT_EQ(Advance(0), "send oncall trigger 2 #2\n");
  EXPECT_EQ(Advance(kHourUs), "");
}

TEST_F(OutboxTest, ARestoredTriggerIsAbandonedByItsResolve) {
  Submit(kTrigger, 2);
  Written();
  Submit(kResolve, 2);
  Written();
  Restart({Traits("oncall")}, /*keep_journal=*/true);
  EXPECT_EQ(Advance(0), "write oncall trigger 2 abandoned\n");
  EXPECT_EQ(Written(), "send oncall resolve 2 #2\n");
}

TEST_F(OutboxTest, SequencesGoOnAfterARestart) {
  Deliver(kTrigger, 2);
  Restart({Traits("unrelated")}, /*keep_journal=*/true);
  EXPECT_EQ(Advance(kDayUs), "");  // a sink that is gone
  Submit(kTrigger, 2, "b");
  ASSERT_EQ(unwritten_.size(), 1u);
  EXPECT_EQ(unwritten_[0].sequence, 2u);
}

TEST_F(OutboxTest, FinishedDeliveriesAreForgottenAfterAnHour) {
  Deliver(kTrigger, 3);
  Deliver(kTrigger, 2);
  Deliver(kResolve, 3);
  Advance(kMinuteUs);
  Reply(kResolve, 3, 202);
  Written();
  // Level 2 is still open.
  EXPECT_EQ(Advance(kDayUs), "");
  Deliver(kResolve, 2);
  Advance(kMinuteUs);
  Reply(kResolve, 2, 202);
  Written();
  EXPECT_EQ(Advance(kHourUs - 1), "");
  EXPECT_EQ(Advance(1),
            "forget oncall trigger 3\nforget oncall trigger 2\nforget oncall resolve 3\n"
            "forget oncall resolve 2\n");
  EXPECT_EQ(outbox_->NextDue(), INT64_MAX);
  EXPECT_TRUE(journal_.empty());
}

TEST_F(OutboxTest, RepliesThatNobodyWaitsForAreIgnored) {
  std::vector<OutboxEffect> effects;
  outbox_->OnReply(HashBytes("x"), {}, now_, &effects);
  outbox_->OnWritten(HashBytes("x"), now_, &effects);
  Deliver(kTrigger, 2);
  SinkReply late;
  late.status = 503;
  outbox_->OnReply(DeliveryId("oncall", HashBytes("a"), 2, kTrigger), late, now_, &effects);
  EXPECT_TRUE(effects.empty());
  EXPECT_EQ(Advance(kDayUs), "");
}

TEST_F(OutboxTest, WritesAreAcknowledgedOneByOne) {
  Submit(kTrigger, 2);
  Written();
  Reply(kTrigger, 2, 503);
  Submit(kResolve, 2);
  EXPECT_EQ(Advance(2 * kSecondUs), "") << "neither is durable";
  ASSERT_EQ(unwritten_.size(), 2u);
  const std::vector<Delivery> writes = unwritten_;
  unwritten_ = {writes[0]};
  EXPECT_EQ(Written(), "") << "the trigger's end is not durable yet";
  unwritten_ = {writes[1]};
  EXPECT_EQ(Written(), "send oncall resolve 2 #1\n");
}

TEST_F(OutboxTest, AnEscalationTriggersWhoeverByTheRoutesIsNew) {
  RouteConfig boss;
  boss.teams = {"boss"};
  boss.to = {"boss"};
  boss.proceed = true;
  RouteConfig all;
  all.to = {"oncall"};
  routes_ = {boss, all};
  Restart({Traits("oncall"), Traits("boss")});
  Deliver(kTrigger, 2);
  Notification escalation = Notify(NotificationAction::kEscalate, 2, MakeIncident("a"));
  std::vector<OutboxEffect> effects;
  outbox_->Submit(escalation, now_, &effects);
  EXPECT_EQ(Carry(effects), "") << "everybody was told";
  escalation.incident.escalate_to = {"boss"};
  for (const char* expected : {"write boss trigger 2 intended\n", ""}) {
    effects.clear();
    outbox_->Submit(escalation, now_, &effects);
    EXPECT_EQ(Carry(effects), expected);
  }
  EXPECT_EQ(Written(), "send boss trigger 2 #1\n");
  Reply(kTrigger, 2, 202, "a", "boss");
  Written();
  EXPECT_EQ(Submit(kAcknowledge, 2),
            "write boss acknowledge 2 intended\nwrite oncall acknowledge 2 intended\n");
}

TEST_F(OutboxTest, WhatWasOverBeforeItsPageWasSentIsFiledInstead) {
  RouteConfig urgent;
  urgent.levels = {1, 2};
  urgent.to = {"oncall"};
  RouteConfig other;
  other.levels = {3, 4};
  other.to = {"ticket"};
  routes_ = {urgent, other};
  Restart({Traits("oncall"), Traits("ticket", /*wakes_people=*/false)});
  Submit(kTrigger, 2);
  EXPECT_EQ(Submit(kResolve, 2),
            "write oncall resolve 2 intended\nwrite oncall trigger 2 abandoned\n"
            "write ticket trigger 2 intended\nwrite ticket resolve 2 intended\n");
  EXPECT_EQ(Written(), "send oncall resolve 2 #1\nsend ticket trigger 2 #1\n");
  Reply(kTrigger, 2, 201, "a", "ticket");
  EXPECT_EQ(Written(), "send ticket resolve 2 #1\n");
  // No ticket instead of the page after a rise, or if the page was sent once.
  EXPECT_EQ(Submit(kTrigger, 2, "b"), "write oncall trigger 2 intended\n");
  Submit(kTrigger, 1, "b");
  EXPECT_THAT(Submit(kResolve, 2, "b", /*after=*/1), Not(HasSubstr("ticket")));
  Submit(kTrigger, 2, "c");
  EXPECT_THAT(Written(), HasSubstr("send oncall trigger 2 #1\n"));
  EXPECT_THAT(Submit(kResolve, 2, "c"), Not(HasSubstr("ticket")));
}

TEST_F(OutboxTest, WhatATicketSaysAlreadyIsNotFiledAgain) {
  Restart({Traits("oncall"), Traits("ticket", /*wakes_people=*/false)});
  Submit(kTrigger, 2);
  EXPECT_EQ(Submit(kResolve, 2),
            "write oncall resolve 2 intended\nwrite oncall trigger 2 abandoned\n"
            "write ticket resolve 2 intended\n");
}

// Only the registry makes sinks withhold.
class LookUpTest : public OutboxTest {
 protected:
  LookUpTest() {
    traits_.looks_up = true;
    Restart({traits_});
  }
  std::string Answer(NotificationAction action, const std::string& body, int status = 200) {
    return Reply(action, 2, status, "a", "oncall", -1, body);
  }
  bool MayRepeat() const { return last_sent_.may_repeat; }
  Traits traits_{"oncall", /*wakes_people=*/false, /*recognises_repeats=*/false};
};

TEST_F(LookUpTest, WhatArrivedIsNotSentAgain) {
  Submit(kTrigger, 2);
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\n");
  EXPECT_EQ(Answer(kTrigger, "", 0), "");
  EXPECT_EQ(Advance(2 * kSecondUs), "look up oncall trigger 2\n");
  EXPECT_EQ(Answer(kTrigger, "arrived 7"), "write oncall trigger 2 delivered\n");
  Written();
  EXPECT_EQ(outbox_->DeliveriesOf(HashBytes("a"))[0].receipt, "7");
  EXPECT_EQ(Advance(kHourUs), "");
}

TEST_F(LookUpTest, WhatDidNotArriveIsSentAndIsNoRepeat) {
  Submit(kTrigger, 2);
  Written();
  Answer(kTrigger, "", 0);
  Advance(2 * kSecondUs);
  EXPECT_EQ(Answer(kTrigger, "missing"), "send oncall trigger 2 #2\n");
  EXPECT_FALSE(MayRepeat());
  // The next one is asked for again.
  Answer(kTrigger, "", 503);
  EXPECT_EQ(Advance(4 * kSecondUs), "look up oncall trigger 2\n");
}

TEST_F(LookUpTest, WhatNobodyKnowsIsSentAsARepeat) {
  Submit(kTrigger, 2);
  Written();
  Answer(kTrigger, "", 0);
  Advance(2 * kSecondUs);
  EXPECT_EQ(Answer(kTrigger, "", 403), "send oncall trigger 2 #2\n") << "may not ask";
  EXPECT_TRUE(MayRepeat());
}

TEST_F(LookUpTest, AQuestionWithoutAnAnswerIsAskedAgain) {
  Submit(kTrigger, 2);
  Written();
  Answer(kTrigger, "", 0);
  Advance(2 * kSecondUs);
  EXPECT_EQ(Answer(kTrigger, "", 503), "");
  EXPECT_EQ(Advance(4 * kSecondUs), "look up oncall trigger 2\n");
  EXPECT_EQ(outbox_->DeliveriesOf(HashBytes("a"))[0].attempts, 1);
}

TEST_F(LookUpTest, AReplyThatDoesNotSayWhatItIsCalledIsAReasonToAsk) {
  for (const char* const answer : {"arrived 7", "missing", "unknown"}) {
    Restart({traits_});
    Submit(kTrigger, 2);
    Written();
    EXPECT_EQ(Answer(kTrigger, ""), "");
    EXPECT_EQ(Advance(kSecondUs), "look up oncall trigger 2\n");
    EXPECT_EQ(Answer(kTrigger, answer), std::string(answer) == "missing"
                                            ? "send oncall trigger 2 #2\n"
                                            : "write oncall trigger 2 delivered\n");
  }
  Restart({traits_});
  Submit(kTrigger, 2);
  Written();
  Answer(kTrigger, "");
  Advance(kSecondUs);
  EXPECT_EQ(Answer(kTrigger, "<html>"), "") << "asked again";
  EXPECT_EQ(Advance(2 * kSecondUs), "look up oncall trigger 2\n");
}

TEST_F(LookUpTest, WhoHasTooMuchToDoHasNotDoneIt) {
  Submit(kTrigger, 2);
  Written();
  Answer(kTrigger, "", 429);
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall trigger 2 #2\n");
  EXPECT_FALSE(MayRepeat());
}

TEST_F(LookUpTest, ACrashIsAReasonToAsk) {
  Submit(kTrigger, 2);
  Written();
  Restart({traits_}, /*keep_journal=*/true);
  EXPECT_EQ(Advance(0), "look up oncall trigger 2\n");
}

TEST_F(LookUpTest, WhatMayHaveArrivedIsEndedNotAbandoned) {
  Submit(kTrigger, 2);
  Written();
  Answer(kTrigger, "", 0);
  Submit(kResolve, 2);
  Written();
  EXPECT_EQ(Advance(2 * kSecondUs), "look up oncall trigger 2\n");
  EXPECT_EQ(Answer(kTrigger, "arrived 7"), "write oncall trigger 2 delivered\n");
  EXPECT_EQ(Written(), "send oncall resolve 2 #1\n");
}

TEST_F(OutboxTest, ASinkIsAskedNoFasterThanItBearsAndTheWorstFirst) {
  Traits slow("oncall");
  slow.per_minute = 30;
  Restart({slow});
  Submit(kTrigger, 3, "a");
  EXPECT_EQ(Written(), "send oncall trigger 3 #1\n");
  Submit(kTrigger, 3, "b");
  Submit(kTrigger, 1, "c");
  Submit(kTrigger, 3, "d");
  EXPECT_EQ(Written(), "");
  EXPECT_EQ(outbox_->NextDue(), now_ + 2 * kSecondUs);
  EXPECT_EQ(Advance(kSecondUs), "");
  EXPECT_EQ(Advance(kSecondUs), "send oncall trigger 1 #1\n");
  EXPECT_EQ(Advance(kSecondUs), "");
  EXPECT_EQ(Advance(kSecondUs), "send oncall trigger 3 #1\n");
  // An incident that ends meanwhile leaves the wait list; a webhook is still notified.
  Submit(kResolve, 3, "d");
  Written();
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall trigger 3 #1\n");
  EXPECT_EQ(Reply(kTrigger, 3, 200, "d"), "write oncall trigger 3 delivered\n");
  EXPECT_EQ(Written(), "");
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall resolve 3 #1\n");
  EXPECT_EQ(outbox_->pending(), 4u);
}

TEST_F(OutboxTest, WhatTheLeaseDoesNotCoverWaits) {
  Submit(kTrigger, 2);
  EXPECT_EQ(Written(), "send oncall trigger 2 #1\n");
  const Hash128 id = DeliveryId("oncall", HashBytes("a"), 2, kTrigger);
  in_flight_.erase(id);
  std::vector<OutboxEffect> effects;
  outbox_->OnHeld(id, now_, &effects);
  EXPECT_EQ(Carry(effects), "");
  EXPECT_EQ(Advance(kSecondUs / 2), "");
  EXPECT_EQ(Advance(kSecondUs / 2), "send oncall trigger 2 #1\n") << "it was no attempt";
  EXPECT_FALSE(last_sent_.may_repeat);
}

TEST(LeaseTest, CoversWhatEndsBeforeOthersTakeOver) {
  Lease lease(30 * kSecondUs);
  EXPECT_FALSE(lease.Covers(0, kSecondUs)) << "nobody has answered yet";
  lease.Renewed(100 * kSecondUs);
  EXPECT_TRUE(lease.Covers(118 * kSecondUs, 10 * kSecondUs));
  EXPECT_FALSE(lease.Covers(119 * kSecondUs, 10 * kSecondUs));
  EXPECT_TRUE(Lease().Covers(kDayUs, kMinuteUs)) << "one machine";
}

TEST_F(OutboxTest, TheFirstMessageIsKeptUpToDateWhereItCanBe) {
  Traits chat("oncall", /*wakes_people=*/false, /*recognises_repeats=*/false);
  chat.refreshes = true;
  Restart({chat});
  EXPECT_EQ(Submit(kTrigger, 2), "write oncall trigger 2 intended\n");
  Written();
  Reply(kTrigger, 2, 200);
  Written();
  EXPECT_EQ(Submit(kTrigger, 2), "") << "not because of a repetition";
  EXPECT_EQ(Submit(kAcknowledge, 2),
            "write oncall acknowledge 2 intended\nwrite oncall refresh 2 intended\n");
  Written();
  EXPECT_EQ(Reply(kAcknowledge, 2, 200), "write oncall acknowledge 2 delivered\n");
  EXPECT_EQ(Written(), "send oncall refresh 2 #1\n");
  const TimeUs tick = MakeIncident("a").detected_at;
  const auto refreshed = [&](int status) {
    const Hash128 id = DeliveryId("oncall", HashBytes("a"), 2, NotificationAction::kRefresh, tick);
    in_flight_.erase(id);
    SinkReply reply;
    reply.status = status;
    std::vector<OutboxEffect> effects;
    outbox_->OnReply(id, reply, now_, &effects);
    return Carry(effects);
  };
  EXPECT_EQ(refreshed(503), "");
  // One that is behind is left out.
  Notification end = Notify(kResolve, 2, MakeIncident("a"));
  end.tick = tick + kMinuteUs;
  std::vector<OutboxEffect> effects;
  outbox_->Submit(end, now_, &effects);
  EXPECT_EQ(Carry(effects),
            "write oncall resolve 2 intended\nwrite oncall refresh 2 intended\n"
            "write oncall refresh 2 abandoned\n");
  Written();
  EXPECT_EQ(Advance(2 * kSecondUs), "send oncall resolve 2 #1\n");
  Reply(kResolve, 2, 200);
  EXPECT_EQ(Written(), "send oncall refresh 2 #1\n");
}

TEST_F(OutboxTest, OfALogTheLastRecordCountsButNeverAgainstAReceipt) {
  Submit(kTrigger, 2);
  const Delivery intent = unwritten_[0];
  Written();
  Reply(kTrigger, 2, 202);
  const Delivery receipt = unwritten_[0];
  for (const auto& log : {std::vector{intent, receipt}, std::vector{intent, receipt, intent}}) {
    Restart({Traits("oncall")});
    for (const Delivery& record : log) outbox_->Restore(record);
    EXPECT_EQ(outbox_->pending(), 0u);
    EXPECT_EQ(Advance(kMinuteUs), "");
  }
  Restart({Traits("oncall")});
  Delivery refused = intent;
  refused.state = DeliveryState::kParked;
  outbox_->Restore(refused);
  outbox_->Restore(intent);
  EXPECT_EQ(outbox_->pending(), 1u) << "somebody sent it again by hand";
}

TEST_F(OutboxTest, AChangeGoesToWhoeverWantsIt) {
  setenv("TOCSIN_TEST_KEY", "R0123456789", 1);
  Restart({Traits("chat")});
  sinks_.push_back(MakeSink("{name: oncall, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY}"));
  sinks_.push_back(
      MakeSink("{name: quiet, kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY, changes: false}"));
  const NotificationAction change = NotificationAction::kChange;
  EXPECT_EQ(Submit(change, 4), "write oncall change 4 intended\n");
  EXPECT_EQ(Written(), "send oncall change 4 #1\n");
  EXPECT_EQ(Submit(change, 4), "");
  EXPECT_EQ(Reply(change, 4, 202), "write oncall change 4 delivered\n");
  EXPECT_EQ(Written(), "");
  EXPECT_EQ(Advance(kHourUs), "forget oncall change 4\n");
}

class ShadowTest : public OutboxTest {
 protected:
  void Mode(const std::string& mode) {
    ErrorList errors;
    const std::optional<Config> config = LoadConfigText(
        "mode: " + mode +
            "\nsinks: [{name: hook, kind: webhook, url: 'http://h/', fallback: out}, "
            "{name: out, kind: stdout}]\n",
        "t.yaml", &errors);
    ASSERT_TRUE(config.has_value());
    Restart({}, /*keep_journal=*/true);
    sinks_ = NewSinks(*config, &errors);
    ASSERT_TRUE(errors.empty());
    outbox_ = std::make_unique<Outbox>(routes_, sinks_, /*seed=*/1);
    for (const auto& [id, delivery] : journal_) outbox_->Restore(delivery);
  }
};

TEST_F(ShadowTest, RecordsWhatItWouldHaveSent) {
  Mode("shadow");
  EXPECT_EQ(Submit(kTrigger, 2), "write hook trigger 2 withheld\nwrite out trigger 2 intended\n");
  EXPECT_EQ(Written(), "send out trigger 2 #1\n");
  Reply(kTrigger, 2, 200, "a", "out");
  Written();
  EXPECT_EQ(Submit(kResolve, 2), "write hook resolve 2 withheld\nwrite out resolve 2 intended\n");
  EXPECT_EQ(Written(), "send out resolve 2 #1\n");
  Reply(kResolve, 2, 200, "a", "out");
  Written();
  EXPECT_EQ(outbox_->counters().withheld, 2);
  EXPECT_EQ(outbox_->pending(), 0u);
  EXPECT_EQ(Advance(2 * kHourUs),
            "forget hook trigger 2\nforget hook resolve 2\nforget out trigger 2\n"
            "forget out resolve 2\n");
}

TEST_F(ShadowTest, TheEndFollowsWhatBecameOfTheTrigger) {
  Mode("shadow");
  Submit(kTrigger, 2);
  Written();
  Mode("live");
  Advance(0);
  in_flight_.clear();
  EXPECT_EQ(Submit(kResolve, 2), "write hook resolve 2 withheld\nwrite out resolve 2 intended\n");

  Mode("live");
  Submit(kTrigger, 2, "b");
  Written();
  Reply(kTrigger, 2, 200, "b", "hook");
  Written();
  Mode("shadow");
  Advance(0);
  EXPECT_EQ(Submit(kResolve, 2, "b"),
            "write hook resolve 2 intended\nwrite out resolve 2 intended\n");
}

}  // namespace
}  // namespace tocsin
