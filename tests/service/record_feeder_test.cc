// Feeding in the background: everything, in order, also what is added meanwhile; and stopping.

#include "service/record_feeder.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "runtime/tbb_executor.h"
#include "tests/service/kafka_setup.h"

namespace tocsin {
namespace {

constexpr TimeUs kFirst = 1'767'225'600 * kSecondUs;
constexpr std::string_view kEvent = R"({"type":"request","service":"api"})";

class RecordFeederTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(setup_.engine, nullptr);
    for (std::unique_ptr<SourcePartition>& partition : partitions_) {
      partition = setup_.engine->NewPartition(setup_.config->inputs.front(), "logs/0").value();
      queues_.push_back(feeder_.AddQueue(partition.get()));
    }
  }

  // The next `count` records of a queue; each moves its clock.
  void Add(std::size_t queue, int count) {
    RecordSlice records;
    for (int i = 0; i < count; ++i) {
      const std::int64_t offset = next_[queue]++;
      records.Add({.offset = offset,
                   .timestamp = kFirst + offset * kMillisecondUs,
                   .append_time = true,
                   .value = kEvent});
    }
    feeder_.Add(queues_[queue], std::move(records));
  }
  void ExpectAllFed() {
    for (std::size_t queue = 0; queue < partitions_.size(); ++queue) {
      EXPECT_EQ(partitions_[queue]->counters().events, next_[queue]);
      EXPECT_EQ(partitions_[queue]->next_offset(), next_[queue]);
      EXPECT_EQ(partitions_[queue]->clock(), kFirst + (next_[queue] - 1) * kMillisecondUs);
      EXPECT_FALSE(feeder_.busy(queues_[queue]));
    }
    EXPECT_EQ(feeder_.queued_records(), 0u);
    EXPECT_EQ(feeder_.queued_bytes(), 0u);
  }

  KafkaSetup setup_{"unused:1", "unused"};
  std::array<std::unique_ptr<SourcePartition>, 3> partitions_;
  std::array<std::int64_t, 3> next_{};
  std::vector<std::size_t> queues_;
  RecordFeeder feeder_{TbbExecutor({.threads = 2, .grain = 1})};
};

TEST_F(RecordFeederTest, FeedsWhatIsAddedMeanwhile) {
  Add(0, 100);
  feeder_.Start();
  for (int slice = 0; slice < 50; ++slice) {
    for (std::size_t queue = 0; queue < queues_.size(); ++queue) Add(queue, 10 + slice);
  }
  EXPECT_TRUE(feeder_.WaitUntilIdle(absl::Minutes(1)));
  EXPECT_TRUE(feeder_.feeding());
  feeder_.Rest();
  EXPECT_FALSE(feeder_.feeding());
  ExpectAllFed();
}

TEST_F(RecordFeederTest, GoesOnAfterARest) {
  for (int slice = 0; slice < 20; ++slice) Add(1, 50);
  feeder_.Start();
  feeder_.Rest();
  // Whole slices were fed, and the others are still there.
  const auto fed = static_cast<std::size_t>(partitions_[1]->counters().events);
  EXPECT_EQ(fed % 50, 0u);
  EXPECT_EQ(feeder_.queued_records(), 1'000 - fed);
  for (std::size_t queue = 0; queue < queues_.size(); ++queue) Add(queue, 7);
  feeder_.Start();
  feeder_.Drain();
  ExpectAllFed();
}

TEST_F(RecordFeederTest, DrainsOnTheCallingThreadWhereNobodyFeeds) {
  for (std::size_t queue = 0; queue < queues_.size(); ++queue) {
    Add(queue, 3);
    Add(queue, 4);
    EXPECT_TRUE(feeder_.busy(queues_[queue]));
  }
  feeder_.Drain();
  ExpectAllFed();
}

TEST_F(RecordFeederTest, ForgetsWhatIsCleared) {
  Add(0, 5);
  Add(2, 5);
  feeder_.Clear();
  EXPECT_EQ(feeder_.queued_records(), 0u);
  feeder_.Drain();
  EXPECT_EQ(partitions_[0]->counters().events, 0);
  EXPECT_EQ(partitions_[2]->counters().events, 0);
}

}  // namespace
}  // namespace tocsin
