#include "sinks/outbox_state.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "sinks/incident_line.h"
#include "sinks/routing.h"
#include "sinks/sink_rate_limit.h"

namespace tocsin::outbox {
namespace {

// Far longer than the time that stage 2 replays after a restart, from its last snapshot on.
constexpr DurationUs kForgetAfter = kHourUs;

// A delivery that failed this often while its sink took others is queued behind the others.
constexpr int kFaultsBeforeLast = 3;

}  // namespace

const Sink* State::SinkByName(std::string_view name) const {
  for (const std::unique_ptr<Sink>& sink : *sinks) {
    if (sink->name() == name) return sink.get();
  }
  return nullptr;
}

IncidentQueue* State::QueueFor(const Hash128& incident, const Sink& sink) {
  IncidentQueue& queue = queues[{incident, sink.name()}];
  if (queue.sink == nullptr) {
    queue.sink = &sink;
    queue.sink_queue = &sink_queues[sink.name()];
    queue.number = next_queue++;
  }
  return &queue;
}

Entry* State::EntryOf(const Hash128& delivery) {
  const auto it = queue_of.find(delivery);
  if (it == queue_of.end()) return nullptr;
  for (Entry& entry : it->second->entries) {
    if (entry.delivery.id == delivery) return &entry;
  }
  return nullptr;
}

void State::Wake(IncidentQueue* queue, TimeUs when) {
  wakes.erase(queue);
  queue->wake = when;
  if (when != kNever) wakes.insert(queue);
}

void State::Become(Entry* entry, DeliveryState state) {
  if (Intended(*entry)) --pending;
  entry->delivery.state = state;
  if (Intended(*entry)) ++pending;
}

void State::JoinWaitList(IncidentQueue* queue, const Entry& next) {
  const bool last = next.faults >= kFaultsBeforeLast || !Intended(next);
  queue->place = {last, next.delivery.level, next.delivery.sequence, queue};
  queue->sink_queue->wait_list.insert(*queue->place);
  Wake(queue, kNever);
}

void State::LeaveWaitList(IncidentQueue* queue) {
  if (!queue->place) return;
  queue->sink_queue->wait_list.erase(*queue->place);
  queue->place.reset();
}

void State::Write(Entry* entry, Effects* effects) {
  ++entry->unwritten;
  effects->push_back({.kind = OutboxEffect::Kind::kWrite, .delivery = entry->delivery});
}

IncidentQueue* State::Intend(const Sink& sink, Delivery delivery, Effects* effects) {
  if (!sink.Wants(delivery.action)) return nullptr;
  delivery.sink = sink.name();
  delivery.id =
      DeliveryId(sink.name(), delivery.incident, delivery.level, delivery.action, delivery.tick);
  if (queue_of.contains(delivery.id)) return nullptr;
  delivery.sequence = next_sequence++;
  IncidentQueue* queue = QueueFor(delivery.incident, sink);
  queue_of[delivery.id] = queue;
  queue->forget_at = kNever;
  const Entry* trigger = Find(*queue, delivery.level, NotificationAction::kTrigger);
  const bool withheld =
      delivery.action == NotificationAction::kTrigger
          ? sink.withheld()
          : trigger != nullptr && trigger->delivery.state == DeliveryState::kWithheld;
  if (withheld) {
    delivery.state = DeliveryState::kWithheld;
    ++counters.withheld;
  } else {
    ++pending;
  }
  queue->entries.push_back({.delivery = std::move(delivery)});
  Write(&queue->entries.back(), effects);
  ++counters.submitted;
  return queue;
}

void State::AbandonOvertaken(IncidentQueue* queue, TimeUs now, Effects* effects) {
  std::vector<Delivery> unsent_pages;
  for (Entry& entry : queue->entries) {
    if (!Intended(entry) || entry.request != Request::kNone || !Overtaken(*queue, entry)) continue;
    // It may have arrived; then it must not stay open at the receiver.
    if (LookUpDue(*queue, entry)) continue;
    Become(&entry, DeliveryState::kAbandoned);
    ++counters.abandoned;
    Write(&entry, effects);
    if (entry.delivery.action == NotificationAction::kTrigger && entry.delivery.attempts == 0) {
      unsent_pages.push_back(entry.delivery);
    }
  }
  for (const Delivery& page : unsent_pages) FileInstead(*queue, page, now, effects);
}

void State::FileInstead(const IncidentQueue& queue, const Delivery& page, TimeUs now,
                        Effects* effects) {
  const Entry* const resolve = Find(queue, page.level, NotificationAction::kResolve);
  // Not if a higher level has replaced it.
  if (!queue.sink->pages() || resolve == nullptr || resolve->delivery.after_trigger_of_level != 0) {
    return;
  }
  for (auto it = queues.lower_bound({page.incident, ""});
       it != queues.end() && it->first.first == page.incident; ++it) {
    if (!it->second.sink->pages()) return;
  }
  absl::StatusOr<Incident> incident = ReadIncident(page.payload);
  if (!incident.ok()) return;
  Notification notification = {.level = page.level,
                               .tick = page.tick,
                               .pages = false,
                               .audience = Audience::kNotPaging,
                               .incident = *std::move(incident)};
  std::vector<const Sink*> recipients;
  while (recipients.empty() && ++notification.level <= 4)
    recipients = Route(*routes, *sinks, notification);
  Delivery end = resolve->delivery;
  end.state = DeliveryState::kIntended;
  for (const Sink* sink : recipients) {
    Delivery trigger = page;
    trigger.state = DeliveryState::kIntended;
    Intend(*sink, std::move(trigger), effects);
    IncidentQueue* const other = Intend(*sink, end, effects);
    if (other != nullptr) Pump(other, now, effects);
  }
}

void State::HandOverParked(IncidentQueue* queue, TimeUs now, Effects* effects) {
  const Sink* fallback = SinkByName(queue->sink->fallback());
  if (fallback == nullptr) return;
  for (Entry& entry : queue->entries) {
    if (entry.delivery.state != DeliveryState::kParked || entry.handed_over) continue;
    if (entry.delivery.action != NotificationAction::kTrigger) continue;
    entry.handed_over = true;
    if (Find(*queue, entry.delivery.level, NotificationAction::kResolve) != nullptr) continue;
    Delivery copy = entry.delivery;
    copy.state = DeliveryState::kIntended;
    copy.attempts = 0;
    copy.last_error.clear();
    IncidentQueue* other = Intend(*fallback, std::move(copy), effects);
    if (other != nullptr) Pump(other, now, effects);
  }
}

Entry* State::Next(IncidentQueue* queue, TimeUs now) {
  for (Entry& entry : queue->entries) {
    if (Intended(entry) && !Blocked(*queue, entry)) return &entry;
  }
  Entry* repeated = nullptr;
  for (Entry& entry : queue->entries) {
    const DurationUs after = RepeatedAfter(*queue, entry);
    if (after == 0) continue;
    // After a restart the time of the receipt is unknown; sending later is safe.
    if (entry.due == kNoTime) entry.due = now + after;
    if (repeated == nullptr || entry.due < repeated->due) repeated = &entry;
  }
  return repeated;
}

void State::Settle(IncidentQueue* queue, TimeUs now, Effects* effects) {
  if (!Complete(*queue)) return Wake(queue, kNever);
  if (queue->forget_at == kNever) queue->forget_at = now + kForgetAfter;
  if (now < queue->forget_at) return Wake(queue, queue->forget_at);
  Wake(queue, kNever);
  const QueueKey key(queue->entries.front().delivery.incident, queue->sink->name());
  for (const Entry& entry : queue->entries) {
    queue_of.erase(entry.delivery.id);
    effects->push_back({.kind = OutboxEffect::Kind::kForget, .delivery = entry.delivery});
  }
  queues.erase(key);
}

void State::Pump(IncidentQueue* queue, TimeUs now, Effects* effects) {
  LeaveWaitList(queue);
  AbandonOvertaken(queue, now, effects);
  HandOverParked(queue, now, effects);
  for (const Entry& entry : queue->entries) {
    if (entry.request != Request::kNone) return Wake(queue, kNever);
  }
  Entry* next = Next(queue, now);
  if (next == nullptr) return Settle(queue, now, effects);
  // The outcome of earlier entries must be in the journal first; else a restart would send them
  // again after this one.
  for (const Entry& entry : queue->entries) {
    const bool before = entry.delivery.sequence <= next->delivery.sequence || !Intended(entry);
    if (before && entry.unwritten > 0) return Wake(queue, kNever);
  }
  if (next->due > now) return Wake(queue, next->due);
  JoinWaitList(queue, *next);
}

void State::Serve(TimeUs now, Effects* effects) {
  for (auto& [name, sink_queue] : sink_queues) {
    while (!sink_queue.wait_list.empty() && sink_queue.rate_limit.Admits(now)) {
      auto chosen = sink_queue.wait_list.begin();
      // Not the one that just failed: its receiver may fail only on that one.
      if (sink_queue.rate_limit.asks_again()) {
        chosen = std::min_element(sink_queue.wait_list.begin(), sink_queue.wait_list.end(),
                                  [](const WaitList::value_type& a, const WaitList::value_type& b) {
                                    return std::get<IncidentQueue*>(a)->begun <
                                           std::get<IncidentQueue*>(b)->begun;
                                  });
      }
      IncidentQueue* const queue = std::get<IncidentQueue*>(*chosen);
      LeaveWaitList(queue);
      Begin(queue, Next(queue, now), now, effects);
    }
  }
}

void State::Release(const SinkQueue& sink_queue, TimeUs now, Effects* effects) {
  std::vector<IncidentQueue*> released;
  for (auto& [key, queue] : queues) {
    if (queue.sink_queue != &sink_queue) continue;
    for (Entry& entry : queue.entries) {
      if (!Intended(entry) || entry.faults == 0 || entry.due <= now) continue;
      entry.due = kAtOnce;
      released.push_back(&queue);
    }
  }
  for (IncidentQueue* const queue : released) Pump(queue, now, effects);
}

void State::Begin(IncidentQueue* queue, Entry* entry, TimeUs now, Effects* effects) {
  Delivery sent = AsSent(*queue, *entry);
  entry->request = LookUpDue(*queue, *entry) ? Request::kLookUp : Request::kMessage;
  entry->probe = queue->sink_queue->rate_limit.Begin(now, queue->sink->pace());
  queue->begun = ++begun;
  if (entry->request == Request::kMessage) {
    sent.may_repeat = Intended(*entry) && entry->arrival != Arrival::kNone;
    sent.attempts = ++entry->delivery.attempts;
  }
  effects->push_back({.kind = entry->request == Request::kLookUp ? OutboxEffect::Kind::kLookUp
                                                                 : OutboxEffect::Kind::kSend,
                      .delivery = std::move(sent)});
  Wake(queue, kNever);
}

}  // namespace tocsin::outbox
