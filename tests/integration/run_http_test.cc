// `tocsin run` with an input by HTTP, killed in the middle: what was answered is in the log, and
// the log gives the same incidents again.

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "core/time.h"
#include "ingest/sources/file_source.h"
#include "system/host_clock.h"
#include "tests/faults/under_faults.h"
#include "tests/integration/http_get.h"
#include "tests/integration/kafka_cluster.h"
#include "tests/transport/socket.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

constexpr int kPatience = 120;

class RunHttpTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tocsin-http-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    setenv("no_proxy", "127.0.0.1", 1);
    port_ = FreePort();
    metrics_port_ = FreePort();
    std::ofstream(folder_ + "/c.yaml")
        << "pane: 1s\nstate_dir: " << folder_ << "/state\nlisten: \"127.0.0.1:" << metrics_port_
        << "\"\nhttp: {listen: \"127.0.0.1:" << port_
        << "\"}\ninputs:\n  - {name: events, http: {}, delay: 2s}\n"
        << "  - {name: scrapes, http: {}, delay: 2s, format: prometheus-text}\n"
        << "detectors:\n  - {name: boom, kind: burst, where: {type: log, level: error}, by: "
           "[service],"
        << " critical: {count: 5, window: 10s}}\n"
        << "sinks: [{name: out, kind: stdout}]\nroutes: [{to: [out]}]\n";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Its clock is moved as the file `faults` says, when there is one.
  bool Start() {
    server_ = std::make_unique<Process>();
    return server_->Start(
               UnderFaults(std::getenv("TOCSIN_FAULTS_LIBRARY"), folder_ + "/faults",
                           {std::getenv("TOCSIN_BINARY"), "run", "-c", folder_ + "/c.yaml",
                            "--incidents", folder_ + "/live.jsonl"}),
               folder_ + "/log") &&
           WaitFor(kPatience, [&] { return HttpGet(port_, "/healthz") == "alive\n"; });
  }
  // Whether it was answered with success.
  bool Post(const std::string& body) const {
    return PostEvents(static_cast<std::uint16_t>(port_), body) == 200;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  void MoveClock(int seconds) const {
    SetFaults(folder_ + "/faults", absl::StrCat("clock=", seconds));
  }
  static std::string ErrorNow(int number) {
    return absl::StrCat(R"({"time":")", FormatTime(HostWall()),
                        R"(","type":"log","level":"error","service":"shop","message":"n)", number,
                        "\"}");
  }
  double Metric(const std::string& name) const { return SumOfMetric(metrics_port_, name); }

  std::string folder_;
  int port_ = 0, metrics_port_ = 0;
  std::unique_ptr<Process> server_;
};

// Of a format whose files are one record each, what is posted is read as it comes all the same.
TEST_F(RunHttpTest, PayloadsAreFollowed) {
  ASSERT_TRUE(Start()) << Read("log");
  for (int i = 1; i <= 3; ++i) {
    TestSocket socket(static_cast<std::uint16_t>(port_));
    socket.Send(
        "POST /v1/sources/scrapes HTTP/1.1\r\nConnection: close\r\nContent-Length: 4\r\n\r\na 1\n");
    ASSERT_EQ(StatusOf(socket.ReadAll()), 200);
    const std::string expected =
        absl::StrCat("tocsin_events_total{input=\"scrapes\",source=\"scrapes/scrapes\"} ", i, "\n");
    EXPECT_TRUE(WaitFor(kPatience, [&] {
      return HttpGet(metrics_port_, "/metrics").find(expected) != std::string::npos;
    })) << i;
  }
}

// Those who post have the right time all along.
TEST_F(RunHttpTest, AClockThatJumpsForAMomentMakesNothingLate) {
  ASSERT_TRUE(Start()) << Read("log");
  int posted = 0;
  const auto post_for = [&](int events) {
    for (int i = 0; i < events; ++i) {
      posted += Post(ErrorNow(i)) ? 1 : 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  };
  for (const int jump : {3'600, -3'600, 86'400, -86'400}) {
    SCOPED_TRACE(jump);
    post_for(20);
    MoveClock(jump);
    post_for(30);
    MoveClock(0);
  }
  post_for(20);
  EXPECT_EQ(posted, 220);
  EXPECT_TRUE(WaitFor(kPatience, [&] { return Metric("tocsin_events_total") == posted; }));
  EXPECT_TRUE(WaitFor(kPatience, [&] { return !Read("live.jsonl").empty(); }));
  EXPECT_EQ(Metric("tocsin_late_events_total"), 0);
  EXPECT_THAT(HttpGet(metrics_port_, "/readyz"), HasSubstr("ready"));
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");
}

TEST_F(RunHttpTest, KilledInTheMiddleNothingThatWasAnsweredIsLost) {
  const auto log_bytes = [&] {
    std::uintmax_t bytes = 0;
    std::error_code gone;
    for (std::filesystem::directory_iterator at(folder_ + "/state/http/events", gone), end;
         !gone && at != end; at.increment(gone)) {
      const std::uintmax_t size = at->file_size(gone);
      bytes += gone ? 0 : size;
    }
    return bytes;
  };
  ASSERT_TRUE(Start()) << Read("log");
  std::set<std::string> answered;
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    for (int i = 0; !stop; ++i) {
      const std::string body = ErrorNow(i);
      if (Post(body)) answered.insert(body);
    }
  });
  for (int kill = 0; kill < 3; ++kill) {
    const std::uintmax_t before = log_bytes();
    EXPECT_TRUE(WaitFor(kPatience, [&] { return log_bytes() > before + 20'000; }));
    server_->Signal(SIGKILL);
    EXPECT_EQ(server_->Wait(kPatience), 128 + SIGKILL);
    ASSERT_TRUE(Start()) << Read("log");
  }
  EXPECT_TRUE(WaitFor(kPatience, [&] { return !Read("live.jsonl").empty(); }));
  stop = true;
  sender.join();
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");

  std::set<std::string> logged;
  const auto reader = OpenLineReader(folder_ + "/state/http/events");
  ASSERT_TRUE(reader.ok());
  LineReader::Line line;
  while ((*reader)->Next(&line) == LineReader::Result::kLine) logged.emplace(line.text);
  ASSERT_TRUE((*reader)->status().ok());
  ASSERT_GT(answered.size(), 100U);
  for (const std::string& body : answered) EXPECT_TRUE(logged.contains(body)) << body;

  Process replay;
  ASSERT_TRUE(
      replay.Start({std::getenv("TOCSIN_BINARY"), "replay", "-c", folder_ + "/c.yaml",
                    folder_ + "/state/http/events", "--incidents", folder_ + "/replay.jsonl"},
                   folder_ + "/replay.log"));
  ASSERT_EQ(replay.Wait(kPatience), 0) << Read("replay.log");
  // Replay goes on to the end of the log, live was stopped before.
  const std::string live = Read("live.jsonl");
  EXPECT_THAT(live, HasSubstr("\"state\":\"open\""));
  EXPECT_EQ(Read("replay.jsonl").substr(0, live.size()), live);
}

}  // namespace
}  // namespace tocsin
