#include "transport/local_output.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/synchronization/mutex.h"
#include "system/host_clock.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

std::string Path(const std::string& name) {
  const std::string path = ::testing::TempDir() + "/local_output_" + name;
  std::filesystem::remove(path);
  return path;
}

std::string Contents(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(AppendLine, GrowsAFileByLinesAndMakesIt) {
  const std::string path = Path("grows");
  EXPECT_EQ(AppendLine(path, "one").status, 200);
  EXPECT_EQ(AppendLine(path, "").status, 200);
  // Moved away in between, as logrotate does.
  EXPECT_EQ(Contents(path), "one\n\n");
  std::filesystem::rename(path, path + ".1");
  EXPECT_EQ(AppendLine(path, std::string(1 << 20, 'x')).status, 200);
  EXPECT_EQ(Contents(path).size(), (1u << 20) + 1);
  struct stat status = {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0007, 0u) << "it holds what others need not read";
}

TEST(AppendLine, SaysWhatIsWrongWithThePath) {
  const SinkReply missing = AppendLine("/nonexistent/x.jsonl", "line");
  EXPECT_EQ(missing.status, 0);
  EXPECT_EQ(missing.error, "cannot append to /nonexistent/x.jsonl: No such file or directory");
  EXPECT_THAT(AppendLine(::testing::TempDir(), "line").error, HasSubstr("Is a directory"));
}

TEST(AppendLine, AFullDiskIsAnError) {
  const SinkReply full = AppendLine("/dev/full", "line");
  EXPECT_EQ(full.status, 0);
  EXPECT_EQ(full.error, "cannot append to /dev/full: No space left on device");
}

TEST(AppendLine, HalfALineIsTakenBack) {
  const std::string path = Path("half");
  ASSERT_EQ(AppendLine(path, "one").status, 200);
  signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit limit = before;
  limit.rlim_cur = 7;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  const SinkReply reply = AppendLine(path, "a longer one");
  const std::string contents = Contents(path);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(reply.error, "cannot append to " + path + ": File too large");
  EXPECT_EQ(contents, "one\n");
  EXPECT_EQ(AppendLine(path, "a longer one").status, 200);
  EXPECT_EQ(Contents(path), "one\na longer one\n");
}

// A device keeps nothing, and that is its user's wish.
TEST(AppendLine, DevicesAreFiles) { EXPECT_EQ(AppendLine("/dev/null", "line").status, 200); }

class LocalOutputTest : public testing::Test {
 protected:
  static SinkRequest ToFile(const std::string& path, const std::string& line,
                            DurationUs timeout = kMinuteUs) {
    SinkRequest request;
    request.kind = SinkRequest::Kind::kFile;
    request.url = path;
    request.body = line;
    request.timeout = timeout;
    return request;
  }
  void Send(std::uint64_t id, SinkRequest request) {
    output_.Send({.high = 1, .low = id}, std::move(request));
  }
  // The next replies; none within a minute fails.
  std::vector<HttpClient::Reply> Await() {
    std::vector<HttpClient::Reply> replies;
    const TimeUs give_up = HostMonotonic() + kMinuteUs;
    while (true) {
      output_.Collect(&replies);
      if (!replies.empty() || HostMonotonic() > give_up) break;
      const DurationUs wait = std::min(output_.NextDeadline(), give_up) - HostMonotonic();
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&woken_), absl::Microseconds(wait));
      woken_ = false;
    }
    EXPECT_FALSE(replies.empty());
    return replies;
  }

  absl::Mutex mutex_;
  bool woken_ = false;
  LocalOutput output_{[this] {
    absl::MutexLock lock(&mutex_);
    woken_ = true;
  }};
};

TEST_F(LocalOutputTest, LinesOfOneTargetKeepTheirOrder) {
  const std::string path = Path("order");
  for (std::uint64_t i = 1; i <= 20; ++i) Send(i, ToFile(path, std::to_string(i)));
  std::string expected;
  std::vector<HttpClient::Reply> replies;
  while (replies.size() < 20) {
    for (HttpClient::Reply& reply : Await()) replies.push_back(std::move(reply));
  }
  for (std::uint64_t i = 1; i <= 20; ++i) {
    EXPECT_EQ(replies[i - 1].id.low, i);
    EXPECT_EQ(replies[i - 1].reply.status, 200);
    expected += std::to_string(i) + "\n";
  }
  EXPECT_EQ(Contents(path), expected);
  EXPECT_EQ(output_.NextDeadline(), INT64_MAX);
}

TEST_F(LocalOutputTest, AFifoThatNobodyReadsHoldsUpNobody) {
  const std::string fifo = Path("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const std::string path = Path("beside");
  Send(1, ToFile(fifo, "one", 50 * kMillisecondUs));
  Send(2, ToFile(fifo, "two", 50 * kMillisecondUs));
  Send(3, ToFile(path, "three"));
  std::map<std::uint64_t, SinkReply> replies;
  while (replies.size() < 3) {
    for (const HttpClient::Reply& reply : Await()) replies[reply.id.low] = reply.reply;
  }
  EXPECT_EQ(replies[3].status, 200);
  for (const std::uint64_t id : {std::uint64_t{1}, std::uint64_t{2}}) {
    EXPECT_EQ(replies[id].status, 0);
    EXPECT_THAT(replies[id].error, HasSubstr("a line was not taken within 50ms"));
  }
  // Once somebody reads, the first one arrives; the second was never begun.
  std::ifstream reader(fifo);
  std::string line;
  ASSERT_TRUE(std::getline(reader, line));
  EXPECT_EQ(line, "one");
  Send(4, ToFile(fifo, "four"));
  EXPECT_EQ(Await()[0].id.low, 4u) << "nobody waits for the first one any more";
  reader.clear();
  ASSERT_TRUE(std::getline(reader, line));
  EXPECT_EQ(line, "four");
}

TEST_F(LocalOutputTest, WhatWaitsForATargetIsBounded) {
  const std::string fifo = Path("full");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  for (std::uint64_t i = 1; i <= LocalOutput::kLinesMax + 2; ++i) Send(i, ToFile(fifo, "x"));
  const std::vector<HttpClient::Reply> replies = Await();
  EXPECT_THAT(replies[0].reply.error, HasSubstr("too many lines wait"));
  // The end does not wait for the reader that never comes, and nobody is called back after it.
  output_.CancelAll();
  EXPECT_EQ(output_.NextDeadline(), INT64_MAX);
}

}  // namespace
}  // namespace tocsin
