#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "api/api_parts.h"
#include "api/pagerduty_webhook.h"
#include "core/json_writer.h"
#include "core/string_hash.h"
#include "sinks/signature.h"

namespace tocsin {
namespace {

constexpr std::size_t kListMax = 100'000;

std::optional<OperatorActionKind> ActionKindOf(std::string_view verb) {
  if (verb == "acknowledge") return OperatorActionKind::kAcknowledge;
  if (verb == "resolve") return OperatorActionKind::kResolve;
  if (verb == "note") return OperatorActionKind::kNote;
  if (verb == "link") return OperatorActionKind::kLink;
  return std::nullopt;
}

// Payloads are left out: they are the incident, once for each sink.
HttpResponse ListDeliveries(const Hash128& incident, const ApiContext& context) {
  JsonWriter json;
  json.BeginObject();
  json.Key("deliveries").BeginArray();
  for (const Delivery& delivery : context.deliveries(incident)) {
    json.BeginObject();
    json.Key("sink").String(delivery.sink);
    json.Key("action").String(NotificationActionName(delivery.action));
    json.Key("level").Int(delivery.level);
    json.Key("state").String(DeliveryStateName(delivery.state));
    json.Key("attempts").Int(delivery.attempts);
    if (!delivery.last_error.empty()) json.Key("last_error").String(delivery.last_error);
    json.Key("tick").String(FormatTime(delivery.tick));
    json.EndObject();
  }
  json.EndArray();
  json.EndObject();
  return JsonResponse(200, json.Take());
}

HttpResponse RetryParked(const Hash128& incident, const ApiContext& context) {
  const absl::StatusOr<std::size_t> retried = context.retry_parked(incident);
  if (!retried.ok()) return ErrorResponse(503, std::string(retried.status().message()));
  JsonWriter json;
  json.BeginObject();
  json.Key("retried").Int(static_cast<std::int64_t>(*retried));
  json.EndObject();
  return JsonResponse(202, json.Take());
}

HttpResponse ActOnIncident(const IncidentBook::Entry& incident, std::string_view verb,
                           const HttpRequest& request, const ApiContext& context) {
  if (verb == "retry") return RetryParked(incident.id, context);
  const std::optional<OperatorActionKind> kind = ActionKindOf(verb);
  if (!kind) return ErrorResponse(404, "acts are acknowledge, resolve, note, link and retry");
  const absl::StatusOr<ApiBody> body = ReadApiBody(request.body);
  if (!body.ok()) return ErrorResponse(400, std::string(body.status().message()));
  if (body->author.empty()) return ErrorResponse(400, "author: expected who acts");
  const bool says = *kind == OperatorActionKind::kNote || *kind == OperatorActionKind::kLink;
  if (says && body->text.empty()) return ErrorResponse(400, "text: expected the note or link");
  if (incident.state == "resolved") return ErrorResponse(409, "the incident is resolved");
  const absl::StatusOr<DurationUs> length = DurationOf("for", body->length);
  if (!length.ok()) return ErrorResponse(400, std::string(length.status().message()));
  return SubmitAction({.kind = *kind,
                       .id = body->id,
                       .incident = incident.id,
                       .author = body->author,
                       .text = body->text,
                       .until = *length == 0 ? kNoTime : context.now() + *length},
                      context);
}

HttpResponse ListIncidents(std::string_view query, const ApiContext& context) {
  IncidentBook::ListOptions options;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(query), '&', absl::SkipEmpty())) {
    std::int64_t limit = 0;
    if (part == "state=all") {
      options.resolved = true;
    } else if (absl::StartsWith(part, "limit=") && absl::SimpleAtoi(part.substr(6), &limit) &&
               limit > 0) {
      options.limit = std::min(static_cast<std::size_t>(limit), kListMax);
    } else if (part != "state=open") {
      return ErrorResponse(400, "expected state=open, state=all or limit=N");
    }
  }
  return JsonResponse(200, context.incidents->ListJson(options));
}

HttpResponse OneIncident(const std::vector<std::string>& path, const HttpRequest& request,
                         const ApiContext& context) {
  const std::vector<IncidentBook::Entry> found = context.incidents->Find(path[0]);
  if (found.empty()) return ErrorResponse(404, "there is no incident " + path[0]);
  if (found.size() > 1) {
    std::string ids;
    for (const IncidentBook::Entry& entry : found) {
      ids += " " + entry.id.Hex() + " (" + entry.scope + ")";
    }
    return ErrorResponse(409, path[0] + " is in several scopes; say which by its id:" + ids);
  }
  if (path.size() == 2 && request.method == "POST") {
    return ActOnIncident(found[0], path[1], request, context);
  }
  if (path.size() == 1 && request.method == "GET") return JsonResponse(200, found[0].line);
  if (path.size() == 2 && path[1] == "deliveries" && request.method == "GET") {
    return ListDeliveries(found[0].id, context);
  }
  return ErrorResponse(405,
                       "expected GET of an incident or its deliveries, or POST of an act on it");
}

// Says in `ignored` why nothing is done about an open incident, or which one it is.
void FindIncident(const ApiContext& context, PagerDutyAction* found) {
  if (!found->ignored.empty()) return;
  const std::vector<std::string> key = absl::StrSplit(found->dedup_key, ':');
  const std::optional<Hash128> incident = Hash128::FromHex(key[0]);
  std::int64_t level = 0;
  if (!incident || key.size() != 2 || !absl::SimpleAtoi(key[1], &level)) {
    found->ignored = "it is about no page of ours";
    return;
  }
  const std::vector<IncidentBook::Entry> known = context.incidents->Find(key[0]);
  if (known.empty() || known[0].state == "resolved") {
    found->ignored = "there is no such open incident";
  } else if (level > known[0].level) {
    // Whoever ends the page of a lower level has not seen that of the higher one.
    found->ignored = "the incident has been raised, and paged anew, since";
  }
  found->act.incident = *incident;
}

}  // namespace

HttpResponse AnswerIncidents(const std::vector<std::string>& path, std::string_view query,
                             const HttpRequest& request, const ApiContext& context) {
  if (!path.empty()) return OneIncident(path, request, context);
  if (request.method == "GET" || request.method == "HEAD") return ListIncidents(query, context);
  return ErrorResponse(405, "expected GET");
}

HttpResponse AnswerPagerDuty(const HttpRequest& request, const ApiContext& context) {
  if (request.method != "POST") return ErrorResponse(405, "expected POST of a PagerDuty webhook");
  if (context.pagerduty_secrets.empty()) {
    return ErrorResponse(403,
                         "PagerDuty's webhooks need its secret: set pagerduty_webhook_secret_file");
  }
  if (!SignatureHolds(HttpHeader(request, "x-pagerduty-signature"), request.body,
                      context.pagerduty_secrets)) {
    return ErrorResponse(401,
                         "X-PagerDuty-Signature does not match this body and a configured secret");
  }
  absl::StatusOr<PagerDutyAction> found = ReadPagerDutyWebhook(request.body);
  if (!found.ok()) return ErrorResponse(400, std::string(found.status().message()));
  FindIncident(context, &*found);
  if (found->ignored.empty()) return SubmitAction(std::move(found->act), context);
  // A success: PagerDuty would only send it again, to the same end.
  JsonWriter json;
  json.BeginObject();
  json.Key("ignored").String(found->ignored);
  json.EndObject();
  return JsonResponse(202, json.Take());
}

}  // namespace tocsin
