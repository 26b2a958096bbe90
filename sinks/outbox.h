// The outbox: decides what is sent when, as a pure state machine that returns effects.
//
//   Outbox outbox(routes, sinks, seed);
//   for (Delivery& d : journal) outbox.Restore(d);
//   outbox.Submit(notification, now, &effects);   // kWrite the intents
//   outbox.OnWritten(id, now, &effects);          // then kSend, if the lease still covers it
//   outbox.OnReply(id, reply, now, &effects);     // kWrite the receipt, or a retry later
//   outbox.Advance(now, &effects);                // what has become due
//   TimeUs next = outbox.NextDue();
//
// Invariants:
//   1. Nothing is sent before its intent was acknowledged by OnWritten: it is durable, or its owner
//      goes on without.
//   2. Per incident and sink one delivery is in flight, in order of sequence; the next one waits
//      until what was written about those before it is durable. The resolve of a level that a
//      higher one replaced waits for the higher one's trigger, unless that was parked, abandoned or
//      never meant for this sink.
//   3. A trigger whose receipt is written is never sent again, but to sinks that forget and ask for
//      it (Sink::resend_every), until a resolve intent of its key exists; once that exists, a
//      trigger without receipt is not retried (abandoned) — an attempt in flight ends first. A sink
//      that pages people does not even hear of it for the first time: nobody is woken for what is
//      over; other sinks do (a ticket). Where no other was told of the incident, those are that the
//      routes tell of the next less urgent level.
//   4. A resolve is repeated once, 60 s after its receipt, at sinks with an idempotency key: it
//      closes what a delayed copy of the trigger may have opened.
//   5. 429, 5xx and network errors are retried for ever; other refusals park the delivery, and a
//      refused trigger goes to the sink's fallback. Back-off is the sink's (sink_rate_limit.h): while it
//      fails, one delivery at a time probes it, and the first that it takes releases all. One that
//      fails again although its sink took others meanwhile backs off by itself and holds up nobody.
//      Before a repeat the receiver is asked, where it can be, whether it has the message already
//      (kLookUp).
//   6. Sinks do not wait for each other. Each has at most SinkRateLimit::kRequestsMax requests on their
//      way, and one that has a pace (Sink::pace) is asked no faster. What waits goes by level, then
//      in order of sequence; repeats, and what failed by its own fault again and again, go last.
//   7. A trigger for a sink that is withheld (`mode: shadow`) is recorded and never sent, and so is
//      what follows it, whatever the mode is by then.
// Triggers go where the routes say, and those of an escalation to whoever by the routes is new;
// acknowledgements and resolves to whoever was sent the trigger, whatever the routes say by then.
// Submitting a notification again (after a restart) is recognised
// by its derived ids and does nothing. What a crash may have sent already counts as one attempt.
// `now` is injected monotonic microseconds, ≥ 0; jitter comes from the injected seed. Finished
// deliveries are forgotten (kForget) one hour after the incident's last resolve at their sink; their
// payload leaves memory with their receipt. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "config/config.h"
#include "core/delivery.h"
#include "sinks/outbox_effect.h"
#include "sinks/sink.h"

namespace tocsin {

namespace outbox {
struct State;
}

class Outbox {
 public:
  using Counters = OutboxCounters;

  // `routes` and `sinks` outlive the outbox.
  Outbox(const std::vector<RouteConfig>& routes, const std::vector<std::unique_ptr<Sink>>& sinks,
         std::uint64_t seed);
  ~Outbox();

  // From the journal, before anything else. What was intended and has no receipt is due at once.
  // Deliveries of a sink that is no longer configured stay where they are. A log may hold several
  // records of a delivery, also of a process that had lost its lease: the last one counts, but never
  // against a receipt, and a trigger that was given up is asked for once more where that can be.
  void Restore(const Delivery& delivery);
  void Submit(const Notification& notification, TimeUs now, std::vector<OutboxEffect>* effects);
  void OnWritten(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects);
  void OnReply(const Hash128& delivery, const SinkReply& reply, TimeUs now,
               std::vector<OutboxEffect>* effects);
  // What was to be sent and was not, since the lease did not cover it any more; due in a second.
  void OnHeld(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects);
  void Advance(TimeUs now, std::vector<OutboxEffect>* effects);
  // A person has put right what a sink refused: its parked deliveries of an incident are intended
  // again, at once; how many. A fallback that was told stays told.
  std::size_t RetryParked(const Hash128& incident, TimeUs now, std::vector<OutboxEffect>* effects);
  // All that is known of an incident's deliveries but their payloads, by sink, in order of sequence.
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const;
  // Sinks of the same names take the place of those before, which may go then. `sinks` outlives the
  // outbox, or the next call.
  void ReplaceSinks(const std::vector<std::unique_ptr<Sink>>& sinks);
  // When Advance has something to do next; 0 means at once, INT64_MAX that nothing waits.
  TimeUs NextDue() const;

  // Intents without a receipt.
  std::size_t pending() const;
  const Counters& counters() const;

 private:
  const std::unique_ptr<outbox::State> state_;
};

}  // namespace tocsin
