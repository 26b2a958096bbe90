#include "app/webhook_signature.h"

#include <openssl/crypto.h>

#include "absl/strings/str_cat.h"
#include "app/api_parts.h"
#include "core/string_hash.h"
#include "sinks/signature.h"

namespace tocsin {
namespace {

bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// The HMAC in hex behind a prefix of the vendor's.
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
      absl::StrCat(header, " is not that of this body and any of our secrets"));
}

}  // namespace

absl::Status CheckSignature(std::string_view scheme, const HttpRequest& request,
                            std::span<const std::string> secrets) {
  if (scheme == "github") {
    return Unless(
        Holds(ApiHeader(request, "x-hub-signature-256"), "sha256=", request.body, secrets),
        "X-Hub-Signature-256");
  }
  if (scheme == "gitlab") {
    const std::string shown = ApiHeader(request, "x-gitlab-token");
    bool holds = false;
    for (const std::string& secret : secrets) holds |= Same(shown, secret);
    return holds ? absl::OkStatus()
                 : absl::UnauthenticatedError("X-Gitlab-Token is none of our secrets");
  }
  if (scheme == "pagerduty") {
    return Unless(
        SignatureHolds(ApiHeader(request, "x-pagerduty-signature"), request.body, secrets),
        "X-PagerDuty-Signature");
  }
  std::string shown = ApiHeader(request, "sentry-hook-signature");
  if (shown.empty()) shown = ApiHeader(request, "sentry-app-signature");
  return Unless(Holds(shown, "", request.body, secrets), "Sentry-Hook-Signature");
}

bool ShowsToken(const HttpRequest& request, std::span<const std::string> tokens) {
  const std::string shown = ApiHeader(request, "authorization");
  bool holds = false;
  for (const std::string& token : tokens) holds |= Same(shown, "Bearer " + token);
  return holds;
}

SeenBodies::Seen SeenBodies::Look(const Hash128& body, TimeUs now) {
  absl::MutexLock lock(&mutex_);
  Forget(now);
  const auto found = seen_.find(body);
  if (found == seen_.end()) return Seen::kNever;
  return found->second.first >= now - kWindow ? Seen::kWithinWindow : Seen::kBefore;
}

void SeenBodies::Remember(const Hash128& body, TimeUs now) {
  absl::MutexLock lock(&mutex_);
  Times& times = seen_.try_emplace(body, Times{.first = now}).first->second;
  ++times.in_order;
  order_.emplace_back(now, body);
  Forget(now);
}

void SeenBodies::Forget(TimeUs now) {
  while (!order_.empty() && (order_.front().first < now - kKept || order_.size() > kMax)) {
    const auto found = seen_.find(order_.front().second);
    if (--found->second.in_order == 0) seen_.erase(found);
    order_.pop_front();
  }
}

}  // namespace tocsin
