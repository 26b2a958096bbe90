#include "service/forgotten_sources.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace tocsin {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr TimeUs kChangedBefore = 1'000 * kSecondUs;

class ForgottenSourcesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tocsin-forgotten-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    state_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(state_); }

  // Last changed at that second.
  void Write(const std::string& name, time_t changed) const {
    const std::string path = state_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << "x";
    const timespec times[2] = {{.tv_sec = changed, .tv_nsec = 0},
                               {.tv_sec = changed, .tv_nsec = 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  bool Has(const std::string& name) const { return std::filesystem::exists(state_ + "/" + name); }
  std::vector<std::string> Remove() const {
    std::vector<std::string> removed = RemoveForgotten(
        {.state_dir = state_,
         .present = {"app/here.prom", "app/sub/here.prom"},
         .http_inputs = {"events"},
         .has_position =
             [this](const std::string& source) {
               return std::find(positions_.begin(), positions_.end(), source) != positions_.end();
             },
         .changed_before = kChangedBefore});
    for (std::string& path : removed) path = path.substr(state_.size() + 1);
    return removed;
  }

  std::string state_;
  std::vector<std::string> positions_;
};

TEST_F(ForgottenSourcesTest, CopiesOfFilesGoWithTheirPosition) {
  Write("files/app/here.prom/0.v2.tlog", 1);
  Write("files/app/sub/here.prom/0.v2.tlog", 1);
  Write("files/app/job-1.prom/0.v2.tlog", 1);
  Write("files/app/job-1.prom/9.tlog.damaged", 1);
  Write("files/app/job-2.prom/0.v2.tlog", 1);
  Write("files/app/job-3.prom/0.v2.tlog", 1);
  Write("files/app/job-3.prom/9.v2.tlog", 1'000);
  Write("files/gone/sub/a.prom/0.v2.tlog", 1);
  positions_ = {"app/job-2.prom"};
  EXPECT_THAT(Remove(), UnorderedElementsAre("files/app/job-1.prom", "files/gone/sub/a.prom"));
  EXPECT_TRUE(Has("files/app/here.prom/0.v2.tlog"));
  EXPECT_TRUE(Has("files/app/sub/here.prom/0.v2.tlog"));
  EXPECT_TRUE(Has("files/app/job-2.prom/0.v2.tlog"));
  EXPECT_TRUE(Has("files/app/job-3.prom/0.v2.tlog")) << "changed since";
  EXPECT_FALSE(Has("files/app/job-1.prom"));
  EXPECT_FALSE(Has("files/gone"));
  positions_.clear();
  EXPECT_THAT(Remove(), UnorderedElementsAre("files/app/job-2.prom"));
  EXPECT_THAT(Remove(), IsEmpty());
}

TEST_F(ForgottenSourcesTest, LogsOfInputsByHttpGoWithTheInput) {
  Write("http/events/0.v2.tlog", 1);
  Write("http/events.seen", 1);
  Write("http/old/0.v2.tlog", 1);
  Write("http/old.seen", 1);
  Write("http/late/0.v2.tlog", 1);
  Write("http/new.seen", 1'000);
  positions_ = {"late/late"};
  EXPECT_THAT(Remove(), UnorderedElementsAre("http/old", "http/old.seen"));
  EXPECT_TRUE(Has("http/events/0.v2.tlog"));
  EXPECT_TRUE(Has("http/events.seen"));
  EXPECT_TRUE(Has("http/late/0.v2.tlog"));
  EXPECT_TRUE(Has("http/new.seen"));
}

TEST_F(ForgottenSourcesTest, WhatIsNotOursStays) {
  Write("files/app/notes.txt", 1);
  Write("files/app/a.prom/0.v2.tlog", 1);
  Write("files/app/a.prom/notes.txt", 1);
  Write("other/a/0.v2.tlog", 1);
  std::filesystem::create_directory_symlink(state_ + "/other", state_ + "/files/link");
  EXPECT_THAT(Remove(), IsEmpty());
  EXPECT_TRUE(Has("files/app/notes.txt"));
  EXPECT_TRUE(Has("files/app/a.prom/notes.txt"));
  EXPECT_TRUE(Has("other/a/0.v2.tlog"));
  std::filesystem::remove_all(state_);
  EXPECT_THAT(Remove(), IsEmpty());
}

}  // namespace
}  // namespace tocsin
