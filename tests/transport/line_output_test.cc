// The lines of `run --incidents` and `--signals`, whoever reads them.
#include "transport/line_output.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/time/clock.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;

std::string Path(const std::string& name) {
  const std::string path = testing::TempDir() + "line_output_" + name;
  std::filesystem::remove(path);
  return path;
}

std::string Contents(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::unique_ptr<LineOutput> Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<LineOutput>> output = LineOutput::Open(path);
  EXPECT_TRUE(output.ok()) << output.status();
  return *std::move(output);
}

bool WaitFor(const std::function<bool()>& condition) {
  const absl::Time give_up = absl::Now() + absl::Minutes(1);
  while (!condition()) {
    if (absl::Now() > give_up) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

TEST(OutputPaths, AreTwoFilesOrNone) {
  const std::string file = Path("both"), link = Path("link"), other = Path("other");
  EXPECT_TRUE(CheckOutputPaths(file, other).ok());
  EXPECT_TRUE(CheckOutputPaths("", "").ok());
  EXPECT_TRUE(CheckOutputPaths("", file).ok());
  EXPECT_TRUE(CheckOutputPaths("-", "-").ok()) << "standard output is not rebuilt";
  EXPECT_TRUE(CheckOutputPaths("/dev/null", "/dev/null").ok());
  const std::string again = testing::TempDir() + "./line_output_both";
  for (const bool exists : {false, true}) {
    if (exists) std::ofstream(file) << "a line\n";
    for (const std::string& same : {file, again}) {
      const absl::Status status = CheckOutputPaths(file, same);
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
      EXPECT_THAT(std::string(status.message()),
                  AllOf(HasSubstr("--incidents"), HasSubstr("--signals"), HasSubstr(file)));
    }
  }
  EXPECT_FALSE(CheckOutputPaths("line_output_missing", "./line_output_missing").ok());
  std::filesystem::create_symlink(file, link);
  EXPECT_FALSE(CheckOutputPaths(file, link).ok());
  std::filesystem::remove(link);
  std::filesystem::create_hard_link(file, link);
  EXPECT_FALSE(CheckOutputPaths(file, link).ok());
}

TEST(LineOutput, WritesAFileAnew) {
  const std::string path = Path("file");
  std::ofstream(path) << "what was there\n";
  const auto output = Open(path);
  std::string expected;
  for (int i = 0; i < 10'000; ++i) {
    const std::string line = "line " + std::to_string(i);
    if (i < 5'000) {
      output->Rebuild(line);
    } else {
      output->Write(line);
    }
    expected += line + "\n";
  }
  EXPECT_TRUE(output->Close(absl::Minutes(1)).ok());
  EXPECT_EQ(Contents(path), expected);
  EXPECT_EQ(output->left_out(), 0);
}

TEST(LineOutput, KeepsTheBeginningOfAFile) {
  const std::string path = Path("kept");
  std::ofstream(path) << "one\ntwo\nthree\n";
  absl::StatusOr<std::unique_ptr<LineOutput>> output = LineOutput::Open(path, /*keep=*/8);
  ASSERT_TRUE(output.ok()) << output.status();
  (*output)->Rebuild("new");
  EXPECT_TRUE((*output)->Close(absl::Minutes(1)).ok());
  EXPECT_EQ(Contents(path), "one\ntwo\nnew\n");
}

TEST(LineOutput, LinesAreThereWithoutAnEnd) {
  const std::string path = Path("live");
  const auto output = Open(path);
  output->Write("one");
  EXPECT_TRUE(WaitFor([&] { return Contents(path) == "one\n"; }));
}

TEST(LineOutput, SaysWhatCannotBeWritten) {
  EXPECT_THAT(std::string(LineOutput::Open("/nonexistent/x").status().message()),
              HasSubstr("cannot write /nonexistent/x: No such file or directory"));
  const auto none = Open("");
  none->Write("nobody wants it");
  EXPECT_TRUE(none->Close(absl::ZeroDuration()).ok());
}

// More than fits, a MiB a line, to nobody: Write returns, and the newest lines are kept.
TEST(LineOutput, APipeThatNobodyReadsHoldsUpNobody) {
  const std::string fifo = Path("fifo");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const auto output = Open(fifo);
  const std::string large(1 << 20, 'x');
  output->Rebuild(large);  // at the start neither
  for (int i = 0; i < 40; ++i) output->Write(large + std::to_string(i));
  EXPECT_GE(output->left_out(), 41 - 16 - 1);
  const std::int64_t left_out = output->left_out();
  // Then somebody reads.
  std::string read;
  std::thread reader([&] { read = Contents(fifo); });
  EXPECT_TRUE(output->Close(absl::Minutes(1)).ok());
  reader.join();
  EXPECT_THAT(read, EndsWith(large + "39\n"));
  EXPECT_EQ(std::count(read.begin(), read.end(), '\n'), 41 - left_out);
}

TEST(LineOutput, TheEndDoesNotWaitForAReader) {
  const std::string fifo = Path("stalled");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  // A reader that reads nothing.
  const int reader = open(fifo.c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  const auto output = Open(fifo);
  for (int i = 0; i < 3; ++i) output->Write(std::string(1 << 20, 'x'));
  EXPECT_TRUE(output->Close(absl::Milliseconds(10)).ok()) << "it is the reader's fault";
  EXPECT_EQ(output->left_out(), 3) << "and is said";
  close(reader);
}

TEST(LineOutput, AReaderThatWentAwayEndsIt) {
  const std::string fifo = Path("gone");
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  const auto output = Open(fifo);
  { std::ifstream reader(fifo); }
  EXPECT_TRUE(WaitFor([&] {
    output->Write("x");
    return output->left_out() > 0;
  }));
  EXPECT_TRUE(output->Close(absl::Minutes(1)).ok());
}

// A disk that is full for a while: no half line, and nothing is missing in the end.
TEST(LineOutput, AFullDiskIsTriedAgainFromTheSameByte) {
  const std::string path = Path("full");
  signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit limit = before;
  limit.rlim_cur = 7;
  const auto output = Open(path);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  output->Write("one");
  output->Write("a longer one");
  const bool filled = WaitFor([&] { return Contents(path) == "one\na l"; });
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(filled);
  EXPECT_TRUE(WaitFor([&] { return Contents(path) == "one\na longer one\n"; }));
  EXPECT_TRUE(output->Close(absl::Minutes(1)).ok());
}

TEST(LineOutput, AFileThatStaysIncompleteIsAnError) {
  const std::string path = Path("incomplete");
  signal(SIGXFSZ, SIG_IGN);
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit limit = before;
  limit.rlim_cur = 2;
  const auto output = Open(path);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  output->Write("one");
  const bool tried = WaitFor([&] { return Contents(path) == "on"; });
  const absl::Status closed = output->Close(absl::ZeroDuration());
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(tried);
  EXPECT_THAT(std::string(closed.message()), HasSubstr("1 lines were not written"));
}

}  // namespace
}  // namespace tocsin
