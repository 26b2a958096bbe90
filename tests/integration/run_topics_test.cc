// `tocsin run` on a real Kafka whose topics change: partitions that are added, and topics that are
// deleted and created again.

#include "tests/integration/live_traffic.h"
#include "tests/integration/run_fixture.h"

namespace tocsin {
namespace {

using testing::HasSubstr;

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

}  // namespace
}  // namespace tocsin
