// What a Kafka input commits when it ends well and when it does not; and a backlog.

#include "service/reader.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "runtime/tbb_executor.h"
#include "service/kafka_input.h"
#include "tests/ingest/sources/mock_kafka.h"
#include "tests/service/kafka_setup.h"
#include "tests/service/watched_journal.h"

namespace tocsin {
namespace {

constexpr int kRecords = 5;
constexpr TimeUs kFirst = 1'767'225'600 * kSecondUs;

class ReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    kafka_.CreateTopic("app-logs", 1);
    kafka_.CreateTopic("backlog", 4);
    setup_.emplace(kafka_.brokers(), "app-logs");
    ASSERT_NE(setup_->engine, nullptr);
    ASSERT_TRUE(log_.Start().ok());
    // A minute apart, so that each closes the panes before it.
    for (int i = 0; i < kRecords; ++i) {
      kafka_.Produce("app-logs", 0, R"({"type":"request","service":"api"})",
                     kFirst / 1'000 + 60'000 * i);
    }
    kafka_.Flush();
  }

  std::unique_ptr<Reader> NewReader() {
    auto reader = std::make_unique<Reader>(
        Reader::Options{.inputs = {{.name = "logs",
                                    .make =
                                        [this] {
                                          return std::make_unique<KafkaInput>(
                                              &setup_->config->inputs.front(), setup_->engine.get(),
                                              /*dead_letters=*/nullptr, &time_,
                                              TbbExecutor({.threads = 2, .grain = 1}),
                                              /*earlier=*/KafkaInput::Earlier{});
                                        }}},
                        .plan = &setup_->engine->plan,
                        .log = &log_,
                        .time = &time_});
    reader->Start();
    return reader;
  }

  // Turns until so many records were fed.
  void TurnUntil(Reader* reader, std::int64_t records) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    for (std::int64_t fed = 0; fed < records;) {
      ASSERT_LT(absl::Now(), deadline);
      reader->Turn();
      absl::SleepFor(absl::Milliseconds(1));
      fed = 0;
      const std::vector<InputStatus> inputs = reader->Inputs();
      for (const SourceStatus& source : inputs.front().sources) {
        fed += source.counters.records;
      }
    }
  }
  // A partition restored as after a restart.
  std::unique_ptr<SourcePartition> Restored() {
    rd_kafka_conf_t* const conf = rd_kafka_conf_new();
    std::array<char, 256> error{};
    rd_kafka_conf_set(conf, "bootstrap.servers", kafka_.brokers().c_str(), error.data(), 256);
    rd_kafka_conf_set(conf, "group.id", "g", error.data(), 256);
    const KafkaHandle consumer(rd_kafka_new(RD_KAFKA_CONSUMER, conf, error.data(), 256));
    const KafkaPartitionList list = NewPartitionList(1);
    rd_kafka_topic_partition_list_add(list.get(), "app-logs", 0);
    EXPECT_EQ(rd_kafka_committed(consumer.get(), list.get(), 30'000), RD_KAFKA_RESP_ERR_NO_ERROR);
    const rd_kafka_topic_partition_t& known = list->elems[0];
    auto partition =
        setup_->engine->NewPartition(setup_->config->inputs.front(), "logs/app-logs/0").value();
    if (known.offset >= 0) {
      const std::string metadata(static_cast<const char*>(known.metadata), known.metadata_size);
      EXPECT_TRUE(partition->Restore({.offset = known.offset, .metadata = metadata}).ok());
    }
    return partition;
  }

  MockKafka kafka_;
  std::optional<KafkaSetup> setup_;
  const TimeSource time_;
  WatchedJournal journal_;
  BatchLog log_{{.journal = &journal_, .time = &time_}};
};

TEST_F(ReaderTest, OneThatFinishesCommits) {
  const std::unique_ptr<Reader> reader = NewReader();
  TurnUntil(reader.get(), kRecords);
  ASSERT_TRUE(reader->Stop(absl::Seconds(30)));
  EXPECT_EQ(Restored()->next_offset(), kRecords);
  EXPECT_GT(Restored()->last_tick(), kFirst);
}

TEST_F(ReaderTest, WhatDidNotBecomeDurableIsNotCommitted) {
  journal_.FailWrites(true);
  const std::unique_ptr<Reader> reader = NewReader();
  TurnUntil(reader.get(), kRecords);
  ASSERT_TRUE(reader->Stop(absl::Milliseconds(10)));
  // At most what was read before anything had to be durable.
  EXPECT_LE(Restored()->last_tick(), kFirst);
}

// Batches that are fed in the background, partitions in parallel, while the next one is taken.
TEST_F(ReaderTest, FeedsAllOfABacklog) {
  constexpr int kBacklog = 30'000;
  for (int i = 0; i < kBacklog; ++i) {
    kafka_.Produce("backlog", i / 100 % 4, R"({"type":"request","service":"api"})",
                   kFirst / 1'000 + i);
  }
  kafka_.Flush();
  setup_->config->inputs.front().kafka->topics = {"backlog"};
  setup_->config->inputs.front().kafka->group = "backlog";
  const std::unique_ptr<Reader> reader = NewReader();
  TurnUntil(reader.get(), kBacklog);
  ASSERT_TRUE(reader->Stop(absl::Seconds(30)));
  std::int64_t events = 0;
  const std::vector<InputStatus> inputs = reader->Inputs();
  for (const SourceStatus& source : inputs.front().sources) {
    EXPECT_EQ(source.counters.records, kBacklog / 4) << source.source;
    EXPECT_EQ(source.counters.late, 0);
    events += source.counters.events;
  }
  EXPECT_EQ(events, kBacklog);
}

}  // namespace
}  // namespace tocsin
