#include "service/http_in/webhook_signature.h"

#include <openssl/crypto.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "sinks/signature.h"

namespace tocsin {
namespace {

bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// Whether `shown` is the vendor's prefix and the hex HMAC of the body under one of the secrets.
bool Holds(std::string_view shown, std::string_view prefix, std::string_view body,
           std::span<const std::string> secrets) {
  constexpr std::string_view kOurPrefix = "v1=";
  bool holds = false;
  for (const std::string& secret : secrets) {
    const std::string expected =
        absl::StrCat(ToAbsl(prefix), BodySignature(secret, body).substr(kOurPrefix.size()));
    holds |= Same(shown, expected);
  }
  return holds;
}

absl::Status Unless(bool holds, const char* header) {
  if (holds) return absl::OkStatus();
  return absl::UnauthenticatedError(
      absl::StrCat(header, " does not match this body under a configured secret"));
}

const char* HeaderOf(std::string_view scheme) {
  if (scheme == "github") return "X-Hub-Signature-256";
  if (scheme == "gitlab") return "X-Gitlab-Token";
  if (scheme == "pagerduty") return "X-PagerDuty-Signature";
  return "Sentry-Hook-Signature";
}

std::string ShownSignature(std::string_view scheme, const HttpRequest& request) {
  std::string name = HeaderOf(scheme);
  absl::AsciiStrToLower(&name);
  std::string shown = HttpHeader(request, name);
  if (shown.empty() && scheme == "sentry") shown = HttpHeader(request, "sentry-app-signature");
  return shown;
}

}  // namespace

absl::Status CheckSignature(std::string_view scheme, const HttpRequest& request,
                            std::span<const std::string> secrets) {
  TOCSIN_ASSIGN_OR_RETURN(const bool checked, CheckSignatureHeader(scheme, request, secrets));
  if (checked) return absl::OkStatus();
  const std::string shown = ShownSignature(scheme, request);
  if (scheme == "pagerduty") {
    return Unless(SignatureHolds(shown, request.body, secrets), HeaderOf(scheme));
  }
  return Unless(Holds(shown, scheme == "github" ? "sha256=" : "", request.body, secrets),
                HeaderOf(scheme));
}

absl::StatusOr<bool> CheckSignatureHeader(std::string_view scheme, const HttpRequest& head,
                                          std::span<const std::string> secrets) {
  const std::string shown = ShownSignature(scheme, head);
  if (scheme != "gitlab") {
    if (!shown.empty()) return false;
    return absl::UnauthenticatedError(absl::StrCat("expected the header ", HeaderOf(scheme)));
  }
  bool holds = false;
  for (const std::string& secret : secrets) holds |= Same(shown, secret);
  if (holds) return true;
  return absl::UnauthenticatedError("X-Gitlab-Token does not match a configured secret");
}

bool ShowsToken(const HttpRequest& request, std::span<const std::string> tokens) {
  const std::string shown = HttpHeader(request, "authorization");
  bool holds = false;
  for (const std::string& token : tokens) holds |= Same(shown, "Bearer " + token);
  return holds;
}

}  // namespace tocsin
