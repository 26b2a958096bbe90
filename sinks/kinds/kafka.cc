// A Kafka topic: one record per delivery, for custom consumers.
//
//   - {name: stream, kind: kafka, brokers: "kafka:9092", topic: incidents}
//
// Keys: brokers, topic, properties (of librdkafka), sasl_password_file or sasl_password_env,
// timeout. The value is the webhook's body. The key is the incident's id, so that all records of an
// incident are in one partition and in order. The header `idempotency-key` is the same in every
// attempt.
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/value.h"
#include "core/string_hash.h"
#include "sinks/delivery_line.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"

namespace tocsin {
namespace {

class KafkaSink final : public Sink {
 public:
  struct Options {
    std::string brokers, topic;
    std::map<std::string, std::string> properties;
    DurationUs timeout = 10 * kSecondUs;
  };

  KafkaSink(std::string name, const std::string& password, Options options)
      : Sink(std::move(name), "kafka"), options_(std::move(options)) {
    AddSecret(password);
  }

  bool has_idempotency_key() const override { return true; }
  std::string_view protocol() const override { return "Kafka"; }

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    request.kind = SinkRequest::Kind::kKafka;
    request.url = options_.brokers;
    request.kafka = {
        .topic = options_.topic, .key = delivery.incident.Hex(), .properties = options_.properties};
    request.headers = {{"content-type", "application/json"},
                       {"idempotency-key", delivery.id.Hex()}};
    request.body = DeliveryJson(delivery);
    request.timeout = options_.timeout;
    return request;
  }

 private:
  const Options options_;
};

std::map<std::string, std::string> ReadProperties(ConfigReader* reader) {
  std::map<std::string, std::string> properties;
  const ConfigNode* node = reader->Node("properties");
  if (node == nullptr) return properties;
  if (node->kind != ConfigNode::Kind::kMap) {
    reader->Error("properties", absl::StrCat("properties is ", Found(*node),
                                             ": expected a map of librdkafka properties"));
  }
  for (const auto& [key, value] : node->map) {
    if (absl::StrContains(key, "password")) {
      reader->errors()->Add(value.at, absl::StrCat(key,
                                                   " must not be written in the configuration: use "
                                                   "sasl_password_file or sasl_password_env"));
    } else if (value.kind != ConfigNode::Kind::kScalar) {
      reader->errors()->Add(value.at,
                            absl::StrCat(key, " is ", Found(value), ": expected one value"));
    } else {
      properties[key] = value.scalar;
    }
  }
  return properties;
}

}  // namespace

std::unique_ptr<Sink> NewKafkaSink(const std::string& name, ConfigReader* reader) {
  KafkaSink::Options options;
  options.brokers = absl::StrJoin(reader->Strings("brokers"), ",");
  if (options.brokers.empty() && reader->Sound("brokers")) {
    reader->Missing("brokers", "'brokers' is missing: HOST:PORT of one or more");
  }
  options.topic = reader->RequiredString("topic");
  options.properties = ReadProperties(reader);
  const std::string password =
      ReadSecret("sasl_password", "the password of sasl.username", /*optional=*/true, reader);
  if (!password.empty()) options.properties["sasl.password"] = password;
  options.timeout = ReadTimeout(reader);
  return std::make_unique<KafkaSink>(name, password, std::move(options));
}

}  // namespace tocsin
