// `tocsin run` on a real Kafka while the process is stopped, the broker is away, and topics change:
// what is decided afterwards is what would have been decided without it.

#include <thread>

#include "tests/integration/live_traffic.h"
#include "tests/integration/run_fixture.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using testing::Not;
using RunPausesTest = ProgramOnKafka;

// Longer than what excludes a source that stands still, and than the session of a group.
constexpr double kPauseSeconds = 50;

TEST_F(RunPausesTest, AProcessThatWasStoppedDecidesWhatItWouldHave) {
  ASSERT_TRUE(Kafka()->CreateTopic("stopped", 6, kAppendTime));
  WriteConfig("stopped");
  StartProgram();
  KafkaProducer producer(Kafka()->brokers());
  LiveTraffic traffic(&producer, {.topics = {"stopped"}, .partitions = 6});
  traffic.Run({{6, 0.0}, {2, 0.3}});
  program_.Signal(SIGSTOP);
  // The worst comes and goes meanwhile.
  traffic.Run({{6, 0.97}, {kPauseSeconds - 6, 0.0}});
  program_.Signal(SIGCONT);
  traffic.Run({{20, 0.0}});
  ASSERT_TRUE(WaitFor(60, [&] { return AllResolved(); })) << Log();
  program_.Signal(SIGTERM);
  ASSERT_EQ(program_.Wait(10), 0) << Log();
  EXPECT_THAT(Log(), Not(HasSubstr("holds up the others")));
  ExpectBothLevelsOnce();
  ExpectLiveEqualsReplay({"stopped"});
}

TEST_F(RunPausesTest, ABrokerThatWasAwayCostsNothing) {
  ASSERT_TRUE(Kafka()->CreateTopic("away", 6, kAppendTime));
  WriteConfig("away", "blind: {after: 3s}\n");
  StartProgram();
  KafkaProducer producer(Kafka()->brokers());
  LiveTraffic traffic(&producer, {.topics = {"away"}, .partitions = 6});
  traffic.Run({{6, 0.0}, {3, 0.3}});
  Kafka()->Kill();
  const auto blind = [&] {
    std::vector<PagerDutyStandIn::Page> pages;
    for (const PagerDutyStandIn::Page& page : pagerduty_.Pages()) {
      if (page.dedup_key == "tocsin:blind") pages.push_back(page);
    }
    return pages;
  };
  ASSERT_TRUE(WaitFor(30, [&] { return blind().size() == 1; })) << Log();
  EXPECT_THAT(blind()[0].summary, HasSubstr("input app cannot be read"));
  EXPECT_THAT(HttpGet(port_, "/readyz"), HasSubstr("blind"));
  std::this_thread::sleep_for(std::chrono::seconds(static_cast<int>(kPauseSeconds) - 10));
  ASSERT_TRUE(Kafka()->Restart());
  traffic.Run({{6, 0.97}, {25, 0.0}});
  const auto incidents_resolved = [&] {
    std::size_t resolved = 0;
    for (const PagerDutyStandIn::Page& page : pagerduty_.Pages()) resolved += page.resolved ? 1 : 0;
    return resolved == pagerduty_.Pages().size() && resolved == 3;
  };
  EXPECT_TRUE(WaitFor(60, incidents_resolved)) << Log();
  program_.Signal(SIGTERM);
  ASSERT_EQ(program_.Wait(10), 0) << Log();
  EXPECT_THAT(Log(), Not(HasSubstr("holds up the others")));
  EXPECT_EQ(blind().size(), 1u) << "one blindness, one page";
  ExpectLiveEqualsReplay({"away"});
}

TEST_F(RunPausesTest, ATopicThatWasMadeAgainIsReadFromItsBeginning) {
  ASSERT_TRUE(Kafka()->CreateTopic("again", 2, kAppendTime));
  WriteConfig("again");
  StartProgram();
  {
    KafkaProducer producer(Kafka()->brokers());
    LiveTraffic(&producer, {.topics = {"again"}, .partitions = 2}).Run({{8, 0.0}});
  }
  ASSERT_TRUE(WaitFor(30, [&] { return Metric("tocsin_last_tick_seconds") > 0; })) << Log();
  KillProgram();
  ASSERT_TRUE(Kafka()->DeleteTopic("again"));
  ASSERT_TRUE(Kafka()->CreateTopic("again", 2, kAppendTime));
  KafkaProducer producer(Kafka()->brokers());
  LiveTraffic traffic(&producer, {.topics = {"again"}, .partitions = 2});
  traffic.Run({{3, 0.0}, {8, 0.97}});
  // More records than the old one had, or fewer: both are told.
  StartProgram();
  traffic.Run({{20, 0.0}});
  EXPECT_TRUE(WaitFor(60, [&] {
    return Metric("tocsin_records_total") == static_cast<double>(traffic.records());
  })) << Log();
  EXPECT_TRUE(WaitFor(60, [&] {
    const auto pages = pagerduty_.Pages();
    return std::any_of(pages.begin(), pages.end(), [](const auto& page) {
      return page.dedup_key.ends_with(":1") && page.resolved;
    });
  })) << Log();
  EXPECT_THAT(Log(), HasSubstr("was created anew"));
}

TEST_F(RunPausesTest, PartitionsThatAreAddedAreReadWithoutARestart) {
  ASSERT_TRUE(Kafka()->CreateTopic("grows", 1, kAppendTime));
  WriteConfig("grows");
  StartProgram();
  KafkaProducer producer(Kafka()->brokers());
  LiveTraffic before(&producer, {.topics = {"grows"}, .partitions = 1});
  before.Run({{5, 0.0}});
  ASSERT_TRUE(Kafka()->AddPartitions("grows", 3));
  LiveTraffic after(&producer, {.topics = {"grows"}, .partitions = 3});
  after.Run({{25, 0.0}});
  EXPECT_TRUE(WaitFor(60, [&] {
    return Metric("tocsin_records_total") ==
           static_cast<double>(before.records() + after.records());
  })) << Log();
  EXPECT_THAT(HttpGet(port_, "/metrics"), HasSubstr("source=\"app/grows/2\""));
}

}  // namespace
}  // namespace tocsin
