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
//   1. A delivery is sent only after OnWritten acknowledged its intent: the intent is durable, or
//      the caller decided to continue without the disk.
//   2. Per incident and sink one delivery is in flight, in order of sequence. The next one waits
//      until the records of all deliveries before it are durable. The resolve of a level that a
//      higher one replaced waits for the higher level's trigger, unless that trigger was parked,
//      abandoned or never meant for this sink.
//   3. A trigger whose receipt is written is never sent again, except to sinks that forget alerts
//      and ask for a refresh (Sink::resend_every), and only until a resolve intent of its key
//      exists. Once that exists, a trigger without a receipt is not retried (abandoned); an attempt
//      in flight ends first. At a sink that pages, such a trigger is dropped even if it was never
//      sent: an incident that ends before its page is sent wakes nobody. Other sinks (a ticket)
//      still get it. If no non-paging sink was notified of the incident, it goes to those that the
//      routes select for the next less urgent level that has any.
//   4. A resolve is repeated once, 60 s after its receipt, at sinks with an idempotency key: it
//      closes what a delayed copy of the trigger may have opened.
//   5. 429, 5xx and network errors are retried for ever. Other refusals park the delivery, and a
//      refused trigger goes to the sink's fallback. Back-off applies to the whole sink
//      (sink_rate_limit.h): while it fails, one delivery at a time probes it, and the first success
//      releases all. A delivery that fails again although its sink accepted others meanwhile gets
//      its own back-off and delays no other. Before a repeat, the receiver is asked whether it has
//      the message already, where its API allows that (kLookUp).
//   6. Sinks do not wait for each other. Each has at most SinkRateLimit::kRequestsMax requests in
//      flight, and at most one request per Sink::pace. Waiting deliveries go by level, then in
//      order of sequence; repeats, and deliveries that failed several times by their own fault, go
//      last.
//   7. A trigger for a sink that is withheld (`mode: shadow`) is recorded and never sent. So are
//      its later acknowledgements and resolves, even if the mode has changed since.
// Triggers go to the sinks that the routes select. An escalation goes only to sinks that did not
// get the trigger yet. Acknowledgements and resolves go to the sinks that got the trigger, even if
// the routes have changed since. Submitting a notification again (after a restart) has no effect,
// since its derived ids are known. A restored intent counts as one attempt, since it may have been
// sent before a crash. `now` is injected monotonic microseconds, ≥ 0; jitter comes from the
// injected seed. Finished deliveries are forgotten (kForget) one hour after the incident's last
// resolve at their sink; their payload is freed once their receipt is written. Not thread-safe.
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

  // Restores a delivery from the journal. REQUIRES: called before any other function. Intents
  // without a receipt are due at once. Deliveries of a sink that is no longer configured are
  // ignored and stay in the journal. A log may hold several records of a delivery, also from a
  // process that had lost its lease: the last record wins, except that a receipt is never undone.
  // For an abandoned trigger that was attempted, the receiver is asked once more whether it
  // arrived, where that is possible.
  void Restore(const Delivery& delivery);
  void Submit(const Notification& notification, TimeUs now, std::vector<OutboxEffect>* effects);
  void OnWritten(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects);
  void OnReply(const Hash128& delivery, const SinkReply& reply, TimeUs now,
               std::vector<OutboxEffect>* effects);
  // The delivery was not sent, because the lease did not cover the request. It is due again in 1 s.
  void OnHeld(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects);
  void Advance(TimeUs now, std::vector<OutboxEffect>* effects);
  // Sends the parked deliveries of an incident again at once, after an operator has fixed what made
  // the sink refuse them. Returns their number. Copies that went to a fallback are not withdrawn.
  std::size_t RetryParked(const Hash128& incident, TimeUs now, std::vector<OutboxEffect>* effects);
  // The deliveries of an incident without their payloads, by sink, in order of sequence.
  std::vector<Delivery> DeliveriesOf(const Hash128& incident) const;
  // Replaces the sinks by others of the same names; the old ones may be destroyed afterwards.
  // `sinks` must live until the next ReplaceSinks, or as long as the outbox.
  void ReplaceSinks(const std::vector<std::unique_ptr<Sink>>& sinks);
  // When to call Advance next: 0 means at once, INT64_MAX that nothing waits.
  TimeUs NextDue() const;

  // Intents without a receipt.
  std::size_t pending() const;
  const Counters& counters() const;

 private:
  const std::unique_ptr<outbox::State> state_;
};

}  // namespace tocsin
