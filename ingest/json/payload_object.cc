#include "ingest/json/payload_object.h"

#include "absl/strings/numbers.h"
#include "config/config.h"
#include "core/limits.h"
#include "core/string_hash.h"
#include "ingest/fields/text_time.h"

namespace tocsin {
namespace {

// Go writes this for a time that is not set.
constexpr std::string_view kGoZeroTime = "0001-01-01T00:00:00Z";

// "2026-03-01 21:50:00 +0200", "… UTC", as Ruby writes them.
std::optional<TimeUs> WithBlankBeforeZone(std::string_view text) {
  TimeUs time = kNoTime;
  const bool taken =
      TextTime(InputConfig()).Take(&text, kNoTime, &time) == TextTime::Result::kTaken;
  return taken && text.empty() ? std::optional(time) : std::nullopt;
}

}  // namespace

std::optional<simdjson::dom::element> PayloadObject::Find(std::string_view key) const {
  simdjson::dom::element element;
  if (!present() || object_->at_key(key).get(element) || element.is_null()) return std::nullopt;
  return element;
}

PayloadObject PayloadObject::AsObject(simdjson::dom::element element, JsonFault fault) const {
  simdjson::dom::object object;
  if (!element.get(object)) return {object, fault_};
  Refuse(fault);
  return {};
}

std::string_view PayloadObject::TextOf(std::string_view key, JsonFault fault) const {
  const std::optional<simdjson::dom::element> element = Find(key);
  std::string_view text;
  if (element && element->get(text)) Refuse(fault);
  return text;
}

std::string PayloadObject::IdOf(std::string_view key, JsonFault fault) const {
  const std::optional<simdjson::dom::element> element = Find(key);
  if (!element) return {};
  std::string_view text;
  if (!element->get(text)) return std::string(text);
  std::int64_t integer = 0;
  if (!element->get(integer)) return std::to_string(integer);
  Refuse(fault);
  return {};
}

std::optional<double> PayloadObject::NumberOf(std::string_view key, JsonFault fault) const {
  const std::optional<simdjson::dom::element> element = Find(key);
  if (!element) return std::nullopt;
  double number = 0;
  if (!element->get(number) && number <= limits::kNumberMagnitudeMax &&
      number >= -limits::kNumberMagnitudeMax) {
    return number;
  }
  Refuse(fault);
  return std::nullopt;
}

std::optional<double> PayloadObject::IntegerOf(std::string_view key, JsonFault fault) const {
  const std::optional<simdjson::dom::element> element = Find(key);
  if (!element) return std::nullopt;
  std::int64_t integer = 0;
  std::string_view text;
  if (!element->get(integer) || (!element->get(text) && absl::SimpleAtoi(ToAbsl(text), &integer))) {
    return static_cast<double>(integer);
  }
  Refuse(fault);
  return std::nullopt;
}

std::optional<std::uint64_t> PayloadObject::UnsignedOf(std::string_view key,
                                                       JsonFault fault) const {
  const std::optional<simdjson::dom::element> element = Find(key);
  if (!element) return std::nullopt;
  std::uint64_t integer = 0;
  std::string_view text;
  if (!element->get(integer) || (!element->get(text) && absl::SimpleAtoi(ToAbsl(text), &integer))) {
    return integer;
  }
  Refuse(fault);
  return std::nullopt;
}

bool PayloadObject::BooleanOf(std::string_view key, JsonFault fault) const {
  const std::optional<simdjson::dom::element> element = Find(key);
  bool boolean = false;
  if (element && element->get(boolean)) Refuse(fault);
  return boolean;
}

TimeUs PayloadObject::TimeOf(std::string_view key, JsonFault fault) const {
  const std::optional<simdjson::dom::element> element = Find(key);
  if (!element) return kNoTime;
  std::optional<TimeUs> time;
  std::string_view text;
  std::int64_t integer = 0;
  double number = 0;
  if (!element->get(text)) {
    if (text.empty() || text == kGoZeroTime) return kNoTime;
    time = ParseTime(text);
    if (!time) time = WithBlankBeforeZone(text);
  } else if (!element->get(integer)) {
    time = TimeFromEpoch(integer);
  } else if (!element->get(number)) {
    time = TimeFromEpoch(number);
  }
  if (!time) Refuse(fault);
  return time.value_or(kNoTime);
}

PayloadObject PayloadObject::ObjectOf(std::string_view key, JsonFault fault) const {
  const std::optional<simdjson::dom::element> element = Find(key);
  return element ? AsObject(*element, fault) : PayloadObject();
}

std::optional<simdjson::dom::array> PayloadObject::ArrayOf(std::string_view key,
                                                           JsonFault fault) const {
  const std::optional<simdjson::dom::element> element = Find(key);
  if (!element) return std::nullopt;
  simdjson::dom::array array;
  if (!element->get(array)) return array;
  Refuse(fault);
  return std::nullopt;
}

}  // namespace tocsin
