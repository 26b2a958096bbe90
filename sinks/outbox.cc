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
#include "sinks/outbox_lane.h"
#include "sinks/sink_gate.h"

namespace tocsin {
namespace {

using namespace outbox;

// Far more than stage 2 ever repeats after a restart (from its last snapshot).
constexpr DurationUs kForgetAfter = kHourUs;

// What waits for the lease, or for an answer to a question that follows.
constexpr DurationUs kHeldFor = kSecondUs;

// A receiver that answers with this has not processed the request.
constexpr int kTooManyRequests = 429;

// A delivery that failed so often while its sink took others goes behind those.
constexpr int kFaultsBeforeLast = 3;

}  // namespace

struct Outbox::State {
  using Effects = std::vector<OutboxEffect>;
  using LaneKey = std::pair<Hash128, std::string>;  // incident and sink

  const std::vector<RouteConfig>* routes = nullptr;
  const std::vector<std::unique_ptr<Sink>>* sinks = nullptr;
  std::uint64_t seed = 0;
  std::uint64_t draws = 0;
  std::uint64_t next_sequence = 1;
  std::uint64_t next_lane = 1;
  std::map<LaneKey, Lane> lanes;
  std::map<Hash128, Lane*> lane_of;     // by delivery
  std::set<Lane*, WakesBefore> wakes;   // those with a `wake`
  std::map<std::string, Queue> queues;  // by sink
  std::uint64_t begun = 0;              // requests
  std::size_t pending = 0;              // entries that are intended
  Counters counters;

