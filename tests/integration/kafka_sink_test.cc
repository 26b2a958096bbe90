// The kafka sink against a real Kafka.

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/sources/kafka_handles.h"
#include "service/deliverer.h"
#include "tests/integration/kafka_cluster.h"
#include "tests/service/watched_journal.h"
#include "tests/sinks/sink_fixtures.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

constexpr char kTopic[] = "incidents";
constexpr int kPartitions = 3;

struct Record {
  int partition = 0;
  std::string key, value, idempotency_key;
};

// `count` records of the topic from its beginning, in the order of their partitions' offsets.
std::vector<Record> Read(const std::string& brokers, std::size_t count) {
  std::array<char, 512> error{};
  KafkaConf conf(rd_kafka_conf_new());
  rd_kafka_conf_set(conf.get(), "bootstrap.servers", brokers.c_str(), error.data(), error.size());
  rd_kafka_conf_set(conf.get(), "group.id", "reader", error.data(), error.size());
  const KafkaHandle consumer(
      rd_kafka_new(RD_KAFKA_CONSUMER, conf.release(), error.data(), error.size()));
  rd_kafka_poll_set_consumer(consumer.get());
  const KafkaPartitionList all = NewPartitionList(kPartitions);
  for (int p = 0; p < kPartitions; ++p) {
    rd_kafka_topic_partition_list_add(all.get(), kTopic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(consumer.get(), all.get());
  std::vector<Record> records;
  EXPECT_TRUE(WaitFor(60, [&] {
    rd_kafka_message_t* const message = rd_kafka_consumer_poll(consumer.get(), 100);
    if (message == nullptr) return false;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      Record& record = records.emplace_back();
      record.partition = message->partition;
      record.key.assign(static_cast<const char*>(message->key), message->key_len);
      record.value.assign(static_cast<const char*>(message->payload), message->len);
      rd_kafka_headers_t* headers = nullptr;
      const void* value = nullptr;
      std::size_t size = 0;
      if (rd_kafka_message_headers(message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
          rd_kafka_header_get_last(headers, "idempotency-key", &value, &size) ==
              RD_KAFKA_RESP_ERR_NO_ERROR) {
        record.idempotency_key.assign(static_cast<const char*>(value), size);
      }
    }
    rd_kafka_message_destroy(message);
    return records.size() >= count;
  }));
  rd_kafka_consumer_close(consumer.get());
  return records;
}

TEST(KafkaSink, WritesWhatBecomesOfAnIncidentInOrderToOnePartition) {
  KafkaCluster kafka;
  ASSERT_TRUE(kafka.Start());
  ASSERT_TRUE(kafka.CreateTopic(kTopic, kPartitions, {}));
  std::vector<std::unique_ptr<Sink>> sinks;
  sinks.push_back(MakeSink("{name: stream, kind: kafka, brokers: '" + kafka.brokers() +
                           "', topic: " + kTopic + "}"));
  ASSERT_NE(sinks[0], nullptr);
  const std::vector<RouteConfig> routes;
  WatchedJournal journal;
  const TimeSource time;
  Deliverer deliverer(routes, sinks, &journal, &time);
  ASSERT_TRUE(deliverer.Start().ok());
  const Incident incident = MakeIncident("down");
  const auto id = [&](NotificationAction action) {
    return DeliveryId("stream", incident.id, 2, action);
  };
  constexpr std::array kActions = {NotificationAction::kTrigger, NotificationAction::kAcknowledge,
                                   NotificationAction::kResolve};
  for (const NotificationAction action : kActions) {
    deliverer.Submit({Notify(action, 2, incident)});
    ASSERT_TRUE(journal.AwaitState(id(action), DeliveryState::kDelivered));
  }

  const std::vector<Record> records = Read(kafka.brokers(), kActions.size());
  ASSERT_EQ(records.size(), kActions.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].partition, records[0].partition);
    EXPECT_EQ(records[i].key, incident.id.Hex());
    EXPECT_EQ(records[i].idempotency_key, id(kActions[i]).Hex());
    EXPECT_THAT(
        records[i].value,
        HasSubstr("\"action\":\"" + std::string(NotificationActionName(kActions[i])) + '"'));
    EXPECT_THAT(records[i].value, HasSubstr("\"title\":\"down\""));
  }
  deliverer.Stop(absl::Seconds(10));
}

}  // namespace
}  // namespace tocsin
