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
// Of the body as it came, compared in constant time. SNS signs otherwise: app/sns_verifier.h. None
// of these signs a time, so that what was seen has to be remembered: SeenBodies. Pure functions,
// thread-safe.
#pragma once

#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "app/http_server.h"
#include "core/hash.h"
#include "core/time.h"

namespace tocsin {

absl::Status CheckSignature(std::string_view scheme, const HttpRequest& request,
                            std::span<const std::string> secrets);

// Whether one of the tokens is the bearer's of the request; in constant time.
bool ShowsToken(const HttpRequest& request, std::span<const std::string> tokens);

// The bodies that were taken, by their hash, so that none is taken twice: within kWindow of the
// first it may be its sender, who did not hear of our success, later it is played back. Kept for
// kKept, at most kMax; the oldest are forgotten first. Thread-safe.
class SeenBodies {
 public:
  static constexpr DurationUs kWindow = 10 * kMinuteUs;
  static constexpr DurationUs kKept = kDayUs;
  static constexpr std::size_t kMax = 65'536;

  enum class Seen { kNever, kWithinWindow, kBefore };

  Seen Look(const Hash128& body, TimeUs now);
  void Remember(const Hash128& body, TimeUs now);

 private:
  void Forget(TimeUs now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::Mutex mutex_;
  std::deque<std::pair<TimeUs, Hash128>> order_ ABSL_GUARDED_BY(mutex_);
  struct Times {
    TimeUs first = 0;
    int in_order = 0;  // how often it is in `order_`
  };
  absl::flat_hash_map<Hash128, Times> seen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tocsin
