#include "core/delivery.h"

namespace tocsin {

std::string_view NotificationActionName(NotificationAction action) {
  switch (action) {
    case NotificationAction::kTrigger:
      return "trigger";
    case NotificationAction::kAcknowledge:
      return "acknowledge";
    case NotificationAction::kResolve:
      return "resolve";
    case NotificationAction::kUpdate:
      return "update";
    case NotificationAction::kEscalate:
      return "escalate";
    case NotificationAction::kRefresh:
      return "refresh";
    case NotificationAction::kChange:
      return "change";
  }
  return "";
}

std::string_view DeliveryStateName(DeliveryState state) {
  switch (state) {
    case DeliveryState::kIntended:
      return "intended";
    case DeliveryState::kDelivered:
      return "delivered";
    case DeliveryState::kParked:
      return "parked";
    case DeliveryState::kAbandoned:
      return "abandoned";
    case DeliveryState::kWithheld:
      return "withheld";
  }
  return "";
}

void Delivery::Encode(ByteWriter* out) const {
  out->Fixed64(id.high);
  out->Fixed64(id.low);
  out->Varint(sequence);
  out->Bytes(sink);
  out->Fixed64(incident.high);
  out->Fixed64(incident.low);
  out->Signed(level);
  out->Byte(static_cast<std::uint8_t>(action));
  out->Signed(after_trigger_of_level);
  out->Bytes(dedup_key);
  out->Bytes(payload);
  out->Signed(tick);
  out->Byte(static_cast<std::uint8_t>(state));
  out->Signed(attempts);
  out->Bool(echoed);
  out->Bytes(last_error);
  out->Bytes(receipt);
}

Delivery Delivery::Decode(ByteReader* in) {
  Delivery delivery;
  delivery.id.high = in->Fixed64();
  delivery.id.low = in->Fixed64();
  delivery.sequence = in->Varint();
  delivery.sink = in->Bytes();
  delivery.incident.high = in->Fixed64();
  delivery.incident.low = in->Fixed64();
  const std::int64_t level = in->Signed();
  if (level < 1 || level > 4) in->Fail();
  delivery.level = static_cast<int>(level);
  const std::uint8_t action = in->Byte();
  if (action > static_cast<std::uint8_t>(NotificationAction::kChange)) in->Fail();
  delivery.action = static_cast<NotificationAction>(action);
  const std::int64_t after = in->Signed();
  if (after < 0 || after > 4) in->Fail();
  delivery.after_trigger_of_level = static_cast<int>(after);
  delivery.dedup_key = in->Bytes();
  delivery.payload = in->Bytes();
  delivery.tick = in->Signed();
  const std::uint8_t state = in->Byte();
  if (state > static_cast<std::uint8_t>(DeliveryState::kWithheld)) in->Fail();
  delivery.state = static_cast<DeliveryState>(state);
  delivery.attempts = in->Signed();
  delivery.echoed = in->Bool();
  delivery.last_error = in->Bytes();
  delivery.receipt = in->Bytes();
  return in->ok() ? delivery : Delivery{};
}

Hash128 DeliveryId(std::string_view sink, const Hash128& incident, int level,
                   NotificationAction action, TimeUs tick) {
  ByteWriter key;
  key.Fixed64(incident.high);
  key.Fixed64(incident.low);
  key.Signed(level);
  key.Byte(static_cast<std::uint8_t>(action));
  if (action == NotificationAction::kUpdate || action == NotificationAction::kRefresh) {
    key.Signed(tick);
  }
  return HashParts({sink, key.view()});
}

}  // namespace tocsin
