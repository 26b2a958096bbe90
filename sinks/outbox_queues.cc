#include "sinks/outbox_queues.h"

#include <algorithm>
#include <utility>

namespace tocsin::outbox {
namespace {

// Longer than any request may take, so a request on a stalled connection arrives before the repeat.
constexpr DurationUs kEchoAfter = kMinuteUs;

}  // namespace

const Entry* Find(const IncidentQueue& queue, int level, NotificationAction action) {
  for (const Entry& entry : queue.entries) {
    if (entry.delivery.level == level && entry.delivery.action == action) return &entry;
  }
  return nullptr;
}

Delivery AsSent(const IncidentQueue& queue, const Entry& entry) {
  Delivery sent = entry.delivery;
  for (const Entry& other : queue.entries) {
    if (sent.receipt.empty()) sent.receipt = other.delivery.receipt;
  }
  return sent;
}

bool LookUpDue(const IncidentQueue& queue, const Entry& entry) {
  const bool open = entry.arrival == Arrival::kUnknown || entry.arrival == Arrival::kAccepted;
  return Intended(entry) && open && queue.sink->RenderLookUp(AsSent(queue, entry)).has_value();
}

bool NeedsReceipt(const IncidentQueue& queue, const Entry& entry) {
  const Delivery sent = AsSent(queue, entry);
  return sent.action == NotificationAction::kTrigger && sent.receipt.empty() &&
         queue.sink->RenderLookUp(sent).has_value();
}

DurationUs RepeatedAfter(const IncidentQueue& queue, const Entry& entry) {
  if (entry.delivery.state != DeliveryState::kDelivered) return 0;
  if (entry.delivery.action == NotificationAction::kResolve) {
    return queue.sink->has_idempotency_key() && !entry.delivery.echoed ? kEchoAfter : 0;
  }
  if (entry.delivery.action != NotificationAction::kTrigger) return 0;
  const bool over = Find(queue, entry.delivery.level, NotificationAction::kResolve) != nullptr;
  return over ? 0 : queue.sink->resend_every();
}

bool Overtaken(const IncidentQueue& queue, const Entry& entry) {
  const int level = entry.delivery.level;
  const bool resolved = Find(queue, level, NotificationAction::kResolve) != nullptr;
  switch (entry.delivery.action) {
    case NotificationAction::kTrigger:
      return resolved && (queue.sink->pages() || entry.failures > 0);
    case NotificationAction::kResolve:
    case NotificationAction::kChange:
      return false;
    case NotificationAction::kRefresh:  // only the newest state matters
      return std::any_of(queue.entries.begin(), queue.entries.end(), [&](const Entry& other) {
        return other.delivery.action == NotificationAction::kRefresh &&
               other.delivery.sequence > entry.delivery.sequence;
      });
    case NotificationAction::kAcknowledge:
    case NotificationAction::kUpdate:
    case NotificationAction::kEscalate:
      break;
  }
  const Entry* trigger = Find(queue, level, NotificationAction::kTrigger);
  return resolved || trigger == nullptr ||
         (!Intended(*trigger) && trigger->delivery.state != DeliveryState::kDelivered);
}

bool Blocked(const IncidentQueue& queue, const Entry& entry) {
  if (entry.delivery.after_trigger_of_level == 0) return false;
  const Entry* trigger =
      Find(queue, entry.delivery.after_trigger_of_level, NotificationAction::kTrigger);
  return trigger != nullptr && Intended(*trigger);
}

bool Complete(const IncidentQueue& queue) {
  return std::all_of(queue.entries.begin(), queue.entries.end(), [&](const Entry& entry) {
    return entry.delivery.action != NotificationAction::kTrigger ||
           Find(queue, entry.delivery.level, NotificationAction::kResolve) != nullptr;
  });
}

}  // namespace tocsin::outbox
