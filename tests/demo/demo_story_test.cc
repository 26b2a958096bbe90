#include "demo/demo_story.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>

#include "config/config.h"
#include "core/hash.h"
#include "ingest/decoder.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::Le;
using ::testing::Lt;

TEST(DemoStoryTest, IsInOrderOfTimeAndTheSameEveryTime) {
  DemoStory story, again;
  StoryRecord record, repeated;
  TimeUs last = 0;
  std::int64_t events = 0;
  for (; story.Next(&record); ++events) {
    ASSERT_GE(record.time, last);
    ASSERT_GE(record.time, story::kStart);
    ASSERT_LT(record.time, story::kEnd);
    last = record.time;
    ASSERT_TRUE(again.Next(&repeated));
    ASSERT_EQ(record.json, repeated.json);
    ASSERT_EQ(record.partition, repeated.partition);
  }
  EXPECT_FALSE(again.Next(&repeated));
  EXPECT_FALSE(story.Next(&record)) << "the end stays the end";
  EXPECT_THAT(events, AllOf(Ge(150'000), Le(300'000)));
}

TEST(DemoStoryTest, NoPartitionIsSilentForLong) {
  DemoStory story;
  StoryRecord record;
  std::map<std::pair<StoryTopic, int>, TimeUs> last;
  while (story.Next(&record)) {
    ASSERT_THAT(record.partition, AllOf(Ge(0), Lt(kStoryPartitions)));
    TimeUs& before = last.try_emplace({record.topic, record.partition}, record.time).first->second;
    ASSERT_LE(record.time - before, 10 * kSecondUs);
    before = record.time;
  }
  ASSERT_EQ(last.size(), 2U * kStoryPartitions);
  for (const auto& [partition, time] : last) EXPECT_GT(time, story::kEnd - 20 * kSecondUs);
}

// Reads the story as the engine does.
class Reading : public EventSink {
 public:
  void OnEvent(const Event& event) override { Count(event); }
  void OnUndecodable(std::string_view, std::string_view reason) override {
    ADD_FAILURE() << reason;
  }

  void Count(const Event& event) {
    ++types[event.type];
    const bool outage = event.time >= story::kFirstFailure && event.time < story::kLastFailure;
    if (event.type == EventType::kRequest) {
      const std::string user(event.Get(Field::kUser));
      users.insert(user);
      ++(outage ? outage_requests : quiet_requests);
      if (event.failed) ++(outage ? outage_failures : quiet_failures);
      if (event.failed && outage) failed_users.insert(user);
      if (event.failed && event.status == 0) {
        first_timeout = std::min(first_timeout, event.time);
        last_timeout = std::max(last_timeout, event.time);
      }
    }
    if (event.type == EventType::kTransaction && event.failed) ++failed_transactions;
    if (event.type == EventType::kMetric && event.Get(Field::kName) == "db_connections") {
      pool[event.time] = *event.value;
      EXPECT_EQ(event.limit, story::kPoolLimit);
    }
    if (event.type == EventType::kDeploy) {
      deploys += std::string(event.Get(Field::kName)) + " " +
                 std::string(event.Get(Field::kService)) + " " +
                 std::string(event.Get(Field::kVersion)) + " " + FormatClock(event.time) + "\n";
    }
  }

  std::map<EventType, std::int64_t> types;
  std::set<std::string> users, failed_users;
  std::int64_t quiet_requests = 0, quiet_failures = 0, outage_requests = 0, outage_failures = 0;
  std::int64_t failed_transactions = 0;
  TimeUs first_timeout = kMaxTime, last_timeout = 0;
  std::map<TimeUs, double> pool;
  std::string deploys;
};

TEST(DemoStoryTest, TellsTheWorkedExample) {
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(InputConfig(), &errors);
  ASSERT_NE(decoder, nullptr);
  Reading reading;
  DemoStory story;
  StoryRecord record;
  while (story.Next(&record)) decoder->Decode(record.json, record.time, &reading);

  EXPECT_THAT(reading.users.size(), Gt(14'900U));
  EXPECT_THAT(reading.failed_users.size(), Gt(14'500U)) << "everyone is hurt";
  EXPECT_THAT(reading.failed_transactions, AllOf(Gt(230), Lt(270)));
  EXPECT_THAT(
      static_cast<double>(reading.quiet_failures) / static_cast<double>(reading.quiet_requests),
      AllOf(Gt(0.001), Lt(0.003)));
  EXPECT_GT(reading.outage_failures * 2, reading.outage_requests);
  EXPECT_GE(reading.first_timeout, story::kFirstFailure);
  EXPECT_THAT(reading.last_timeout,
              AllOf(Ge(story::kLastFailure - 20 * kSecondUs), Lt(story::kLastFailure)));
  EXPECT_EQ(reading.deploys,
            "release notifications v3.4.1 20:52:00\n"
            "release api v1.2.0 21:00:00\n"
            "rollback api v1.1.9 21:20:00\n");
  for (const EventType type : {EventType::kQuery, EventType::kLog, EventType::kConnection}) {
    EXPECT_GT(reading.types[type], 1'000);
  }
  EXPECT_EQ(reading.types[EventType::kUnknown], 0);

  EXPECT_LT(reading.pool.at(story::At(21, 0)), 40);
  EXPECT_LT(reading.pool.at(story::At(21, 3)), 80);
  EXPECT_GT(reading.pool.at(story::At(21, 4)), 80);
  EXPECT_EQ(reading.pool.at(story::kPoolFull), story::kPoolLimit);
  EXPECT_EQ(reading.pool.at(story::kRollbackStart), story::kPoolLimit);
  EXPECT_LT(reading.pool.at(story::At(21, 22)), 40);
}

}  // namespace
}  // namespace tocsin
