// Standard output, one line a delivery: for trying things out and for log shippers.
//
//   - {name: console, kind: stdout, format: text}
//
// Keys: format, `json` (default; the webhook's body) or `text`. There is nothing to recognise a
// repeat by, so a line that may have been written before says "repeat".
#include <simdjson.h>

#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "core/string_hash.h"
#include "sinks/sink.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

std::string JsonLine(const Delivery& delivery) {
  JsonWriter json;
  json.BeginObject();
  json.Key("action").String(NotificationActionName(delivery.action));
  json.Key("level").Int(delivery.level);
  json.Key("dedup_key").String(delivery.dedup_key);
  if (delivery.attempts > 1) json.Key("repeat").Bool(true);
  simdjson::dom::parser parser;
  const bool valid =
      parser.parse(delivery.payload.data(), delivery.payload.size()).error() == simdjson::SUCCESS;
  json.Key("incident");
  valid ? json.Raw(delivery.payload) : json.Null();
  json.EndObject();
  return json.Take();
}

// "TRIGGER level 2 (SEV2) INC-2026-001 prod api: 42 % of requests fail since 2026-03-01T21:05:00Z".
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
  if (delivery.attempts > 1) absl::StrAppend(&line, " (repeat)");
  return line;
}

class StdoutSink final : public Sink {
 public:
  StdoutSink(std::string name, bool text) : Sink(std::move(name), "stdout"), text_(text) {}

  bool Wants(NotificationAction) const override { return true; }

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    request.kind = SinkRequest::Kind::kStdout;
    request.body = text_ ? TextLine(delivery) : JsonLine(delivery);
    return request;
  }

 private:
  const bool text_;
};

}  // namespace

std::unique_ptr<Sink> NewStdoutSink(const std::string& name, ConfigReader* reader) {
  const std::string format = reader->Choice("format", {"json", "text"}, "json");
  return std::make_unique<StdoutSink>(name, format == "text");
}

}  // namespace tocsin
