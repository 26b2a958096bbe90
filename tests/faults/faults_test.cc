// The layer that makes calls on files fail fails those that it is told to, and no others.

#include "tests/faults/faults.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

using ::testing::ElementsAre;

class FaultsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "faults-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    file_ = open((folder_ + "/a").c_str(), O_RDWR | O_CREAT, 0600);
    ASSERT_GE(file_, 0);
  }
  void TearDown() override {
    close(file_);
    std::filesystem::remove_all(folder_);
  }
  // The number of bytes, or the errno as a negative one.
  long Write(std::size_t size) const {
    const ssize_t count = write(file_, std::string(size, 'x').data(), size);
    return count < 0 ? -errno : count;
  }

  std::string folder_;
  int file_ = -1;
};

TEST_F(FaultsTest, TheNthCallFails) {
  const FaultScope faults("path=" + folder_ + "; write:ENOSPC:n=2; write:short:from=4:to=4");
  std::vector<long> counts;
  for (int i = 0; i < 5; ++i) counts.push_back(Write(10));
  EXPECT_THAT(counts, ElementsAre(10, -ENOSPC, 10, 5, 10));
  EXPECT_EQ(faults.injected(), 2);
}

TEST_F(FaultsTest, OnlyWhatLiesThere) {
  const FaultScope faults("path=" + folder_ + "/b; any:EIO");
  EXPECT_EQ(Write(3), 3);
  EXPECT_EQ(open((folder_ + "/b").c_str(), O_RDWR | O_CREAT, 0600), -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_EQ(mkdir((folder_ + "/b2").c_str(), 0700), -1);
  EXPECT_EQ(rename((folder_ + "/a").c_str(), (folder_ + "/b").c_str()), -1);
  struct stat facts;
  EXPECT_EQ(stat((folder_ + "/b").c_str(), &facts), -1);
  EXPECT_EQ(faults.injected(), 4);
}

TEST_F(FaultsTest, EveryCallOfItsKind) {
  const FaultScope faults("path=" + folder_ +
                          "; fsync:EIO; read:EINTR; truncate:EROFS; list:EACCES");
  char byte = 0;
  EXPECT_EQ(fsync(file_), -1);
  EXPECT_EQ(fdatasync(file_), -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_EQ(pread(file_, &byte, 1, 0), -1);
  EXPECT_EQ(errno, EINTR);
  EXPECT_EQ(ftruncate(file_, 0), -1);
  std::error_code error;
  const std::filesystem::directory_iterator at(folder_, error);
  EXPECT_EQ(error.value(), EACCES);
}

TEST_F(FaultsTest, StreamsToo) {
  const FaultScope faults("path=" + folder_ + "; write:EIO");
  std::ofstream stream(folder_ + "/stream");
  stream << "text" << std::flush;
  EXPECT_FALSE(stream.good());
}

TEST_F(FaultsTest, ASeedGivesTheSameAgain) {
  const auto drawn = [&](int seed) {
    const FaultScope faults("seed=" + std::to_string(seed) + "; path=" + folder_ +
                            "; write:EIO:p=0.5");
    std::string text;
    for (int i = 0; i < 64; ++i) text += Write(1) == 1 ? '.' : 'x';
    return text;
  };
  EXPECT_EQ(drawn(1), drawn(1));
  EXPECT_NE(drawn(1), drawn(2));
}

TEST_F(FaultsTest, MovesTheWallClockAndNoOther) {
  const auto seconds = [](clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return now.tv_sec;
  };
  const auto wall = seconds(CLOCK_REALTIME), boot = seconds(CLOCK_BOOTTIME);
  {
    const FaultScope faults("clock=-3600");
    EXPECT_LT(seconds(CLOCK_REALTIME), wall);
    EXPECT_GE(seconds(CLOCK_BOOTTIME), boot);
  }
  EXPECT_GE(seconds(CLOCK_REALTIME), wall);
}

}  // namespace
}  // namespace tocsin
