// Verifies that a message was signed by Amazon SNS, and confirms subscriptions.
//
//   SnsVerifier verifier({"arn:aws:sns:us-east-1:1234567890:alarms"}, fetch);
//   std::optional<Verdict> verdict = verifier.CheckAtOnce(body, clocks);
//   if (!verdict) verdict = verifier.Check(body, clocks);    // fetches; on a thread that may block
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
//
// A message is accepted only if its topic is configured, its timestamp (which is signed, too) is at
// most kAgeMax old and at most kAheadMax in the future, and its certificate (.pem) has an https URL
// on sns.REGION.amazonaws.com (or .com.cn) in the topic's region. All of that is checked before
// anything is fetched. The URL that confirms a subscription must be on such a host, too; Check
// fetches it. At most kCertificatesMax certificates are cached. A URL that failed is not fetched
// again for kFailureKept, and at most kFetchesPerMinute are fetched a minute, so that messages with
// made-up URLs cannot cause load. Thread-safe; CheckAtOnce never blocks.
#pragma once

#include <openssl/evp.h>

#include <atomic>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "config/config.h"
#include "core/time.h"

namespace tocsin {

class SnsVerifier {
 public:
  // SNS retries for an hour, or longer if configured.
  static constexpr DurationUs kAgeMax = 6 * kHourUs;
  static constexpr DurationUs kAheadMax = 5 * kMinuteUs;
  static constexpr std::size_t kCertificatesMax = 16;
  static constexpr DurationUs kFailureKept = 30 * kSecondUs;
  static constexpr std::size_t kFetchesPerMinute = 10;

  enum class Kind { kNotification, kConfirmed, kUnsubscribed };
  // InvalidArgument: not an SNS message. PermissionDenied: a topic or host that is not trusted.
  // Unauthenticated: invalid signature or timestamp. Unavailable: a fetch failed.
  using Verdict = absl::StatusOr<Kind>;
  // Returns the body at an https URL.
  using Fetch = std::function<absl::StatusOr<std::string>(const std::string& url)>;
  struct Clocks {
    TimeUs wall = 0;  // compared with the message's timestamp
    TimeUs monotonic = 0;
  };

  SnsVerifier(std::vector<std::string> topics, Fetch fetch);

  // nullopt if something has to be fetched.
  std::optional<Verdict> CheckAtOnce(const std::string& body, Clocks clocks);
  Verdict Check(const std::string& body, Clocks clocks);

 private:
  using Key = std::shared_ptr<EVP_PKEY>;  // shared: a check may use it while another one evicts it

  // nullptr if the key is not cached but may be fetched.
  absl::StatusOr<Key> KnownKey(const std::string& url, TimeUs monotonic)
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<Key> FetchKey(const std::string& url, TimeUs monotonic)
      ABSL_LOCKS_EXCLUDED(mutex_);

  const std::vector<std::string> topics_;
  const Fetch fetch_;
  absl::Mutex mutex_;
  std::map<std::string, Key> keys_ ABSL_GUARDED_BY(mutex_);  // by address
  struct Fetched {
    std::string url;
    TimeUs at = 0;  // monotonic
    absl::Status failure;
  };
  std::deque<Fetched> fetched_ ABSL_GUARDED_BY(mutex_);  // within the last minute
};

// Fetches with libcurl: https alone, no redirects, 10 s, 64 KiB. Gives up within a second once
// `stopping` is set.
absl::StatusOr<std::string> FetchHttps(const std::string& url, const TransportConfig& transport,
                                       const std::atomic<bool>* stopping = nullptr);

}  // namespace tocsin
