#include <algorithm>
#include <utility>

#include "sinks/outbox_state.h"

namespace tocsin::outbox {
namespace {

// Applies the next journal record of a delivery to its entry, when restoring.
void TakeOver(const Delivery& record, Entry* entry) {
  const Delivery before = std::exchange(entry->delivery, record);
  if (before.state == DeliveryState::kDelivered) {
    entry->delivery.state = before.state;
    entry->delivery.echoed = before.echoed || record.echoed;
    if (record.receipt.empty()) entry->delivery.receipt = before.receipt;
  }
  if (!before.sink.empty()) entry->delivery.sequence = before.sequence;
  // The process that abandoned it may not have known of another process' attempt. If the receiver
  // can be asked, it is.
  if (entry->delivery.state == DeliveryState::kAbandoned && entry->delivery.attempts > 0 &&
      entry->delivery.action == NotificationAction::kTrigger) {
    entry->delivery.state = DeliveryState::kIntended;
    entry->failures = 1;
  }
  // It may have been in flight when the process ended.
  if (Intended(*entry)) {
    entry->delivery.attempts = std::max<std::int64_t>(1, entry->delivery.attempts);
    entry->arrival = Arrival::kUnknown;
  }
  entry->due = entry->delivery.state == DeliveryState::kDelivered ? kNoTime : kAtOnce;
}

}  // namespace

void State::Restore(const Delivery& delivery) {
  next_sequence = std::max(next_sequence, delivery.sequence + 1);
  const Sink* sink = SinkByName(delivery.sink);
  if (sink == nullptr) return;
  if (Entry* known = EntryOf(delivery.id)) {
    if (Intended(*known)) --pending;
    TakeOver(delivery, known);
    if (Intended(*known)) ++pending;
    return;
  }
  IncidentQueue* queue = QueueFor(delivery.incident, *sink);
  Entry entry;
  TakeOver(delivery, &entry);
  if (Intended(entry)) ++pending;
  queue_of[delivery.id] = queue;
  const auto behind =
      std::upper_bound(queue->entries.begin(), queue->entries.end(), delivery.sequence,
                       [](std::uint64_t sequence, const Entry& other) {
                         return sequence < other.delivery.sequence;
                       });
  queue->entries.insert(behind, std::move(entry));
  Wake(queue, kAtOnce);
}

}  // namespace tocsin::outbox
