// The outbox's queue of deliveries for one incident and one sink, and the rules between its
// entries: what is sent next, what is obsolete, what is repeated.
//
//   if (Intended(entry) && !Overtaken(queue, entry) && !Blocked(queue, entry)) …  // it is next
//
// Internal to the outbox. Plain data and pure functions; not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "core/delivery.h"
#include "sinks/sink.h"
#include "sinks/sink_rate_limit.h"

namespace tocsin::outbox {

inline constexpr TimeUs kAtOnce = 0;
inline constexpr TimeUs kNever = SinkRateLimit::kNever;

// What of a delivery is on its way to the receiver.
enum class Request : std::uint8_t {
  kNone,
  kMessage,
  kLookUp,  // whether the receiver has the message already
};

// What is known of the attempts that ended without a receipt and without a refusal.
enum class Arrival : std::uint8_t {
  kNone,        // there were none, or the receiver does not have the message
  kUnknown,     // the receiver may have it, and has not been asked since
  kCannotTell,  // the receiver was asked, and cannot tell
  kAccepted,    // the receiver took it, without the id that it has there; not asked since
};

struct Entry {
  Delivery delivery;
  int unwritten = 0;  // kWrite effects that OnWritten has not acknowledged
  Request request = Request::kNone;
  bool probe = false;  // the request probes whether the sink has recovered
  Arrival arrival = Arrival::kNone;
  int failures = 0;  // attempts in this process that got no receipt
  // SinkRateLimit::taken of its sink at the last failure. If the sink has taken more by the next
  // failure, the fault is probably this delivery's: it gets its own back-off, by `faults`.
  std::optional<std::uint64_t> failed_at = {};
  int faults = 0;
  TimeUs due = kAtOnce;      // next attempt or repeat; kNoTime: not decided yet (restored)
  bool handed_over = false;  // a parked trigger went to the fallback

  void Forgive() {
    failures = faults = 0;
    failed_at.reset();
  }
};

struct IncidentQueue;

// The queues that wait for a sink, most urgent first: (goes last, level, sequence, queue).
using WaitList = std::set<std::tuple<bool, int, std::uint64_t, IncidentQueue*>>;

struct SinkQueue {
  SinkRateLimit rate_limit;
  WaitList wait_list;
};

// The deliveries of one incident to one sink.
struct IncidentQueue {
  std::uint64_t number = 0;
  const Sink* sink = nullptr;
  SinkQueue* sink_queue = nullptr;  // of `sink`
  std::vector<Entry> entries;       // in order of sequence
  TimeUs wake = kNever;
  TimeUs forget_at = kNever;
  std::uint64_t begun = 0;  // number of its last request, counted over all queues
  std::optional<WaitList::value_type> place = {};  // in the sink's wait list
};

struct WakesBefore {
  bool operator()(const IncidentQueue* a, const IncidentQueue* b) const {
    return std::tie(a->wake, a->number) < std::tie(b->wake, b->number);
  }
};

// nullptr if there is none.
const Entry* Find(const IncidentQueue& queue, int level, NotificationAction action);
inline bool Intended(const Entry& entry) {
  return entry.delivery.state == DeliveryState::kIntended;
}
// The entry's delivery; if it has no receipt, with the first receipt of its queue.
Delivery AsSent(const IncidentQueue& queue, const Entry& entry);
// Whether an attempt may have arrived, and the receiver can be asked but has not been.
bool LookUpDue(const IncidentQueue& queue, const Entry& entry);
// Whether later deliveries need this one's receipt, and the receiver can be asked for it.
bool NeedsReceipt(const IncidentQueue& queue, const Entry& entry);
// How long after its receipt, or its last repeat, it is sent again; 0: never.
DurationUs RepeatedAfter(const IncidentQueue& queue, const Entry& entry);
// Whether `entry` is obsolete and must not be sent any more. REQUIRES: it is not in flight.
bool Overtaken(const IncidentQueue& queue, const Entry& entry);
// Whether `entry` is a resolve that waits for the trigger of the level that replaced its own.
bool Blocked(const IncidentQueue& queue, const Entry& entry);
// Whether every trigger has its resolve.
bool Complete(const IncidentQueue& queue);

}  // namespace tocsin::outbox
