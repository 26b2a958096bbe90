#include "ingest/sources/kafka_handles.h"

#include <array>

namespace tocsin {

absl::Status SetKafkaProperty(rd_kafka_conf_t* conf, const std::string& name,
                              const std::string& value) {
  std::array<char, 512> error{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
      RD_KAFKA_CONF_OK) {
    return absl::InvalidArgumentError("kafka property " + name + ": " + error.data());
  }
  return absl::OkStatus();
}

absl::StatusOr<KafkaHandle> NewKafkaClient(rd_kafka_type_t type, KafkaConf conf) {
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  std::array<char, 512> error{};
  KafkaHandle handle(rd_kafka_new(type, conf.get(), error.data(), error.size()));
  if (!handle) return absl::InvalidArgumentError(std::string("Kafka client: ") + error.data());
  static_cast<void>(conf.release());  // The handle owns it now.
  return handle;
}

}  // namespace tocsin
