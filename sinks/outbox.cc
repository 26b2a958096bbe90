#include "sinks/outbox.h"

#include <algorithm>
#include <utility>

#include "core/bounded_line.h"
#include "core/check.h"
#include "sinks/outbox_state.h"
#include "sinks/routing.h"

namespace tocsin {

using namespace outbox;

Outbox::Outbox(const std::vector<RouteConfig>& routes,
               const std::vector<std::unique_ptr<Sink>>& sinks, std::uint64_t seed)
    : state_(std::make_unique<outbox::State>()) {
  state_->routes = &routes;
  state_->sinks = &sinks;
  state_->seed = seed;
}

Outbox::~Outbox() = default;

void Outbox::Restore(const Delivery& delivery) { state_->Restore(delivery); }

void Outbox::Submit(const Notification& notification, TimeUs now,
                    std::vector<OutboxEffect>* effects) {
  const Hash128& incident = notification.incident.id;
  std::vector<const Sink*> recipients;
  NotificationAction action = notification.action;
  if (action == NotificationAction::kEscalate) action = NotificationAction::kTrigger;
  if (action == NotificationAction::kTrigger || action == NotificationAction::kChange) {
    recipients = Route(*state_->routes, *state_->sinks, notification);
  } else {
    for (auto it = state_->queues.lower_bound({incident, ""});
         it != state_->queues.end() && it->first.first == incident; ++it) {
      const Entry* trigger = Find(it->second, notification.level, NotificationAction::kTrigger);
      if (trigger != nullptr) recipients.push_back(it->second.sink);
    }
  }
  if (recipients.empty()) return;
  Delivery delivery;
  delivery.incident = incident;
  delivery.level = notification.level;
  delivery.action = action;
  delivery.after_trigger_of_level = notification.after_trigger_of_level;
  delivery.dedup_key = Incident::DedupKey(incident, notification.level);
  delivery.payload = BoundedLine(notification.incident);
  delivery.tick = notification.tick;
  for (const Sink* sink : recipients) {
    IncidentQueue* queue = state_->Intend(*sink, delivery, effects);
    const auto known = state_->queues.find({incident, sink->name()});
    if (known == state_->queues.end()) continue;
    const Delivery& first = known->second.entries.front().delivery;
    // Also when a crash came between the two intents.
    if (first.level != delivery.level || first.action != action) {
      Delivery refresh = delivery;
      refresh.action = NotificationAction::kRefresh;
      refresh.after_trigger_of_level = 0;
      IncidentQueue* const refreshed = state_->Intend(*sink, std::move(refresh), effects);
      if (queue == nullptr) queue = refreshed;
    }
    if (queue == nullptr) continue;
    state_->Pump(queue, now, effects);
  }
  state_->Serve(now, effects);
}

void Outbox::OnWritten(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects) {
  Entry* entry = state_->EntryOf(delivery);
  if (entry == nullptr) return;
  TOCSIN_CHECK(entry->unwritten > 0);
  --entry->unwritten;
  IncidentQueue* const queue = state_->queue_of[delivery];
  const bool settled = entry->delivery.state == DeliveryState::kDelivered &&
                       entry->unwritten == 0 && RepeatedAfter(*queue, *entry) == 0;
  // The payload is not sent again; freeing it saves memory with ten thousand incidents.
  if (settled) std::string().swap(entry->delivery.payload);
  state_->Pump(queue, now, effects);
  state_->Serve(now, effects);
}

void Outbox::OnReply(const Hash128& delivery, const SinkReply& reply, TimeUs now,
                     std::vector<OutboxEffect>* effects) {
  Entry* entry = state_->EntryOf(delivery);
  if (entry == nullptr || entry->request == Request::kNone) return;
  IncidentQueue* const queue = state_->queue_of[delivery];
  SinkQueue* const sink_queue = queue->sink_queue;
  sink_queue->rate_limit.End(entry->probe);
  const bool taken = state_->TakeReply(queue, entry, reply, now, effects);
  const bool recovered = taken && sink_queue->rate_limit.OnTaken();
  state_->Pump(queue, now, effects);
  if (recovered) state_->Release(*sink_queue, now, effects);
  state_->Serve(now, effects);
}

void Outbox::OnHeld(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects) {
  Entry* entry = state_->EntryOf(delivery);
  if (entry == nullptr || entry->request == Request::kNone) return;
  IncidentQueue* const queue = state_->queue_of[delivery];
  queue->sink_queue->rate_limit.End(entry->probe);
  if (std::exchange(entry->request, Request::kNone) == Request::kMessage) {
    --entry->delivery.attempts;
  }
  entry->due = now + kHeldFor;
  state_->Pump(queue, now, effects);
  state_->Serve(now, effects);
}

void Outbox::Advance(TimeUs now, std::vector<OutboxEffect>* effects) {
  while (!state_->wakes.empty() && (*state_->wakes.begin())->wake <= now) {
    state_->Pump(*state_->wakes.begin(), now, effects);
  }
  state_->Serve(now, effects);
}

std::size_t Outbox::RetryParked(const Hash128& incident, TimeUs now,
                                std::vector<OutboxEffect>* effects) {
  std::size_t retried = 0;
  std::vector<IncidentQueue*> queues;
  for (auto it = state_->queues.lower_bound({incident, ""});
       it != state_->queues.end() && it->first.first == incident; ++it) {
    for (Entry& entry : it->second.entries) {
      if (entry.delivery.state != DeliveryState::kParked) continue;
      state_->Become(&entry, DeliveryState::kIntended);
      entry.Forgive();
      entry.due = kAtOnce;
      state_->Write(&entry, effects);
      ++retried;
    }
    queues.push_back(&it->second);
  }
  for (IncidentQueue* queue : queues) state_->Pump(queue, now, effects);
  state_->Serve(now, effects);
  return retried;
}

std::vector<Delivery> Outbox::DeliveriesOf(const Hash128& incident) const {
  std::vector<Delivery> deliveries;
  for (auto it = state_->queues.lower_bound({incident, ""});
       it != state_->queues.end() && it->first.first == incident; ++it) {
    for (Entry& entry : it->second.entries) {
      // A payload is tens of kilobytes that callers do not need.
      std::string payload;
      payload.swap(entry.delivery.payload);
      deliveries.push_back(entry.delivery);
      payload.swap(entry.delivery.payload);
    }
  }
  return deliveries;
}

void Outbox::ReplaceSinks(const std::vector<std::unique_ptr<Sink>>& sinks) {
  state_->sinks = &sinks;
  for (auto& [key, queue] : state_->queues) {
    queue.sink = state_->SinkByName(key.second);
    TOCSIN_CHECK(queue.sink != nullptr);
  }
}

TimeUs Outbox::NextDue() const {
  TimeUs next = state_->wakes.empty() ? kNever : (*state_->wakes.begin())->wake;
  for (const auto& [name, sink_queue] : state_->sink_queues) {
    if (!sink_queue.wait_list.empty()) next = std::min(next, sink_queue.rate_limit.OpensAt());
  }
  return next;
}

std::size_t Outbox::pending() const { return state_->pending; }

const Outbox::Counters& Outbox::counters() const { return state_->counters; }

}  // namespace tocsin
