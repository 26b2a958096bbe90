// What the reader commits when it ends well and when it does not.

#include "app/reader.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "app/kafka_input.h"
#include "replay/tbb_executor.h"
#include "tests/app/kafka_setup.h"
#include "tests/app/watched_journal.h"
#include "tests/ingest/mock_kafka.h"

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
    // A minute apart, so that each closes the panes before it.
    for (int i = 0; i < kRecords; ++i) {
      kafka_.Produce("app-logs", 0, R"({"type":"request","service":"api"})",
                     kFirst / 1'000 + 60'000 * i);
    }
    kafka_.Flush();
  }

  std::unique_ptr<Reader> NewReader() {
    Reader::Options options;
    options.inputs.push_back(std::make_unique<KafkaInput>(
        &setup_->config->inputs.front(), setup_->engine.get(),
        /*dead_letters=*/nullptr, TbbExecutor({.threads = 2, .grain = 1})));
    options.plan = &setup_->engine->plan;
    options.journal = &journal_;
    options.out = &queue_;
    return std::make_unique<Reader>(std::move(options));
  }

  // Turns until an error, or until so many records were fed and the end was seen.
  absl::Status TurnUntil(Reader* reader, std::int64_t records) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (absl::Now() < deadline) {
      if (const absl::Status turned = reader->Turn(); !turned.ok()) return turned;
      const Reader::View view = reader->Sources();
      if (!view.sources.empty() && view.sources[0].at_end &&
          view.sources[0].counters.records >= records) {
        return absl::OkStatus();
      }
    }
    return absl::DeadlineExceededError("nothing came");
  }
  // A partition as one that starts anew would begin.
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
  WatchedJournal journal_;
  BoundedQueue<DurableBatches> queue_{64};
};

TEST_F(ReaderTest, OneThatFinishesCommits) {
  {
    const std::unique_ptr<Reader> reader = NewReader();
    ASSERT_TRUE(reader->Start().ok());
    ASSERT_TRUE(TurnUntil(reader.get(), kRecords).ok());
    ASSERT_TRUE(reader->Finish().ok());
  }
  EXPECT_EQ(Restored()->next_offset(), kRecords);
  EXPECT_GT(Restored()->last_tick(), kFirst);
}

TEST_F(ReaderTest, OneThatCouldNotMakeItsBatchesDurableDoesNotCommitThem) {
  {
    const std::unique_ptr<Reader> reader = NewReader();
    ASSERT_TRUE(reader->Start().ok());
    journal_.FailWrites(true);
    EXPECT_EQ(TurnUntil(reader.get(), kRecords).message(), "the disk is full");
    reader->Abandon();
  }
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
  ASSERT_TRUE(reader->Start().ok());
  std::int64_t records = 0;
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (records < kBacklog && absl::Now() < deadline) {
    ASSERT_TRUE(reader->Turn().ok());
    records = 0;
    for (const SourceStatus& source : reader->Sources().sources) records += source.counters.records;
  }
  ASSERT_TRUE(reader->Finish().ok());
  std::int64_t events = 0;
  for (const SourceStatus& source : reader->Sources().sources) {
    EXPECT_EQ(source.counters.records, kBacklog / 4) << source.source;
    EXPECT_EQ(source.counters.late, 0);
    events += source.counters.events;
  }
  EXPECT_EQ(events, kBacklog);
}

}  // namespace
}  // namespace tocsin
