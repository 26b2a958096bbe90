// `tocsin run` at its edges: nobody reads what it writes, SIGHUP, and what a web page elsewhere
// asks.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "core/time.h"
#include "system/host_clock.h"
#include "tests/integration/http_get.h"
#include "tests/integration/kafka_cluster.h"
#include "tests/transport/socket.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

constexpr int kPatience = 120;

class RunEdgesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tocsin-edges-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    setenv("no_proxy", "127.0.0.1", 1);
    port_ = FreePort();
    api_port_ = FreePort();
    Write("token", "first\n");
    WriteConfig("");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ + "/" + name) << text;
  }
  std::string Read(const std::string& name) const {
    std::stringstream text;
    text << std::ifstream(folder_ + "/" + name).rdbuf();
    return text.str();
  }
  void WriteConfig(const std::string& more) const {
    Write("c.yaml",
          absl::StrCat(
              "pane: 1s\nstate_dir: ", folder_, "/state\nlisten: \"127.0.0.1:", api_port_,
              "\"\nhttp: {listen: \"127.0.0.1:", port_,
              "\"}\ninputs:\n  - {name: events, http: {token_file: ", folder_,
              "/token}, delay: 2s}\n",
              "detectors:\n  - {name: boom, kind: burst, where: {type: log, level: error}, ",
              "by: [service], critical: {count: 5, window: 10s}}\n",
              "sinks:\n  - {name: out, kind: stdout}\n  - {name: kept, kind: file, path: ", folder_,
              "/kept.jsonl}\n", more));
  }

  bool Start(const std::string& log, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {std::getenv("TOCSIN_BINARY"), "run", "-c",
                                          folder_ + "/c.yaml"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return server_.Start(arguments, folder_ + "/" + log) && WaitFor(kPatience, [&] {
             return HttpGet(port_, "/healthz") == "alive\n" &&
                    HttpGet(api_port_, "/healthz") == "alive\n";
           });
  }

  // The status, 0 where there is no answer.
  int Post(const std::string& body, const std::string& token) const {
    TestSocket socket(static_cast<std::uint16_t>(port_));
    socket.Send(absl::StrCat("POST /v1/events HTTP/1.1\r\nConnection: close\r\n",
                             "Authorization: Bearer ", token, "\r\nContent-Length: ", body.size(),
                             "\r\n\r\n", body));
    return StatusOf(socket.ReadAll());
  }
  int Api(const std::string& request_line, const std::string& headers,
          const std::string& body = "") const {
    TestSocket socket(static_cast<std::uint16_t>(api_port_));
    socket.Send(absl::StrCat(request_line, " HTTP/1.1\r\nConnection: close\r\n", headers,
                             "Content-Length: ", body.size(), "\r\n\r\n", body));
    return StatusOf(socket.ReadAll());
  }
  // What the program prints, and its exit code.
  std::pair<int, std::string> Run(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), std::getenv("TOCSIN_BINARY"));
    Process process;
    if (!process.Start(arguments, folder_ + "/command")) return {-1, ""};
    const int code = process.Wait(kPatience);
    return {code, Read("command")};
  }

  std::string folder_;
  int port_ = 0, api_port_ = 0;
  Process server_;
};

// An incident of its own: the environment is the scope.
std::string Burst(const std::string& service) {
  const TimeUs now = HostWall();
  std::string body;
  for (int i = 0; i < 20; ++i) {
    absl::StrAppend(&body, R"({"time":")", FormatTime(now),
                    R"(","type":"log","level":"error","service":")", service, R"(","env":")",
                    service, "\"}\n");
  }
  return body;
}

// Standard output and standard error are a pipe of a page that nobody reads.
TEST_F(RunEdgesTest, OutputThatNobodyReadsHoldsUpNeitherPagesNorTheEnd) {
  ASSERT_EQ(mkfifo((folder_ + "/unread").c_str(), 0600), 0);
  const int reader = open((folder_ + "/unread").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  ASSERT_GT(fcntl(reader, F_SETPIPE_SZ, 4096), 0);
  ASSERT_TRUE(Start("unread", {"--incidents", "-", "--signals", "-"}));
  std::size_t lines = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) {
      ASSERT_EQ(Post(Burst(absl::StrCat("s", round, "-", i)), "first"), 200);
    }
    // Everybody else hears of all of it.
    EXPECT_TRUE(WaitFor(kPatience, [&] {
      const std::string kept = Read("kept.jsonl");
      return static_cast<std::size_t>(std::count(kept.begin(), kept.end(), '\n')) >= lines + 4;
    }));
    const std::string kept = Read("kept.jsonl");
    lines = static_cast<std::size_t>(std::count(kept.begin(), kept.end(), '\n'));
  }
  EXPECT_THAT(HttpGet(api_port_, "/metrics"), HasSubstr("tocsin_open_incidents"));
  server_.Signal(SIGTERM);
  EXPECT_EQ(server_.Wait(kPatience), 0);
  close(reader);
}

