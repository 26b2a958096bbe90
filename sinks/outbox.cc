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

namespace tocsin {
namespace {

constexpr TimeUs kAtOnce = 0;
constexpr TimeUs kNever = INT64_MAX;

// Doubling from the first to the last; jitter adds up to half, so that the longest is 5 min and
// deliveries that failed together do not come back together.
constexpr DurationUs kBackoffFirst = kSecondUs;
constexpr DurationUs kBackoffLast = 200 * kSecondUs;
// A receiver that asks for more has a broken clock; a page should not wait for a day because of it.
constexpr DurationUs kRetryAfterMax = kHourUs;

// Longer than any request may take, so what a frozen connection still carries arrives before.
constexpr DurationUs kEchoAfter = kMinuteUs;

// Far more than stage 2 ever repeats after a restart (from its last snapshot).
constexpr DurationUs kForgetAfter = kHourUs;

// What waits for the lease, or for an answer to a question that follows.
constexpr DurationUs kHeldFor = kSecondUs;

struct Entry {
  Delivery delivery;
  int unwritten = 0;  // kWrite effects that OnWritten has not acknowledged
  bool in_flight = false;
  bool may_have_arrived = false;  // an attempt ended without a receipt or a refusal
  bool asked = false;             // the receiver, since then; it does not know
  bool accepted = false;          // it said yes, in words that do not say what it calls it
  bool looking_up = false;        // what is in flight is that question
  int failures = 0;               // attempts in this process that got no receipt
  TimeUs due = kAtOnce;      // of the next attempt or repetition; kNoTime: undecided (restored)
  bool handed_over = false;  // a parked trigger went to the fallback
};

struct Lane;

// Who waits for a sink as a whole, most urgent first: level, sequence, and the lane.
using Line = std::set<std::tuple<int, std::uint64_t, Lane*>>;

// What holds a sink as a whole: a 429, and its pace.
struct Gate {
  TimeUs opens = kAtOnce;
  Line line;
};

// What one sink is told about one incident.
struct Lane {
  std::uint64_t number = 0;
  const Sink* sink = nullptr;
  Gate* gate = nullptr;
  std::vector<Entry> entries;  // in order of sequence
  TimeUs wake = kNever;
  TimeUs forget_at = kNever;
  std::optional<Line::value_type> place = {};  // in the gate's line
};

struct WakesBefore {
  bool operator()(const Lane* a, const Lane* b) const {
    return std::tie(a->wake, a->number) < std::tie(b->wake, b->number);
  }
};

const Entry* Find(const Lane& lane, int level, NotificationAction action) {
  for (const Entry& entry : lane.entries) {
    if (entry.delivery.level == level && entry.delivery.action == action) return &entry;
  }
  return nullptr;
}

bool Intended(const Entry& entry) { return entry.delivery.state == DeliveryState::kIntended; }

// With the receipt of the first of its incident.
Delivery AsSent(const Lane& lane, const Entry& entry) {
  Delivery sent = entry.delivery;
  for (const Entry& other : lane.entries) {
    if (sent.receipt.empty()) sent.receipt = other.delivery.receipt;
  }
  return sent;
}

// Whether an attempt may have arrived, and the receiver can be asked and was not.
bool LookUpDue(const Lane& lane, const Entry& entry) {
  return Intended(entry) && entry.may_have_arrived && !entry.asked &&
         lane.sink->RenderLookUp(AsSent(lane, entry)).has_value();
}

// Whether what follows has to know what the receiver calls this, and it can be asked.
bool NeedsReceipt(const Lane& lane, const Entry& entry) {
  const Delivery sent = AsSent(lane, entry);
  return sent.action == NotificationAction::kTrigger && sent.receipt.empty() &&
         lane.sink->RenderLookUp(sent).has_value();
}

// How long after its receipt, or its last repetition, it is sent once more; 0: never.
DurationUs RepeatedAfter(const Lane& lane, const Entry& entry) {
  if (entry.delivery.state != DeliveryState::kDelivered) return 0;
  if (entry.delivery.action == NotificationAction::kResolve) {
    return lane.sink->has_idempotency_key() && !entry.delivery.echoed ? kEchoAfter : 0;
  }
  if (entry.delivery.action != NotificationAction::kTrigger) return 0;
  const bool over = Find(lane, entry.delivery.level, NotificationAction::kResolve) != nullptr;
  return over ? 0 : lane.sink->resend_every();
}

// Whether `entry`, which is not in flight, must not be sent any more.
bool Overtaken(const Lane& lane, const Entry& entry) {
  const int level = entry.delivery.level;
  const bool resolved = Find(lane, level, NotificationAction::kResolve) != nullptr;
  switch (entry.delivery.action) {
    case NotificationAction::kTrigger:
      return resolved && (lane.sink->pages() || entry.failures > 0);
    case NotificationAction::kResolve:
    case NotificationAction::kChange:
      return false;
    case NotificationAction::kRefresh:  // only how it stands last
      return std::any_of(lane.entries.begin(), lane.entries.end(), [&](const Entry& other) {
        return other.delivery.action == NotificationAction::kRefresh &&
               other.delivery.sequence > entry.delivery.sequence;
      });
    case NotificationAction::kAcknowledge:
    case NotificationAction::kUpdate:
    case NotificationAction::kEscalate:
      break;
  }
  const Entry* trigger = Find(lane, level, NotificationAction::kTrigger);
  return resolved || trigger == nullptr ||
         (!Intended(*trigger) && trigger->delivery.state != DeliveryState::kDelivered);
}

// A resolve that waits for the trigger of the level that replaces its own.
bool Blocked(const Lane& lane, const Entry& entry) {
  if (entry.delivery.after_trigger_of_level == 0) return false;
  const Entry* trigger =
      Find(lane, entry.delivery.after_trigger_of_level, NotificationAction::kTrigger);
  return trigger != nullptr && Intended(*trigger);
}

// What the journal says next about an entry that is restored.
void TakeOver(const Delivery& record, Entry* entry) {
  const Delivery before = std::exchange(entry->delivery, record);
  if (before.state == DeliveryState::kDelivered) {
    entry->delivery.state = before.state;
    entry->delivery.echoed = before.echoed || record.echoed;
    if (record.receipt.empty()) entry->delivery.receipt = before.receipt;
  }
  if (!before.sink.empty()) entry->delivery.sequence = before.sequence;
  // Whoever gave it up may not have known of another's attempt: where that can be asked, it is.
  if (entry->delivery.state == DeliveryState::kAbandoned && entry->delivery.attempts > 0 &&
      entry->delivery.action == NotificationAction::kTrigger) {
    entry->delivery.state = DeliveryState::kIntended;
    entry->failures = 1;
  }
  // It may have been on its way when the process ended.
  if (Intended(*entry)) {
    entry->delivery.attempts = std::max<std::int64_t>(1, entry->delivery.attempts);
    entry->may_have_arrived = true;
  }
  entry->due = entry->delivery.state == DeliveryState::kDelivered ? kNoTime : kAtOnce;
}

bool Complete(const Lane& lane) {
  return std::all_of(lane.entries.begin(), lane.entries.end(), [&](const Entry& entry) {
    return entry.delivery.action != NotificationAction::kTrigger ||
           Find(lane, entry.delivery.level, NotificationAction::kResolve) != nullptr;
  });
}

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
  std::map<Hash128, Lane*> lane_of;    // by delivery
  std::set<Lane*, WakesBefore> wakes;  // those with a `wake`
  std::map<std::string, Gate> gates;   // by sink
  std::size_t pending = 0;             // entries that are intended
  Counters counters;

