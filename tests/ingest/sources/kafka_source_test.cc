// KafkaSource against librdkafka's mock cluster. A real broker is tests/integration's.

#include "ingest/sources/kafka_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "core/string_hash.h"
#include "ingest/sources/kafka_handles.h"
#include "tests/ingest/sources/mock_kafka.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr absl::Duration kPatience = absl::Seconds(30);
// The mock leaves the question for a topic's configuration unanswered; it takes as long as this.
constexpr absl::Duration kStartTimeout = absl::Seconds(2);

std::string MessageOf(const absl::Status& status) {
  return std::string(FromAbsl(status.message()));
}

class Recorder final : public KafkaCallbacks {
 public:
  absl::Status OnAssigned(std::span<KafkaAssignment> assignments) override {
    ++assignments_seen;
    if (refuse_assignments-- > 0) return absl::UnavailableError("not yet");
    for (KafkaAssignment& one : assignments) {
      assigned.insert(one.partition);
      if (one.committed) commits[one.partition] = *one.committed;
      if (start) {
        one.start = start(one.partition);
      } else if (one.committed) {
        one.start = one.committed->offset;
      }
    }
    return absl::OkStatus();
  }
  void OnCommitted(std::uint64_t ticket, const absl::Status& status) override {
    committed[ticket] = status;
  }
  void OnRevoked(const KafkaPartition& partition) override {
    assigned.erase(partition);
    ++revoked;
    if (on_revoked) on_revoked(partition);
  }
  void OnRecord(const KafkaPartition& partition, const KafkaRecord& record) override {
    values[partition].emplace_back(record.value);
    offsets[partition].push_back(record.offset);
    last = {.offset = record.offset,
            .timestamp = record.timestamp,
            .append_time = record.append_time,
            .value = {}};
    ++records;
  }
  void OnEnd(const KafkaPartition& partition, std::int64_t end_offset) override {
    ends[partition] = end_offset;
  }
  void OnSkipped(const KafkaPartition& partition, std::int64_t from, std::int64_t to,
                 std::string_view reason) override {
    skipped.push_back(partition.ToString() + " " + std::to_string(from) + " " + std::to_string(to));
    skip_reasons.emplace_back(reason);
  }
  void OnError(std::string_view message) override { errors.emplace_back(message); }

  std::function<std::int64_t(const KafkaPartition&)> start;
  std::function<void(const KafkaPartition&)> on_revoked;
  std::set<KafkaPartition> assigned;
  std::map<KafkaPartition, KafkaCommit> commits;
  std::map<KafkaPartition, std::vector<std::string>> values;
  std::map<KafkaPartition, std::vector<std::int64_t>> offsets;
  std::map<KafkaPartition, std::int64_t> ends;
  std::vector<std::string> skipped, skip_reasons, errors;
  KafkaRecord last;
  std::map<std::uint64_t, absl::Status> committed;
  int records = 0;
  int revoked = 0;
  int assignments_seen = 0;
  int refuse_assignments = 0;
};

bool PollUntil(KafkaSource& source, const std::function<bool()>& done) {
  const absl::Time deadline = absl::Now() + kPatience;
  while (!done()) {
    if (absl::Now() > deadline) return false;
    source.Poll(absl::Milliseconds(50));
  }
  return true;
}

KafkaSource::Options GroupOptions(const MockKafka& cluster) {
  KafkaSource::Options options;
  options.brokers = cluster.brokers();
  options.topics = {"app-logs"};
  options.group = "tocsin";
  options.properties = {{"session.timeout.ms", "6000"}, {"fetch.wait.max.ms", "20"}};
  return options;
}

