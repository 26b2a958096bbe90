#include "sinks/delivery_line.h"

#include <simdjson.h>

#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

std::string JsonLine(const Delivery& delivery, bool marks_repeats) {
  JsonWriter json;
  json.BeginObject();
  json.Key("action").String(NotificationActionName(delivery.action));
  json.Key("level").Int(delivery.level);
  json.Key("dedup_key").String(delivery.dedup_key);
  if (marks_repeats && delivery.may_repeat) json.Key("repeat").Bool(true);
  simdjson::dom::parser parser;
  const bool valid =
      parser.parse(delivery.payload.data(), delivery.payload.size()).error() == simdjson::SUCCESS;
  json.Key("incident");
  valid ? json.Raw(delivery.payload) : json.Null();
  json.EndObject();
  return json.Take();
}

std::string TextLine(const Delivery& delivery) {
  const IncidentText incident = ReadIncidentLine(delivery.payload).value_or(IncidentText());
  const char* verb = delivery.action == NotificationAction::kTrigger       ? "TRIGGER"
                     : delivery.action == NotificationAction::kAcknowledge ? "ACKNOWLEDGE"
                     : delivery.action == NotificationAction::kUpdate      ? "UPDATE"
                                                                           : "RESOLVE";
  std::string line = absl::StrCat(verb, " level ", delivery.level);
  if (!incident.severity.empty()) absl::StrAppend(&line, " (", incident.severity, ")");
  absl::StrAppend(&line, " ", incident.number.empty() ? delivery.dedup_key : incident.number);
  if (!incident.scope.empty()) absl::StrAppend(&line, " ", incident.scope);
  if (!incident.component.empty()) absl::StrAppend(&line, " ", incident.component);
  absl::StrAppend(&line, ": ", incident.title);
  if (!incident.onset.empty()) absl::StrAppend(&line, ", since ", incident.onset);
  if (incident.users_affected) {
    absl::StrAppend(&line, ", users affected: ", *incident.users_affected);
  }
  if (delivery.may_repeat) absl::StrAppend(&line, " (repeat)");
  return line;
}

}  // namespace

LineFormat ReadLineFormat(ConfigReader* reader) {
  const bool text = reader->Choice("format", {"json", "text"}, "json") == "text";
  return text ? LineFormat::kText : LineFormat::kJson;
}

std::string DeliveryJson(const Delivery& delivery) {
  return JsonLine(delivery, /*marks_repeats=*/false);
}

std::string DeliveryLine(const Delivery& delivery, LineFormat format) {
  return format == LineFormat::kText ? TextLine(delivery)
                                     : JsonLine(delivery, /*marks_repeats=*/true);
}

}  // namespace tocsin
