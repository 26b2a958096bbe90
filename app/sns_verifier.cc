#include "app/sns_verifier.h"

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
#include "app/curl_transport.h"
#include "core/ascii.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

constexpr std::size_t kFetchedBytesMax = 64 << 10;
constexpr long kFetchSeconds = 10;

// The host of an https address that SNS has, without a port, a user or anything else before it.
bool IsOfSns(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  if (!url.starts_with(kScheme)) return false;
  url.remove_prefix(kScheme.size());
  const std::string_view host = url.substr(0, url.find('/'));
  constexpr std::string_view kService = "sns.";
  if (host.size() == url.size() || !host.starts_with(kService)) return false;
  std::string_view region = host.substr(kService.size());
  bool is_amazon = false;
  for (const std::string_view domain : {".amazonaws.com.cn", ".amazonaws.com"}) {
    if (is_amazon || !region.ends_with(domain)) continue;
    region.remove_suffix(domain.size());
    is_amazon = true;
  }
  // "us-east-1", and not "s3", under which anybody's bucket may be called sns.
  return is_amazon && std::count(region.begin(), region.end(), '-') >= 2 &&
         IsDigit(region.back()) && std::all_of(region.begin(), region.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || IsDigit(c) || c == '-';
         });
}

struct Message {
  std::string type, topic, time, version, signature, certificate, subscribe;
  std::string to_sign;
};

absl::StatusOr<Message> Parse(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body).get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("the body is no JSON object");
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
    return absl::InvalidArgumentError("Type is none of SNS' messages");
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

std::size_t Keep(char* data, std::size_t, std::size_t size, void* text) {
  auto* const kept = static_cast<std::string*>(text);
  if (kept->size() + size > kFetchedBytesMax) return 0;
  kept->append(data, size);
  return size;
}

}  // namespace

SnsVerifier::SnsVerifier(std::vector<std::string> topics, Fetch fetch)
    : topics_(std::move(topics)), fetch_(std::move(fetch)) {}

absl::StatusOr<EVP_PKEY*> SnsVerifier::KeyAt(const std::string& url) {
  if (const auto known = keys_.find(url); known != keys_.end()) return known->second.get();
  absl::StatusOr<std::string> pem = fetch_(url);
  if (!pem.ok()) {
    return absl::UnavailableError(
        absl::StrCat("cannot fetch SNS' certificate: ", pem.status().message()));
  }
  const std::unique_ptr<BIO, int (*)(BIO*)> bio(
      BIO_new_mem_buf(pem->data(), static_cast<int>(pem->size())), BIO_free);
  const std::unique_ptr<X509, void (*)(X509*)> certificate(
      PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), X509_free);
  std::unique_ptr<EVP_PKEY, FreeKey> key(
      certificate == nullptr ? nullptr : X509_get_pubkey(certificate.get()));
  if (key == nullptr) {
    return absl::UnauthenticatedError("what stands at SigningCertURL is no certificate");
  }
  if (keys_.size() >= kCertificatesMax) keys_.clear();
  return (keys_[url] = std::move(key)).get();
}

absl::StatusOr<SnsVerifier::Kind> SnsVerifier::Check(const std::string& body, TimeUs now) {
  TOCSIN_ASSIGN_OR_RETURN(const Message message, Parse(body));
  if (std::find(topics_.begin(), topics_.end(), message.topic) == topics_.end()) {
    return absl::PermissionDeniedError("TopicArn is none of the configured topics");
  }
  if (!IsOfSns(message.certificate)) {
    return absl::PermissionDeniedError("SigningCertURL is no https address of SNS");
  }
  if (message.version != "1" && message.version != "2") {
    return absl::UnauthenticatedError("SignatureVersion is neither 1 nor 2");
  }
  TOCSIN_ASSIGN_OR_RETURN(EVP_PKEY* const key, KeyAt(message.certificate));
  if (!SignatureIsOf(message, key)) {
    return absl::UnauthenticatedError("Signature is not that of this message");
  }
  const std::optional<TimeUs> time = ParseRfc3339(message.time);
  if (!time || *time < now - kAgeMax || *time > now + kAheadMax) {
    return absl::UnauthenticatedError("Timestamp is too long ago, or ahead: it may be a replay");
  }
  if (message.type == "Notification") return Kind::kNotification;
  if (message.type == "UnsubscribeConfirmation") return Kind::kUnsubscribed;
  if (!IsOfSns(message.subscribe)) {
    return absl::PermissionDeniedError("SubscribeURL is no https address of SNS");
  }
  const absl::StatusOr<std::string> confirmed = fetch_(message.subscribe);
  if (!confirmed.ok()) {
    return absl::UnavailableError(
        absl::StrCat("cannot confirm the subscription: ", confirmed.status().message()));
  }
  return Kind::kConfirmed;
}

absl::StatusOr<std::string> FetchHttps(const std::string& url, const TransportConfig& transport) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), curl_easy_cleanup);
  if (curl == nullptr) return absl::ResourceExhaustedError("no memory for HTTP");
  if (!SetTransport(transport, curl.get())) {
    return absl::UnavailableError("libcurl cannot take its ca_file or proxy");
  }
  std::string text;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "https");
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kFetchSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Keep);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &text);
  const CURLcode result = curl_easy_perform(curl.get());
  if (result != CURLE_OK) return absl::UnavailableError(curl_easy_strerror(result));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return absl::UnavailableError(absl::StrCat("status ", status));
  return text;
}

}  // namespace tocsin
