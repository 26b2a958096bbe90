// An intent to tell one sink one thing about one incident, and its receipt.
//
// Notification is what the decision stage says ("page level 2 of this incident"); Delivery is that
// for one sink, with its progress. The journal keeps deliveries, the outbox (sinks/outbox.h)
// advances them. Ids are derived, so a decision made again after a restart is recognised. Value
// types.
#pragma once

#include <cstdint>
#include <string>

#include "core/incident.h"

namespace tocsin {

enum class NotificationAction : std::uint8_t {
  kTrigger,
  kAcknowledge,
  kResolve,
  // Reminds those who were told: an update of the status is due, or nobody has acknowledged.
  kUpdate,
  // More people are called (Incident::escalate_to): who by the routes hears of that and was not
  // told yet gets the trigger. There is no such delivery.
  kEscalate,
  // Makes the first message say how the incident stands now. Only as a delivery: it follows another
  // one at sinks that can.
  kRefresh,
  // Something was deployed. `incident` says what: title, component, scope, and when as its onset.
  kChange,
};
std::string_view NotificationActionName(NotificationAction action);

// Whom of those that the routes name it is meant for.
enum class Audience : std::uint8_t { kAll, kPaging, kNotPaging };

// Decided in stage 2, in tick order. `incident` is as of the tick.
struct Notification {
  NotificationAction action = NotificationAction::kTrigger;
  int level = 3;  // the level whose key is meant
  // For the resolve of a lower level after a raise: not before this level's trigger has its
  // receipt. 0: no such condition.
  int after_trigger_of_level = 0;
  TimeUs tick = kNoTime;
  // Whether the scheme pages people for this level (else only sinks that do not page, or routes
  // that name the level, hear of it).
  bool pages = true;
  Audience audience =
      Audience::kAll;  // of a page that was folded, or of the one that stands for it
  Incident incident = {};
};

enum class DeliveryState : std::uint8_t {
  kIntended,   // intent written, not yet sent or to be retried
  kDelivered,  // receipt written
  kParked,     // refused for good; waits for a person
  kAbandoned,  // overtaken: a trigger without receipt once a resolve was intended
  kWithheld,   // nobody outside was to be told (`mode: shadow`)
};
std::string_view DeliveryStateName(DeliveryState state);

struct Delivery {
  Hash128 id;  // hash(sink, incident, level, action; of an update and a refresh its tick too)
  std::uint64_t sequence =
      0;  // order of intent; per incident and sink deliveries go out in this order
  std::string sink;
  Hash128 incident;
  int level = 3;
  NotificationAction action = NotificationAction::kTrigger;
  int after_trigger_of_level = 0;
  std::string dedup_key;
  std::string payload;  // what the sink renders from: the incident line (core/bounded_line.h)
  TimeUs tick = kNoTime;
  DeliveryState state = DeliveryState::kIntended;
  std::int64_t attempts = 0;
  bool echoed = false;  // a resolve's one repetition was sent
  std::string last_error;
  // What the receiver calls what it was sent, such as a ticket's number; empty where that does not
  // matter. One that is being sent carries that of the first of its incident at its sink.
  std::string receipt;
  // Only of what is being sent: whether an earlier attempt may have arrived. Not encoded.
  bool may_repeat = false;

  void Encode(ByteWriter* out) const;
  static Delivery Decode(ByteReader* in);
};

// Of updates and refreshes there are several, one a tick.
Hash128 DeliveryId(std::string_view sink, const Hash128& incident, int level,
                   NotificationAction action, TimeUs tick = kNoTime);

}  // namespace tocsin
