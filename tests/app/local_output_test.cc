#include "app/local_output.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tocsin
