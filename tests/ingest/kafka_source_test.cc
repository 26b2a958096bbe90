// KafkaSource against librdkafka's mock cluster. A real broker is tests/integration's.

#include "ingest/kafka_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "core/string_hash.h"
#include "ingest/kafka_handles.h"
#include "tests/ingest/mock_kafka.h"

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
  std::optional<std::int64_t> OnAssigned(const KafkaPartition& partition,
                                         const std::optional<KafkaCommit>& committed) override {
    assigned.insert(partition);
    if (committed) commits[partition] = *committed;
    if (start) return start(partition);
    return committed ? std::optional<std::int64_t>(committed->offset) : std::nullopt;
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
  int records = 0;
  int revoked = 0;
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
  options.start_earliest = true;
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
    const absl::Status sync =
        source.Commit(first, {.offset = 3, .metadata = "5 1767225600 x"}, true);
    EXPECT_TRUE(sync.ok()) << sync;
    // The other in the moment that it is taken away.
    recorder.on_revoked = [&](const KafkaPartition& partition) {
      if (partition != second) return;
      const absl::Status last = source.Commit(second, {.offset = 4, .metadata = ""}, true);
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

TEST(KafkaSource, StartsNowUnlessTold) {
  MockKafka cluster;
  cluster.CreateTopic("app-logs", 1);
  cluster.Produce("app-logs", 0, "old");
  cluster.Flush();
  KafkaSource::Options options = GroupOptions(cluster);
  options.start_earliest = false;
  Recorder recorder;
  KafkaSource source(options, &recorder);
  ASSERT_TRUE(source.Start(kStartTimeout).ok());
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.ends.size() == 1; }));
  cluster.Produce("app-logs", 0, "new");
  cluster.Flush();
  ASSERT_TRUE(PollUntil(source, [&] { return recorder.records > 0; }));
  EXPECT_THAT(recorder.values.begin()->second, ElementsAre("new"));
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
  EXPECT_TRUE(absl::IsFailedPrecondition(
      source.Commit({"app-logs", 0}, {.offset = 1, .metadata = ""}, true)));
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

// A batch that inflates past what the client takes would stall its partition for ever.
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
