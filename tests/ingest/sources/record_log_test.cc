#include "ingest/sources/record_log.h"
#include "ingest/sources/file_listing.h"
#include "ingest/sources/file_source.h"

#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/hash.h"
#include "core/limits.h"
#include "tests/faults/faults.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;

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
        {.directory = folder_,
         .segment_bytes = segment_bytes,
         .bytes_max = bytes_max,
         .report = [this](const std::string& message) { reports_.push_back(message); }});
    EXPECT_TRUE(log->status().ok()) << log->status();
    return log;
  }

  struct Read {
    std::vector<std::string> texts;
    std::vector<TimeUs> times;
    std::vector<std::uint64_t> offsets;  // of each, and of the end
    std::uint64_t damaged_bytes = 0;
    absl::Status status;
  };
  Read ReadAll(std::uint64_t start = 0, const RecordLog* log = nullptr) {
    Read read;
    const auto reader = OpenRecordLog(folder_, {.start_offset = start, .log = log});
    LineReader::Line line;
    std::uint64_t end = start;
    while (reader->Next(&line) == LineReader::Result::kLine) {
      read.texts.emplace_back(line.text);
      read.times.push_back(line.time);
      read.offsets.push_back(line.offset);
      end = line.next_offset;
    }
    read.offsets.push_back(end);
    read.damaged_bytes = reader->damaged_bytes();
    read.status = reader->status();
    return read;
  }
  std::vector<std::string> Segments() {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
      if (entry.is_regular_file()) names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  void Flip(const std::string& name, std::int64_t at) {
    std::fstream file(folder_ + "/" + name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(at);
    const char byte = static_cast<char>(file.get() ^ 0x40);
    file.seekp(at);
    file.put(byte);
  }

  std::string folder_;
  std::vector<std::string> reports_;
};

constexpr std::uint64_t kFileHeader = 16;  // of a segment
constexpr std::uint64_t kHeader = kRecordHeaderBytes;

TEST_F(RecordLogTest, WhatWasSyncedIsRead) {
  auto log = Open();
  ASSERT_TRUE(log->Append(5, "one").ok());
  ASSERT_TRUE(log->Append(3, "").ok());
  EXPECT_THAT(ReadAll(0, log.get()).texts, IsEmpty()) << "nothing is durable yet";
  ASSERT_TRUE(log->Sync().ok());
  ASSERT_TRUE(log->Append(9, std::string(300'000, 'x')).ok());
  ASSERT_TRUE(log->Sync().ok());
  const Read all = ReadAll(0, log.get());
  EXPECT_THAT(all.texts, ElementsAre("one", "", std::string(300'000, 'x')));
  EXPECT_THAT(all.times, ElementsAre(5, 5, 9)) << "times never go back";
  EXPECT_EQ(static_cast<std::int64_t>(all.offsets.back()), log->durable_end());
  EXPECT_THAT(ReadAll(all.offsets[1]).texts, ElementsAre("", std::string(300'000, 'x')));
  EXPECT_THAT(ReadAll(all.offsets.back()).texts, IsEmpty());
}

TEST_F(RecordLogTest, WhatIsInTheFileIsNotReadBeforeItIsDurable) {
  auto log = Open();
  // So large that it is written at once.
  ASSERT_TRUE(log->Append(1, std::string(2 << 20, 'x')).ok());
  ASSERT_GT(fs::file_size(folder_ + "/" + Segments().front()), 2U << 20);
  EXPECT_EQ(ReadAll(0, log.get()).texts.size(), 0U);
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_EQ(ReadAll(0, log.get()).texts.size(), 1U);
}

TEST_F(RecordLogTest, AReaderFollows) {
  auto log = Open(/*segment_bytes=*/64);
  LineReader::Options options;
  options.log = log.get();
  auto reader = OpenLineReader(folder_, options);
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
  const std::string payload(60 - kHeader, 'x');
  int appended = 0;
  absl::Status status;
  while ((status = log->Append(appended, payload)).ok()) {
    ASSERT_TRUE(log->Sync().ok());
    ASSERT_LT(++appended, 100);
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("have not been read"));
  EXPECT_EQ(appended, 6);
  EXPECT_EQ(ReadAll().texts.size(), 6U);
  // Reading makes room: read segments are deleted when the log exceeds its limit.
  log->Trim(240);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(log->Append(appended, payload).ok());
    ASSERT_TRUE(log->Sync().ok());
  }
  EXPECT_GT(Segments().front(), "00000000000000000000.v2.tlog");
  // A reader of a deleted offset continues with the oldest segment.
  const Read rest = ReadAll(0);
  EXPECT_GE(rest.offsets.front(), 120U);
  EXPECT_LE(rest.offsets.front(), 240U);
  EXPECT_EQ(rest.offsets.back(), 600U);
}

TEST_F(RecordLogTest, CutAnywhereAtTheEndNothingThatIsWholeIsLost) {
  std::vector<std::uint64_t> ends;
  {
    auto log = Open();
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(log->Append(i, "record " + std::to_string(i)).ok());
      ASSERT_TRUE(log->Sync().ok());
      ends.push_back(static_cast<std::uint64_t>(log->durable_end()));
    }
  }
  const std::string kept = folder_ + ".kept";
  fs::remove_all(kept);
  fs::rename(folder_, kept);
  for (std::uint64_t size = kFileHeader + ends.back(); size-- > 0;) {
    fs::remove_all(folder_);
    fs::copy(kept, folder_);
    fs::resize_file(folder_ + "/" + Segments().front(), size);
    const std::uint64_t records = size < kFileHeader ? 0 : size - kFileHeader;
    const auto whole = static_cast<std::size_t>(
        std::upper_bound(ends.begin(), ends.end(), records) - ends.begin());
    // Read as it is, and after it was opened to be written.
    EXPECT_EQ(ReadAll().texts.size(), whole);
    EXPECT_TRUE(ReadAll().status.ok());
    auto log = Open();
    EXPECT_EQ(log->durable_end(), static_cast<std::int64_t>(whole == 0 ? 0 : ends[whole - 1]));
    ASSERT_TRUE(log->Append(9, "next").ok());
    ASSERT_TRUE(log->Sync().ok());
    for (const RecordLog* const by :
         {static_cast<const RecordLog*>(nullptr), static_cast<const RecordLog*>(log.get())}) {
      const Read all = ReadAll(0, by);
      EXPECT_EQ(all.texts.back(), "next");
      EXPECT_EQ(all.texts.size(), whole + 1);
      EXPECT_EQ(all.damaged_bytes, 0U);
    }
  }
  EXPECT_THAT(reports_, IsEmpty()) << "nobody was told that it was durable";
  fs::remove_all(kept);
}

// A damaged record in the middle: every reader gets all others; the damage is kept and reported.
TEST_F(RecordLogTest, DamageIsPassedOverAndSaid) {
  const std::uint64_t size = kHeader + std::string("record 0").size();
  for (std::uint64_t at = size; at < 2 * size; ++at) {
    SCOPED_TRACE(at);
    fs::remove_all(folder_);
    {
      auto log = Open();
      for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(log->Append(5, "record " + std::to_string(i)).ok());
        ASSERT_TRUE(log->Sync().ok());
      }
    }
    Flip(Segments().front(), static_cast<std::int64_t>(kFileHeader + at));
    const Read read = ReadAll();
    EXPECT_THAT(read.texts, ElementsAre("record 0", "record 2", "record 3"));
    EXPECT_EQ(read.damaged_bytes, size);
    EXPECT_TRUE(read.status.ok());
    reports_.clear();
    auto log = Open();
    ASSERT_EQ(reports_.size(), 1U);
    EXPECT_THAT(reports_[0], HasSubstr("36 bytes from byte 36 on are damaged"));
    EXPECT_EQ(log->damaged_bytes(), static_cast<std::int64_t>(size));
    EXPECT_EQ(fs::file_size(folder_ + "/damaged/00000000000000000036.v2.tlog.damaged"), size);
    ASSERT_TRUE(log->Append(7, "next").ok());
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(Segments().size(), 2U) << "nothing is written behind what is damaged";
    EXPECT_THAT(ReadAll(0, log.get()).texts,
                ElementsAre("record 0", "record 2", "record 3", "next"));
    EXPECT_THAT(ReadAll(2 * size, log.get()).texts, ElementsAre("record 2", "record 3", "next"));
  }
}

// The last record was durable and is damaged: it is not mistaken for a partly written one, and its
// offset is not reused, because a reader that is already past it would miss the new record.
TEST_F(RecordLogTest, DamageAtTheEndIsNotCutOff) {
  const std::uint64_t size = kHeader + std::string("record 0").size();
  {
    auto log = Open();
    for (int i = 0; i < 2; ++i) {
      ASSERT_TRUE(log->Append(5, "record " + std::to_string(i)).ok());
      ASSERT_TRUE(log->Sync().ok());
    }
  }
  Flip(Segments().front(), static_cast<std::int64_t>(kFileHeader + 2 * size - 1));
  auto log = Open();
  EXPECT_EQ(reports_.size(), 1U);
  EXPECT_EQ(fs::file_size(folder_ + "/" + Segments().front()), kFileHeader + 2 * size);
  EXPECT_EQ(log->durable_end(), static_cast<std::int64_t>(2 * size));
  ASSERT_TRUE(log->Append(7, "next").ok());
  ASSERT_TRUE(log->Sync().ok());
  const Read all = ReadAll(0, log.get());
  EXPECT_THAT(all.texts, ElementsAre("record 0", "next"));
  EXPECT_EQ(all.damaged_bytes, size);
  EXPECT_THAT(ReadAll(2 * size, log.get()).texts, ElementsAre("next"));
}

TEST_F(RecordLogTest, DamageInAnEarlierSegment) {
  {
    auto log = Open(/*segment_bytes=*/30);
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(log->Append(i, "record " + std::to_string(i)).ok());
      ASSERT_TRUE(log->Sync().ok());
    }
  }
  ASSERT_EQ(Segments().size(), 4U);
  Flip(Segments()[0], kFileHeader + kHeader);
  fs::resize_file(folder_ + "/" + Segments()[1], 20);
  const auto log = Open();
  EXPECT_THAT(ReadAll(0, log.get()).texts, ElementsAre("record 2", "record 3"));
  EXPECT_THAT(ReadAll().texts, ElementsAre("record 2", "record 3"));
  EXPECT_GT(ReadAll().damaged_bytes, 0U);
}

// A log of the last release is read, and continues in segments of this version.
TEST_F(RecordLogTest, SegmentsOfTheLastRelease) {
  const auto put = [](std::uint64_t value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> (8 * i)));
    return text;
  };
  std::string segment;
  for (const char* const payload : {"old", "older"}) {
    const std::string time = put(3, 8);
    segment += put(std::string(payload).size(), 4) + time + put(HashParts({time, payload}).low, 8) +
               payload;
  }
  fs::create_directories(folder_);
  // With a record that was being written when it ended.
  std::ofstream(folder_ + "/00000000000000000000.tlog", std::ios::binary) << segment << "torn";
  EXPECT_THAT(ReadAll().texts, ElementsAre("old", "older"));
  auto log = Open();
  EXPECT_EQ(log->durable_end(), static_cast<std::int64_t>(segment.size()));
  ASSERT_TRUE(log->Append(1, "new", /*mark=*/7).ok());
  ASSERT_TRUE(log->Sync().ok());
  const Read all = ReadAll(0, log.get());
  EXPECT_THAT(all.texts, ElementsAre("old", "older", "new"));
  EXPECT_THAT(all.times, ElementsAre(3, 3, 3));
  EXPECT_THAT(ReadAll().texts, ElementsAre("old", "older", "new"));
  EXPECT_EQ(log->last_mark(), 7);
  log.reset();
  EXPECT_EQ(Open()->last_mark(), 7);
}

TEST_F(RecordLogTest, AFsyncThatFailsOnceBeginsANewSegment) {
  auto log = Open();
  ASSERT_TRUE(log->Append(1, "durable").ok());
  ASSERT_TRUE(log->Sync().ok());
  const auto reader = OpenRecordLog(folder_, {.log = log.get()});
  LineReader::Line line;
  ASSERT_EQ(reader->Next(&line), LineReader::Result::kLine);
  {
    const FaultScope faults("path=" + folder_ + "; fsync:EIO:n=1");
    ASSERT_TRUE(log->Append(2, "refused").ok());
    EXPECT_TRUE(absl::IsUnavailable(log->Sync()));
    EXPECT_FALSE(log->status().ok());
    EXPECT_EQ(reports_.size(), 1U);
    EXPECT_EQ(reader->Next(&line), LineReader::Result::kEnd);
    ASSERT_TRUE(log->Append(3, "taken").ok());
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_TRUE(log->status().ok());
  }
  EXPECT_EQ(Segments().size(), 2U);
  ASSERT_EQ(reader->Next(&line), LineReader::Result::kLine);
  EXPECT_EQ(line.text, "taken");
  EXPECT_THAT(ReadAll(0, log.get()).texts, ElementsAre("durable", "taken"));
  EXPECT_THAT(ReadAll().texts, ElementsAre("durable", "taken"));
  log.reset();
  log = Open();
  EXPECT_THAT(ReadAll(0, log.get()).texts, ElementsAre("durable", "taken"));
}

TEST_F(RecordLogTest, WhatCannotBeCutOffIsLeftBehind) {
  auto log = Open();
  ASSERT_TRUE(log->Append(1, "durable").ok());
  ASSERT_TRUE(log->Sync().ok());
  {
    const FaultScope faults("path=" + folder_ +
                            "; write:short:n=1; write:ENOSPC:n=2; truncate:EIO:n=1");
    ASSERT_TRUE(log->Append(2, "refused and half written").ok());
    EXPECT_TRUE(absl::IsUnavailable(log->Sync()));
  }
  ASSERT_TRUE(log->Append(3, "taken").ok());
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_THAT(ReadAll(0, log.get()).texts, ElementsAre("durable", "taken"));
  EXPECT_THAT(ReadAll().texts, ElementsAre("durable", "taken"));
}

TEST_F(RecordLogTest, AFolderThatCannotBeUsedYet) {
  std::unique_ptr<RecordLog> log;
  {
    const FaultScope faults("path=" + folder_ + "; any:EROFS");
    log = RecordLog::Open({.directory = folder_});
    EXPECT_THAT(std::string(log->status().message()), HasSubstr("Read-only file system"));
    EXPECT_TRUE(absl::IsUnavailable(log->Append(1, "refused")));
    EXPECT_THAT(ReadAll(0, log.get()).texts, IsEmpty());
  }
  // Recovery is tried once a second.
  absl::Status appended;
  while (!(appended = log->Append(1, "taken")).ok()) ASSERT_TRUE(absl::IsUnavailable(appended));
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_THAT(ReadAll(0, log.get()).texts, ElementsAre("taken"));
}

// With random disk failures and random ends of the process, acknowledged records are read once and
// in order; rejected ones are read only if they became durable anyway.
TEST_F(RecordLogTest, WhatWasAcknowledgedSurvivesADiskThatFails) {
  long injected = 0;
  for (int seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    fs::remove_all(folder_);
    std::mt19937_64 random(static_cast<std::uint64_t>(seed));
    std::vector<std::string> acknowledged, sent, delivered;
    const FaultScope faults("seed=" + std::to_string(seed) + "; path=" + folder_ +
                            "; write:EINTR:p=0.1; write:short:p=0.2; write:ENOSPC:p=0.05; "
                            "fsync:EIO:p=0.05; truncate:EIO:p=0.3; open:EMFILE:p=0.1; "
                            "read:EINTR:p=0.1; read:short:p=0.2");
    std::unique_ptr<RecordLog> log;
    std::unique_ptr<LineReader> reader;
    for (int round = 0; round < 60; ++round) {
      if (log == nullptr) {
        log = RecordLog::Open({.directory = folder_, .segment_bytes = 500});
        if (!log->status().ok()) {
          log.reset();
          continue;
        }
        reader = OpenRecordLog(folder_, {.log = log.get()});
      }
      std::vector<std::string> batch;
      bool taken = true;
      for (auto i = random() % 4; i > 0 && taken; --i) {
        sent.push_back("record " + std::to_string(sent.size()) + std::string(random() % 100, '.'));
        taken = log->Append(round, sent.back()).ok();
        batch.push_back(sent.back());
      }
      if (taken && log->Sync().ok()) {
        acknowledged.insert(acknowledged.end(), batch.begin(), batch.end());
      }
      LineReader::Line line;
      LineReader::Result result;
      while ((result = reader->Next(&line)) == LineReader::Result::kLine) {
        delivered.emplace_back(line.text);
      }
      if (result == LineReader::Result::kError || random() % 10 == 0) log.reset();
    }
    injected += faults.injected();
    tocsin_faults_set(nullptr);
    log = Open();
    const Read all = ReadAll(0, log.get());
    EXPECT_TRUE(all.status.ok());
    EXPECT_EQ(all.damaged_bytes, 0U);
    EXPECT_EQ(ReadAll().texts, all.texts);
    EXPECT_TRUE(std::is_sorted(all.offsets.begin(), all.offsets.end()));
    EXPECT_THAT(all.texts, IsSupersetOf(acknowledged));
    EXPECT_EQ(std::count_if(delivered.begin(), delivered.end(),
                            [&](const std::string& text) {
                              return std::count(all.texts.begin(), all.texts.end(), text) == 0;
                            }),
              0);
    EXPECT_THAT(sent, IsSupersetOf(all.texts));
    EXPECT_EQ(std::set<std::string>(all.texts.begin(), all.texts.end()).size(), all.texts.size());
    if (HasFailure()) return;
  }
  EXPECT_GT(injected, 1'000);
}

TEST_F(RecordLogTest, ADiskThatIsFullLosesNothingThatWasDurable) {
  auto log = Open();
  ASSERT_TRUE(log->Append(1, "durable").ok());
  ASSERT_TRUE(log->Sync().ok());
  // Files cannot grow, as on a full disk.
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
  EXPECT_THAT(ReadAll(0, log.get()).texts, ElementsAre("durable", "later"));
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
