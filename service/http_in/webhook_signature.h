// Whether a webhook was signed by whom it says it is from.
//
//   const absl::Status signed_by = CheckSignature("github", request, secrets);
//   if (!signed_by.ok()) …                                      // 401; it says what is missing
//
// github:    X-Hub-Signature-256, "sha256=" and the HMAC-SHA256 of the body in hex
// gitlab:    X-Gitlab-Token, the secret itself
// pagerduty: X-PagerDuty-Signature (sinks/signature.h)
// sentry:    Sentry-Hook-Signature or Sentry-App-Signature, the HMAC-SHA256 of the body in hex
//
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
// https://docs.gitlab.com/user/project/integrations/webhooks/#custom-headers
// https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
//
// Of the body as it came, compared in constant time. SNS signs otherwise: service/http_in/sns_verifier.h. None
// of these signs a time, so that what was seen has to be remembered: service/http_in/seen_bodies.h. Pure
// functions, thread-safe.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/http_message.h"

namespace tocsin {

absl::Status CheckSignature(std::string_view scheme, const HttpRequest& request,
                            std::span<const std::string> secrets);
// What can be said before there is a body: `head` has none. Whether that is all there is to say.
absl::StatusOr<bool> CheckSignatureHeader(std::string_view scheme, const HttpRequest& head,
                                          std::span<const std::string> secrets);

// Whether one of the tokens is the bearer's of the request; in constant time.
bool ShowsToken(const HttpRequest& request, std::span<const std::string> tokens);

}  // namespace tocsin