TEST(KafkaSource, ConsumesAllPartitionsInOrderAndReportsTheirEnds) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 3);
  for (int i = 0; i < 3000; ++i) cluster.Produce("app-logs", i % 3, std::to_string(i));
  cluster.Flush();
  Recorder recorder;
  KafkaSource source(GroupOptions(cluster), &recorder);
  ASSERT_TRUE(source.Start(kStartTimeout).ok());
  EXPECT_THAT(source.AllPartitions(),
              ElementsAre(KafkaPartition{"app-logs", 0}, KafkaPartition{"app-logs", 1},
                          KafkaPartition{"app-logs", 2}));
  ASSERT_TRUE(
      PollUntil(source, [&] { return recorder.records >= 3000 && recorder.ends.size() == 3; }));
  EXPECT_EQ(recorder.records, 3000);
  EXPECT_THAT(recorder.assigned, SizeIs(3));
  for (int partition = 0; partition < 3; ++partition) {
    const KafkaPartition key{"app-logs", partition};
    EXPECT_EQ(recorder.ends[key], 1000);
    for (std::size_t i = 0; i < 1000; ++i) {
      ASSERT_EQ(recorder.offsets[key][i], static_cast<std::int64_t>(i));
      ASSERT_EQ(recorder.values[key][i], std::to_string(3 * static_cast<int>(i) + partition));
    }
  }
  EXPECT_EQ(recorder.last.timestamp, 1767225600 * kSecondUs);
  EXPECT_FALSE(recorder.last.append_time);
  const auto end = source.QueryEndOffset({"app-logs", 1}, absl::Seconds(10));
  ASSERT_TRUE(end.ok()) << end.status();
  EXPECT_EQ(*end, 1000);
  EXPECT_EQ(source.AppendTime("app-logs"), std::nullopt);  // The mock does not know the request.

  // EOF comes once per end offset.
  recorder.ends.clear();
  cluster.Produce("app-logs", 1, "more");
  cluster.Flush();
  ASSERT_TRUE(PollUntil(source, [&] { return !recorder.ends.empty(); }));
  EXPECT_EQ(recorder.ends.begin()->second, 1001);
  source.Stop();
  EXPECT_EQ(recorder.revoked, 3);
  EXPECT_EQ(source.Poll(absl::ZeroDuration()), 0u);
  EXPECT_THAT(recorder.errors, IsEmpty());
}

TEST(KafkaSource, CommitsAndTheirMetadataSurvive) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 2);
  for (int i = 0; i < 10; ++i) cluster.Produce("app-logs", i % 2, std::to_string(i));
  cluster.Flush();
  const KafkaPartition first{"app-logs", 0}, second{"app-logs", 1};
  {
    Recorder recorder;
    KafkaSource source(GroupOptions(cluster), &recorder);
    ASSERT_TRUE(source.Start(kStartTimeout).ok());
    ASSERT_TRUE(PollUntil(source, [&] { return recorder.records == 10; }));
    EXPECT_THAT(recorder.commits, IsEmpty());
    const KafkaPosition position = {first, {.offset = 3, .metadata = "5 1767225600 x"}};
    const absl::Status sync = source.CommitAndWait(std::span(&position, 1), kPatience);
    EXPECT_TRUE(sync.ok()) << sync;
    // The other in the moment that it is taken away.
    recorder.on_revoked = [&](const KafkaPartition& partition) {
      if (partition != second) return;
      const KafkaPosition last_position = {second, {.offset = 4, .metadata = ""}};
      const absl::Status last = source.CommitAndWait(std::span(&last_position, 1), kPatience);
      EXPECT_TRUE(last.ok()) << last;
    };
    source.Stop();
  }
  Recorder recorder;
  KafkaSource source(GroupOptions(cluster), &recorder);
  ASSERT_TRUE(source.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.records >= 3; }));
  EXPECT_EQ(recorder.commits[first].offset, 3);
  EXPECT_EQ(recorder.commits[first].metadata, "5 1767225600 x");
  EXPECT_EQ(recorder.commits[second].offset, 4);
  EXPECT_THAT(recorder.values[first], ElementsAre("6", "8"));
  EXPECT_THAT(recorder.values[second], ElementsAre("9"));
}

