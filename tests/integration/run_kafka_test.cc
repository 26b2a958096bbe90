// `tocsin run` on a real Kafka, with a PagerDuty stand-in at the other end.

#include <random>
#include <thread>

#include "tests/integration/live_traffic.h"
#include "tests/integration/run_fixture.h"

namespace tocsin {
namespace {

using testing::HasSubstr;
using RunKafkaTest = ProgramOnKafka;

TEST_F(RunKafkaTest, TwoServicesTwoTopicsDisturbed) {
  ASSERT_TRUE(Kafka()->CreateTopic("orders", 4, kAppendTime));
  ASSERT_TRUE(Kafka()->CreateTopic("search", 4, kAppendTime));
  WriteConfig("orders, search");
  StartProgram();
  KafkaProducer producer(Kafka()->brokers());
  LiveTraffic traffic(&producer, {.topics = {"orders", "search"}, .disturbed = true});
  traffic.Run({{8, 0.0}, {6, 0.3}, {6, 0.97}, {16, 0.0}});
  ASSERT_TRUE(WaitFor(60, [&] { return AllResolved(); })) << ReadFile(directory_ + "/run.log");
  ASSERT_TRUE(WaitFor(30, [&] {
    return Metric("tocsin_records_total") == static_cast<double>(traffic.records());
  }));
  EXPECT_EQ(Metric("tocsin_late_events_total"), static_cast<double>(traffic.late()));
  EXPECT_EQ(Metric("tocsin_quarantined_events_total"), static_cast<double>(traffic.ahead()));
  EXPECT_EQ(Metric("tocsin_undecodable_total"), static_cast<double>(traffic.not_json()));
  EXPECT_THAT(HttpGet(port_, "/readyz"), HasSubstr("ready"));
  ExpectBothLevelsOnce();
  program_.Signal(SIGTERM);
  EXPECT_EQ(program_.Wait(10), 0) << ReadFile(directory_ + "/run.log");
}

TEST_F(RunKafkaTest, LiveEqualsReplayAcrossKills) {
  ASSERT_TRUE(Kafka()->CreateTopic("live", 4, kAppendTime));
  WriteConfig("live");
  StartProgram();
  KafkaProducer producer(Kafka()->brokers());
  LiveTraffic traffic(&producer, {.topics = {"live"}});
  traffic.Run({{6, 0.0}, {4, 0.3}});
  KillProgram();
  traffic.Run({{2, 0.3}});
  StartProgram();
  traffic.Run({{5, 0.97}});
  KillProgram();
  StartProgram();
  traffic.Run({{20, 0.0}});
  ASSERT_TRUE(WaitFor(60, [&] { return AllResolved(); })) << ReadFile(directory_ + "/run.log");
  program_.Signal(SIGTERM);
  ASSERT_EQ(program_.Wait(10), 0) << ReadFile(directory_ + "/run.log");
  ExpectBothLevelsOnce();

  ExpectLiveEqualsReplay({"live"});
}

TEST_F(RunKafkaTest, OnePagePerLevelWhateverIsKilled) {
  constexpr int kKills = 20;
  ASSERT_TRUE(Kafka()->CreateTopic("killed", 4, kAppendTime));
  WriteConfig("killed");
  StartProgram();
  KafkaProducer producer(Kafka()->brokers());
  std::thread sender([&] {
    LiveTraffic traffic(&producer, {.topics = {"killed"}});
    traffic.Run({{6, 0.0}, {10, 0.3}, {10, 0.97}, {26, 0.0}});
  });
  std::mt19937 random(7);
  for (int i = 0; i < kKills; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(500 + random() % 2500));
    KillProgram();
    StartProgram();
  }
  sender.join();
  EXPECT_TRUE(WaitFor(60, [&] { return AllResolved(); })) << ReadFile(directory_ + "/run.log");
  ExpectBothLevelsOnce();
  program_.Signal(SIGTERM);
  EXPECT_EQ(program_.Wait(10), 0) << ReadFile(directory_ + "/run.log");
}

TEST_F(RunKafkaTest, ABrokerThatIsAwayAtTheStartIsWaitedFor) {
  WriteConfig("orders");
  const std::string broker = "127.0.0.1:" + std::to_string(FreePort());
  std::string config = ReadFile(directory_ + "/config.yaml");
  config.replace(config.find(Kafka()->brokers()), Kafka()->brokers().size(), broker);
  std::ofstream(directory_ + "/config.yaml") << config;
  StartProgram();
  const std::string why =
      "no broker answered at " + broker + " within 10s: is Kafka running and the address right?";
  ASSERT_TRUE(WaitFor(30, [&] {
    return HttpGet(port_, "/readyz").find("input app: " + why) != std::string::npos;
  })) << Log();
  EXPECT_THAT(HttpGet(port_, "/healthz"), HasSubstr("alive"));
  EXPECT_EQ(Metric("tocsin_input_up"), 0);
  program_.Signal(SIGTERM);
  EXPECT_EQ(program_.Wait(20), 0) << Log();
}

}  // namespace
}  // namespace tocsin
