// librdkafka's mock cluster and a producer for it. A real broker is tests/integration's.
//
//   MockKafka kafka;
//   kafka.CreateTopic("app-logs", 4);
//   kafka.Produce("app-logs", 0, "{…}");
//   kafka.Flush();
#pragma once

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <cstdint>
#include <map>
#include <string>

#include "ingest/sources/kafka_handles.h"

namespace tocsin {

class MockKafka {
 public:
  explicit MockKafka(const std::map<std::string, std::string>& properties = {}) {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    Set(conf, "test.mock.num.brokers", "1");
    Set(conf, "log_level", "0");
    for (const auto& [name, value] : properties) Set(conf, name, value);
    char error[256];
    handle_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error)));
    EXPECT_TRUE(handle_) << error;
    mock_ = rd_kafka_handle_mock_cluster(handle_.get());
  }

  std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(mock_); }
  rd_kafka_mock_cluster_t* mock() { return mock_; }

  void CreateTopic(const std::string& topic, int partitions) {
    ASSERT_EQ(rd_kafka_mock_topic_create(mock_, topic.c_str(), partitions, 1),
              RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  void Produce(const std::string& topic, int partition, const std::string& value,
               std::int64_t timestamp_ms = 1767225600000) {
    ASSERT_EQ(rd_kafka_producev(handle_.get(), RD_KAFKA_V_TOPIC(topic.c_str()),
                                RD_KAFKA_V_PARTITION(partition),
                                RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
                                RD_KAFKA_V_TIMESTAMP(timestamp_ms),
                                RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END),
              RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void Flush() { ASSERT_EQ(rd_kafka_flush(handle_.get(), 30'000), RD_KAFKA_RESP_ERR_NO_ERROR); }

 private:
  static void Set(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
    char error[256];
    ASSERT_EQ(rd_kafka_conf_set(conf, name.c_str(), value.c_str(), error, sizeof(error)),
              RD_KAFKA_CONF_OK)
        << error;
  }

  KafkaHandle handle_;
  rd_kafka_mock_cluster_t* mock_ = nullptr;
};

}  // namespace tocsin
