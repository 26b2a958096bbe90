// A log that is rotated in every way is read once and completely.

#include "ingest/sources/followed_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "ingest/sources/line_reader.h"
#include "tests/faults/faults.h"
#include "tests/ingest/sources/log_rotator.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAreArray;
using Way = LogRotator::Way;

// Root may read everything, so as long as it lives root is nobody, to whom `folder` belongs.
class NotRoot {
 public:
  explicit NotRoot(const std::string& folder) : was_(geteuid()) {
    if (was_ != 0) return;
    EXPECT_EQ(chown(folder.c_str(), kNobody, kNobody), 0);
    EXPECT_EQ(seteuid(kNobody), 0);
  }
  ~NotRoot() { EXPECT_EQ(seteuid(was_), 0); }
  NotRoot(const NotRoot&) = delete;
  NotRoot& operator=(const NotRoot&) = delete;

 private:
  static constexpr uid_t kNobody = 65534;
  uid_t was_;
};

class FollowedFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "followed-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = fs::canonical(pattern).string();
    path_ = folder_ + "/app.log";
  }
  void TearDown() override {
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  std::unique_ptr<FollowedFile> Follow(TailOptions options = {}) {
    options.path = path_;
    return std::make_unique<FollowedFile>(options);
  }
  // Reads lines until there are no more, advancing the clock by a second each time.
  std::vector<std::string> Read(FollowedFile* tail) {
    std::vector<std::string> lines;
    LineReader::Line line;
    now_ += kSecondUs;
    while ((result_ = tail->Next(now_, &line)) == Tail::Result::kLine) {
      lines.emplace_back(line.text);
      next_ = line.next_offset;
    }
    return lines;
  }
  std::unique_ptr<FollowedFile> Restart(std::unique_ptr<FollowedFile> tail) {
    const std::string position = tail->Position(next_);
    tail.reset();
    std::unique_ptr<FollowedFile> next = Follow();
    EXPECT_TRUE(next->Restore(position).ok()) << position;
    return next;
  }
  void Append(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_ + "/" + name, std::ios::app) << bytes;
  }

  std::string folder_, path_;
  TimeUs now_ = 1'000 * kSecondUs;
  std::uint64_t next_ = 0;
  Tail::Result result_ = Tail::Result::kEnd;
};

