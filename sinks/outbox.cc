#include "sinks/outbox.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/bounded_line.h"
#include "core/check.h"
#include "core/limits.h"
#include "sinks/incident_line.h"
#include "sinks/outbox_queues.h"
#include "sinks/sink_rate_limit.h"

namespace tocsin {
namespace {

using namespace outbox;

// Far longer than the time that stage 2 replays after a restart, from its last snapshot on.
constexpr DurationUs kForgetAfter = kHourUs;

// The wait before a held delivery is due again, or before the look-up after an unreadable reply.
constexpr DurationUs kHeldFor = kSecondUs;

// A 429 means that the request was not processed.
constexpr int kTooManyRequests = 429;

// A delivery that failed this often while its sink took others is queued behind the others.
constexpr int kFaultsBeforeLast = 3;

}  // namespace

struct Outbox::State {
  using Effects = std::vector<OutboxEffect>;
  using QueueKey = std::pair<Hash128, std::string>;  // incident and sink

  const std::vector<RouteConfig>* routes = nullptr;
  const std::vector<std::unique_ptr<Sink>>* sinks = nullptr;
  std::uint64_t seed = 0;
  std::uint64_t draws = 0;
  std::uint64_t next_sequence = 1;
  std::uint64_t next_queue = 1;
  std::map<QueueKey, IncidentQueue> queues;
  std::map<Hash128, IncidentQueue*> queue_of;    // by delivery
  std::set<IncidentQueue*, WakesBefore> wakes;   // those with a `wake`
  std::map<std::string, SinkQueue> sink_queues;  // by sink
  std::uint64_t begun = 0;                       // requests
  std::size_t pending = 0;                       // entries that are intended
  Counters counters;

