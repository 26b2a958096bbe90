// The real program on a real Kafka, with a PagerDuty stand-in at the other end: what the tests of
// it begin with.
//
//   using RunKafkaTest = ProgramOnKafka;
//   WriteConfig("orders, search");  StartProgram();  …  KillProgram();
//
// One configuration, state directory and stand-in for each test; one broker for all of a program.
#pragma once

#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "demo/pagerduty_standin.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/http_get.h"
#include "tests/integration/kafka_cluster.h"

namespace tocsin {

inline const std::map<std::string, std::string> kAppendTime = {
    {"message.timestamp.type", "LogAppendTime"}};

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

inline KafkaCluster* Kafka() {
  // Destroyed at exit, and the broker with it.
  static const std::unique_ptr<KafkaCluster> kafka = [] {
    auto cluster = std::make_unique<KafkaCluster>();
    return cluster->Start() ? std::move(cluster) : nullptr;
  }();
  return kafka.get();
}

class ProgramOnKafka : public testing::Test {
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

  // `more` is added at the end.
  void WriteConfig(const std::string& topics, const std::string& more = "") {
    port_ = FreePort();
    std::ofstream(directory_ + "/key") << "R0UT1NGKEY\n";
    std::ofstream(directory_ + "/config.yaml")
        << "pane: 1s\n"
        << "inputs:\n  - {name: app, kafka: {brokers: \"" << Kafka()->brokers() << "\", topics: ["
        << topics << "], group: " << testing::UnitTest::GetInstance()->current_test_info()->name()
        << ", start: " << start_ << "}, delay: 5s}\n"
        << "detectors:\n  - name: errors\n    kind: error_rate\n    where: {type: request}\n"
        << "    by: [service]\n    keep_firing_for: 2s\n"
        << "    warn: {above: 10%, window: 5s, for: 0s, level: 2}\n"
        << "    critical: {above: 60%, window: 3s, for: 0s, level: 1}\n"
        << "correlate: {watch: 3s}\n"
        << "sinks:\n  - {name: oncall, kind: pagerduty, url: \"" << pagerduty_.url()
        << "\", routing_key_file: " << directory_ << "/key}\n"
        << "routes:\n  - {match: {level: [1, 2]}, to: [oncall]}\n"
        << "listen: 127.0.0.1:" << port_ << "\nstate_dir: " << directory_ << "/state\n"
        << more;
  }
  std::string Log() const { return ReadFile(directory_ + "/run.log"); }

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

  double Metric(const std::string& name) const { return SumOfMetric(port_, name); }

  // What was decided live is what a replay of the topics decides, byte for byte.
  void ExpectLiveEqualsReplay(const std::vector<std::string>& topics) {
    std::vector<std::string> command = {std::getenv("TOCSIN_BINARY"),
                                        "replay",
                                        "-c",
                                        directory_ + "/config.yaml",
                                        "--incidents",
                                        directory_ + "/replay-incidents.jsonl",
                                        "--signals",
                                        directory_ + "/replay-signals.jsonl"};
    for (const std::string& topic : topics) {
      command.push_back("kafka://" + Kafka()->brokers() + "/" + topic);
    }
    Process replay;
    ASSERT_TRUE(replay.Start(command, directory_ + "/replay.log"));
    ASSERT_EQ(replay.Wait(60), 0) << ReadFile(directory_ + "/replay.log");
    const std::string incidents = ReadFile(directory_ + "/live-incidents.jsonl");
    EXPECT_THAT(incidents, testing::HasSubstr("\"state\":\"resolved\""));
    EXPECT_EQ(incidents, ReadFile(directory_ + "/replay-incidents.jsonl"));
    EXPECT_EQ(ReadFile(directory_ + "/live-signals.jsonl"),
              ReadFile(directory_ + "/replay-signals.jsonl"));
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
  std::string start_ = "earliest";  // where the input begins
  int port_ = 0;
  PagerDutyStandIn pagerduty_{{}};
  Process program_;
};

}  // namespace tocsin
