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
// (transport/host_policy.h). PagerDuty shows a signature instead (api/pagerduty_webhook.h).
// Thread-safe: holds nothing but what it was given.
#pragma once

#include "api/api_context.h"
#include "transport/http_message.h"
#include "transport/http_server.h"

namespace tocsin {

// Whether a request may be answered, by its header alone.
HttpServer::Admission AdmitApi(const HttpRequest& head, const ApiContext& context);
// REQUIRES: the target begins with /api/, and the request was admitted.
HttpResponse AnswerApi(const HttpRequest& request, const ApiContext& context);

}  // namespace tocsin