  const Sink* SinkByName(std::string_view name) const;
  IncidentQueue* QueueFor(const Hash128& incident, const Sink& sink);
  Entry* EntryOf(const Hash128& delivery);
  void Wake(IncidentQueue* queue, TimeUs when);
  void Become(Entry* entry, DeliveryState state);
  void JoinWaitList(IncidentQueue* queue, const Entry& next);
  void LeaveWaitList(IncidentQueue* queue);
  void Write(Entry* entry, Effects* effects);
  // Adds an intent unless it exists already. Returns the queue it was added to, or nullptr.
  IncidentQueue* Intend(const Sink& sink, Delivery delivery, Effects* effects);
  // Updates the queue as far as possible without its sink, adds it to the wait list if an entry is
  // due, and sets when to call this again. May delete the queue.
  void Pump(IncidentQueue* queue, TimeUs now, Effects* effects);
  // Sends from the wait lists what the sinks' rate limits admit. Calls that may send end with this.
  void Serve(TimeUs now, Effects* effects);
  // After the sink has recovered: deliveries in their own back-off are due.
  void Release(const SinkQueue& sink_queue, TimeUs now, Effects* effects);
  void AbandonOvertaken(IncidentQueue* queue, TimeUs now, Effects* effects);
  // For a page whose incident ended before it was sent: notifies the non-paging sinks that the
  // routes select for a less urgent level, unless a non-paging sink was notified of the incident
  // already.
  void FileInstead(const IncidentQueue& queue, const Delivery& page, TimeUs now, Effects* effects);
  void HandOverParked(IncidentQueue* queue, TimeUs now, Effects* effects);
  // The entry that the queue sends next; nullptr if nothing is left.
  Entry* Next(IncidentQueue* queue, TimeUs now);
  void Settle(IncidentQueue* queue, TimeUs now, Effects* effects);
  void Begin(IncidentQueue* queue, Entry* entry, TimeUs now, Effects* effects);
  // Gives the entry its own back-off.
  void Postpone(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now);
  // After no answer or one that has to be retried: backs off the sink, the entry, or both.
  void Fail(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now);
  // Handles a reply. Returns whether it shows that the sink is healthy.
  bool TakeReply(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now,
                 Effects* effects);
  void TakeAnswer(IncidentQueue* queue, Entry* entry, SinkLookUp found, const SinkReply& reply,
                  TimeUs now, Effects* effects);
  void Deliver(IncidentQueue* queue, Entry* entry, std::string receipt, TimeUs now,
               Effects* effects);
  std::uint64_t Draw();
};

const Sink* Outbox::State::SinkByName(std::string_view name) const {
  for (const std::unique_ptr<Sink>& sink : *sinks) {
    if (sink->name() == name) return sink.get();
  }
  return nullptr;
}

IncidentQueue* Outbox::State::QueueFor(const Hash128& incident, const Sink& sink) {
  IncidentQueue& queue = queues[{incident, sink.name()}];
  if (queue.sink == nullptr) {
    queue.sink = &sink;
    queue.sink_queue = &sink_queues[sink.name()];
    queue.number = next_queue++;
  }
  return &queue;
}

Entry* Outbox::State::EntryOf(const Hash128& delivery) {
  const auto it = queue_of.find(delivery);
  if (it == queue_of.end()) return nullptr;
  for (Entry& entry : it->second->entries) {
    if (entry.delivery.id == delivery) return &entry;
  }
  return nullptr;
}

void Outbox::State::Wake(IncidentQueue* queue, TimeUs when) {
  wakes.erase(queue);
  queue->wake = when;
  if (when != kNever) wakes.insert(queue);
}

void Outbox::State::Become(Entry* entry, DeliveryState state) {
  if (Intended(*entry)) --pending;
  entry->delivery.state = state;
  if (Intended(*entry)) ++pending;
}

void Outbox::State::JoinWaitList(IncidentQueue* queue, const Entry& next) {
  const bool last = next.faults >= kFaultsBeforeLast || !Intended(next);
  queue->place = {last, next.delivery.level, next.delivery.sequence, queue};
  queue->sink_queue->wait_list.insert(*queue->place);
  Wake(queue, kNever);
}

void Outbox::State::LeaveWaitList(IncidentQueue* queue) {
  if (!queue->place) return;
  queue->sink_queue->wait_list.erase(*queue->place);
  queue->place.reset();
}

void Outbox::State::Write(Entry* entry, Effects* effects) {
  ++entry->unwritten;
  effects->push_back({.kind = OutboxEffect::Kind::kWrite, .delivery = entry->delivery});
}

IncidentQueue* Outbox::State::Intend(const Sink& sink, Delivery delivery, Effects* effects) {
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

void Outbox::State::AbandonOvertaken(IncidentQueue* queue, TimeUs now, Effects* effects) {
  std::vector<Delivery> unsent_pages;
  for (Entry& entry : queue->entries) {
    if (!Intended(entry) || entry.in_flight || !Overtaken(*queue, entry)) continue;
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

void Outbox::State::FileInstead(const IncidentQueue& queue, const Delivery& page, TimeUs now,
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

void Outbox::State::HandOverParked(IncidentQueue* queue, TimeUs now, Effects* effects) {
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

Entry* Outbox::State::Next(IncidentQueue* queue, TimeUs now) {
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

void Outbox::State::Settle(IncidentQueue* queue, TimeUs now, Effects* effects) {
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

void Outbox::State::Pump(IncidentQueue* queue, TimeUs now, Effects* effects) {
  LeaveWaitList(queue);
  AbandonOvertaken(queue, now, effects);
  HandOverParked(queue, now, effects);
  for (const Entry& entry : queue->entries) {
    if (entry.in_flight) return Wake(queue, kNever);
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

void Outbox::State::Serve(TimeUs now, Effects* effects) {
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

void Outbox::State::Release(const SinkQueue& sink_queue, TimeUs now, Effects* effects) {
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

void Outbox::State::Begin(IncidentQueue* queue, Entry* entry, TimeUs now, Effects* effects) {
  Delivery sent = AsSent(*queue, *entry);
  entry->in_flight = true;
  entry->probe = queue->sink_queue->rate_limit.Begin(now, queue->sink->pace());
  queue->begun = ++begun;
  entry->looking_up = LookUpDue(*queue, *entry);
  if (!entry->looking_up) {
    sent.may_repeat = Intended(*entry) && entry->may_have_arrived;
    sent.attempts = ++entry->delivery.attempts;
  }
  effects->push_back(
      {.kind = entry->looking_up ? OutboxEffect::Kind::kLookUp : OutboxEffect::Kind::kSend,
       .delivery = std::move(sent)});
  Wake(queue, kNever);
}

std::uint64_t Outbox::State::Draw() {
  // splitmix64 of a counter; every seed is equally good.
  std::uint64_t x = seed + ++draws * 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

void Outbox::State::Postpone(IncidentQueue* queue, Entry* entry, const SinkReply& reply,
                             TimeUs now) {
  ++entry->failures;
  ++entry->faults;
  ++counters.retried;
  entry->delivery.last_error = queue->sink->Describe(reply);
  const DurationUs backoff = SinkBackoff(entry->faults);
  entry->due = now + backoff + SinkBackoffJitter(backoff, Draw());
}

void Outbox::State::Fail(IncidentQueue* queue, Entry* entry, const SinkReply& reply, TimeUs now) {
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

bool Outbox::State::TakeReply(IncidentQueue* queue, Entry* entry, const SinkReply& reply,
                              TimeUs now, Effects* effects) {
  const bool repeated = entry->delivery.state == DeliveryState::kDelivered;
  const bool looked_up = std::exchange(entry->looking_up, false);
  const SendOutcome outcome = queue->sink->Judge(reply);
  if (outcome == SendOutcome::kRetry) {
    if (!looked_up && reply.status != kTooManyRequests) {
      entry->may_have_arrived = true;
      entry->asked = false;
    }
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
      entry->may_have_arrived = entry->accepted = true;
      entry->asked = false;
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

void Outbox::State::TakeAnswer(IncidentQueue* queue, Entry* entry, SinkLookUp found,
                               const SinkReply& reply, TimeUs now, Effects* effects) {
  switch (found.answer) {
    case SinkLookUp::Answer::kUnreadable:
      return Postpone(queue, entry, reply, now);
    case SinkLookUp::Answer::kMissing:
      entry->may_have_arrived = entry->accepted = false;
      return;
    case SinkLookUp::Answer::kUnknown:
      entry->asked = true;
      if (!entry->accepted) return;
      break;
    case SinkLookUp::Answer::kArrived:
      break;
  }
  Deliver(queue, entry, std::move(found.receipt), now, effects);
}

void Outbox::State::Deliver(IncidentQueue* queue, Entry* entry, std::string receipt, TimeUs now,
                            Effects* effects) {
  Become(entry, DeliveryState::kDelivered);
  entry->delivery.last_error.clear();
  entry->delivery.receipt = receipt.substr(0, limits::kReceiptBytesMax);
  entry->Forgive();
  entry->due = now + RepeatedAfter(*queue, *entry);
  ++counters.delivered;
  Write(entry, effects);
}

Outbox::Outbox(const std::vector<RouteConfig>& routes,
               const std::vector<std::unique_ptr<Sink>>& sinks, std::uint64_t seed)
    : state_(std::make_unique<State>()) {
  state_->routes = &routes;
  state_->sinks = &sinks;
  state_->seed = seed;
}

Outbox::~Outbox() = default;

void Outbox::Restore(const Delivery& delivery) {
  state_->next_sequence = std::max(state_->next_sequence, delivery.sequence + 1);
  const Sink* sink = state_->SinkByName(delivery.sink);
  if (sink == nullptr) return;
  if (Entry* known = state_->EntryOf(delivery.id)) {
    if (Intended(*known)) --state_->pending;
    TakeOver(delivery, known);
    if (Intended(*known)) ++state_->pending;
    return;
  }
  IncidentQueue* queue = state_->QueueFor(delivery.incident, *sink);
  Entry entry;
  TakeOver(delivery, &entry);
  if (Intended(entry)) ++state_->pending;
  state_->queue_of[delivery.id] = queue;
  const auto behind =
      std::upper_bound(queue->entries.begin(), queue->entries.end(), delivery.sequence,
                       [](std::uint64_t sequence, const Entry& other) {
                         return sequence < other.delivery.sequence;
                       });
  queue->entries.insert(behind, std::move(entry));
  state_->Wake(queue, kAtOnce);
}

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
  if (entry == nullptr || !entry->in_flight) return;
  IncidentQueue* const queue = state_->queue_of[delivery];
  SinkQueue* const sink_queue = queue->sink_queue;
  entry->in_flight = false;
  sink_queue->rate_limit.End(entry->probe);
  const bool taken = state_->TakeReply(queue, entry, reply, now, effects);
  const bool recovered = taken && sink_queue->rate_limit.OnTaken();
  state_->Pump(queue, now, effects);
  if (recovered) state_->Release(*sink_queue, now, effects);
  state_->Serve(now, effects);
}

void Outbox::OnHeld(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects) {
  Entry* entry = state_->EntryOf(delivery);
  if (entry == nullptr || !entry->in_flight) return;
  IncidentQueue* const queue = state_->queue_of[delivery];
  entry->in_flight = false;
  queue->sink_queue->rate_limit.End(entry->probe);
  if (!std::exchange(entry->looking_up, false)) --entry->delivery.attempts;
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
