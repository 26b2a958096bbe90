// KafkaInput's own part: when an idle partition is closed and committed, and what becomes of a
// topic that was created anew. Its librdkafka half is tests/ingest's, the whole is
// tests/integration's.

#include "service/kafka_input.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "system/host_clock.h"
#include "tests/ingest/sources/mock_kafka.h"
#include "tests/service/kafka_setup.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr TimeUs kNow = 1'767'225'600 * kSecondUs;
constexpr std::string_view kRequest = R"({"type":"request","service":"api"})";

class KafkaInputTest : public testing::Test {
 protected:
  void SetUp() override {
    kafka_.CreateTopic("app-logs", 1);
    setup_.emplace(kafka_.brokers(), "app-logs");
    ASSERT_NE(setup_->engine, nullptr);
  }
  void Start() {
    input_ = std::make_unique<KafkaInput>(&setup_->config->inputs.front(), setup_->engine.get(),
                                          /*dead_letters=*/nullptr, &time_, SequentialExecutor(),
                                          /*earlier=*/KafkaInput::Earlier{});
    ASSERT_TRUE(input_->Start().ok());
  }
  void Produce(int records, TimeUs time = kNow) {
    for (int i = 0; i < records; ++i) {
      kafka_.Produce("app-logs", 0, std::string(kRequest), time / 1'000);
    }
    kafka_.Flush();
  }

  // Takes, without feeding.
  void TakeUntil(const std::function<bool()>& done) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (!done()) {
      ASSERT_LT(absl::Now(), deadline);
      ASSERT_TRUE(input_->Poll(absl::Milliseconds(20)).ok());
    }
  }
  void TakeAll() {
    TakeUntil([this] { return partition().at_end; });
  }
  void FeedAll() {
    TakeAll();
    input_->Feed();
    input_->Settle();
  }
  // Looks for idle partitions until one is closed.
  void CloseIdleUntil(TimeUs tick) {
    TakeUntil([&] {
      EXPECT_TRUE(input_->CloseIdle(/*released=*/0).ok());
      return partition().stage1->last_tick() >= tick;
    });
  }
  InputPartition& partition() { return *input_->Partitions().front(); }
  TimeUs IdleTick() const {
    return FloorTo(time_.Wall() - kIdleGrace, setup_->engine->plan.pane());
  }

  MockKafka kafka_;
  std::optional<KafkaSetup> setup_;
  DurationUs stopped_for_ = 0;  // the process, so far
  // Ten times as fast as the host's.
  const TimeSource time_{[this, begin = HostMonotonic()] {
    const DurationUs passed = 10 * (HostMonotonic() - begin) + stopped_for_;
    return TimeSource::Reading{.monotonic = begin + passed, .wall = kNow + passed};
  }};
  std::unique_ptr<KafkaInput> input_;
};

TEST_F(KafkaInputTest, AnIdlePartitionIsClosedOnlyBehindItsRecords) {
  Produce(3);
  Start();
  TakeAll();
  // The taken records are not fed yet.
  ASSERT_TRUE(input_->CloseIdle(0).ok());
  EXPECT_EQ(partition().stage1->counters().records, 0);
  EXPECT_EQ(partition().stage1->last_tick(), kNoTime);
  FeedAll();
  EXPECT_EQ(partition().stage1->counters().events, 3);
  partition().commit_due = false;
  CloseIdleUntil(FloorTo(kNow, setup_->engine->plan.pane()));
  EXPECT_EQ(partition().stage1->counters().late, 0);
  EXPECT_TRUE(partition().stage1->live());
}

TEST_F(KafkaInputTest, ACloseThatTheLogDoesNotImplyIsCommittedFirst) {
  Produce(1);
  Start();
  FeedAll();
  const TimeUs first = partition().stage1->last_tick();
  // The group's coordinator refuses: nothing is closed.
  rd_kafka_mock_push_request_errors(kafka_.mock(), /*OffsetCommit*/ 8, 1,
                                    RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE);
  CloseIdleUntil(first + 20 * kSecondUs);
  EXPECT_GE(input_->errors(), 1);
}

TEST_F(KafkaInputTest, RecordsThatComeDuringTheCommitOfACloseAreFedBehindIt) {
  Produce(1);
  Start();
  FeedAll();
  const TimeUs first = partition().stage1->last_tick();
  CloseIdleUntil(first + 10 * kSecondUs);
  const TimeUs closed = partition().stage1->last_tick();
  Produce(2, closed);
  TakeUntil([this] { return partition().at_end && input_->received() == 3; });
  input_->Feed();
  input_->Settle();
  EXPECT_EQ(partition().stage1->counters().events, 3);
  EXPECT_EQ(partition().stage1->counters().late, 0);
}

