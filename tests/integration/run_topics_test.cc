// `tocsin run` on a real Kafka whose topics and partitions are in other hands: added, deleted and
// created again, in a group of two, behind an open transaction.

#include <fstream>
#include <string>

#include "tests/integration/live_traffic.h"
#include "tests/integration/run_fixture.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::Not;

class RunTopicsTest : public ProgramOnKafka {
 protected:
  // By a producer of its own, which knows of the topic as it is now. Returns how many records.
  static std::int64_t Send(const std::string& topic, int partitions,
                           const std::vector<LiveTraffic::Phase>& phases) {
    KafkaProducer producer(Kafka()->brokers());
    LiveTraffic traffic(&producer, {.topics = {topic}, .partitions = partitions});
    traffic.Run(phases);
    return traffic.records();
  }
  bool HasRead(std::int64_t records) {
    return Metric("tocsin_records_total") == static_cast<double>(records);
  }
  bool PagedAndResolved() {
    const auto pages = pagerduty_.Pages();
    return std::any_of(pages.begin(), pages.end(), [](const auto& page) {
      return page.dedup_key.ends_with(":1") && page.resolved;
    });
  }
};

TEST_F(RunTopicsTest, PartitionsThatAreAddedAreReadWithoutARestart) {
  ASSERT_TRUE(Kafka()->CreateTopic("grows", 1, kAppendTime));
  WriteConfig("grows");
  StartProgram();
  std::int64_t records = Send("grows", 1, {{5, 0.0}});
  ASSERT_TRUE(Kafka()->AddPartitions("grows", 3));
  records += Send("grows", 3, {{5, 0.0}, {6, 0.97}, {15, 0.0}});
  EXPECT_TRUE(WaitFor(60, [&] { return HasRead(records); })) << Log();
  EXPECT_THAT(HttpGet(port_, "/metrics"), HasSubstr("source=\"app/grows/2\""));
  EXPECT_TRUE(WaitFor(60, [&] { return PagedAndResolved(); })) << Log();
}

// The broker forgets the group's positions with the topic; `start` is for what was never read.
TEST_F(RunTopicsTest, ATopicThatWasMadeAgainWhileWeWereDownIsReadFromItsBeginning) {
  ASSERT_TRUE(Kafka()->CreateTopic("again", 2, kAppendTime));
  start_ = "now";
  WriteConfig("again");
  StartProgram();
  Send("again", 2, {{8, 0.0}});
  ASSERT_TRUE(WaitFor(30, [&] { return Metric("tocsin_last_tick_seconds") > 0; })) << Log();
  KillProgram();
  ASSERT_TRUE(Kafka()->DeleteTopic("again"));
  ASSERT_TRUE(Kafka()->CreateTopic("again", 2, kAppendTime));
  std::int64_t records = Send("again", 2, {{3, 0.0}, {8, 0.97}});
  StartProgram();
  records += Send("again", 2, {{20, 0.0}});
  EXPECT_TRUE(WaitFor(60, [&] { return HasRead(records); })) << Log();
  EXPECT_TRUE(WaitFor(60, [&] { return PagedAndResolved(); })) << Log();
  EXPECT_THAT(Log(), HasSubstr("has no position any more in again/0 and 1 more"));
}

TEST_F(RunTopicsTest, ATopicThatIsMadeAgainWhileItIsReadIsReadFromItsBeginning) {
  ASSERT_TRUE(Kafka()->CreateTopic("anew", 2, kAppendTime));
  WriteConfig("anew");
  StartProgram();
  std::int64_t records = Send("anew", 2, {{8, 0.0}});
  ASSERT_TRUE(WaitFor(30, [&] { return HasRead(records); })) << Log();
  ASSERT_TRUE(Kafka()->DeleteTopic("anew"));
  ASSERT_TRUE(Kafka()->CreateTopic("anew", 2, kAppendTime));
  records += Send("anew", 2, {{3, 0.0}, {8, 0.97}, {25, 0.0}});
  EXPECT_TRUE(WaitFor(60, [&] { return HasRead(records); })) << Log();
  EXPECT_THAT(Log(), HasSubstr("was created anew"));
  EXPECT_TRUE(WaitFor(60, [&] { return PagedAndResolved(); })) << Log();
}

// Both are members of it, and each is assigned the partitions of its own topic.
TEST_F(RunTopicsTest, TwoInputsMayShareAGroup) {
  ASSERT_TRUE(Kafka()->CreateTopic("first", 2, kAppendTime));
  ASSERT_TRUE(Kafka()->CreateTopic("second", 2, kAppendTime));
  WriteConfig("first");
  std::string config = ReadFile(directory_ + "/config.yaml");
  const std::size_t begin = config.find("  - {name: app"), end = config.find('\n', begin) + 1;
  std::string other = config.substr(begin, end - begin);
  other.replace(other.find("app"), 3, "other");
  other.replace(other.find("[first]"), 7, "[second]");
  std::ofstream(directory_ + "/config.yaml") << config.insert(end, other);
  StartProgram();
  const std::int64_t records =
      Send("first", 2, {{4, 0.0}, {6, 0.97}, {8, 0.0}}) + Send("second", 2, {{4, 0.0}});
  EXPECT_TRUE(WaitFor(60, [&] { return HasRead(records); })) << Log();
  EXPECT_TRUE(WaitFor(60, [&] { return PagedAndResolved(); })) << Log();
  EXPECT_THAT(Log(), Not(HasSubstr("was taken away")));
}

// What stands behind an open transaction cannot be read yet: its partition is not idle.
TEST_F(RunTopicsTest, AnOpenTransactionMakesNothingLate) {
  ASSERT_TRUE(Kafka()->CreateTopic("transacted", 1, kAppendTime));
  WriteConfig("transacted");
  StartProgram();
  std::int64_t records = Send("transacted", 1, {{5, 0.0}});
  ASSERT_TRUE(WaitFor(30, [&] { return HasRead(records); })) << Log();
  KafkaProducer open(Kafka()->brokers(), "open");
  open.Send("transacted", 0, R"({"type":"request","service":"search"})", 0);
  ASSERT_TRUE(open.Flush());
  // Longer than an idle partition is waited for.
  const std::int64_t behind = Send("transacted", 1, {{6, 0.97}, {10, 0.0}});
  EXPECT_TRUE(HasRead(records)) << "what is behind it was read";
  ASSERT_TRUE(open.CommitTransaction());
  records += 1 + behind + Send("transacted", 1, {{12, 0.0}});
  EXPECT_TRUE(WaitFor(60, [&] { return HasRead(records); })) << Log();
  EXPECT_EQ(Metric("tocsin_late_events_total"), 0);
  EXPECT_TRUE(WaitFor(60, [&] { return PagedAndResolved(); })) << Log();
}

}  // namespace
}  // namespace tocsin
