#include "ingest/record_log.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <csignal>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

namespace fs = std::filesystem;

class RecordLogTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "record_log_" +
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
  }

  std::unique_ptr<RecordLog> Open(std::int64_t segment_bytes = 64 << 20,
                                  std::int64_t bytes_max = 1 << 30) {
    auto log = RecordLog::Open(
        {.directory = folder_, .segment_bytes = segment_bytes, .bytes_max = bytes_max});
    EXPECT_TRUE(log.ok()) << log.status();
    return log.ok() ? *std::move(log) : nullptr;
  }

  struct Read {
    std::vector<std::string> texts;
    std::vector<TimeUs> times;
    std::vector<std::uint64_t> offsets;  // of each, and of the end
    absl::Status status;
  };
  Read ReadAll(std::uint64_t start = 0, const std::atomic<std::int64_t>* durable = nullptr) {
    Read read;
    LineReader::Options options;
    options.start_offset = start;
    options.durable_end = durable;
    auto reader = LineReader::Open(folder_, options);
    if (!reader.ok()) return {.texts = {}, .times = {}, .offsets = {}, .status = reader.status()};
    LineReader::Line line;
    std::uint64_t end = start;
    while ((*reader)->Next(&line) == LineReader::Result::kLine) {
      read.texts.emplace_back(line.text);
      read.times.push_back(line.time);
      read.offsets.push_back(line.offset);
      end = line.next_offset;
    }
    read.offsets.push_back(end);
    read.status = (*reader)->status();
    return read;
  }
  std::vector<std::string> Segments() {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string folder_;
};

