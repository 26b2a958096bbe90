// Any HTTP endpoint: POSTs {"action","level","dedup_key","incident":{…the incident line…}}.
//
//   - {name: bot, kind: webhook, url: "https://bot.example/tocsin", secret_env: BOT_SECRET,
//      headers: {X-Team: payments}}
//
// Keys: url, headers, secret_file or secret_env (optional), timeout. `Idempotency-Key` is the
// delivery's id, the same in every attempt; `X-Tocsin-Signature: v1=<hex>` is the HMAC-SHA256 of
// the raw body with the secret, as PagerDuty signs its own webhooks.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/string_hash.h"
#include "sinks/delivery_line.h"
#include "sinks/signature.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"

namespace tocsin {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t kHeadersMax = 32;
constexpr std::size_t kHeaderBytesMax = 4096;

bool IsHeaderName(const std::string& name) {
  return !name.empty() && name.size() <= kHeaderBytesMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
         });
}

bool IsHeaderValue(const std::string& value) {
  return value.size() <= kHeaderBytesMax && std::all_of(value.begin(), value.end(), [](char c) {
           return c >= 0x20 && c < 0x7F;  // a line feed would add another header
         });
}

bool IsOurs(const std::string& name) {
  constexpr const char* kOurs[] = {"Content-Type",      "Content-Length",  "Host",
                                   "Transfer-Encoding", "Idempotency-Key", "X-Tocsin-Signature"};
  return std::any_of(std::begin(kOurs), std::end(kOurs),
                     [&](const char* ours) { return absl::EqualsIgnoreCase(ours, name); });
}

Headers ReadHeaders(ConfigReader* reader) {
  Headers headers;
  const ConfigNode* node = reader->Node("headers");
  if (node == nullptr) return headers;
  if (node->kind != ConfigNode::Kind::kMap || node->map.size() > kHeadersMax) {
    reader->Error("headers", absl::StrCat("headers: expected a map of at most ", kHeadersMax,
                                          " names and values"));
    return headers;
  }
  for (std::size_t i = 0; i < node->map.size(); ++i) {
    const auto& [name, value] = node->map[i];
    if (!IsHeaderName(name)) {
      reader->errors()->Add(node->key_locations[i],
                            absl::StrCat("'", absl::CHexEscape(name), "' is not a header name"));
    } else if (IsOurs(name)) {
      reader->errors()->Add(node->key_locations[i],
                            absl::StrCat("the header ", name, " is set by tocsin"));
    } else if (value.kind != ConfigNode::Kind::kScalar || !IsHeaderValue(value.scalar)) {
      // The message leaves out the value, which may be a token.
      reader->errors()->Add(value.at, absl::StrCat("the value of the header ", name,
                                                   " must be printable ASCII on one line"));
    } else {
      headers.emplace_back(name, value.scalar);
    }
  }
  return headers;
}

class WebhookSink final : public Sink {
 public:
  struct Options {
    std::string url, secret;
    Headers headers;
    DurationUs timeout = 10 * kSecondUs;
  };

  WebhookSink(std::string name, Options options)
      : Sink(std::move(name), "webhook"), options_(std::move(options)) {
    AddSecret(options_.secret);
    for (const auto& [header, value] : options_.headers) {
      if (absl::EqualsIgnoreCase(header, "Authorization")) AddSecret(value);
    }
  }

  bool has_idempotency_key() const override { return true; }

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    request.url = options_.url;
    request.body = DeliveryJson(delivery);
    request.timeout = options_.timeout;
    request.headers = options_.headers;
    request.headers.emplace_back("Content-Type", "application/json");
    request.headers.emplace_back("Idempotency-Key", delivery.id.Hex());
    if (!options_.secret.empty()) {
      request.headers.emplace_back("X-Tocsin-Signature",
                                   BodySignature(options_.secret, request.body));
    }
    return request;
  }

 private:
  const Options options_;
};

}  // namespace

std::unique_ptr<Sink> NewWebhookSink(const std::string& name, ConfigReader* reader) {
  WebhookSink::Options options;
  options.url = ReadUrl("", reader);
  options.headers = ReadHeaders(reader);
  options.secret =
      ReadSecret("secret", "the key that requests are signed with", /*optional=*/true, reader);
  options.timeout = ReadTimeout(reader);
  return std::make_unique<WebhookSink>(name, std::move(options));
}

}  // namespace tocsin
