// Whether a message is one that Amazon SNS signed, and what it wants.
//
//   SnsVerifier verifier({"arn:aws:sns:us-east-1:1234567890:alarms"}, fetch);
//   std::optional<Verdict> verdict = verifier.CheckAtOnce(body, clocks);
//   if (!verdict) verdict = verifier.Check(body, clocks);    // fetches; on a thread that may wait
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
//
// Only topics that are configured, no older than kAgeMax and no newer than kAheadMax by the time in
// it, which is signed as well, and signed with a certificate (.pem) from the https address
// sns.REGION.amazonaws.com (or .com.cn) of the topic's region. All of that is looked at before
// anything is fetched. Of a confirmation the address that confirms is on such a host, too, and Check
// fetches it. At most kCertificatesMax certificates are kept. An address that had none is not asked
// again for kFailureKept, and no more than kFetchesPerMinute are asked in a minute, so that whoever
// makes up addresses keeps nobody busy. Thread-safe; CheckAtOnce waits for nothing.
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
  // SNS tries again for an hour, and longer where it is told to.
  static constexpr DurationUs kAgeMax = 6 * kHourUs;
  static constexpr DurationUs kAheadMax = 5 * kMinuteUs;
  static constexpr std::size_t kCertificatesMax = 16;
  static constexpr DurationUs kFailureKept = 30 * kSecondUs;
  static constexpr std::size_t kFetchesPerMinute = 10;

  enum class Kind { kNotification, kConfirmed, kUnsubscribed };
  // InvalidArgument for what is no message of SNS, PermissionDenied for a topic or a host that is
  // not ours to trust, Unauthenticated for a wrong signature or time, Unavailable where the
  // certificate cannot be had now.
  using Verdict = absl::StatusOr<Kind>;
  // The body of an https address.
  using Fetch = std::function<absl::StatusOr<std::string>(const std::string& url)>;
  struct Clocks {
    TimeUs wall = 0;  // compared with what the message says
    TimeUs monotonic = 0;
  };

  SnsVerifier(std::vector<std::string> topics, Fetch fetch);

  // nullopt where something has to be fetched.
  std::optional<Verdict> CheckAtOnce(const std::string& body, Clocks clocks);
  Verdict Check(const std::string& body, Clocks clocks);

 private:
  using Key = std::shared_ptr<EVP_PKEY>;  // used by a check while another replaces it

  // nullptr where it is not known, but may be asked for.
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