TEST_F(FollowedFileTest, WaitsForAFileThatIsNotThereYet) {
  const auto tail = Follow();
  EXPECT_THAT(Read(tail.get()), IsEmpty());
  EXPECT_EQ(result_, Tail::Result::kEnd);
  EXPECT_EQ(tail->state(), Tail::State::kMissing);
  EXPECT_THAT(tail->reason(), HasSubstr("app.log: No such file"));
  EXPECT_EQ(tail->missing_since(), now_);
  Append("app.log", "one\ntw");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
  EXPECT_EQ(tail->state(), Tail::State::kReading);
  Append("app.log", "o\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("two"));
}

TEST_F(FollowedFileTest, ReadsTheRestOfAFileThatWasRenamedFirst) {
  const auto tail = Follow();
  Append("app.log", "one\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
  Append("app.log", "two\n");
  fs::rename(path_, path_ + ".1");
  Append("app.log", "three\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("two", "three"));
  // Its writer has not reopened the log yet.
  Append("app.log.1", "four\nfi");
  EXPECT_THAT(Read(tail.get()), ElementsAre("four"));
  now_ += 2 * FollowedFile::kLingerFor;
  EXPECT_THAT(Read(tail.get()), ElementsAre("fi")) << "nothing more is expected of it";
  EXPECT_EQ(result_, Tail::Result::kEnd);
}

TEST_F(FollowedFileTest, ReadsOnAfterTheFileWasRemoved) {
  const auto tail = Follow();
  std::ofstream file(path_);
  file << "one\n" << std::flush;
  EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
  fs::remove(path_);
  file << "two\n" << std::flush;
  EXPECT_THAT(Read(tail.get()), ElementsAre("two"));
  EXPECT_EQ(tail->state(), Tail::State::kMissing);
  Append("app.log", "three\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("three"));
}

TEST_F(FollowedFileTest, ACutIsNoticedHoweverMuchWasWrittenSince) {
  for (const std::size_t later : std::initializer_list<std::size_t>{1, 4, 5, 100}) {
    const auto tail = Follow();
    std::ofstream(path_) << "one\ntwo\n";
    EXPECT_THAT(Read(tail.get()), ElementsAre("one", "two"));
    std::string text;
    std::vector<std::string> lines;
    for (std::size_t i = 0; i < later; ++i) {
      lines.push_back("x" + std::to_string(i));
      text += lines.back() + "\n";
    }
    std::ofstream(path_, std::ios::trunc) << text;
    EXPECT_EQ(Read(tail.get()), lines);
    EXPECT_EQ(tail->TakeNotes().size(), 1U);
  }
}

TEST_F(FollowedFileTest, TheRestOfACutFileIsReadInItsCopy) {
  const auto tail = Follow();
  LogRotator log(folder_, "app.log");
  log.Write("one\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
  log.Write("two\n");
  log.Rotate(Way::kCopyTruncate);
  log.Write("three\n");
  log.Rotate(Way::kCopyTruncate);
  log.Write("four\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("two", "three", "four"));
  EXPECT_THAT(tail->TakeNotes(), IsEmpty());
}

// A writer without O_APPEND continues at its old offset, and the file begins with zeros.
TEST_F(FollowedFileTest, AHoleIsPassedOver) {
  const auto tail = Follow();
  const int file = open(path_.c_str(), O_WRONLY | O_CREAT, 0600);
  const std::string first(10'000, 'x');
  ASSERT_GT(write(file, (first + "\n").data(), first.size() + 1), 0);
  EXPECT_THAT(Read(tail.get()), ElementsAre(first));
  ASSERT_EQ(ftruncate(file, 0), 0);
  ASSERT_EQ(write(file, "two\n", 4), 4);
  close(file);
  EXPECT_THAT(Read(tail.get()), ElementsAre("two"));
}

TEST_F(FollowedFileTest, AfterARestartItGoesOnInTheRightFile) {
  for (const Way way : {Way::kRename, Way::kCopyTruncate, Way::kRenameAndGzip, Way::kRenameAndZstd,
                        Way::kDate, Way::kLink}) {
    SCOPED_TRACE(static_cast<int>(way));
    auto tail = Follow();
    LogRotator log(folder_, "app.log");
    if (way == Way::kLink) log.Rotate(way);
    log.Write("one\n");
    EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
    const std::string position = tail->Position(next_);
    tail.reset();
    log.Write("two\n");
    log.Rotate(way);
    log.Write("three and more than there was before\n");
    log.Rotate(way);
    log.Write("four and more than there was before\n");
    tail = Follow();
    ASSERT_TRUE(tail->Restore(position).ok());
    std::vector<std::string> expected = {"two", "three and more than there was before",
                                         "four and more than there was before"};
    // Link targets between the two reads cannot be known.
    if (way == Way::kLink) expected.erase(expected.begin() + 1);
    EXPECT_EQ(Read(tail.get()), expected);
    EXPECT_THAT(tail->TakeNotes(), IsEmpty());
    for (const auto& entry : fs::directory_iterator(folder_)) fs::remove(entry.path());
    next_ = 0;
  }
}

// The inode is reused, or the file was rewritten: the content identifies it.
TEST_F(FollowedFileTest, ALargerNewFileIsNotEnteredInTheMiddle) {
  auto tail = Follow();
  Append("app.log", "one\ntwo\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one", "two"));
  const std::string position = tail->Position(next_);
  tail.reset();
  std::ofstream(path_, std::ios::trunc) << "a new line that is longer\nand another\n";
  tail = Follow();
  ASSERT_TRUE(tail->Restore(position).ok());
  EXPECT_THAT(Read(tail.get()), ElementsAre("a new line that is longer", "and another"));
  EXPECT_GT(next_, 30U) << "offsets never go back";
}

TEST_F(FollowedFileTest, AFileThatWasRewrittenGoesOnWhereItWas) {
  auto tail = Follow();
  Append("app.log", "one\ntwo\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one", "two"));
  // As rsync and editors do.
  Append("app.log.tmp", "one\ntwo\nthree\n");
  fs::rename(path_ + ".tmp", path_);
  EXPECT_THAT(Read(tail.get()), ElementsAre("three"));
  const std::string position = tail->Position(next_);
  tail.reset();
  Append("app.log.tmp", "one\ntwo\nthree\nfour\n");
  fs::rename(path_ + ".tmp", path_);
  tail = Follow();
  ASSERT_TRUE(tail->Restore(position).ok());
  EXPECT_THAT(Read(tail.get()), ElementsAre("four"));
}

TEST_F(FollowedFileTest, FilesOfTheSameLinesAreNotTakenForOneAnother) {
  auto tail = Follow();
  LogRotator log(folder_, "app.log");
  log.Write("the same\nthe same\n");
  EXPECT_THAT(Read(tail.get()), SizeIs(2));
  for (int i = 0; i < 10; ++i) {
    SCOPED_TRACE(i);
    log.Write("the same\nthe same\n");
    log.Rotate(i % 2 == 0 ? Way::kRename : Way::kRenameAndGzip);
    log.Write("the same\nthe same\n");
    EXPECT_THAT(Read(tail.get()), SizeIs(4));
    if (i % 3 == 0) tail = Restart(std::move(tail));
  }
}

// Nothing is known about a file from before the first start, except that it is older.
TEST_F(FollowedFileTest, AnOlderFileOfTheSameLinesIsNotTakenForOneThatWasCompressed) {
  for (const bool restarts : {false, true}) {
    SCOPED_TRACE(restarts);
    LogRotator log(folder_, "app.log");
    Append("app.log.1", "the same\nthe same\n");
    log.Write("the same\nthe same\n");
    fs::last_write_time(path_ + ".1",
                        fs::last_write_time(path_) - std::chrono::milliseconds(1'500));
    auto tail = Follow();
    EXPECT_THAT(Read(tail.get()), SizeIs(2));
    if (restarts) tail = Restart(std::move(tail));
    log.Write("the same\nthe same\n");
    log.Rotate(Way::kRenameAndGzip);
    log.Write("the same\nthe same\n");
    EXPECT_THAT(Read(tail.get()), SizeIs(4));
    for (const auto& entry : fs::directory_iterator(folder_)) fs::remove(entry.path());
    next_ = 0;
  }
}

TEST_F(FollowedFileTest, ALinkThatIsSwitchedBackGoesOnWhereItWas) {
  const auto tail = Follow();
  Append("a", "a1\n");
  Append("b", "b1\n");
  const auto point = [&](const std::string& target) {
    fs::create_symlink(target, path_ + ".new");
    fs::rename(path_ + ".new", path_);
  };
  point("a");
  EXPECT_THAT(Read(tail.get()), ElementsAre("a1"));
  point("b");
  EXPECT_THAT(Read(tail.get()), ElementsAre("b1"));
  Append("a", "a2\n");
  point("a");
  EXPECT_THAT(Read(tail.get()), ElementsAre("a2"));
  now_ += 2 * FollowedFile::kLingerFor;
  EXPECT_THAT(Read(tail.get()), IsEmpty());
  Append("b", "b2\n");
  point("b");
  EXPECT_THAT(Read(tail.get()), ElementsAre("b2"));
}

TEST_F(FollowedFileTest, WhatIsNoFileIsAState) {
  const auto tail = Follow();
  Append("app.log", "one\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
  for (const bool fifo : {false, true}) {
    fs::remove(path_);
    ASSERT_EQ(fifo ? mkfifo(path_.c_str(), 0600) : mkdir(path_.c_str(), 0700), 0);
    EXPECT_THAT(Read(tail.get()), IsEmpty());
    EXPECT_EQ(tail->state(), Tail::State::kFailing);
    EXPECT_THAT(tail->reason(), HasSubstr(fifo ? "is a FIFO" : "is a directory"));
  }
  fs::remove(path_);
  Append("app.log", "two\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("two"));
  EXPECT_EQ(tail->state(), Tail::State::kReading);
}

TEST_F(FollowedFileTest, WhatCannotBeReadIsTriedAgain) {
  for (const std::string fault :
       {"open:EACCES", "open:EMFILE", "read:EIO", "read:ESTALE", "stat:EACCES", "stat:ESTALE"}) {
    SCOPED_TRACE(fault);
    auto tail = Follow();
    std::ofstream(path_, std::ios::trunc) << "one\ntwo\n";
    {
      const FaultScope faults("path=" + path_ + "; " + fault);
      for (int i = 0; i < 20; ++i) {
        EXPECT_THAT(Read(tail.get()), IsEmpty());
        EXPECT_EQ(result_, Tail::Result::kBlocked);
        EXPECT_EQ(tail->state(), Tail::State::kFailing);
        EXPECT_THAT(tail->reason(), HasSubstr("app.log"));
      }
      EXPECT_GT(faults.injected(), 0);
    }
    now_ += FollowedFile::kRetryMax;
    EXPECT_THAT(Read(tail.get()), ElementsAre("one", "two"));
    // And while it is read.
    {
      const FaultScope faults("path=" + path_ + "; " + fault);
      Append("app.log", "three\n");
      const std::size_t read = Read(tail.get()).size();
      EXPECT_EQ(result_ == Tail::Result::kBlocked, read == 0 || fault.starts_with("stat"));
    }
    now_ += FollowedFile::kRetryMax;
    Append("app.log", "four\n");
    EXPECT_EQ(Read(tail.get()).back(), "four");
    next_ = 0;
  }
}

// A fault of any length, with a rotation at any moment of it. Both files are retried at times of
// their own; what is read must not depend on which one comes first.
TEST_F(FollowedFileTest, ARotationWhileNothingCanBeReadKeepsTheOrder) {
  for (const char* fault : {"open:EACCES; read:EACCES", "read:EIO", "list:EACCES; read:EACCES"}) {
    for (int away = 1; away <= 130; away += away < 20 ? 1 : 11) {
      for (const int rotated_at : {0, away / 3, away / 2, away - 1}) {
        const bool is_compressed = away % 2 == 1;
        SCOPED_TRACE(absl::StrCat(fault, " for ", away, " s, rotated at ", rotated_at));
        fs::remove_all(folder_);
        fs::create_directory(folder_);
        const auto tail = Follow();
        Append("app.log", "one\n");
        EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
        std::ofstream log(path_, std::ios::app), next(folder_ + "/next", std::ios::app);
        for (int second = 0; second < away; ++second) {
          if (is_compressed && second == rotated_at + 1) LogRotator::Compress(path_ + ".1", ".zst");
          const FaultScope faults("path=" + folder_ + "; " + fault);
          if (second == 0) log << "two\n" << std::flush;
          EXPECT_THAT(Read(tail.get()), IsEmpty());
          EXPECT_EQ(result_, Tail::Result::kBlocked);
          if (second != rotated_at) continue;
          log << "three\n" << std::flush;
          fs::rename(path_, path_ + ".1");
          fs::rename(folder_ + "/next", path_);
          next << "four\n" << std::flush;
        }
        std::vector<std::string> lines;
        for (int i = 0; i < 12; ++i) {
          for (std::string& line : Read(tail.get())) lines.push_back(std::move(line));
        }
        EXPECT_THAT(lines, ElementsAre("two", "three", "four"));
        EXPECT_THAT(tail->TakeNotes(), IsEmpty());
      }
    }
  }
}

TEST_F(FollowedFileTest, AnOldFileThatCannotBeReadIsGivenUpAfterAWhile) {
  const auto tail = Follow();
  Append("app.log", "one\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
  Append("app.log", "two\n");
  fs::rename(path_, path_ + ".1");
  Append("app.log", "three\n");
  const FaultScope faults("path=" + path_ + ".1; any:EIO");
  const TimeUs begin = now_;
  while (now_ < begin + FollowedFile::kGiveUpAfter) {
    EXPECT_THAT(Read(tail.get()), IsEmpty());
  }
  std::vector<std::string> lines;
  while (lines.empty() && now_ < begin + 3 * FollowedFile::kGiveUpAfter) lines = Read(tail.get());
  EXPECT_THAT(lines, ElementsAre("three"));
  const std::vector<Tail::Note> notes = tail->TakeNotes();
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_TRUE(notes[0].is_loss);
}

// Its writer may still have it open; but what it will write is nothing that the new file waits for.
TEST_F(FollowedFileTest, AnOldFileThatWasReadToItsEndHoldsUpNothing) {
  const auto tail = Follow();
  Append("app.log", "one\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
  fs::rename(path_, path_ + ".1");
  Append("app.log", "two\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("two"));
  Append("app.log.1", "late\n");
  now_ += 2 * FollowedFile::kLookAtRotatedEvery;
  const FaultScope faults("path=" + path_ + ".1; any:EIO");
  Read(tail.get());
  Append("app.log", "three\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("three"));
}

// Folders that may be searched but not listed (mode 0711) are a fault of a minute, not for good.
TEST_F(FollowedFileTest, AFolderThatCannotBeListedHoldsUpARotationForAWhile) {
  const auto tail = Follow();
  Append("app.log", "one\n");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
  const FaultScope faults("path=" + folder_ + "; list:EACCES");
  Append("app.log", "two\n");
  fs::rename(path_, path_ + ".1");
  Append("app.log", "three\n");
  std::vector<std::string> lines;
  const TimeUs begin = now_;
  while (lines.size() < 2 && now_ < begin + 2 * FollowedFile::kGiveUpAfter) {
    for (std::string& line : Read(tail.get())) lines.push_back(std::move(line));
  }
  EXPECT_THAT(lines, ElementsAre("two", "three"));
  EXPECT_GE(now_ - begin, FollowedFile::kGiveUpAfter);
}

TEST_F(FollowedFileTest, PermissionLostAndBack) {
  const NotRoot nobody(folder_);
  const auto tail = Follow();
  Append("app.log", "one\n");
  fs::permissions(path_, fs::perms::none);
  EXPECT_THAT(Read(tail.get()), IsEmpty());
  EXPECT_THAT(tail->reason(), HasSubstr("Permission denied"));
  fs::permissions(path_, fs::perms::owner_all);
  EXPECT_THAT(Read(tail.get()), ElementsAre("one"));
  // The one that takes its place cannot be read for a while.
  fs::rename(path_, path_ + ".1");
  Append("app.log", "two\n");
  fs::permissions(path_, fs::perms::none);
  now_ += 2 * FollowedFile::kLingerFor;
  EXPECT_THAT(Read(tail.get()), IsEmpty());
  EXPECT_THAT(tail->reason(), HasSubstr("Permission denied"));
  fs::permissions(path_, fs::perms::owner_all);
  EXPECT_THAT(Read(tail.get()), ElementsAre("two"));
  EXPECT_EQ(tail->reason(), "");
}

TEST_F(FollowedFileTest, OneThatDoesNotGrowIsDone) {
  TailOptions options;
  options.grows = false;
  const auto tail = Follow(options);
  Append("app.log", "one\ntwo");
  EXPECT_THAT(Read(tail.get()), ElementsAre("one", "two"));
  EXPECT_EQ(result_, Tail::Result::kDone);
}

TEST_F(FollowedFileTest, AtTheFirstStartOlderFilesComeFirst) {
  TailOptions options;
  options.older = {path_ + ".2.gz", path_ + ".1"};
  Append("app.log.2", "one\n");
  LogRotator::Compress(path_ + ".2", ".gz");
  Append("app.log.1", "two\nno end");
  Append("app.log", "three\n");
  auto tail = Follow(options);
  EXPECT_THAT(Read(tail.get()), ElementsAre("one", "two", "three"));
  tail = Restart(std::move(tail));
  EXPECT_THAT(Read(tail.get()), IsEmpty());
  now_ += 2 * FollowedFile::kLingerFor;
  EXPECT_THAT(Read(tail.get()), ElementsAre("no end"));
}

// The last release stored only the number of bytes read.
TEST_F(FollowedFileTest, GoesOnAtAPositionOfTheLastRelease) {
  Append("app.log", "one\ntwo\nthree\n");
  auto tail = Follow();
  tail->RestoreBytes(/*oldest=*/4, /*next=*/8);
  EXPECT_THAT(Read(tail.get()), ElementsAre("two", "three"));
  EXPECT_EQ(next_, 14U);
  for (const std::uint64_t next : std::initializer_list<std::uint64_t>{7, 15, 1'000}) {
    tail = Follow();
    tail->RestoreBytes(/*oldest=*/4, next);
    EXPECT_THAT(Read(tail.get()), ElementsAre("one", "two", "three")) << next;
    EXPECT_EQ(next_, next + 14);
  }
}

TEST_F(FollowedFileTest, MalformedPositionsAreRefused) {
  auto tail = Follow();
  Append("app.log", "one\n");
  Read(tail.get());
  fs::rename(path_, path_ + " %1");
  Append("app.log", "two\n");
  Read(tail.get());
  const std::string position = tail->Position(0);
  EXPECT_TRUE(Follow()->Restore(position).ok()) << position;
  EXPECT_EQ(position.find(' '), position.npos);
  for (std::size_t size = 0; size < position.size(); ++size) {
    Follow()->Restore(position.substr(0, size)).IgnoreError();
  }
  for (const char* const text : {"", "x", "1;", "1;2;3", "1;2|3;", "0;0;1,0,2;", "0;9|1,0,99;;"}) {
    EXPECT_FALSE(Follow()->Restore(text).ok()) << text;
  }
}

TEST_F(FollowedFileTest, KnowsItsOwnFiles) {
  const auto tail = Follow();
  LogRotator log(folder_, "app.log");
  log.Write("one line of this log\n");
  Read(tail.get());
  fs::rename(path_, folder_ + "/elsewhere");
  Append("app.log", "two\n");
  Append("other", "one line of another\n");
  Read(tail.get());
  EXPECT_TRUE(tail->Owns(folder_ + "/elsewhere"));
  EXPECT_TRUE(tail->Owns(path_));
  EXPECT_FALSE(tail->Owns(folder_ + "/other"));
  LogRotator::Compress(folder_ + "/elsewhere", ".gz");
  now_ += 2 * FollowedFile::kLingerFor;
  Read(tail.get());
  EXPECT_TRUE(tail->Owns(folder_ + "/elsewhere.gz"));
}

}  // namespace
}  // namespace tocsin
