// `tocsin run` on logs that are rotated while it reads, killed in the middle, and on a disk that is
// full, at the start or later: what was written is decided once, and as a replay of the files
// decides it, and people are told.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/time.h"
#include "demo/pagerduty_standin.h"
#include "system/host_clock.h"
#include "tests/faults/under_faults.h"
#include "tests/ingest/sources/log_rotator.h"
#include "tests/integration/http_get.h"
#include "tests/integration/kafka_cluster.h"
#include "tests/transport/socket.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

constexpr int kPatience = 120;

class RunFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tocsin-files-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = std::filesystem::canonical(pattern).string();
    std::filesystem::create_directory(folder_ + "/logs");
    setenv("no_proxy", "127.0.0.1", 1);
    port_ = FreePort();
    metrics_port_ = FreePort();
    ASSERT_TRUE(pagerduty_.Start().ok());
    std::ofstream(folder_ + "/key") << "R0UT1NGKEY\n";
    std::ofstream(folder_ + "/c.yaml")
        << "pane: 1s\nstate_dir: " << folder_ << "/state\nlisten: \"127.0.0.1:" << metrics_port_
        << "\"\nhttp: {listen: \"127.0.0.1:" << port_
        << "\"}\ninputs:\n  - {name: app, file: " << folder_
        << "/logs, delay: 5s}\n  - {name: events, http: {}, delay: 2s}\n"
        << "detectors:\n  - {name: boom, kind: burst, where: {type: log, level: error}, by: "
           "[service], critical: {count: 5, window: 10s}}\n"
        << "sinks:\n  - {name: out, kind: stdout}\n  - {name: oncall, kind: pagerduty, url: \""
        << pagerduty_.url() << "\", routing_key_file: " << folder_ << "/key}\n"
        << "routes: [{to: [out, oncall]}]\nblind: {after: 1s}\n";
  }
  void TearDown() override {
    umount2((folder_ + "/state").c_str(), MNT_DETACH);  // where it is mounted
    std::filesystem::remove_all(folder_);
  }

  // With calls failing as the file `faults` says, when there is one.
  bool Launch() {
    server_ = std::make_unique<Process>();
    return server_->Start(
               UnderFaults(std::getenv("TOCSIN_FAULTS_LIBRARY"), folder_ + "/faults",
                           {std::getenv("TOCSIN_BINARY"), "run", "-c", folder_ + "/c.yaml",
                            "--incidents", folder_ + "/live.jsonl"}),
               folder_ + "/log") &&
           WaitFor(kPatience, [&] { return HttpGet(metrics_port_, "/healthz") == "alive\n"; });
  }
  bool Start() {
    return Launch() && WaitFor(kPatience, [&] { return HttpGet(port_, "/healthz") == "alive\n"; });
  }
  // Whether the newest page that says that it is blind is open. False where there is none.
  bool BlindPageIsOpen() const {
    const std::vector<PagerDutyStandIn::Page> pages = pagerduty_.Pages();
    const auto page = std::find_if(pages.rbegin(), pages.rend(),
                                   [](const auto& p) { return p.dedup_key == "tocsin:blind"; });
    return page != pages.rend() && !page->resolved;
  }
  std::string BlindPage() const {
    std::string summary;
    for (const PagerDutyStandIn::Page& page : pagerduty_.Pages()) {
      if (page.dedup_key == "tocsin:blind") summary = page.summary;
    }
    return summary;
  }
  // As far as it was decided before the end.
  void ExpectLiveIsAReplay() const {
    Process replay;
    ASSERT_TRUE(replay.Start(
        {std::getenv("TOCSIN_BINARY"), "replay", "-c", folder_ + "/c.yaml", folder_ + "/logs",
         "--incidents", folder_ + "/replay.jsonl", "--stats", folder_ + "/stats.json"},
        folder_ + "/replay.log"));
    ASSERT_EQ(replay.Wait(kPatience), 0) << Read("replay.log");
    const std::string live = Read("live.jsonl");
    EXPECT_THAT(live, HasSubstr("\"state\":\"open\""));
    EXPECT_EQ(Read("replay.jsonl").substr(0, live.size()), live);
  }
  bool IsReady() const { return HttpGet(metrics_port_, "/readyz") == "ready\n"; }
  void SetFaults(const std::string& rules) const { tocsin::SetFaults(folder_ + "/faults", rules); }
  int Post(const std::string& body) const {
    return PostEvents(static_cast<std::uint16_t>(port_), body);
  }
  static std::string Event(const std::string& message, const std::string& level = "error") {
    return absl::StrCat(R"({"time":")", FormatTime(HostWall()), R"(","type":"log","level":")",
                        level, R"(","service":"shop","message":")", message, "\"}\n");
  }
  std::string Read(const std::string& name) const { return LogRotator::Read(folder_ + "/" + name); }
  // The sum of a metric over the sources of an input, as it is served.
  double Metric(const std::string& name, const std::string& input) const {
    return SumOfMetric(metrics_port_, name, "input=\"" + input + "\"");
  }

  // Something that keeps the state from being written, and its end.
  struct Trouble {
    std::string name;
    std::function<void()> begin, end;
    bool blinds = false;  // it lasts long enough to be said
  };
  // An outage during each: it is paged once, without waiting for the end, and afterwards the state
  // has it all. REQUIRES: Start().
  void HoldUpNoPage(const std::vector<Trouble>& troubles);

  // The state directory is on a file system of its own, of 16 MB. Only this test and what it starts
  // see it, but in a chroot, whose root is no mount that could be private.
  bool MountSmallState() const {
    const std::string state = folder_ + "/state";
    std::filesystem::create_directory(state);
    std::filesystem::permissions(state, std::filesystem::perms::owner_all);
    if (unshare(CLONE_NEWNS) != 0) return false;
    if (mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 && errno != EINVAL) return false;
    return mount("tmpfs", state.c_str(), "tmpfs", 0, "size=16m,mode=700") == 0;
  }
  // Up to the last byte.
  static void FillDisk(const std::string& path) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    const std::string zeros(4096, '\0');
    while (write(fd, zeros.data(), zeros.size()) > 0) {
    }
    EXPECT_EQ(errno, ENOSPC);
    close(fd);
  }

  std::string folder_;
  int port_ = 0, metrics_port_ = 0;
  PagerDutyStandIn pagerduty_{{}};
  std::unique_ptr<Process> server_;
};

