#include "service/http_in/sns_verifier.h"

#include <curl/curl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/ascii.h"
#include "core/status_macros.h"
#include "transport/curl_transport.h"

namespace tocsin {
namespace {

constexpr std::size_t kFetchedBytesMax = 64 << 10;
constexpr long kFetchSeconds = 10;

// "us-east-1" of arn:aws:sns:us-east-1:1234567890:alarms.
std::string_view RegionOf(std::string_view topic) {
  for (int i = 0; i < 3; ++i) topic.remove_prefix(std::min(topic.find(':') + 1, topic.size()));
  return topic.substr(0, topic.find(':'));
}

// Whether it is an https URL on the SNS host of the region, without a port or user.
bool IsOfSns(std::string_view url, std::string_view region) {
  constexpr std::string_view kBefore = "https://sns.";
  // Accepts "us-east-1", but not "s3": anybody may own a bucket named sns.
  const bool is_region =
      std::count(region.begin(), region.end(), '-') >= 2 && IsDigit(region.back()) &&
      std::all_of(region.begin(), region.end(),
                  [](char c) { return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-'; });
  if (!is_region || !url.starts_with(kBefore)) return false;
  url.remove_prefix(kBefore.size());
  if (!url.starts_with(region)) return false;
  url.remove_prefix(region.size());
  return url.starts_with(".amazonaws.com/") || url.starts_with(".amazonaws.com.cn/");
}

struct Message {
  std::string type, topic, time, version, signature, certificate, subscribe;
  std::string to_sign;
};

absl::StatusOr<Message> Parse(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body).get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("the body is not a JSON object");
  }
  const auto text = [&](const char* key) {
    std::string_view found;
    return object[key].get(found) == simdjson::SUCCESS ? std::optional(std::string(found))
                                                       : std::nullopt;
  };
  Message message;
  message.type = text("Type").value_or("");
  message.topic = text("TopicArn").value_or("");
  message.time = text("Timestamp").value_or("");
  message.version = text("SignatureVersion").value_or("");
  message.signature = text("Signature").value_or("");
  message.certificate = text("SigningCertURL").value_or(text("SigningCertUrl").value_or(""));
  message.subscribe = text("SubscribeURL").value_or("");
  const bool is_notification = message.type == "Notification";
  if (!is_notification && message.type != "SubscriptionConfirmation" &&
      message.type != "UnsubscribeConfirmation") {
    return absl::InvalidArgumentError("unknown SNS message type");
  }
  const std::vector<const char*> keys =
      is_notification
          ? std::vector<const char*>{"Message",   "MessageId", "Subject",
                                     "Timestamp", "TopicArn",  "Type"}
          : std::vector<const char*>{"Message", "MessageId", "SubscribeURL", "Timestamp",
                                     "Token",   "TopicArn",  "Type"};
  for (const char* key : keys) {
    const std::optional<std::string> value = text(key);
    if (value) absl::StrAppend(&message.to_sign, key, "\n", *value, "\n");
  }
  return message;
}

bool SignatureIsOf(const Message& message, EVP_PKEY* key) {
  std::string signature;
  if (!absl::Base64Unescape(message.signature, &signature)) return false;
  const EVP_MD* const digest = message.version == "1" ? EVP_sha1() : EVP_sha256();
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  return context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature.data()),
                          signature.size(),
                          reinterpret_cast<const unsigned char*>(message.to_sign.data()),
                          message.to_sign.size()) == 1;
}

// A result other than 0 aborts the transfer.
int ShouldStop(void* stopping, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(stopping)->load(std::memory_order_relaxed) ? 1 : 0;
}

std::size_t Keep(char* data, std::size_t, std::size_t size, void* text) {
  auto* const kept = static_cast<std::string*>(text);
  if (kept->size() + size > kFetchedBytesMax) return 0;
  kept->append(data, size);
  return size;
}

