#include "ingest/sources/kafka_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "tests/ingest/sources/mock_kafka.h"

namespace tocsin {
namespace {

using Answer = KafkaProbe::End::Answer;

constexpr DurationUs kPatience = 30 * kSecondUs;

class KafkaProbeTest : public testing::Test {
 protected:
  void SetUp() override {
    kafka_.CreateTopic("app-logs", 3);
    for (int i = 0; i < 5; ++i) {
      kafka_.Produce("app-logs", 1, std::string(static_cast<std::size_t>(i), 'x'),
                     1767225600000 + i);
    }
    kafka_.Flush();
    probe_ = KafkaProbe::New(kafka_.brokers(), {}).value();
  }
  std::map<KafkaPartition, KafkaProbe::End> Ends(std::vector<KafkaPartition> partitions,
                                                 DurationUs timeout = kPatience) {
    std::map<KafkaPartition, KafkaProbe::End> ends;
    probe_->EndOffsets(partitions, timeout,
                       [&](const KafkaProbe::End& end) { ends[end.partition] = end; });
    return ends;
  }

  MockKafka kafka_;
  std::unique_ptr<KafkaProbe> probe_;
  const KafkaPartition empty_{"app-logs", 0}, full_{"app-logs", 1}, missing_{"app-logs", 9};
};

TEST_F(KafkaProbeTest, SaysWherePartitionsEnd) {
  auto ends = Ends({empty_, full_});
  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[empty_].answer, Answer::kOffset);
  EXPECT_EQ(ends[empty_].offset, 0);
  EXPECT_EQ(ends[full_].offset, 5);
  EXPECT_GT(ends[full_].asked_at, 0);
}

TEST_F(KafkaProbeTest, APartitionThatIsNotThereIsAnAnswer) {
  EXPECT_EQ(Ends({missing_})[missing_].answer, Answer::kRefused);
}

TEST_F(KafkaProbeTest, ABrokerThatIsAwayDoesNotAnswerAndIsNotAskedAgainAtOnce) {
  Ends({full_});
  rd_kafka_mock_broker_set_down(kafka_.mock(), 1);
  EXPECT_EQ(Ends({full_}, 300 * kMillisecondUs)[full_].answer, Answer::kNoAnswer);
  rd_kafka_mock_broker_set_up(kafka_.mock(), 1);
  EXPECT_EQ(Ends({full_})[full_].answer, Answer::kNoAnswer) << "for kSilentFor";
}

// One that joins asks where partitions end while the end watch does. Each question about a
// partition that is not there makes the table of leaders be asked for again, so both change it; it
// is for ThreadSanitizer to say whether they do so at once.
TEST_F(KafkaProbeTest, TwoThreadsMayAskForEnds) {
  const auto ask = [this] {
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(Ends({full_, missing_})[full_].offset, 5);
    }
  };
  std::thread other(ask);
  ask();
  other.join();
}

TEST_F(KafkaProbeTest, ShowsTheRecordAtAnOffset) {
  std::vector<KafkaProbe::RecordQuestion> questions = {{.partition = full_, .offset = 3},
                                                       {.partition = empty_, .offset = 0}};
  ASSERT_TRUE(probe_->RecordsAt(questions, kPatience).ok());
  ASSERT_TRUE(questions[0].record);
  EXPECT_EQ(questions[0].record->offset, 3);
  EXPECT_EQ(questions[0].record->bytes, 3);
  EXPECT_EQ(questions[0].record->timestamp, 1767225600003 * kMillisecondUs);
  EXPECT_FALSE(questions[1].record);
  // Beyond the end, and asked a second time.
  questions = {{.partition = full_, .offset = 100}};
  ASSERT_TRUE(probe_->RecordsAt(questions, kPatience).ok());
  EXPECT_FALSE(questions[0].record);
  questions = {{.partition = full_, .offset = 4}};
  ASSERT_TRUE(probe_->RecordsAt(questions, kPatience).ok());
  EXPECT_EQ(questions[0].record->bytes, 4);
}

TEST_F(KafkaProbeTest, SaysThatNobodyAnswers) {
  const auto probe = KafkaProbe::New("127.0.0.1:1", {}).value();
  std::vector<KafkaProbe::RecordQuestion> questions = {{.partition = full_, .offset = 3}};
  const absl::Status status = probe->RecordsAt(questions, 200 * kMillisecondUs);
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_FALSE(KafkaProbe::New("127.0.0.1:1", {{"no.such", "x"}}).ok());
}

}  // namespace
}  // namespace tocsin