// A record of eight minutes ago that came meanwhile, and nothing since: neither an old stream nor a
// jump.
TEST_F(KafkaInputTest, AnIdlePartitionIsClosedAfterTenMinutesOfStandingStill) {
  Produce(1);
  Start();
  FeedAll();
  CloseIdleUntil(FloorTo(kNow, setup_->engine->plan.pane()));
  stopped_for_ = 10 * kMinuteUs;
  Produce(1, kNow + 2 * kMinuteUs);
  TakeUntil([this] { return partition().at_end && input_->received() == 2; });
  input_->Feed();
  input_->Settle();
  CloseIdleUntil(FloorTo(kNow + 9 * kMinuteUs, setup_->engine->plan.pane()));
  EXPECT_EQ(partition().stage1->counters().events, 2);
  EXPECT_EQ(partition().stage1->counters().late, 0);
}

TEST_F(KafkaInputTest, ABrokerThatAnswersMakesItsPartitionsReadable) {
  Start();
  EXPECT_EQ(partition().reach, SourceBoard::Reach::kAway);
  TakeUntil([&] {
    EXPECT_TRUE(input_->CloseIdle(0).ok());
    return partition().reach == SourceBoard::Reach::kReadable;
  });
  EXPECT_EQ(partition().problem, "");
}

TEST_F(KafkaInputTest, ALogThatIsShorterThanItsCommitWasCreatedAnew) {
  Produce(3);
  Start();
  FeedAll();
  std::vector<InputCommit> commits = {{&partition(), partition().stage1->Commit()}};
  // As if the commit were of a topic with many more records.
  commits[0].commit.offset = 500'000;
  commits[0].commit.metadata.replace(0, commits[0].commit.metadata.find(' ', 3), "t2 500000");
  ASSERT_TRUE(input_->CommitLast(commits, absl::Seconds(30)).ok());
  input_->Stop();
  Start();
  TakeUntil([this] { return input_->received() == 3; });
  FeedAll();
  EXPECT_EQ(partition().stage1->counters().events, 3);
  EXPECT_THAT(input_->TakeLosses(), ElementsAre(HasSubstr("app-logs/0 was created anew")));
}

TEST_F(KafkaInputTest, ALogThatIsLongerThanTheOldOneIsToldByItsRecords) {
  Produce(5);
  Start();
  FeedAll();
  std::vector<InputCommit> commits = {{&partition(), partition().stage1->Commit()}};
  // The record before the commit was another one.
  std::string& metadata = commits[0].commit.metadata;
  metadata.replace(metadata.rfind(' '), std::string::npos,
                   " 3:" + std::to_string(kNow - kDayUs) + ":7");
  ASSERT_TRUE(input_->CommitLast(commits, absl::Seconds(30)).ok());
  input_->Stop();
  Start();
  TakeUntil([this] { return input_->received() == 5; });
  FeedAll();
  EXPECT_EQ(partition().stage1->counters().events, 5) << "all of it, from the beginning";
  EXPECT_THAT(input_->TakeLosses(), ElementsAre(HasSubstr("app-logs/0 was created anew")));
}

TEST_F(KafkaInputTest, GoesOnWhereItsCommitSays) {
  Produce(3);
  Start();
  FeedAll();
  ASSERT_TRUE(input_->CloseIdle(0).ok());
  const std::vector<InputCommit> commits = {{&partition(), partition().stage1->Commit()}};
  ASSERT_TRUE(input_->CommitLast(commits, absl::Seconds(30)).ok());
  input_->Stop();
  Produce(2);
  Start();
  FeedAll();
  EXPECT_EQ(partition().stage1->next_offset(), 5);
  EXPECT_EQ(partition().stage1->counters().records, 2) << "the others are only read again";
  EXPECT_TRUE(input_->TakeLosses().empty());
  EXPECT_TRUE(partition().stage1->live()) << "it was before";
}

TEST_F(KafkaInputTest, BeginsAtTheEndWhereItIsToldTo) {
  Produce(3);
  setup_->config->inputs.front().kafka->start = StartAt::kNow;
  Start();
  TakeAll();
  Produce(1);
  TakeUntil([this] { return input_->received() == 1; });
  FeedAll();
  EXPECT_EQ(partition().stage1->next_offset(), 4);
}

TEST_F(KafkaInputTest, RefusesCommitsOfAnotherProgram) {
  Produce(3);
  Start();
  FeedAll();
  const std::vector<InputCommit> commits = {{&partition(), {.offset = 1, .metadata = "theirs"}}};
  ASSERT_TRUE(input_->CommitLast(commits, absl::Seconds(30)).ok());
  input_->Stop();
  Start();
  absl::Status status;
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (status.ok() && absl::Now() < deadline) status = input_->Poll(absl::Milliseconds(20));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

}  // namespace
}  // namespace tocsin
