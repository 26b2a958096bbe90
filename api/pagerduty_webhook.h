// What PagerDuty's webhooks (v3) say people did there about our incidents.
//
//   if (!SignatureHolds(header, body, secrets)) …          // 401; sinks/signature.h
//   TOCSIN_ASSIGN_OR_RETURN(const PagerDutyAction act, ReadPagerDutyWebhook(body));
//   if (act.ignored.empty()) …                     // act.act, about the page act.dedup_key
//
// The header is X-PagerDuty-Signature. Only what users do counts: PagerDuty also reports what we
// told it, what its automations do and what timed out, and none of that may end or hush an incident
// here. Webhooks come at least once; the act's id is the webhook event's, so that a
// repetition does nothing. Pure functions, thread-safe.
// Fields: https://developer.pagerduty.com/docs/webhooks-overview
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/operator_action.h"

namespace tocsin {

struct PagerDutyAction {
  std::string ignored;    // why there is nothing to do; else empty, and:
  std::string dedup_key;  // the page that it is about
  OperatorAction act;     // without its incident
};

// InvalidArgument when the body is no such webhook.
absl::StatusOr<PagerDutyAction> ReadPagerDutyWebhook(const std::string& body);

}  // namespace tocsin
