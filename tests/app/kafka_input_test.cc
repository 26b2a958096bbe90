// KafkaInput's own part: when an idle partition is closed and committed. Its librdkafka half is
// tests/ingest's, the whole is tests/integration's.

#include "app/kafka_input.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "tests/app/kafka_setup.h"
#include "tests/ingest/mock_kafka.h"

namespace tocsin {
namespace {

constexpr TimeUs kNow = 1'767'225'600 * kSecondUs;
constexpr InputClock kClock = {.monotonic = 0, .wall = kNow};
// A minute on, by both clocks.
constexpr InputClock kLater = {.monotonic = kMinuteUs, .wall = kNow + kMinuteUs};

class KafkaInputTest : public testing::Test {
 protected:
  void SetUp() override {
    kafka_.CreateTopic("app-logs", 1);
    setup_.emplace(kafka_.brokers(), "app-logs");
    ASSERT_NE(setup_->engine, nullptr);
    input_ = std::make_unique<KafkaInput>(&setup_->config->inputs.front(), setup_->engine.get(),
                                          /*dead_letters=*/nullptr, SequentialExecutor());
  }

  // Takes, without feeding, until the end of the only partition.
  void TakeAll() {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (!partition().at_end) {
      ASSERT_LT(absl::Now(), deadline);
      ASSERT_TRUE(input_->Poll(absl::Milliseconds(50), kClock).ok());
    }
  }
  InputPartition& partition() { return *input_->Partitions().front(); }

  MockKafka kafka_;
  std::optional<KafkaSetup> setup_;
  std::unique_ptr<KafkaInput> input_;
};

TEST_F(KafkaInputTest, AnIdlePartitionIsClosedOnlyBehindItsRecords) {
  for (int i = 0; i < 3; ++i) {
    kafka_.Produce("app-logs", 0, R"({"type":"request","service":"api"})", kNow / 1'000);
  }
  kafka_.Flush();
  ASSERT_TRUE(input_->Start().ok());
  TakeAll();
  ASSERT_EQ(partition().stage1->counters().records, 0);
  ASSERT_TRUE(input_->CloseIdle(kLater).ok());
  input_->Feed();
  input_->Settle();
  EXPECT_EQ(partition().stage1->counters().events, 3);
  EXPECT_EQ(partition().stage1->counters().late, 0);
  EXPECT_TRUE(partition().commit_due);

  partition().commit_due = false;
  ASSERT_TRUE(input_->CloseIdle(kLater).ok());
  EXPECT_EQ(partition().stage1->last_tick(),
            FloorTo(kLater.wall - kIdleGrace, setup_->engine->plan.pane()));
  EXPECT_TRUE(partition().commit_due);
}

}  // namespace
}  // namespace tocsin
