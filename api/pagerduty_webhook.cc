#include "api/pagerduty_webhook.h"

#include <simdjson.h>

#include <optional>

#include "core/limits.h"

namespace tocsin {
namespace {

std::string Text(const simdjson::dom::element& element, const char* pointer) {
  std::string_view text;
  if (element.at_pointer(pointer).get(text) != simdjson::SUCCESS) return "";
  return std::string(text.substr(0, limits::kActionTextBytesMax));
}

std::optional<OperatorActionKind> KindOf(std::string_view event_type) {
  if (event_type == "incident.acknowledged") return OperatorActionKind::kAcknowledge;
  if (event_type == "incident.resolved") return OperatorActionKind::kResolve;
  return std::nullopt;
}

}  // namespace

absl::StatusOr<PagerDutyAction> ReadPagerDutyWebhook(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element document, event;
  if (parser.parse(body).get(document) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("the body is no JSON");
  }
  const std::string type = Text(document, "/event/event_type");
  const std::string id = Text(document, "/event/id");
  if (document["event"].get(event) != simdjson::SUCCESS || type.empty() || id.empty()) {
    return absl::InvalidArgumentError("expected event.id and event.event_type of a v3 webhook");
  }
  PagerDutyAction found;
  const std::optional<OperatorActionKind> kind = KindOf(type);
  if (!kind) {
    found.ignored = "only incident.acknowledged and incident.resolved are acted upon";
    return found;
  }
  if (Text(event, "/agent/type") != "user_reference") {
    found.ignored = "no user did this";
    return found;
  }
  found.dedup_key = Text(event, "/data/incident_key");
  found.act.kind = *kind;
  found.act.id = "pagerduty-" + id;
  found.act.author = Text(event, "/agent/summary");
  if (found.act.author.empty()) found.act.author = Text(event, "/agent/id");
  const std::string url = Text(event, "/data/html_url");
  found.act.text = url.empty() ? "on PagerDuty" : "on PagerDuty: " + url;
  return found;
}

}  // namespace tocsin