TEST_F(RecordLogTest, WhatWasSyncedIsRead) {
  auto log = Open();
  ASSERT_TRUE(log->Append(5, "one").ok());
  ASSERT_TRUE(log->Append(3, "").ok());
  EXPECT_THAT(ReadAll(0, log->durable_end()).texts, IsEmpty()) << "nothing is durable yet";
  ASSERT_TRUE(log->Sync().ok());
  ASSERT_TRUE(log->Append(9, std::string(300'000, 'x')).ok());
  ASSERT_TRUE(log->Sync().ok());
  const Read all = ReadAll(0, log->durable_end());
  EXPECT_THAT(all.texts, ElementsAre("one", "", std::string(300'000, 'x')));
  EXPECT_THAT(all.times, ElementsAre(5, 5, 9)) << "times never go back";
  EXPECT_EQ(static_cast<std::int64_t>(all.offsets.back()), log->durable_end()->load());
  EXPECT_THAT(ReadAll(all.offsets[1]).texts, ElementsAre("", std::string(300'000, 'x')));
  EXPECT_THAT(ReadAll(all.offsets.back()).texts, IsEmpty());
}

TEST_F(RecordLogTest, WhatIsInTheFileIsNotReadBeforeItIsDurable) {
  auto log = Open();
  // So large that it is written at once.
  ASSERT_TRUE(log->Append(1, std::string(2 << 20, 'x')).ok());
  ASSERT_GT(fs::file_size(folder_ + "/" + Segments().front()), 2U << 20);
  EXPECT_EQ(ReadAll(0, log->durable_end()).texts.size(), 0U);
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_EQ(ReadAll(0, log->durable_end()).texts.size(), 1U);
}

TEST_F(RecordLogTest, AReaderFollows) {
  auto log = Open(/*segment_bytes=*/64);
  LineReader::Options options;
  options.durable_end = log->durable_end();
  auto reader = LineReader::Open(folder_, options);
  ASSERT_TRUE(reader.ok());
  LineReader::Line line;
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ((*reader)->Next(&line), LineReader::Result::kEnd);
    ASSERT_TRUE(log->Append(i, "record " + std::to_string(i)).ok());
    EXPECT_EQ((*reader)->Next(&line), LineReader::Result::kEnd);
    ASSERT_TRUE(log->Sync().ok());
    ASSERT_EQ((*reader)->Next(&line), LineReader::Result::kLine);
    EXPECT_EQ(line.text, "record " + std::to_string(i));
  }
  EXPECT_GT(Segments().size(), 3U);
}

TEST_F(RecordLogTest, ReadSegmentsAreDeletedAndNoOthers) {
  auto log = Open(/*segment_bytes=*/100, /*bytes_max=*/400);
  const std::string payload(40, 'x');  // 60 bytes with its header
  int appended = 0;
  absl::Status status;
  while ((status = log->Append(appended, payload)).ok()) {
    ASSERT_TRUE(log->Sync().ok());
    ASSERT_LT(++appended, 100);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("has not been read"));
  EXPECT_EQ(appended, 6);
  EXPECT_EQ(ReadAll().texts.size(), 6U);
  // What is read makes room, and goes when there is more than may be.
  log->Trim(240);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(log->Append(appended, payload).ok());
    ASSERT_TRUE(log->Sync().ok());
  }
  EXPECT_GT(fs::path(Segments().front()).string(), "00000000000000000000.tlog");
  // Whoever asks for what is gone goes on with the oldest.
  const Read rest = ReadAll(0);
  EXPECT_GE(rest.offsets.front(), 120U);
  EXPECT_LE(rest.offsets.front(), 240U);
  EXPECT_EQ(rest.offsets.back(), 600U);
}

TEST_F(RecordLogTest, CutAnywhereAtTheEndNothingThatWasDurableIsLost) {
  std::vector<std::uint64_t> ends;
  {
    auto log = Open();
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(log->Append(i, "record " + std::to_string(i)).ok());
      ASSERT_TRUE(log->Sync().ok());
      ends.push_back(static_cast<std::uint64_t>(log->durable_end()->load()));
    }
  }
  const std::string path = folder_ + "/" + Segments().front();
  for (std::uint64_t size = ends.back(); size-- > 0;) {
    fs::resize_file(path, size);
    const auto whole =
        static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), size) - ends.begin());
    // Read as it is, and after it was opened to be written.
    EXPECT_EQ(ReadAll().texts.size(), whole);
    EXPECT_TRUE(ReadAll().status.ok());
    auto log = Open();
    EXPECT_EQ(log->durable_end()->load(),
              static_cast<std::int64_t>(whole == 0 ? 0 : ends[whole - 1]));
    ASSERT_TRUE(log->Append(9, "next").ok());
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(ReadAll().texts.back(), "next");
    EXPECT_EQ(ReadAll().texts.size(), whole + 1);
    log.reset();
    fs::resize_file(path, whole == 0 ? 0 : ends[whole - 1]);
  }
}

TEST_F(RecordLogTest, DamageElsewhereIsSaid) {
  {
    auto log = Open(/*segment_bytes=*/30);
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(log->Append(i, "record " + std::to_string(i)).ok());
      ASSERT_TRUE(log->Sync().ok());
    }
  }
  const std::vector<std::string> segments = Segments();
  ASSERT_GE(segments.size(), 2U);
  {
    std::fstream file(folder_ + "/" + segments.front(),
                      std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(22);
    file.put('X');
  }
  const Read read = ReadAll();
  EXPECT_TRUE(absl::IsDataLoss(read.status));
  EXPECT_THAT(std::string(read.status.message()), HasSubstr("offset 0 is damaged"));
  fs::resize_file(folder_ + "/" + segments.front(), 5);
  const auto opened = RecordLog::Open({.directory = folder_});
  EXPECT_TRUE(absl::IsDataLoss(opened.status()));
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr(segments.front()));
}

TEST_F(RecordLogTest, ADiskThatIsFullLosesNothingThatWasDurable) {
  auto log = Open();
  ASSERT_TRUE(log->Append(1, "durable").ok());
  ASSERT_TRUE(log->Sync().ok());
  // Files may grow no more, as on a full disk.
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit none{.rlim_cur = 40, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &none), 0);
  ASSERT_TRUE(log->Append(2, std::string(1'000, 'x')).ok());
  const absl::Status full = log->Sync();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_TRUE(absl::IsUnavailable(full)) << full;
  EXPECT_THAT(std::string(full.message()), HasSubstr("cannot be written"));
  ASSERT_TRUE(log->Append(3, "later").ok());
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_THAT(ReadAll(0, log->durable_end()).texts, ElementsAre("durable", "later"));
}

TEST_F(RecordLogTest, WhatIsTooLarge) {
  auto log = Open();
  EXPECT_TRUE(
      absl::IsResourceExhausted(log->Append(1, std::string(limits::kPayloadBytesMax + 1, 'x'))));
  ASSERT_TRUE(log->Append(1, std::string(limits::kPayloadBytesMax, 'x')).ok());
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_EQ(ReadAll().texts.front().size(), limits::kPayloadBytesMax);
}

TEST_F(RecordLogTest, AFolderIsOneInput) {
  Open();
  const auto files = ListFiles(folder_ + "/");
  ASSERT_TRUE(files.ok());
  ASSERT_EQ(files->size(), 1U);
  EXPECT_EQ(files->front().name, fs::path(folder_).filename().string());
}

}  // namespace
}  // namespace tocsin