  const Sink* SinkByName(std::string_view name) const;
  Lane* LaneFor(const Hash128& incident, const Sink& sink);
  Entry* EntryOf(const Hash128& delivery);
  void Wake(Lane* lane, TimeUs when);
  void Become(Entry* entry, DeliveryState state);
  void StandInLine(Lane* lane, const Delivery& next);
  void LeaveLine(Lane* lane);
  void Write(Entry* entry, Effects* effects);
  // Adds an intent unless there is one; the lane it went to, or nullptr.
  Lane* Intend(const Sink& sink, Delivery delivery, Effects* effects);
  // Does what can be done for the lane now, and sets when to look again. May forget it.
  void Pump(Lane* lane, TimeUs now, Effects* effects);
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
  void TakeAnswer(Lane* lane, Entry* entry, SinkLookUp found, const SinkReply& reply, TimeUs now,
                  Effects* effects);
  void Deliver(Lane* lane, Entry* entry, std::string receipt, TimeUs now, Effects* effects);
  DurationUs Jitter(DurationUs bound);
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
    lane.gate = &gates[sink.name()];
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

void Outbox::State::StandInLine(Lane* lane, const Delivery& next) {
  lane->place = {next.level, next.sequence, lane};
  lane->gate->line.insert(*lane->place);
  Wake(lane, kNever);
}

void Outbox::State::LeaveLine(Lane* lane) {
  if (!lane->place) return;
  lane->gate->line.erase(*lane->place);
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
  if (lane->gate->opens > now) return StandInLine(lane, next->delivery);
  Begin(lane, next, now, effects);
}

void Outbox::State::Begin(Lane* lane, Entry* entry, TimeUs now, Effects* effects) {
  lane->gate->opens = now + lane->sink->pace();
  Delivery sent = AsSent(*lane, *entry);
  entry->in_flight = true;
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

DurationUs Outbox::State::Jitter(DurationUs bound) {
  // splitmix64, a counter hashed: any seed is as good as another.
  std::uint64_t x = seed + ++draws * 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  x ^= x >> 31;
  return static_cast<DurationUs>(x % static_cast<std::uint64_t>(bound + 1));
}

void Outbox::State::Postpone(Lane* lane, Entry* entry, const SinkReply& reply, TimeUs now) {
  ++entry->failures;
  ++counters.retried;
  entry->delivery.last_error = lane->sink->Describe(reply);
  const int doublings = std::min(entry->failures - 1, 8);  // 2^8 s is past the last
  const DurationUs backoff = std::min(kBackoffFirst << doublings, kBackoffLast);
  const DurationUs asked =
      std::clamp<DurationUs>(reply.retry_after_ms, 0, kRetryAfterMax / kMillisecondUs) *
      kMillisecondUs;
  entry->due = now + std::max(backoff, asked) + Jitter(backoff / 2);
  if (reply.status == 429) {
    TimeUs& opens = lane->gate->opens;
    opens = std::max(opens, now + std::max(backoff, asked));
  }
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
  entry->failures = 0;
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
}

void Outbox::OnReply(const Hash128& delivery, const SinkReply& reply, TimeUs now,
                     std::vector<OutboxEffect>* effects) {
  Entry* entry = state_->EntryOf(delivery);
  if (entry == nullptr || !entry->in_flight) return;
  Lane* lane = state_->lane_of[delivery];
  const bool repeated = entry->delivery.state == DeliveryState::kDelivered;
  const bool looked_up = std::exchange(entry->looking_up, false);
  entry->in_flight = false;
  const SendOutcome outcome = lane->sink->Judge(reply);
  if (outcome == SendOutcome::kRetry) {
    // Who has too much to do has not done it.
    if (!looked_up && reply.status != 429) {
      entry->may_have_arrived = true;
      entry->asked = false;
    }
    state_->Postpone(lane, entry, reply, now);
  } else if (looked_up) {
    // Whoever may not ask does not know.
    SinkLookUp found{.answer = SinkLookUp::Answer::kUnknown, .receipt = ""};
    if (outcome == SendOutcome::kDelivered) found = lane->sink->Found(entry->delivery, reply);
    state_->TakeAnswer(lane, entry, std::move(found), reply, now, effects);
  } else if (repeated) {
    // Refused or not: it has its receipt.
    entry->failures = 0;
    entry->due = now + RepeatedAfter(*lane, *entry);
    if (entry->delivery.action == NotificationAction::kResolve) {
      entry->delivery.echoed = true;
      state_->Write(entry, effects);
    }
  } else if (outcome == SendOutcome::kDelivered) {
    std::string receipt = lane->sink->ReceiptOf(reply);
    if (receipt.empty() && NeedsReceipt(*lane, *entry) && !reply.unsent) {
      // A proxy's page, or a reply that was too long: what follows would find nothing to end.
      entry->may_have_arrived = entry->accepted = true;
      entry->asked = false;
      entry->due = now + kHeldFor;
    } else {
      state_->Deliver(lane, entry, std::move(receipt), now, effects);
    }
  } else {
    state_->Become(entry, DeliveryState::kParked);
    entry->delivery.last_error = lane->sink->Describe(reply);
    ++state_->counters.parked;
    state_->Write(entry, effects);
  }
  state_->Pump(lane, now, effects);
}

void Outbox::OnHeld(const Hash128& delivery, TimeUs now, std::vector<OutboxEffect>* effects) {
  Entry* entry = state_->EntryOf(delivery);
  if (entry == nullptr || !entry->in_flight) return;
  entry->in_flight = false;
  if (!std::exchange(entry->looking_up, false)) --entry->delivery.attempts;
  entry->due = now + kHeldFor;
  state_->Pump(state_->lane_of[delivery], now, effects);
}

void Outbox::Advance(TimeUs now, std::vector<OutboxEffect>* effects) {
  while (!state_->wakes.empty() && (*state_->wakes.begin())->wake <= now) {
    state_->Pump(*state_->wakes.begin(), now, effects);
  }
  for (auto& [name, gate] : state_->gates) {
    while (!gate.line.empty() && gate.opens <= now) {
      state_->Pump(std::get<Lane*>(*gate.line.begin()), now, effects);
    }
  }
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
      entry.failures = 0;
      entry.due = kAtOnce;
      state_->Write(&entry, effects);
      ++retried;
    }
    lanes.push_back(&it->second);
  }
  for (Lane* lane : lanes) state_->Pump(lane, now, effects);
  return retried;
}

std::vector<Delivery> Outbox::DeliveriesOf(const Hash128& incident) const {
  std::vector<Delivery> deliveries;
  for (auto it = state_->lanes.lower_bound({incident, ""});
       it != state_->lanes.end() && it->first.first == incident; ++it) {
    for (const Entry& entry : it->second.entries) deliveries.push_back(entry.delivery);
  }
  return deliveries;
}

TimeUs Outbox::NextDue() const {
  TimeUs next = state_->wakes.empty() ? kNever : (*state_->wakes.begin())->wake;
  for (const auto& [name, gate] : state_->gates) {
    if (!gate.line.empty()) next = std::min(next, gate.opens);
  }
  return next;
}

std::size_t Outbox::pending() const { return state_->pending; }

const Outbox::Counters& Outbox::counters() const { return state_->counters; }

}  // namespace tocsin
