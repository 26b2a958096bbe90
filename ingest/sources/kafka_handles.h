// Owning pointers for librdkafka's objects, how its clients are made, and the conversion of message
// timestamps.
//
//   KafkaConf conf(rd_kafka_conf_new());
//   TOCSIN_RETURN_IF_ERROR(SetKafkaProperty(conf.get(), "bootstrap.servers", "kafka:9092"));
//   TOCSIN_ASSIGN_OR_RETURN(KafkaHandle handle,
//                           NewKafkaClient(RD_KAFKA_CONSUMER, std::move(conf)));
#pragma once

#include <librdkafka/rdkafka.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/time.h"

namespace tocsin {

template <auto Destroy>
struct KafkaDeleter {
  template <typename T>
  void operator()(T* object) const {
    Destroy(object);
  }
};

using KafkaConf = std::unique_ptr<rd_kafka_conf_t, KafkaDeleter<rd_kafka_conf_destroy>>;
using KafkaHandle = std::unique_ptr<rd_kafka_t, KafkaDeleter<rd_kafka_destroy>>;
using KafkaQueue = std::unique_ptr<rd_kafka_queue_t, KafkaDeleter<rd_kafka_queue_destroy>>;
using KafkaTopic = std::unique_ptr<rd_kafka_topic_t, KafkaDeleter<rd_kafka_topic_destroy>>;
using KafkaEvent = std::unique_ptr<rd_kafka_event_t, KafkaDeleter<rd_kafka_event_destroy>>;
using KafkaMetadata =
    std::unique_ptr<const rd_kafka_metadata_t, KafkaDeleter<rd_kafka_metadata_destroy>>;
using KafkaError = std::unique_ptr<rd_kafka_error_t, KafkaDeleter<rd_kafka_error_destroy>>;
using KafkaAdminOptions =
    std::unique_ptr<rd_kafka_AdminOptions_t, KafkaDeleter<rd_kafka_AdminOptions_destroy>>;
using KafkaConfigResource =
    std::unique_ptr<rd_kafka_ConfigResource_t, KafkaDeleter<rd_kafka_ConfigResource_destroy>>;
using KafkaPartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t,
                                           KafkaDeleter<rd_kafka_topic_partition_list_destroy>>;

// InvalidArgument with the property's name and librdkafka's reason.
absl::Status SetKafkaProperty(rd_kafka_conf_t* conf, const std::string& name,
                              const std::string& value);
// Its log lines are dropped: what matters comes as errors and events.
absl::StatusOr<KafkaHandle> NewKafkaClient(rd_kafka_type_t type, KafkaConf conf);

inline KafkaPartitionList NewPartitionList(int capacity) {
  return KafkaPartitionList(rd_kafka_topic_partition_list_new(capacity));
}

// A message's timestamp; kNoTime if it has none or an invalid one.
inline TimeUs KafkaTimestamp(rd_kafka_timestamp_type_t type, std::int64_t timestamp_ms) {
  const bool usable = type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && timestamp_ms >= 0 &&
                      timestamp_ms <= kMaxTime / kMillisecondUs;
  return usable ? timestamp_ms * kMillisecondUs : kNoTime;
}

}  // namespace tocsin
