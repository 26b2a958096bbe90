// Whether a message is one that Amazon SNS signed, and what it wants.
//
//   SnsVerifier verifier({"arn:aws:sns:us-east-1:1234567890:alarms"}, fetch);
//   absl::StatusOr<SnsVerifier::Kind> kind = verifier.Check(body, now);   // fetches certificates
//
// https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
//
// Only topics that are configured, signed with a certificate from an https address of
// sns.REGION.amazonaws.com (or .com.cn), no older than kAgeMax and no newer than kAheadMax by the
// time in it, which is signed as well. Of a confirmation the address that confirms is on such a
// host, too, and Check fetches it. At most kCertificatesMax certificates are kept. Not thread-safe;
// Check waits for the network, so it has a thread of its own (app/receiver.h).
#pragma once

#include <openssl/evp.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"
#include "core/time.h"

namespace tocsin {

class SnsVerifier {
 public:
  // SNS tries again for an hour, and longer where it is told to.
  static constexpr DurationUs kAgeMax = 6 * kHourUs;
  static constexpr DurationUs kAheadMax = 5 * kMinuteUs;
  static constexpr std::size_t kCertificatesMax = 16;

  enum class Kind { kNotification, kConfirmed, kUnsubscribed };
  // The body of an https address.
  using Fetch = std::function<absl::StatusOr<std::string>(const std::string& url)>;

  SnsVerifier(std::vector<std::string> topics, Fetch fetch);

  // InvalidArgument for what is no message of SNS, PermissionDenied for a topic or a host that is
  // not ours to trust, Unauthenticated for a wrong signature or time, Unavailable where the
  // certificate cannot be had now.
  absl::StatusOr<Kind> Check(const std::string& body, TimeUs now);

 private:
  struct FreeKey {
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };

  absl::StatusOr<EVP_PKEY*> KeyAt(const std::string& url);

  const std::vector<std::string> topics_;
  const Fetch fetch_;
  std::map<std::string, std::unique_ptr<EVP_PKEY, FreeKey>> keys_;  // by address
};

// Fetches with libcurl: https alone, no redirects, 10 s, 64 KiB.
absl::StatusOr<std::string> FetchHttps(const std::string& url, const TransportConfig& transport);

}  // namespace tocsin
