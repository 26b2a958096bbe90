// Verifies the signatures of vendors' webhooks.
//
//   const absl::Status signed_by = CheckSignature("github", request, secrets);
//   if (!signed_by.ok()) …                                      // 401; the message says why
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
// Signatures are over the body as received and compared in constant time. For SNS see
// service/http_in/sns_verifier.h. None of these schemes signs a timestamp, so replays are detected
// by remembering bodies (service/http_in/seen_bodies.h). Pure functions, thread-safe.
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
// Checks what is possible before the body arrives; `head` has none. Returns true if the request is
// authenticated, false if the body has to be checked, too.
absl::StatusOr<bool> CheckSignatureHeader(std::string_view scheme, const HttpRequest& head,
                                          std::span<const std::string> secrets);

// Whether the request has one of the tokens as bearer token. Compares in constant time.
bool ShowsToken(const HttpRequest& request, std::span<const std::string> tokens);

}  // namespace tocsin