// All checks of a message that do not need its certificate.
absl::Status CheckUnsigned(const Message& message, const std::vector<std::string>& topics,
                           TimeUs wall) {
  if (std::find(topics.begin(), topics.end(), message.topic) == topics.end()) {
    return absl::PermissionDeniedError("TopicArn is not a configured topic");
  }
  const std::string_view region = RegionOf(message.topic);
  if (!IsOfSns(message.certificate, region) || !message.certificate.ends_with(".pem")) {
    return absl::PermissionDeniedError(
        "SigningCertURL is not a certificate at the https address of SNS in the topic's region");
  }
  if (message.version != "1" && message.version != "2") {
    return absl::UnauthenticatedError("SignatureVersion is neither 1 nor 2");
  }
  const std::optional<TimeUs> time = ParseRfc3339(message.time);
  if (!time || *time < wall - SnsVerifier::kAgeMax || *time > wall + SnsVerifier::kAheadMax) {
    return absl::UnauthenticatedError(
        "Timestamp is invalid, too long ago or in the future: it may be a replay");
  }
  if (message.type == "SubscriptionConfirmation" && !IsOfSns(message.subscribe, region)) {
    return absl::PermissionDeniedError(
        "SubscribeURL is not an https address of SNS in the topic's region");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<EVP_PKEY>> KeyIn(const std::string& pem) {
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
  std::shared_ptr<EVP_PKEY> key(
      certificate == nullptr ? nullptr : X509_get_pubkey(certificate.get()), EVP_PKEY_free);
  if (key == nullptr) {
    return absl::UnauthenticatedError("the content of SigningCertURL is not a certificate");
  }
  return key;
}

}  // namespace

SnsVerifier::SnsVerifier(std::vector<std::string> topics, Fetch fetch)
    : topics_(std::move(topics)), fetch_(std::move(fetch)) {}

absl::StatusOr<SnsVerifier::Key> SnsVerifier::KnownKey(const std::string& url, TimeUs monotonic) {
  absl::MutexLock lock(&mutex_);
  if (const auto known = keys_.find(url); known != keys_.end()) return known->second;
  while (!fetched_.empty() && fetched_.front().at <= monotonic - kMinuteUs) fetched_.pop_front();
  for (const Fetched& fetched : fetched_) {
    if (fetched.url == url && !fetched.failure.ok() && fetched.at > monotonic - kFailureKept) {
      return fetched.failure;
    }
  }
  if (fetched_.size() < kFetchesPerMinute) return nullptr;
  return absl::UnavailableError("too many fetches of SNS certificates: try again later");
}

absl::StatusOr<SnsVerifier::Key> SnsVerifier::FetchKey(const std::string& url, TimeUs monotonic) {
  const absl::StatusOr<std::string> pem = fetch_(url);
  absl::StatusOr<Key> key;
  if (pem.ok()) {
    key = KeyIn(*pem);
  } else {
    key = absl::UnavailableError(
        absl::StrCat("cannot fetch the SNS certificate: ", pem.status().message()));
  }
  absl::MutexLock lock(&mutex_);
  fetched_.push_back({.url = url, .at = monotonic, .failure = key.status()});
  if (!key.ok()) return key.status();
  if (keys_.size() >= kCertificatesMax) keys_.clear();
  return keys_[url] = *key;
}

std::optional<SnsVerifier::Verdict> SnsVerifier::CheckAtOnce(const std::string& body,
                                                             Clocks clocks) {
  const absl::StatusOr<Message> message = Parse(body);
  if (!message.ok()) return message.status();
  if (absl::Status status = CheckUnsigned(*message, topics_, clocks.wall); !status.ok()) {
    return status;
  }
  const absl::StatusOr<Key> key = KnownKey(message->certificate, clocks.monotonic);
  if (!key.ok()) return key.status();
  if (*key == nullptr) return std::nullopt;
  if (!SignatureIsOf(*message, key->get())) {
    return absl::UnauthenticatedError("Signature does not match this message");
  }
  if (message->type == "Notification") return Kind::kNotification;
  if (message->type == "UnsubscribeConfirmation") return Kind::kUnsubscribed;
  return std::nullopt;
}

SnsVerifier::Verdict SnsVerifier::Check(const std::string& body, Clocks clocks) {
  if (std::optional<Verdict> verdict = CheckAtOnce(body, clocks)) return *std::move(verdict);
  TOCSIN_ASSIGN_OR_RETURN(const Message message, Parse(body));
  TOCSIN_ASSIGN_OR_RETURN(const Key known, KnownKey(message.certificate, clocks.monotonic));
  if (known == nullptr) {
    TOCSIN_RETURN_IF_ERROR(FetchKey(message.certificate, clocks.monotonic).status());
    if (std::optional<Verdict> verdict = CheckAtOnce(body, clocks)) return *std::move(verdict);
  }
  // It is a signed confirmation.
  const absl::StatusOr<std::string> confirmed = fetch_(message.subscribe);
  if (!confirmed.ok()) {
    return absl::UnavailableError(
        absl::StrCat("cannot confirm the subscription: ", confirmed.status().message()));
  }
  return Kind::kConfirmed;
}

absl::StatusOr<std::string> FetchHttps(const std::string& url, const TransportConfig& transport,
                                       const std::atomic<bool>* stopping) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) return absl::ResourceExhaustedError("no memory for HTTP");
  if (!SetTransport(transport, curl.get())) {
    return absl::UnavailableError("libcurl rejects ca_file or proxy");
  }
  std::string text;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kFetchSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Keep);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &text);
  // libcurl calls it at least once a second.
  curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, stopping == nullptr ? 1L : 0L);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, &ShouldStop);
  curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, stopping);
  const CURLcode result = curl_easy_perform(curl.get());
  if (result != CURLE_OK) return absl::UnavailableError(curl_easy_strerror(result));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return absl::UnavailableError(absl::StrCat("status ", status));
  return text;
}

}  // namespace tocsin
