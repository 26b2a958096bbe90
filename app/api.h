// The HTTP API: incidents and silences, to be read and acted upon.
//
//   GET    /api/v1/incidents[?state=all&limit=100]      summaries, the most severe first
//   GET    /api/v1/incidents/ID                         the whole incident line
//   POST   /api/v1/incidents/ID/acknowledge|resolve|note|link     {"author": …, "text": …}
//   GET    /api/v1/incidents/ID/deliveries              what became of its messages
//   POST   /api/v1/incidents/ID/retry                   sends again what a sink refused
//   GET    /api/v1/status                              inputs, lag, state, blindness
//   GET    /api/v1/silences
//   POST   /api/v1/silences                             {"match": ["service=api"], "for": "2h", …}
//   DELETE /api/v1/silences/NAME
//   POST   /api/v1/pagerduty                            PagerDuty's webhooks, signed
//
// ID is an incident's id or number. An act is answered with 202 and its id as soon as it is on its
// way into the batch log; it takes effect, in the next moment, where it stands there. A client that
// is not sure sends it again with the same "id". Who acts must show the token or, where that is not
// asked for, be on this machine; and must say Content-Type: application/json, which a foreign web
// page cannot. Without a token nothing is answered that such a page may have caused
// (app/host_policy.h). PagerDuty shows a signature instead (app/pagerduty_webhook.h). Thread-safe:
// holds nothing but what it was given.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/host_policy.h"
#include "app/http_server.h"
#include "app/incident_book.h"
#include "core/act.h"
#include "core/delivery.h"

namespace tocsin {

struct ApiContext {
  const IncidentBook* incidents = nullptr;
  std::function<std::vector<Silence>()> silences;  // that people asked for
  std::vector<Silence> planned = {};               // the configuration's
  // ResourceExhausted when too many wait; Unavailable when nothing is read any more.
  std::function<absl::Status(const Act&)> submit;
  std::function<TimeUs()> now;                                           // wall clock
  std::function<std::vector<Delivery>(const Hash128&)> deliveries = {};  // of an incident
  std::function<absl::StatusOr<std::size_t>(const Hash128&)> retry_parked = {};
  std::function<std::string()> status = {};         // app/status_json.h
  std::string token;                                // empty: there is none
  bool token_required = false;                      // for acts; REQUIRES: there is one
  bool loopback = true;                             // only this machine can reach us
  std::vector<std::string> pagerduty_secrets = {};  // empty: its webhooks are refused
  const HostPolicy* host_policy = nullptr;          // null: any page may ask
};

// Whether a request may be answered, by its header alone.
HttpServer::Admission AdmitApi(const HttpRequest& head, const ApiContext& context);
// REQUIRES: the target begins with /api/, and the request was admitted.
HttpResponse AnswerApi(const HttpRequest& request, const ApiContext& context);

}  // namespace tocsin