TEST(KafkaSource, CommitsInTheBackgroundAreAnswered) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 2);
  Recorder recorder;
  KafkaSource source(GroupOptions(cluster), &recorder);
  ASSERT_TRUE(source.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.ends.size() == 2; }));
  const std::vector<KafkaPosition> positions = {
      {{"app-logs", 0}, {.offset = 0, .metadata = "a"}},
      {{"app-logs", 1}, {.offset = 0, .metadata = std::string(100'000, 'x')}}};
  const auto too_long = source.Commit(positions);
  ASSERT_TRUE(too_long.ok());
  // On a busy machine a connection may break; then it is tried again, as the engine does.
  absl::Status committed = absl::UnavailableError("not yet");
  for (int attempt = 0; attempt < 5 && !committed.ok(); ++attempt) {
    const auto good = source.Commit(std::span(positions).first(1));
    ASSERT_TRUE(good.ok());
    ASSERT_TRUE(PollUntil(source, [&] { return recorder.committed.contains(*good); }));
    committed = recorder.committed[*good];
  }
  EXPECT_TRUE(committed.ok()) << committed;
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.committed.contains(*too_long); }));
  rd_kafka_mock_push_request_errors(cluster.mock(), /*OffsetCommit*/ 8, 1,
                                    RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE);
  const auto refused = source.Commit(positions);
  ASSERT_TRUE(refused.ok());
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.committed.contains(*refused); }));
  EXPECT_FALSE(recorder.committed[*refused].ok());
}

TEST(KafkaSource, AnAssignmentThatIsRefusedComesAgain) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 1);
  cluster.Produce("app-logs", 0, "a");
  cluster.Flush();
  Recorder recorder;
  recorder.refuse_assignments = 2;
  KafkaSource source(GroupOptions(cluster), &recorder);
  ASSERT_TRUE(source.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.records == 1; }))
      << recorder.assignments_seen << testing::PrintToString(recorder.errors);
  EXPECT_EQ(recorder.assignments_seen, 3);
}

TEST(KafkaSource, PauseLosesNothing) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 2);
  const auto produce = [&](int from, int to) {
    for (int i = from; i < to; ++i) cluster.Produce("app-logs", i % 2, std::to_string(i));
    cluster.Flush();
  };
  produce(0, 2000);
  Recorder recorder;
  KafkaSource source(GroupOptions(cluster), &recorder);
  ASSERT_TRUE(source.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.records > 0; }));
  const KafkaPartition first{"app-logs", 0}, second{"app-logs", 1};
  source.Pause(first);
  const std::size_t before = recorder.values[first].size();
  produce(2000, 4000);
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.values[second].size() == 2000; }));
  EXPECT_EQ(recorder.values[first].size(), before);
  source.Resume(first);
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.values[first].size() == 2000; }));
  for (std::size_t i = 0; i < 2000; ++i) {
    ASSERT_EQ(recorder.offsets[first][i], static_cast<std::int64_t>(i));
  }
}

TEST(KafkaSource, AnotherMemberTakesHalf) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 4);
  Recorder one, two;
  KafkaSource first(GroupOptions(cluster), &one);
  KafkaSource second(GroupOptions(cluster), &two);
  ASSERT_TRUE(first.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(first, [&] { return one.assigned.size() == 4; }));
  ASSERT_TRUE(second.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(first, [&] {
    second.Poll(absl::ZeroDuration());
    return one.assigned.size() == 2 && two.assigned.size() == 2;
  }));
  for (int i = 0; i < 400; ++i) cluster.Produce("app-logs", i % 4, std::to_string(i));
  cluster.Flush();
  ASSERT_TRUE(PollUntil(first, [&] {
    second.Poll(absl::ZeroDuration());
    return one.records + two.records >= 400;
  }));
  EXPECT_EQ(one.records, 200);
  EXPECT_EQ(two.records, 200);
}

TEST(KafkaSource, AssignAllReadsWithoutAGroup) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 2);
  for (int i = 0; i < 10; ++i) {
    cluster.Produce("app-logs", i % 2, std::to_string(i), 1767225600000 + i * 1000);
  }
  cluster.Flush();
  KafkaSource::Options options = GroupOptions(cluster);
  options.group = "";
  options.assign_all = true;
  Recorder recorder;
  recorder.start = [](const KafkaPartition& partition) { return partition.partition == 0 ? 3 : 0; };
  KafkaSource source(options, &recorder);
  ASSERT_TRUE(source.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.ends.size() == 2; }));
  EXPECT_THAT((recorder.values[{"app-logs", 0}]), ElementsAre("6", "8"));
  EXPECT_THAT((recorder.values[{"app-logs", 1}]), ElementsAre("1", "3", "5", "7", "9"));
  const KafkaPosition position = {{"app-logs", 0}, {.offset = 1, .metadata = ""}};
  EXPECT_TRUE(absl::IsFailedPrecondition(source.Commit(std::span(&position, 1)).status()));
}