void RunFilesTest::HoldUpNoPage(const std::vector<Trouble>& troubles) {
  std::atomic<bool> stop{false};
  std::atomic<int> wanted{0};
  std::thread writer([&] {
    LogRotator log(folder_ + "/logs", "app.log");
    for (int burst = 0; !stop;) {
      const auto write = [&](const std::string& level, const std::string& service) {
        log.Write(absl::StrCat(R"({"time":")", FormatTime(HostWall()),
                               R"(","type":"log","level":")", level, R"(","env":")", service,
                               R"(","service":")", service, "\"}\n"));
      };
      write("info", "idle");
      if (burst < wanted) {
        ++burst;
        for (int i = 0; i < 20; ++i) write("error", absl::StrCat("shop", burst));
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  const auto incidents = [&] {
    const std::vector<PagerDutyStandIn::Page> pages = pagerduty_.Pages();
    return std::count_if(pages.begin(), pages.end(),
                         [](const auto& page) { return page.dedup_key != "tocsin:blind"; });
  };
  for (const Trouble& trouble : troubles) {
    SCOPED_TRACE(trouble.name);
    trouble.begin();
    ++wanted;
    EXPECT_TRUE(WaitFor(kPatience, [&] { return incidents() >= wanted; })) << Read("log");
    if (trouble.blinds) {
      EXPECT_TRUE(WaitFor(kPatience, [&] { return BlindPageIsOpen(); })) << Read("log");
      EXPECT_THAT(BlindPage(), HasSubstr("the state cannot be written: "));
    }
    trouble.end();
    EXPECT_TRUE(WaitFor(kPatience, [&] { return IsReady() && !BlindPageIsOpen(); })) << Read("log");
  }
  stop = true;
  writer.join();
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");
  EXPECT_EQ(incidents(), wanted) << "each once";
  const std::string live = Read("live.jsonl");
  // The state has it all: what is started from it writes the same file.
  std::filesystem::remove(folder_ + "/live.jsonl");
  ASSERT_TRUE(Start()) << Read("log");
  EXPECT_TRUE(WaitFor(kPatience, [&] { return IsReady(); }));
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");
  EXPECT_EQ(Read("live.jsonl").substr(0, live.size()), live);
  ExpectLiveIsAReplay();
}

TEST_F(RunFilesTest, RotatedAndKilledItDecidesWhatAReplayDecides) {
  SetFaults(absl::StrCat("seed=1; path=", folder_, "/logs; read:EINTR:p=0.1; read:short:p=0.3; ",
                         "open:EMFILE:p=0.02"));
  ASSERT_TRUE(Start()) << Read("log");
  std::atomic<bool> stop{false}, rotates{true};
  std::atomic<int> written{0};
  std::thread writer([&] {
    LogRotator log(folder_ + "/logs", "app.log", /*keep=*/500);
    for (int round = 0; !stop; ++round) {
      for (int i = 0; i < 20; ++i) log.Write(Event(absl::StrCat("n", ++written)));
      if (rotates && round % 5 == 4) log.Rotate(LogRotator::Way::kRename);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
  });
  for (int kill = 0; kill < 4; ++kill) {
    const int before = written;
    EXPECT_TRUE(WaitFor(kPatience, [&] { return written > before + 3'000; }));
    // What is rotated between the last commit and the kill may be read twice (docs/files.md).
    rotates = false;
    const int quiet = written;
    EXPECT_TRUE(WaitFor(kPatience, [&] { return written > quiet + 3'000; }));
    server_->Signal(SIGKILL);
    EXPECT_EQ(server_->Wait(kPatience), 128 + SIGKILL);
    ASSERT_TRUE(Start()) << Read("log");
    rotates = true;
  }
  EXPECT_TRUE(WaitFor(kPatience, [&] { return !Read("live.jsonl").empty(); }));
  stop = true;
  writer.join();
  EXPECT_TRUE(WaitFor(kPatience, [&] {
    return HttpGet(metrics_port_, "/metrics").find("tocsin_lag_seconds") != std::string::npos;
  }));
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");
  EXPECT_THAT(Read("log"), testing::Not(HasSubstr("lost")));

  ExpectLiveIsAReplay();
  EXPECT_THAT(Read("stats.json"), HasSubstr(absl::StrCat("\"events\":", written.load(), ",")));
}

// Decisions and pages go on without the disk, which catches up.
TEST_F(RunFilesTest, ADiskThatFailsWhileItRunsHoldsUpNoPage) {
  ASSERT_TRUE(Start()) << Read("log");
  std::vector<Trouble> troubles;
  for (const char* const fault : {"write:ENOSPC", "fsync:EIO:n=1", "fsync:EIO", "any:EROFS"}) {
    troubles.push_back(
        {.name = fault,
         .begin = [=, this] { SetFaults(absl::StrCat("path=", folder_, "/state; ", fault)); },
         .end = [this] { SetFaults(""); },
         // One that is over at once blinds nobody.
         .blinds = std::string_view(fault) != "fsync:EIO:n=1"});
  }
  HoldUpNoPage(troubles);
}

// The same on a small file system that really is full: nothing fails that a full one would not.
TEST_F(RunFilesTest, AFullTmpfsHoldsUpNoPage) {
  if (!MountSmallState()) GTEST_SKIP() << "may not mount a tmpfs: " << std::strerror(errno);
  ASSERT_TRUE(Start()) << Read("log");
  const std::string ballast = folder_ + "/state/ballast";
  const Trouble full = {
      .name = "full",
      .begin =
          [&] {
            FillDisk(ballast);
            EXPECT_TRUE(WaitFor(kPatience, [&] { return Post(Event("refused", "info")) == 503; }))
                << Read("log");
          },
      .end =
          [&] {
            std::filesystem::remove(ballast);
            EXPECT_TRUE(WaitFor(kPatience, [&] { return Post(Event("after", "info")) == 200; }))
                << Read("log");
          },
      .blinds = true};
  HoldUpNoPage({full, full});
}

// What cannot be made durable is refused, everything else goes on, and it is taken once there is
// room again.
TEST_F(RunFilesTest, AFullDiskRefusesPostsAndNothingElse) {
  ASSERT_TRUE(Start()) << Read("log");
  EXPECT_EQ(Post(Event("before")), 200);
  for (const char* const fault : {"write:ENOSPC", "fsync:EIO", "any:EROFS"}) {
    SCOPED_TRACE(fault);
    SetFaults(absl::StrCat("path=", folder_, "/state/http; ", fault));
    EXPECT_TRUE(WaitFor(kPatience, [&] { return Post(Event("refused")) == 503; }));
    const double events = Metric("tocsin_events_total", "app");
    std::ofstream(folder_ + "/logs/app.log", std::ios::app) << Event("meanwhile");
    EXPECT_TRUE(WaitFor(kPatience, [&] { return Metric("tocsin_events_total", "app") > events; }));
    EXPECT_EQ(Post(Event("refused")), 503);
    SetFaults("");
    EXPECT_TRUE(WaitFor(kPatience, [&] { return Post(Event("after")) == 200; }));
  }
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");
}

// A supervisor that starts it again and again is no page; it waits, and says so.
TEST_F(RunFilesTest, AStateThatCannotBeOpenedYetIsSaidByAPageAndTriedAgain) {
  for (const char* const fault : {"write:ENOSPC", "any:EROFS", "open:EIO"}) {
    SCOPED_TRACE(fault);
    std::filesystem::remove_all(folder_ + "/state");
    SetFaults(absl::StrCat("path=", folder_, "/state; ", fault));
    ASSERT_TRUE(Launch()) << Read("log");
    EXPECT_TRUE(WaitFor(kPatience, [&] { return BlindPageIsOpen(); })) << Read("log");
    EXPECT_THAT(BlindPage(), HasSubstr("the state cannot be opened: "));
    EXPECT_THAT(HttpGet(metrics_port_, "/readyz"),
                HasSubstr("not ready: the state cannot be opened: "));
    EXPECT_EQ(HttpGet(metrics_port_, "/healthz"), "alive\n");
    EXPECT_THAT(
        HttpGet(metrics_port_, "/metrics"),
        testing::AllOf(HasSubstr("tocsin_blind 1\n"), HasSubstr("tocsin_state_writable 0\n")));
    SetFaults("");
    EXPECT_TRUE(WaitFor(kPatience, [&] { return IsReady(); })) << Read("log");
    EXPECT_TRUE(WaitFor(kPatience, [&] { return !BlindPageIsOpen(); })) << Read("log");
    EXPECT_EQ(Post(Event("after")), 200);
    server_->Signal(SIGTERM);
    EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");
  }
}

TEST_F(RunFilesTest, ADatabaseThatAnotherProgramHoldsAtTheStartIsWaitedFor) {
  std::filesystem::create_directory(folder_ + "/state");
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((folder_ + "/state/tocsin.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN EXCLUSIVE", nullptr, nullptr, nullptr), SQLITE_OK);
  ASSERT_TRUE(Launch()) << Read("log");
  EXPECT_TRUE(WaitFor(kPatience, [&] { return BlindPageIsOpen(); })) << Read("log");
  EXPECT_THAT(BlindPage(), HasSubstr("another program holds the database"));
  // It can be told to stop, and what it has said is said by the next one.
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");
  ASSERT_TRUE(Launch()) << Read("log");
  EXPECT_TRUE(WaitFor(kPatience, [&] {
    return HttpGet(metrics_port_, "/readyz").find("the state cannot be opened") !=
           std::string::npos;
  }));
  sqlite3_close(other);
  EXPECT_TRUE(WaitFor(kPatience, [&] { return IsReady() && !BlindPageIsOpen(); })) << Read("log");
  // What does not pass ends a start at once.
  std::string text = Read("c.yaml");
  text.replace(text.find(absl::StrCat("127.0.0.1:", metrics_port_)),
               absl::StrCat("127.0.0.1:", metrics_port_).size(), "off");
  std::ofstream(folder_ + "/second.yaml") << text;
  Process second;
  ASSERT_TRUE(second.Start({std::getenv("TOCSIN_BINARY"), "run", "-c", folder_ + "/second.yaml"},
                           folder_ + "/second.log"));
  EXPECT_EQ(second.Wait(kPatience), 3);
  EXPECT_THAT(Read("second.log"), HasSubstr("is in use by another process"));
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");
}

// A typo in a path, a folder that was not mounted: nobody reads what nobody sees.
TEST_F(RunFilesTest, AFileThatIsNotThereIsDownAndSaidByAPage) {
  PagerDutyStandIn pagerduty({});
  ASSERT_TRUE(pagerduty.Start().ok());
  const std::string path = folder_ + "/logs/typo.log";
  std::ofstream(folder_ + "/key") << "R0UT1NGKEY\n";
  std::ofstream(folder_ + "/c.yaml")
      << "pane: 1s\nstate_dir: " << folder_ << "/state\nlisten: \"127.0.0.1:" << metrics_port_
      << "\"\nhttp: {listen: \"127.0.0.1:" << port_ << "\"}\nblind: {after: 2s}\n"
      << "inputs:\n  - {name: app, file: " << path << "}\n  - {name: events, http: {}, delay: 2s}\n"
      << "detectors:\n  - {name: boom, kind: burst, where: {type: log, level: error}, by: "
         "[service], critical: {count: 5, window: 10s}}\n"
      << "sinks: [{name: oncall, kind: pagerduty, url: \"" << pagerduty.url()
      << "\", routing_key_file: " << folder_ << "/key}]\nroutes: [{to: [oncall]}]\n";
  ASSERT_TRUE(Start()) << Read("log");
  ASSERT_TRUE(WaitFor(kPatience, [&] { return !pagerduty.Pages().empty(); })) << Read("log");
  const std::string reason = path + ": No such file or directory";
  EXPECT_EQ(pagerduty.Pages()[0].dedup_key, "tocsin:blind");
  EXPECT_THAT(pagerduty.Pages()[0].summary, HasSubstr("input app cannot be read: " + path));
  EXPECT_EQ(HttpGet(metrics_port_, "/readyz"), "not ready: input app: " + reason + "\n");
  EXPECT_EQ(Metric("tocsin_input_up", "app"), 0);
  EXPECT_EQ(Metric("tocsin_input_up", "events"), 1);
  Process status;
  ASSERT_TRUE(status.Start({std::getenv("TOCSIN_BINARY"), "status", "-c", folder_ + "/c.yaml"},
                           folder_ + "/status"));
  EXPECT_EQ(status.Wait(kPatience), 0);
  EXPECT_THAT(Read("status"), HasSubstr("DOWN  input app: running: " + reason + "; 0 sources"));
  // What else there is is decided without waiting for it.
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Post(Event(absl::StrCat("boom", i))), 200);
  EXPECT_TRUE(WaitFor(kPatience, [&] { return pagerduty.Pages().size() == 2; })) << Read("log");
  EXPECT_THAT(Read("log"), testing::Not(HasSubstr("holds up")));
  std::ofstream(path) << Event("there");
  EXPECT_TRUE(WaitFor(kPatience, [&] { return pagerduty.Pages()[0].resolved; })) << Read("log");
  EXPECT_EQ(Metric("tocsin_input_up", "app"), 1);
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(kPatience), 0) << Read("log");
}

}  // namespace
}  // namespace tocsin