TEST_F(RunEdgesTest, SighupReadsWhatMayChangeAndKillsNothing) {
  ASSERT_TRUE(Start("log"));
  Write("token", "second\n");
  EXPECT_EQ(Post(Burst("a"), "second"), 401);
  server_.Signal(SIGHUP);
  EXPECT_TRUE(WaitFor(kPatience, [&] { return Post(Burst("a"), "second") == 200; }));
  EXPECT_EQ(Post(Burst("a"), "first"), 401);
  const auto logged = [&](const std::string& text) {
    return WaitFor(kPatience, [&] { return Read("log").find(text) != std::string::npos; });
  };
  EXPECT_TRUE(logged("tokens, secrets and certificates were read again"));
  EXPECT_EQ(Read("log").find("restart to apply"), std::string::npos) << "nothing else has changed";
  WriteConfig("limits: {series_max: 100}\n");
  server_.Signal(SIGHUP);
  EXPECT_TRUE(logged("the configuration has changed: restart to apply limits"));
  WriteConfig("limits: {series_max: many}\n");
  server_.Signal(SIGHUP);
  EXPECT_TRUE(logged("c.yaml:12"));
  EXPECT_TRUE(logged("the configuration is invalid now: the running one stays"));
  std::filesystem::remove(folder_ + "/token");
  server_.Signal(SIGHUP);
  EXPECT_TRUE(logged("stays as it was"));
  EXPECT_EQ(Post(Burst("a"), "second"), 200);
  server_.Signal(SIGTERM);
  EXPECT_EQ(server_.Wait(kPatience), 0) << Read("log");
}

TEST_F(RunEdgesTest, AStateDirectoryOfAnEarlierVersionIsClosedToOthers) {
  ASSERT_TRUE(Start("log"));
  EXPECT_EQ(Post(Burst("a"), "first"), 200);
  server_.Signal(SIGTERM);
  ASSERT_EQ(server_.Wait(kPatience), 0) << Read("log");
  std::filesystem::create_directories(folder_ + "/state/files/app/a.prom");
  Write("state/files/app/a.prom/00000000000000000000.tlog", "");
  Write("state/http/events.seen", "");
  const auto all_modes = [&] {
    std::map<std::string, unsigned> modes;
    struct stat status = {};
    EXPECT_EQ(stat((folder_ + "/state").c_str(), &status), 0);
    modes["state"] = status.st_mode & 07777;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_ + "/state")) {
      EXPECT_EQ(stat(entry.path().c_str(), &status), 0);
      modes[entry.path().string()] = status.st_mode & 07777;
    }
    return modes;
  };
  const auto open_all = [&] {
    for (const auto& [path, mode] : all_modes()) {
      const std::string whole = path == "state" ? folder_ + "/state" : path;
      ASSERT_EQ(chmod(whole.c_str(), std::filesystem::is_directory(whole) ? 0755 : 0644), 0);
    }
  };
  open_all();
  ASSERT_TRUE(Start("log"));
  const std::map<std::string, unsigned> closed = all_modes();
  EXPECT_TRUE(closed.contains(folder_ + "/state/http/events"));
  for (const auto& [path, mode] : closed) EXPECT_EQ(mode & 077, 0u) << path;
  server_.Signal(SIGTERM);
  ASSERT_EQ(server_.Wait(kPatience), 0) << Read("log");
  // One that somebody else uses, too, stays open, and so do folders that may be theirs.
  open_all();
  Write("state/notes.txt", "mine");
  ASSERT_TRUE(Start("log"));
  std::map<std::string, unsigned> shared = all_modes();
  EXPECT_EQ(shared["state"], 0755u);
  EXPECT_EQ(shared[folder_ + "/state/files"], 0755u);
  EXPECT_EQ(shared[folder_ + "/state/tocsin.db"], 0600u);
  EXPECT_EQ(shared[folder_ + "/state/token"], 0600u);
  server_.Signal(SIGTERM);
  EXPECT_EQ(server_.Wait(kPatience), 0) << Read("log");
}

TEST_F(RunEdgesTest, PagesElsewhereAreRefusedAndThisMachineIsNot) {
  ASSERT_TRUE(Start("log"));
  const std::string silence = R"({"match":["env=prod"],"for":"365d","author":"eve"})";
  const std::string json = "Content-Type: application/json\r\n";
  const std::string local = absl::StrCat("Host: 127.0.0.1:", api_port_, "\r\n");
  EXPECT_EQ(Api("POST /api/v1/silences", "Host: evil.example\r\n" + json, silence), 403);
  EXPECT_EQ(Api("GET /api/v1/silences", "Host: evil.example\r\n"), 403);
  EXPECT_EQ(Api("GET /metrics", "Host: evil.example\r\n"), 403);
  EXPECT_EQ(
      Api("POST /api/v1/silences", local + json + "Origin: https://evil.example\r\n", silence),
      403);
  EXPECT_EQ(Api("GET /metrics", local), 200);
  EXPECT_EQ(Api("POST /api/v1/silences", local + json, silence), 202);
  // The token that it has made is this user's alone, and lets everybody in who shows it.
  struct stat status = {};
  ASSERT_EQ(stat((folder_ + "/state/token").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600u);
  ASSERT_EQ(stat((folder_ + "/state").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  std::string token = Read("state/token");
  token.pop_back();
  EXPECT_EQ(Api("POST /api/v1/silences",
                absl::StrCat("Host: proxy.example\r\nAuthorization: Bearer ", token, "\r\n", json),
                silence),
            202);
  EXPECT_EQ(Api("POST /api/v1/silences", local + json + "Authorization: Bearer x\r\n", silence),
            401);
  const auto [code, printed] = Run({"silences", "add", "-c", folder_ + "/c.yaml", "service=a",
                                    "--for", "1h", "--name", "by-hand"});
  EXPECT_EQ(code, 0) << printed;
  server_.Signal(SIGTERM);
  EXPECT_EQ(server_.Wait(kPatience), 0) << Read("log");
}

}  // namespace
}  // namespace tocsin