TEST(KafkaSource, AnOffsetOutOfRangeGoesToTheEarliest) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 1);
  for (int i = 0; i < 5; ++i) cluster.Produce("app-logs", 0, std::to_string(i));
  cluster.Flush();
  Recorder recorder;
  recorder.start = [](const KafkaPartition&) { return 1000; };
  KafkaSource source(GroupOptions(cluster), &recorder);
  ASSERT_TRUE(source.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.records == 5; }))
      << testing::PrintToString(recorder.skipped) << testing::PrintToString(recorder.errors);
  EXPECT_THAT(recorder.skipped, ElementsAre("app-logs/0 1000 0"));
  EXPECT_THAT(recorder.skip_reasons, ElementsAre(HasSubstr("out of range")));
}

// A batch that decompresses to more than the client accepts would stall its partition forever.
TEST(KafkaSource, SkipsABatchThatCannotBeRead) {
  MockKafka cluster({{"compression.codec", "zstd"},
                     {"linger.ms", "200"},
                     {"batch.size", "8000000"},
                     {"message.max.bytes", "8000000"}});
  cluster.CreateTopic("app-logs", 1);
  const auto produce = [&](int count, const std::string& value) {
    for (int i = 0; i < count; ++i) cluster.Produce("app-logs", 0, value);
    cluster.Flush();
  };
  produce(3, "before");
  produce(7, std::string(900'000, 'x'));  // 6.3 MB of text, some hundred bytes on the wire
  produce(4, "after");
  KafkaSource::Options options = GroupOptions(cluster);
  options.properties["fetch.max.bytes"] = "1000000";
  options.properties["message.max.bytes"] = "900000";
  options.properties["fetch.message.max.bytes"] = "900000";
  options.properties["receive.message.max.bytes"] = "1100000";
  Recorder recorder;
  KafkaSource source(options, &recorder);
  ASSERT_TRUE(source.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.ends.size() == 1; }));
  EXPECT_THAT(recorder.offsets.begin()->second, ElementsAre(0, 1, 2, 10, 11, 12, 13));
  EXPECT_THAT(recorder.skipped, ElementsAre("app-logs/0 3 10"));
}

TEST(KafkaSource, NamesTheBrokersThatDoNotAnswer) {
  KafkaSource::Options options;
  options.brokers = "127.0.0.1:1";
  options.topics = {"app-logs"};
  options.group = "tocsin";
  Recorder recorder;
  KafkaSource source(options, &recorder);
  const absl::Status status = source.Start(absl::Milliseconds(1500));
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(MessageOf(status),
              AllOf(HasSubstr("no broker answered at 127.0.0.1:1 within 1.5s"),
                    HasSubstr("is Kafka running and the address right?"), HasSubstr("refused")));
}

TEST(KafkaSource, NamesTheTopicThatDoesNotExist) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 1);
  rd_kafka_mock_topic_set_error(cluster.mock(), "app-log", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  KafkaSource::Options options = GroupOptions(cluster);
  options.topics = {"app-log"};
  Recorder recorder;
  KafkaSource source(options, &recorder);
  const absl::Status status = source.Start(absl::Seconds(3));
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("\"app-log\""));
}

TEST(KafkaSource, NamesTheBadProperty) {
  MockKafka cluster;
  KafkaSource::Options options = GroupOptions(cluster);
  options.properties = {{"fetch.min.byte", "1"}};
  Recorder recorder;
  KafkaSource source(options, &recorder);
  EXPECT_THAT(MessageOf(source.Start(kStartTimeout)), HasSubstr("fetch.min.byte"));
}

}  // namespace
}  // namespace tocsin
