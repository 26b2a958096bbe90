// `tocsin run` on a real Kafka, with a PagerDuty stand-in at the other end.

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <thread>

#include "app/pagerduty_standin.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/http_get.h"
#include "tests/integration/kafka_cluster.h"
#include "tests/integration/live_traffic.h"

namespace tocsin {
namespace {

using testing::HasSubstr;

const std::map<std::string, std::string> kAppendTime = {
    {"message.timestamp.type", "LogAppendTime"}};

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

KafkaCluster* Kafka() {
  // Destroyed at exit, and the broker with it.
  static const std::unique_ptr<KafkaCluster> kafka = [] {
    auto cluster = std::make_unique<KafkaCluster>();
    return cluster->Start() ? std::move(cluster) : nullptr;
  }();
  return kafka.get();
}

// One configuration, state directory and stand-in; starts and kills the program.
class RunKafkaTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(Kafka(), nullptr);
    std::string pattern = testing::TempDir() + "tocsin-run-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    ASSERT_TRUE(pagerduty_.Start().ok());
  }
  void TearDown() override {
    program_.Signal(SIGKILL);
    program_.Wait(10);
    if (!HasFailure()) std::filesystem::remove_all(directory_);
  }

  void WriteConfig(const std::string& topics) {
    port_ = FreePort();
    std::ofstream(directory_ + "/key") << "R0UT1NGKEY\n";
    std::ofstream(directory_ + "/config.yaml")
        << "pane: 1s\n"
        << "inputs:\n  - {name: app, kafka: {brokers: \"" << Kafka()->brokers() << "\", topics: ["
        << topics << "], group: " << testing::UnitTest::GetInstance()->current_test_info()->name()
        << ", start: earliest}, delay: 5s}\n"
        << "detectors:\n  - name: errors\n    kind: error_rate\n    where: {type: request}\n"
        << "    by: [service]\n    keep_firing_for: 2s\n"
        << "    warn: {above: 10%, window: 5s, for: 0s, level: 2}\n"
        << "    critical: {above: 60%, window: 3s, for: 0s, level: 1}\n"
        << "correlate: {watch: 3s}\n"
        << "sinks:\n  - {name: oncall, kind: pagerduty, url: \"" << pagerduty_.url()
        << "\", routing_key_file: " << directory_ << "/key}\n"
        << "routes:\n  - {match: {level: [1, 2]}, to: [oncall]}\n"
        << "listen: 127.0.0.1:" << port_ << "\nstate_dir: " << directory_ << "/state\n";
  }

  void StartProgram() {
    ASSERT_TRUE(program_.Start(
        {std::getenv("TOCSIN_BINARY"), "run", "-c", directory_ + "/config.yaml", "--incidents",
         directory_ + "/live-incidents.jsonl", "--signals", directory_ + "/live-signals.jsonl"},
        directory_ + "/run.log"));
  }

  void KillProgram() {
    program_.Signal(SIGKILL);
    ASSERT_EQ(program_.Wait(10), 128 + SIGKILL) << ReadFile(directory_ + "/run.log");
  }

  // The sum of a metric over its label values; −1 while nothing answers.
  double Metric(const std::string& name) {
    const std::string text = HttpGet(port_, "/metrics");
    if (text.empty()) return -1;
    std::istringstream lines(text);
    double sum = 0;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(name + "{") || line.starts_with(name + " ")) {
        sum += std::stod(line.substr(line.rfind(' ') + 1));
      }
    }
    return sum;
  }

  // Both levels opened once, the lower first, each resolved, nothing else.
  void ExpectBothLevelsOnce() {
    const std::vector<PagerDutyStandIn::Page> pages = pagerduty_.Pages();
    ASSERT_EQ(pages.size(), 2u) << ReadFile(directory_ + "/run.log");
    EXPECT_THAT(pages[0].dedup_key, testing::EndsWith(":2"));
    EXPECT_EQ(pages[0].severity, "error");
    EXPECT_THAT(pages[1].dedup_key, testing::EndsWith(":1"));
    EXPECT_EQ(pages[1].severity, "critical");
    EXPECT_EQ(pages[0].dedup_key.substr(0, 32), pages[1].dedup_key.substr(0, 32));
    EXPECT_TRUE(pages[0].resolved);
    EXPECT_TRUE(pages[1].resolved);
    EXPECT_LT(pages[0].opened_order, pages[1].opened_order);
    EXPECT_LT(pages[0].resolved_order, pages[1].resolved_order);
    EXPECT_THAT(pagerduty_.Rejected(), testing::IsEmpty());
  }

  bool AllResolved() {
    const std::vector<PagerDutyStandIn::Page> pages = pagerduty_.Pages();
    return pages.size() >= 2 &&
           std::all_of(pages.begin(), pages.end(), [](const auto& page) { return page.resolved; });
  }

  std::string directory_;
  int port_ = 0;
  PagerDutyStandIn pagerduty_{{}};
  Process program_;
};

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

  Process replay;
  ASSERT_TRUE(replay.Start(
      {std::getenv("TOCSIN_BINARY"), "replay", "-c", directory_ + "/config.yaml",
       "kafka://" + Kafka()->brokers() + "/live", "--incidents",
       directory_ + "/replay-incidents.jsonl", "--signals", directory_ + "/replay-signals.jsonl"},
      directory_ + "/replay.log"));
  ASSERT_EQ(replay.Wait(60), 0) << ReadFile(directory_ + "/replay.log");
  const std::string incidents = ReadFile(directory_ + "/live-incidents.jsonl");
  EXPECT_THAT(incidents, HasSubstr("\"state\":\"resolved\""));
  EXPECT_EQ(incidents, ReadFile(directory_ + "/replay-incidents.jsonl"));
  EXPECT_EQ(ReadFile(directory_ + "/live-signals.jsonl"),
            ReadFile(directory_ + "/replay-signals.jsonl"));
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

TEST_F(RunKafkaTest, UnreachableBrokerIsNamed) {
  WriteConfig("orders");
  const std::string broker = "127.0.0.1:" + std::to_string(FreePort());
  std::string config = ReadFile(directory_ + "/config.yaml");
  config.replace(config.find(Kafka()->brokers()), Kafka()->brokers().size(), broker);
  std::ofstream(directory_ + "/config.yaml") << config;
  StartProgram();
  EXPECT_EQ(program_.Wait(30), 3);
  EXPECT_THAT(ReadFile(directory_ + "/run.log"),
              HasSubstr("no broker answered at " + broker +
                        " within 10s: is Kafka running and the address right?"));
}

}  // namespace
}  // namespace tocsin
