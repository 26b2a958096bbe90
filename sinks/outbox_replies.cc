#include <algorithm>
#include <utility>

#include "core/limits.h"
#include "sinks/outbox_state.h"
#include "sinks/sink_rate_limit.h"

namespace tocsin::outbox {
namespace {

// A 429 means that the request was not processed.
constexpr int kTooManyRequests = 429;

}  // namespace

std::uint64_t State::Draw() {
  // splitmix64 of a counter; every seed is equally good.
  std::uint64_t x = seed + ++draws * 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

void State::Postpone(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now) {
  ++entry->failures;
  ++entry->faults;
  ++counters.retried;
  entry->delivery.last_error = queue->sink->Describe(reply);
  const DurationUs backoff = SinkBackoff(entry->faults);
  entry->due = now + backoff + SinkBackoffJitter(backoff, Draw());
}

void State::Fail(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now) {
  SinkRateLimit& rate_limit = queue->sink_queue->rate_limit;
  const SinkRateLimit::Failure failure = {
      .probe = entry->probe,
      .too_many = reply.status == kTooManyRequests,
      .asked =
          std::clamp<DurationUs>(reply.retry_after_ms, 0, kDayUs / kMillisecondUs) * kMillisecondUs,
      .others_wait = !queue->sink_queue->wait_list.empty(),
      .draw = Draw()};
  // It failed before and others were taken since, so the fault is probably its own.
  const bool own = !failure.too_many && entry->failed_at && rate_limit.taken() > *entry->failed_at;
  entry->failed_at = rate_limit.taken();
  if (own) {
    Postpone(queue, entry, reply, now);
    entry->due = std::max(entry->due, now + SinkRateLimit::Believed(failure));
    if (!failure.probe) return;
  } else {
    ++entry->failures;
    ++counters.retried;
    entry->delivery.last_error = queue->sink->Describe(reply);
    entry->due = kAtOnce;
  }
  rate_limit.OnFailed(failure, now);
}

bool State::TakeReply(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now,
                      Effects* effects) {
  const bool repeated = entry->delivery.state == DeliveryState::kDelivered;
  const bool looked_up = std::exchange(entry->request, Request::kNone) == Request::kLookUp;
  const SendOutcome outcome = queue->sink->Judge(reply);
  if (outcome == SendOutcome::kRetry) {
    if (!looked_up && reply.status != kTooManyRequests) entry->arrival = Arrival::kUnknown;
    Fail(queue, entry, reply, now);
    return false;
  }
  if (looked_up) {
    // A look-up that the receiver refused leaves the answer unknown.
    SinkLookUp found{.answer = SinkLookUp::Answer::kUnknown, .receipt = ""};
    if (outcome == SendOutcome::kDelivered) found = queue->sink->Found(entry->delivery, reply);
    const bool readable = found.answer != SinkLookUp::Answer::kUnreadable;
    TakeAnswer(queue, entry, std::move(found), reply, now, effects);
    return readable;
  }
  if (repeated) {
    // Refused or not, the delivery already has its receipt.
    entry->Forgive();
    entry->due = now + RepeatedAfter(*queue, *entry);
    if (entry->delivery.action == NotificationAction::kResolve) {
      entry->delivery.echoed = true;
      Write(entry, effects);
    }
  } else if (outcome == SendOutcome::kDelivered) {
    std::string receipt = queue->sink->ReceiptOf(reply);
    if (receipt.empty() && NeedsReceipt(*queue, *entry) && !reply.unsent) {
      // A proxy's page, or a reply that was too long: without a receipt, later deliveries could not
      // update or close what this one opened. So the receiver is asked for it.
      entry->arrival = Arrival::kAccepted;
      entry->due = now + kHeldFor;
    } else {
      Deliver(queue, entry, std::move(receipt), now, effects);
    }
  } else {
    Become(entry, DeliveryState::kParked);
    entry->delivery.last_error = queue->sink->Describe(reply);
    ++counters.parked;
    Write(entry, effects);
  }
  return true;
}

void State::TakeAnswer(IncidentQueue* queue, Entry* entry, SinkLookUp found, const SinkReply& reply,
                       TimeUs now, Effects* effects) {
  switch (found.answer) {
    case SinkLookUp::Answer::kUnreadable:
      return Postpone(queue, entry, reply, now);
    case SinkLookUp::Answer::kMissing:
      entry->arrival = Arrival::kNone;
      return;
    case SinkLookUp::Answer::kUnknown:
      if (entry->arrival == Arrival::kAccepted) break;
      entry->arrival = Arrival::kCannotTell;
      return;
    case SinkLookUp::Answer::kArrived:
      break;
  }
  Deliver(queue, entry, std::move(found.receipt), now, effects);
}

void State::Deliver(IncidentQueue* queue, Entry* entry, std::string receipt, TimeUs now,
                    Effects* effects) {
  Become(entry, DeliveryState::kDelivered);
  entry->delivery.last_error.clear();
  entry->delivery.receipt = receipt.substr(0, limits::kReceiptBytesMax);
  entry->Forgive();
  entry->due = now + RepeatedAfter(*queue, *entry);
  ++counters.delivered;
  Write(entry, effects);
}

}  // namespace tocsin::outbox
