// What the reader commits when it ends well and when it does not.

#include "app/reader.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "app/kafka_input.h"
#include "tests/app/watched_journal.h"
#include "tests/ingest/mock_kafka.h"

namespace tocsin {
namespace {

constexpr int kRecords = 5;

class ReaderTest : public testing::Test {
 protected:
  void SetUp() override {
    kafka_.CreateTopic("app-logs", 1);
    ErrorList errors;
    config_ = LoadConfigText("inputs: [{name: logs, kafka: {brokers: \"" + kafka_.brokers() +
                                 "\", topics: [app-logs], group: g, start: earliest}}]\n"
                                 "detectors: [{name: e, kind: error_rate, by: [service], "
                                 "critical: {above: 50%, window: 1m}}]\n",
                             "test", &errors);
    ASSERT_TRUE(config_) << ErrorsText(errors);
    setup_ = EngineSetup::Build(&*config_, &errors);
    ASSERT_NE(setup_, nullptr) << ErrorsText(errors);
    // A minute apart, so that each closes the panes before it.
    for (int i = 0; i < kRecords; ++i) {
      kafka_.Produce("app-logs", 0, R"({"type":"request","service":"api"})",
                     1'767'225'600'000 + 60'000 * i);
    }
    kafka_.Flush();
  }

  std::unique_ptr<Reader> NewReader() {
    Reader::Options options;
    options.inputs.push_back(std::make_unique<KafkaInput>(&config_->inputs.front(), setup_.get(),
                                                          /*dead_letters=*/nullptr,
                                                          SequentialExecutor()));
    options.plan = &setup_->plan;
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
  // What a reader that is started anew has to read.
  std::int64_t RecordsRead() {
    const std::unique_ptr<Reader> reader = NewReader();
    EXPECT_TRUE(reader->Start().ok());
    EXPECT_TRUE(TurnUntil(reader.get(), 0).ok());
    EXPECT_TRUE(reader->Finish().ok());
    return reader->Sources().sources[0].counters.records;
  }

  MockKafka kafka_;
  std::optional<Config> config_;
  std::unique_ptr<EngineSetup> setup_;
  WatchedJournal journal_;
  BoundedQueue<DurableBatches> queue_;
};

TEST_F(ReaderTest, OneThatFinishesCommits) {
  EXPECT_EQ(RecordsRead(), kRecords);
  EXPECT_EQ(RecordsRead(), 0);
}

TEST_F(ReaderTest, OneThatCouldNotMakeItsBatchesDurableDoesNotCommit) {
  {
    const std::unique_ptr<Reader> reader = NewReader();
    ASSERT_TRUE(reader->Start().ok());
    journal_.FailWrites(true);
    EXPECT_EQ(TurnUntil(reader.get(), kRecords).message(), "the disk is full");
    reader->Abandon();
  }
  journal_.FailWrites(false);
  EXPECT_EQ(RecordsRead(), kRecords);
}

}  // namespace
}  // namespace tocsin
