// Accepted signed bodies are remembered across a restart, even if the file is damaged.
#include "service/http_in/seen_bodies.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace tocsin {
namespace {

using Seen = SeenBodies::Seen;

constexpr TimeUs kNow = 1'767'225'600 * kSecondUs;
constexpr std::size_t kHeaderBytes = 21;
constexpr std::size_t kRecordBytes = 32;

Hash128 Body(int number) { return HashBytes("body " + std::to_string(number)); }

class SeenBodiesTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "seen_bodies_" + std::to_string(getpid());
    std::filesystem::remove_all(folder_);
    path_ = folder_ + "/http/github.seen";
    Open(kNow);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Open(TimeUs now) {
    seen_.reset();
    absl::StatusOr<std::unique_ptr<SeenBodies>> opened = SeenBodies::Open(path_, now);
    ASSERT_TRUE(opened.ok()) << opened.status();
    seen_ = *std::move(opened);
  }
  std::string Content() const {
    std::stringstream text;
    text << std::ifstream(path_, std::ios::binary).rdbuf();
    return text.str();
  }

  std::string folder_, path_;
  std::unique_ptr<SeenBodies> seen_;
};

TEST_F(SeenBodiesTest, FirstItMayBeItsSenderLaterItIsPlayedBack) {
  EXPECT_EQ(seen_->Look(Body(1), kNow), Seen::kNever);
  seen_->Remember(Body(1), kNow);
  EXPECT_EQ(seen_->Look(Body(1), kNow + SeenBodies::kWindow), Seen::kWithinWindow);
  EXPECT_EQ(seen_->Look(Body(1), kNow + SeenBodies::kWindow + 1), Seen::kBefore);
  EXPECT_EQ(seen_->Look(Body(2), kNow), Seen::kNever);
  EXPECT_EQ(seen_->Look(Body(1), kNow + SeenBodies::kKept + 1), Seen::kNever);
}

TEST_F(SeenBodiesTest, ARestartForgetsNothing) {
  seen_->Remember(Body(1), kNow);
  seen_->Remember(Body(2), kNow + kHourUs);
  // As kill -9 leaves it: what was written, without an end.
  const std::string before = Content();
  Open(kNow + 2 * kHourUs);
  EXPECT_EQ(seen_->Look(Body(1), kNow + 2 * kHourUs), Seen::kBefore);
  EXPECT_EQ(seen_->Look(Body(2), kNow + kHourUs + kMinuteUs), Seen::kWithinWindow);
  EXPECT_EQ(Content(), before);
  seen_->Remember(Body(3), kNow + 2 * kHourUs);
  Open(kNow + 2 * kHourUs);
  EXPECT_EQ(seen_->Look(Body(3), kNow + 2 * kHourUs), Seen::kWithinWindow);
  // Records that are too old are not loaded.
  Open(kNow + SeenBodies::kKept + kMinuteUs);
  EXPECT_EQ(Content().size(), kHeaderBytes + 2 * kRecordBytes);
}

// A change of the format needs a new version number, and a reader for this version.
TEST_F(SeenBodiesTest, TheFormatIsThatOfItsNumber) {
  // The version, a time, a hash, a checksum.
  const std::string recorded =
      "746f6373696e207365656e20626f6469657320310a"
      "0040204648470600"
      "08070605040302011817161514131211"
      "406c3c31301b13a5";
  seen_->Remember({.high = 0x0102030405060708, .low = 0x1112131415161718}, kNow);
  EXPECT_EQ(absl::BytesToHexString(Content()), recorded);
  seen_.reset();
  std::ofstream(path_, std::ios::binary) << absl::HexStringToBytes(recorded);
  Open(kNow);
  EXPECT_EQ(seen_->Look({.high = 0x0102030405060708, .low = 0x1112131415161718}, kNow),
            Seen::kWithinWindow);
}

TEST_F(SeenBodiesTest, HalfARecordIsLeftOut) {
  seen_->Remember(Body(1), kNow);
  seen_->Remember(Body(2), kNow);
  seen_.reset();
  std::filesystem::resize_file(path_, kHeaderBytes + 2 * kRecordBytes - 1);
  Open(kNow);
  EXPECT_EQ(seen_->Look(Body(1), kNow), Seen::kWithinWindow);
  EXPECT_EQ(seen_->Look(Body(2), kNow), Seen::kNever);
  seen_->Remember(Body(3), kNow);
  Open(kNow);
  EXPECT_EQ(seen_->Look(Body(1), kNow), Seen::kWithinWindow);
  EXPECT_EQ(seen_->Look(Body(3), kNow), Seen::kWithinWindow);
}

TEST_F(SeenBodiesTest, WhatIsDamagedOrOfAnotherVersionIsBegunAnew) {
  for (int i = 1; i <= 3; ++i) seen_->Remember(Body(i), kNow);
  std::string damaged = Content();
  damaged[kHeaderBytes + kRecordBytes + 3] ^= 1;
  seen_.reset();
  std::ofstream(path_, std::ios::binary) << damaged;
  Open(kNow);
  EXPECT_EQ(seen_->Look(Body(1), kNow), Seen::kWithinWindow) << "what is before the damage";
  EXPECT_EQ(seen_->Look(Body(2), kNow), Seen::kNever);
  EXPECT_EQ(seen_->Look(Body(3), kNow), Seen::kNever);
  for (const char* const content : {"tocsin seen bodies 2\nxyz", "garbage", "\n"}) {
    seen_.reset();
    std::ofstream(path_, std::ios::binary) << content;
    Open(kNow);
    EXPECT_EQ(seen_->Look(Body(1), kNow), Seen::kNever);
    EXPECT_EQ(Content().size(), kHeaderBytes);
  }
}

TEST_F(SeenBodiesTest, NeitherMemoryNorTheFileGrowsWithoutBound) {
  const int many = static_cast<int>(3 * SeenBodies::kMax);
  for (int i = 0; i < many; ++i) seen_->Remember(Body(i), kNow + i);
  EXPECT_LE(Content().size(), kHeaderBytes + 2 * SeenBodies::kMax * kRecordBytes);
  const TimeUs later = kNow + many;
  const auto check = [&] {
    EXPECT_EQ(seen_->Look(Body(many - 1), later), Seen::kWithinWindow);
    EXPECT_EQ(seen_->Look(Body(many - static_cast<int>(SeenBodies::kMax)), later),
              Seen::kWithinWindow);
    EXPECT_EQ(seen_->Look(Body(many - 1 - static_cast<int>(SeenBodies::kMax)), later),
              Seen::kNever);
  };
  check();
  Open(later);
  check();
  EXPECT_EQ(Content().size(), kHeaderBytes + SeenBodies::kMax * kRecordBytes);
}

TEST_F(SeenBodiesTest, WhereNothingCanBeWrittenMemoryCounts) {
  seen_.reset();
  std::filesystem::remove_all(folder_);
  std::ofstream(folder_) << "not a folder";
  EXPECT_FALSE(SeenBodies::Open(path_, kNow).ok());
  std::filesystem::remove(folder_);
  Open(kNow);
  // The file goes while it is used; its descriptor takes what comes.
  std::filesystem::remove_all(folder_);
  seen_->Remember(Body(1), kNow);
  EXPECT_EQ(seen_->Look(Body(1), kNow), Seen::kWithinWindow);
}

}  // namespace
}  // namespace tocsin
