// What one sink is told about one incident, as the outbox keeps it, and the rules between what it
// holds: what follows what, what is overtaken, what is repeated.
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
  bool probe = false;  // the request asks whether the sink is well again
  Arrival arrival = Arrival::kNone;
  int failures = 0;  // attempts in this process that got no receipt
  // What its sink had taken when it failed last (SinkRateLimit::taken). Where that is more by the next
  // failure, the fault may be its own: it gets a back-off of its own, by the number of faults.
  std::optional<std::uint64_t> failed_at = {};
  int faults = 0;
  TimeUs due = kAtOnce;      // of the next attempt or repetition; kNoTime: undecided (restored)
  bool handed_over = false;  // a parked trigger went to the fallback

  void Forgive() {
    failures = faults = 0;
    failed_at.reset();
  }
};

struct IncidentQueue;

// Who waits for a sink, most urgent first: whether others go first, level, sequence, and the queue.
using WaitList = std::set<std::tuple<bool, int, std::uint64_t, IncidentQueue*>>;

struct SinkQueue {
  SinkRateLimit rate_limit;
  WaitList wait_list;
};

// What one sink is told about one incident.
struct IncidentQueue {
  std::uint64_t number = 0;
  const Sink* sink = nullptr;
  SinkQueue* sink_queue = nullptr;  // its sink's
  std::vector<Entry> entries;       // in order of sequence
  TimeUs wake = kNever;
  TimeUs forget_at = kNever;
  std::uint64_t begun = 0;  // when something of it left last, in such moments
  std::optional<WaitList::value_type> place = {};  // in the sink's wait list
};

struct WakesBefore {
  bool operator()(const IncidentQueue* a, const IncidentQueue* b) const {
    return std::tie(a->wake, a->number) < std::tie(b->wake, b->number);
  }
};

// nullptr where there is none.
const Entry* Find(const IncidentQueue& queue, int level, NotificationAction action);
inline bool Intended(const Entry& entry) {
  return entry.delivery.state == DeliveryState::kIntended;
}
// With the receipt of the first of its incident.
Delivery AsSent(const IncidentQueue& queue, const Entry& entry);
// Whether an attempt may have arrived, and the receiver can be asked and was not.
bool LookUpDue(const IncidentQueue& queue, const Entry& entry);
// Whether what follows has to know what the receiver calls this, and it can be asked.
bool NeedsReceipt(const IncidentQueue& queue, const Entry& entry);
// How long after its receipt, or its last repetition, it is sent once more; 0: never.
DurationUs RepeatedAfter(const IncidentQueue& queue, const Entry& entry);
// Whether `entry`, which is not in flight, must not be sent any more.
bool Overtaken(const IncidentQueue& queue, const Entry& entry);
// A resolve that waits for the trigger of the level that replaces its own.
bool Blocked(const IncidentQueue& queue, const Entry& entry);
// Whether every trigger has its resolve.
bool Complete(const IncidentQueue& queue);

}  // namespace tocsin::outbox