  const Sink* SinkByName(std::string_view name) const;
  Lane* LaneFor(const Hash128& incident, const Sink& sink);
  Entry* EntryOf(const Hash128& delivery);
  void Wake(Lane* lane, TimeUs when);
  void Become(Entry* entry, DeliveryState state);
  void StandInLine(Lane* lane, const Entry& next);
  void LeaveLine(Lane* lane);
  void Write(Entry* entry, Effects* effects);
  // Adds an intent unless there is one; the lane it went to, or nullptr.
  Lane* Intend(const Sink& sink, Delivery delivery, Effects* effects);
  // Does what can be done for the lane without its sink, puts what is due in line, and sets when to
  // look again. May forget it.
  void Pump(Lane* lane, TimeUs now, Effects* effects);
  // Sends what is in line, as far as the sinks bear it. The last thing that every call does.
  void Serve(TimeUs now, Effects* effects);
  // The sink is well again: what a failure of theirs holds back is due.
  void Release(const Queue& queue, TimeUs now, Effects* effects);
  void AbandonOvertaken(Lane* lane, TimeUs now, Effects* effects);
  // Of a page that was over before it was sent: whoever the routes tell of less urgent levels, where
  // nobody who is not paged has heard of the incident.
  void FileInstead(const Lane& lane, const Delivery& page, TimeUs now, Effects* effects);
  void HandOverParked(Lane* lane, TimeUs now, Effects* effects);
  // What the lane would send next; nullptr if nothing is left.
  Entry* Next(Lane* lane, TimeUs now);
  void Settle(Lane* lane, TimeUs now, Effects* effects);
  void Begin(Lane* lane, Entry* entry, TimeUs now, Effects* effects);
  void Postpone(Lane* lane, Entry* entry, const SinkReply& reply, TimeUs now);
  // The same where the sink did not answer, or not as one that is well.
  void Fail(Lane* lane, Entry* entry, const SinkReply& reply, TimeUs now);
  // Whether the sink is well by its reply.
  bool TakeReply(Lane* lane, Entry* entry, const SinkReply& reply, TimeUs now, Effects* effects);
  void TakeAnswer(Lane* lane, Entry* entry, SinkLookUp found, const SinkReply& reply, TimeUs now,
                  Effects* effects);
  void Deliver(Lane* lane, Entry* entry, std::string receipt, TimeUs now, Effects* effects);
  std::uint64_t Draw();
};

const Sink* Outbox::State::SinkByName(std::string_view name) const {
  for (const std::unique_ptr<Sink>& sink : *sinks) {
    if (sink->name() == name) return sink.get();
  }
  return nullptr;
}

Lane* Outbox::State::LaneFor(const Hash128& incident, const Sink& sink) {
  Lane& lane = lanes[{incident, sink.name()}];
  if (lane.sink == nullptr) {
    lane.sink = &sink;
    lane.queue = &queues[sink.name()];
    lane.number = next_lane++;
  }
  return &lane;
}

Entry* Outbox::State::EntryOf(const Hash128& delivery) {
  const auto it = lane_of.find(delivery);
  if (it == lane_of.end()) return nullptr;
  for (Entry& entry : it->second->entries) {
    if (entry.delivery.id == delivery) return &entry;
  }
  return nullptr;
}

void Outbox::State::Wake(Lane* lane, TimeUs when) {
  wakes.erase(lane);
  lane->wake = when;
  if (when != kNever) wakes.insert(lane);
}

void Outbox::State::Become(Entry* entry, DeliveryState state) {
  if (Intended(*entry)) --pending;
  entry->delivery.state = state;
  if (Intended(*entry)) ++pending;
}

void Outbox::State::StandInLine(Lane* lane, const Entry& next) {
  const bool last = next.faults >= kFaultsBeforeLast || !Intended(next);
  lane->place = {last, next.delivery.level, next.delivery.sequence, lane};
  lane->queue->line.insert(*lane->place);
  Wake(lane, kNever);
}

void Outbox::State::LeaveLine(Lane* lane) {
  if (!lane->place) return;
  lane->queue->line.erase(*lane->place);
  lane->place.reset();
}

void Outbox::State::Write(Entry* entry, Effects* effects) {
  ++entry->unwritten;
  effects->push_back({.kind = OutboxEffect::Kind::kWrite, .delivery = entry->delivery});
}

Lane* Outbox::State::Intend(const Sink& sink, Delivery delivery, Effects* effects) {
  if (!sink.Wants(delivery.action)) return nullptr;
  delivery.sink = sink.name();
  delivery.id =
      DeliveryId(sink.name(), delivery.incident, delivery.level, delivery.action, delivery.tick);
  if (lane_of.contains(delivery.id)) return nullptr;
  delivery.sequence = next_sequence++;
  Lane* lane = LaneFor(delivery.incident, sink);
  lane_of[delivery.id] = lane;
  lane->forget_at = kNever;
  const Entry* trigger = Find(*lane, delivery.level, NotificationAction::kTrigger);
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
  lane->entries.push_back({.delivery = std::move(delivery)});
  Write(&lane->entries.back(), effects);
  ++counters.submitted;
  return lane;
}

void Outbox::State::AbandonOvertaken(Lane* lane, TimeUs now, Effects* effects) {
  std::vector<Delivery> unsent_pages;
  for (Entry& entry : lane->entries) {
    if (!Intended(entry) || entry.in_flight || !Overtaken(*lane, entry)) continue;
    // What has arrived after all must not stay open there.
    if (LookUpDue(*lane, entry)) continue;
    Become(&entry, DeliveryState::kAbandoned);
    ++counters.abandoned;
    Write(&entry, effects);
    if (entry.delivery.action == NotificationAction::kTrigger && entry.delivery.attempts == 0) {
      unsent_pages.push_back(entry.delivery);
    }
  }
  for (const Delivery& page : unsent_pages) FileInstead(*lane, page, now, effects);
}

void Outbox::State::FileInstead(const Lane& lane, const Delivery& page, TimeUs now,
                                Effects* effects) {
  const Entry* const resolve = Find(lane, page.level, NotificationAction::kResolve);
  // Not where a higher level has taken its place.
  if (!lane.sink->pages() || resolve == nullptr || resolve->delivery.after_trigger_of_level != 0) {
    return;
  }
  for (auto it = lanes.lower_bound({page.incident, ""});
       it != lanes.end() && it->first.first == page.incident; ++it) {
    if (!it->second.sink->pages()) return;
  }
  absl::StatusOr<Incident> incident = ReadIncident(page.payload);
  if (!incident.ok()) return;
  Notification notification = {.level = page.level,
                               .tick = page.tick,
                               .pages = false,
                               .audience = Audience::kNotPaging,
                               .incident = *std::move(incident)};
  std::vector<const Sink*> told;
  while (told.empty() && ++notification.level <= 4) told = Route(*routes, *sinks, notification);
  Delivery end = resolve->delivery;
  end.state = DeliveryState::kIntended;
  for (const Sink* sink : told) {
    Delivery trigger = page;
    trigger.state = DeliveryState::kIntended;
    Intend(*sink, std::move(trigger), effects);
    Lane* const other = Intend(*sink, end, effects);
    if (other != nullptr) Pump(other, now, effects);
  }
}

void Outbox::State::HandOverParked(Lane* lane, TimeUs now, Effects* effects) {
  const Sink* fallback = SinkByName(lane->sink->fallback());
  if (fallback == nullptr) return;
  for (Entry& entry : lane->entries) {
    if (entry.delivery.state != DeliveryState::kParked || entry.handed_over) continue;
    if (entry.delivery.action != NotificationAction::kTrigger) continue;
    entry.handed_over = true;
    if (Find(*lane, entry.delivery.level, NotificationAction::kResolve) != nullptr) continue;
    Delivery copy = entry.delivery;
    copy.state = DeliveryState::kIntended;
    copy.attempts = 0;
    copy.last_error.clear();
    Lane* other = Intend(*fallback, std::move(copy), effects);
    if (other != nullptr) Pump(other, now, effects);
  }
}

Entry* Outbox::State::Next(Lane* lane, TimeUs now) {
  for (Entry& entry : lane->entries) {
    if (Intended(entry) && !Blocked(*lane, entry)) return &entry;
  }
  Entry* repeated = nullptr;
  for (Entry& entry : lane->entries) {
    const DurationUs after = RepeatedAfter(*lane, entry);
    if (after == 0) continue;
    // When its receipt came is not known after a restart; later is safe.
    if (entry.due == kNoTime) entry.due = now + after;
    if (repeated == nullptr || entry.due < repeated->due) repeated = &entry;
  }
  return repeated;
}

void Outbox::State::Settle(Lane* lane, TimeUs now, Effects* effects) {
  if (!Complete(*lane)) return Wake(lane, kNever);
  if (lane->forget_at == kNever) lane->forget_at = now + kForgetAfter;
  if (now < lane->forget_at) return Wake(lane, lane->forget_at);
  Wake(lane, kNever);
  const LaneKey key(lane->entries.front().delivery.incident, lane->sink->name());
  for (const Entry& entry : lane->entries) {
    lane_of.erase(entry.delivery.id);
    effects->push_back({.kind = OutboxEffect::Kind::kForget, .delivery = entry.delivery});
  }
  lanes.erase(key);
}

void Outbox::State::Pump(Lane* lane, TimeUs now, Effects* effects) {
  LeaveLine(lane);
  AbandonOvertaken(lane, now, effects);
  HandOverParked(lane, now, effects);
  for (const Entry& entry : lane->entries) {
    if (entry.in_flight) return Wake(lane, kNever);
  }
  Entry* next = Next(lane, now);
  if (next == nullptr) return Settle(lane, now, effects);
  // A crash now must find in the journal how those before ended; else it would send them again
  // after this one.
  for (const Entry& entry : lane->entries) {
    const bool before = entry.delivery.sequence <= next->delivery.sequence || !Intended(entry);
    if (before && entry.unwritten > 0) return Wake(lane, kNever);
  }
  if (next->due > now) return Wake(lane, next->due);
  StandInLine(lane, *next);
}

void Outbox::State::Serve(TimeUs now, Effects* effects) {
  for (auto& [name, queue] : queues) {
    while (!queue.line.empty() && queue.gate.Admits(now)) {
      auto chosen = queue.line.begin();
      // Not the one that just failed: its receiver may have a reason to refuse only that.
      if (queue.gate.asks_again()) {
        chosen = std::min_element(queue.line.begin(), queue.line.end(),
                                  [](const Line::value_type& a, const Line::value_type& b) {
                                    return std::get<Lane*>(a)->begun < std::get<Lane*>(b)->begun;
                                  });
      }
      Lane* const lane = std::get<Lane*>(*chosen);
      LeaveLine(lane);
      Begin(lane, Next(lane, now), now, effects);
    }
  }
}

void Outbox::State::Release(const Queue& queue, TimeUs now, Effects* effects) {
  std::vector<Lane*> released;
  for (auto& [key, lane] : lanes) {
    if (lane.queue != &queue) continue;
    for (Entry& entry : lane.entries) {
      if (!Intended(entry) || entry.faults == 0 || entry.due <= now) continue;
      entry.due = kAtOnce;
      released.push_back(&lane);
    }
  }
  for (Lane* const lane : released) Pump(lane, now, effects);
}

void Outbox::State::Begin(Lane* lane, Entry* entry, TimeUs now, Effects* effects) {
  Delivery sent = AsSent(*lane, *entry);
  entry->in_flight = true;
  entry->probe = lane->queue->gate.Begin(now, lane->sink->pace());
  lane->begun = ++begun;
  entry->looking_up = LookUpDue(*lane, *entry);
  if (!entry->looking_up) {
    sent.may_repeat = Intended(*entry) && entry->may_have_arrived;
    sent.attempts = ++entry->delivery.attempts;
  }
  effects->push_back(
      {.kind = entry->looking_up ? OutboxEffect::Kind::kLookUp : OutboxEffect::Kind::kSend,
       .delivery = std::move(sent)});
  Wake(lane, kNever);
}

std::uint64_t Outbox::State::Draw() {
  // splitmix64, a counter hashed: any seed is as good as another.
  std::uint64_t x = seed + ++draws * 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

void Outbox::State::Postpone(Lane* lane, Entry* entry, const SinkReply& reply, TimeUs now) {
  ++entry->failures;
  ++entry->faults;
  ++counters.retried;
  entry->delivery.last_error = lane->sink->Describe(reply);
  const DurationUs backoff = SinkBackoff(entry->faults);
  entry->due = now + backoff + SinkBackoffJitter(backoff, Draw());
}

void Outbox::State::Fail(Lane* lane, Entry* entry, const SinkReply& reply, TimeUs now) {
  SinkGate& gate = lane->queue->gate;
  const SinkGate::Failure failure = {
      .probe = entry->probe,
      .too_many = reply.status == kTooManyRequests,
      .asked =
          std::clamp<DurationUs>(reply.retry_after_ms, 0, kDayUs / kMillisecondUs) * kMillisecondUs,
      .others_wait = !lane->queue->line.empty(),
      .draw = Draw()};
  // It failed before, and others were taken since: more likely the fault is its own.
  const bool own = !failure.too_many && entry->failed_at && gate.taken() > *entry->failed_at;
  entry->failed_at = gate.taken();
  if (own) {
    Postpone(lane, entry, reply, now);
    entry->due = std::max(entry->due, now + SinkGate::Believed(failure));
    if (!failure.probe) return;
  } else {
    ++entry->failures;
    ++counters.retried;
    entry->delivery.last_error = lane->sink->Describe(reply);
    entry->due = kAtOnce;
  }
  gate.OnFailed(failure, now);
}

bool Outbox::State::TakeReply(Lane* lane, Entry* entry, const SinkReply& reply, TimeUs now,
                              Effects* effects) {
  const bool repeated = entry->delivery.state == DeliveryState::kDelivered;
  const bool looked_up = std::exchange(entry->looking_up, false);
  const SendOutcome outcome = lane->sink->Judge(reply);
  if (outcome == SendOutcome::kRetry) {
    if (!looked_up && reply.status != kTooManyRequests) {
      entry->may_have_arrived = true;
      entry->asked = false;
    }
    Fail(lane, entry, reply, now);
    return false;
  }
  if (looked_up) {
    // Whoever may not ask does not know.
    SinkLookUp found{.answer = SinkLookUp::Answer::kUnknown, .receipt = ""};
    if (outcome == SendOutcome::kDelivered) found = lane->sink->Found(entry->delivery, reply);
    const bool readable = found.answer != SinkLookUp::Answer::kUnreadable;
    TakeAnswer(lane, entry, std::move(found), reply, now, effects);
    return readable;
  }
  if (repeated) {
    // Refused or not: it has its receipt.
    entry->Forgive();
    entry->due = now + RepeatedAfter(*lane, *entry);
    if (entry->delivery.action == NotificationAction::kResolve) {
      entry->delivery.echoed = true;
      Write(entry, effects);
    }
  } else if (outcome == SendOutcome::kDelivered) {
    std::string receipt = lane->sink->ReceiptOf(reply);
    if (receipt.empty() && NeedsReceipt(*lane, *entry) && !reply.unsent) {
      // A proxy's page, or a reply that was too long: what follows would find nothing to end.
      entry->may_have_arrived = entry->accepted = true;
      entry->asked = false;
      entry->due = now + kHeldFor;
    } else {
      Deliver(lane, entry, std::move(receipt), now, effects);
    }
  } else {
    Become(entry, DeliveryState::kParked);
    entry->delivery.last_error = lane->sink->Describe(reply);
    ++counters.parked;
    Write(entry, effects);
  }
  return true;
}

void Outbox::State::TakeAnswer(Lane* lane, Entry* entry, SinkLookUp found, const SinkReply& reply,
                               TimeUs now, Effects* effects) {
  switch (found.answer) {
    case SinkLookUp::Answer::kUnreadable:
      return Postpone(lane, entry, reply, now);
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
  Deliver(lane, entry, std::move(found.receipt), now, effects);
}

void Outbox::State::Deliver(Lane* lane, Entry* entry, std::string receipt, TimeUs now,
                            Effects* effects) {
  Become(entry, DeliveryState::kDelivered);
  entry->delivery.last_error.clear();
  entry->delivery.receipt = receipt.substr(0, limits::kReceiptBytesMax);
  entry->Forgive();
  entry->due = now + RepeatedAfter(*lane, *entry);
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
  Lane* lane = state_->LaneFor(delivery.incident, *sink);
  Entry entry;
  TakeOver(delivery, &entry);
  if (Intended(entry)) ++state_->pending;
  state_->lane_of[delivery.id] = lane;
  const auto behind =
      std::upper_bound(lane->entries.begin(), lane->entries.end(), delivery.sequence,
                       [](std::uint64_t sequence, const Entry& other) {
                         return sequence < other.delivery.sequence;
                       });
  lane->entries.insert(behind, std::move(entry));
  state_->Wake(lane, kAtOnce);
}

void Outbox::Submit(const Notification& notification, TimeUs now,
                    std::vector<OutboxEffect>* effects) {
  const Hash128& incident = notification.incident.id;
  std::vector<const Sink*> told;
  NotificationAction action = notification.action;
  if (action == NotificationAction::kEscalate) action = NotificationAction::kTrigger;
  if (action == NotificationAction::kTrigger || action == NotificationAction::kChange) {
    told = Route(*state_->routes, *state_->sinks, notification);
  } else {
    for (auto it = state_->lanes.lower_bound({incident, ""});
         it != state_->lanes.end() && it->first.first == incident; ++it) {
      const Entry* trigger = Find(it->second, notification.level, NotificationAction::kTrigger);
      if (trigger != nullptr) told.push_back(it->second.sink);
    }
  }
  if (told.empty()) return;
  Delivery delivery;
  delivery.incident = incident;
  delivery.level = notification.level;
  delivery.action = action;
  delivery.after_trigger_of_level = notification.after_trigger_of_level;
  delivery.dedup_key = Incident::DedupKey(incident, notification.level);
  delivery.payload = BoundedLine(notification.incident);
  delivery.tick = notification.tick;
  for (const Sink* sink : told) {
    Lane* lane = state_->Intend(*sink, delivery, effects);
    const auto known = state_->lanes.find({incident, sink->name()});
    if (known == state_->lanes.end()) continue;
    const Delivery& first = known->second.entries.front().delivery;
    // Also where a crash came between the two.
    if (first.level != delivery.level || first.action != action) {
      Delivery refresh = delivery;
      refresh.action = NotificationAction::kRefresh;
      refresh.after_trigger_of_level = 0;
      Lane* const refreshed = state_->Intend(*sink, std::move(refresh), effects);
      if (lane == nullptr) lane = refreshed;
    }
    if (lane == nullptr) continue;
    state_->Pump(lane, now, effects);
  }
  state_->Serve(now, effects);
}

void Outbox::OnWritten(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects) {
  Entry* entry = state_->EntryOf(delivery);
  if (entry == nullptr) return;
  TOCSIN_CHECK(entry->unwritten > 0);
  --entry->unwritten;
  Lane* const lane = state_->lane_of[delivery];
  const bool settled = entry->delivery.state == DeliveryState::kDelivered &&
                       entry->unwritten == 0 && RepeatedAfter(*lane, *entry) == 0;
  // Ten thousand incidents would be a lot of text that nobody is sent again.
  if (settled) std::string().swap(entry->delivery.payload);
  state_->Pump(lane, now, effects);
  state_->Serve(now, effects);
}

void Outbox::OnReply(const Hash128& delivery, const SinkReply& reply, TimeUs now,
                     std::vector<OutboxEffect>* effects) {
  Entry* entry = state_->EntryOf(delivery);
  if (entry == nullptr || !entry->in_flight) return;
  Lane* const lane = state_->lane_of[delivery];
  Queue* const queue = lane->queue;
  entry->in_flight = false;
  queue->gate.End(entry->probe);
  const bool taken = state_->TakeReply(lane, entry, reply, now, effects);
  const bool recovered = taken && queue->gate.OnTaken();
  state_->Pump(lane, now, effects);
  if (recovered) state_->Release(*queue, now, effects);
  state_->Serve(now, effects);
}

void Outbox::OnHeld(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects) {
  Entry* entry = state_->EntryOf(delivery);
  if (entry == nullptr || !entry->in_flight) return;
  Lane* const lane = state_->lane_of[delivery];
  entry->in_flight = false;
  lane->queue->gate.End(entry->probe);
  if (!std::exchange(entry->looking_up, false)) --entry->delivery.attempts;
  entry->due = now + kHeldFor;
  state_->Pump(lane, now, effects);
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
  std::vector<Lane*> lanes;
  for (auto it = state_->lanes.lower_bound({incident, ""});
       it != state_->lanes.end() && it->first.first == incident; ++it) {
    for (Entry& entry : it->second.entries) {
      if (entry.delivery.state != DeliveryState::kParked) continue;
      state_->Become(&entry, DeliveryState::kIntended);
      entry.Forgive();
      entry.due = kAtOnce;
      state_->Write(&entry, effects);
      ++retried;
    }
    lanes.push_back(&it->second);
  }
  for (Lane* lane : lanes) state_->Pump(lane, now, effects);
  state_->Serve(now, effects);
  return retried;
}

std::vector<Delivery> Outbox::DeliveriesOf(const Hash128& incident) const {
  std::vector<Delivery> deliveries;
  for (auto it = state_->lanes.lower_bound({incident, ""});
       it != state_->lanes.end() && it->first.first == incident; ++it) {
    for (Entry& entry : it->second.entries) {
      // A payload is tens of kilobytes that nobody asked for.
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
  for (auto& [key, lane] : state_->lanes) {
    lane.sink = state_->SinkByName(key.second);
    TOCSIN_CHECK(lane.sink != nullptr);
  }
}

TimeUs Outbox::NextDue() const {
  TimeUs next = state_->wakes.empty() ? kNever : (*state_->wakes.begin())->wake;
  for (const auto& [name, queue] : state_->queues) {
    if (!queue.line.empty()) next = std::min(next, queue.gate.OpensAt());
  }
  return next;
}

std::size_t Outbox::pending() const { return state_->pending; }

const Outbox::Counters& Outbox::counters() const { return state_->counters; }

}  // namespace tocsin
