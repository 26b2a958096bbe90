// What the journal on disk does when the disk fails: a call succeeds, or has no effect and may be
// repeated; after that, nothing that was acknowledged is missing and nothing is there twice.
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "journal/journal.h"
#include "tests/journal/faulty_files.h"
#include "tests/journal/journal_fixtures.h"

namespace tocsin {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

struct Operation {
  const char* name;
  std::function<absl::Status(Journal*)> run;
  // Makes thousands of calls, of which some fail in turn.
  bool large = false;
  // Forgets old batches apart from what it writes, so these may be there a while longer.
  bool prunes = false;
  // Doing it twice does no harm, so that its effect may be seen although it was not acknowledged.
  bool idempotent = false;
};

// What matters of the contents after such a call.
std::string Essence(const Operation& operation, std::string contents) {
  if (!operation.prunes) return contents;
  const std::size_t snapshot = contents.find("snapshot ");
  const std::size_t usage = contents.find(" batches ");
  return contents.substr(snapshot, usage - snapshot);
}

absl::Status SaveSnapshot(Journal* journal, std::size_t bytes) {
  const std::vector<OutputLine> lines = {MakeLine(LineKind::kSignal, 3, "s"),
                                         MakeIncidentLine("a", "a2", false)};
  return journal->SaveSnapshot({.through = 2, .state = std::string(bytes, 'y'), .tick = kDayUs},
                               lines);
}

absl::Status Append(Journal* journal) {
  const std::vector<std::string> batches = {"3", std::string(9'000, 'x')};
  return journal->AppendBatches(batches).status();
}

absl::Status AppendWithPositions(Journal* journal) {
  const std::vector<std::string> batches = {"3", "4"};
  const std::vector<SourcePosition> positions = {{"app", "2"}, {"new", "1"}, {"app", "3"}};
  return journal->AppendBatches(batches, positions).status();
}

absl::Status WriteDeliveries(Journal* journal) {
  std::vector<Delivery> deliveries = {MakeDelivery(1, "oncall"), MakeDelivery(3, "oncall")};
  deliveries[0].state = DeliveryState::kDelivered;
  return journal->WriteDeliveries(deliveries);
}

absl::Status ForgetDelivery(Journal* journal) {
  const std::vector<Hash128> ids = {MakeDelivery(2, "gone").id};
  return journal->ForgetDeliveries(ids);
}

absl::Status ForgetAbsent(Journal* journal) {
  return journal->ForgetAbsent({.sources = {"app"}, .sinks = {"oncall"}, .elapsed = kWeekUs})
      .status();
}

std::vector<Operation> Operations() {
  return {
      {"append", Append},
      {"append with positions", AppendWithPositions},
      {"snapshot", [](Journal* journal) { return SaveSnapshot(journal, 5'000); }, false, true},
      {"snapshot in several steps",
       [](Journal* journal) { return SaveSnapshot(journal, 9 * limits::kSnapshotPartBytes); }, true,
       true},
      {"deliveries", WriteDeliveries, false, false, true},
      {"forget", ForgetDelivery, false, false, true},
      {"position", [](Journal* journal) { return journal->WritePosition("app", "2"); }},
      {"absent", ForgetAbsent, false, false, true},
  };
}

class JournalFaultsTest : public testing::Test {
 protected:
  JournalFaultsTest() { std::filesystem::remove_all(directory_); }
  ~JournalFaultsTest() override {
    journal_.reset();
    std::filesystem::remove_all(directory_);
  }

  Journal* Reopen() {
    journal_.reset();
    absl::StatusOr<std::unique_ptr<Journal>> opened = OpenSqliteJournal(directory_);
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (opened.ok()) journal_ = *std::move(opened);
    return journal_.get();
  }
  // A journal with something of everything.
  Journal* Fresh() {
    journal_.reset();
    std::filesystem::remove_all(directory_);
    Journal* journal = Reopen();
    EXPECT_TRUE(journal->AppendBatches(std::vector<std::string>{"1", "2"}).ok());
    EXPECT_TRUE(journal
                    ->SaveSnapshot({.through = 1, .state = "one", .tick = 1},
                                   std::vector<OutputLine>{MakeIncidentLine("a", "a1", true)})
                    .ok());
    EXPECT_TRUE(journal
                    ->WriteDeliveries(
                        std::vector<Delivery>{MakeDelivery(1, "oncall"), MakeDelivery(2, "gone")})
                    .ok());
    EXPECT_TRUE(journal->WritePosition("app", "1").ok());
    EXPECT_TRUE(journal->WritePosition("old", "1").ok());
    return journal;
  }

  const std::string directory_ = testing::TempDir() + "journal_faults_" + std::to_string(getpid());
  FaultyFiles files_;
  std::unique_ptr<Journal> journal_;
};

TEST_F(JournalFaultsTest, ACallSucceedsOrHasNoEffectWhereverTheDiskFails) {
  const std::string before = Contents(Fresh());
  for (const Operation& operation : Operations()) {
    Journal* journal = Fresh();
    ASSERT_TRUE(operation.run(journal).ok()) << operation.name;
    const std::string after = Contents(journal);
    ASSERT_NE(after, before) << operation.name;
    for (const int code : {SQLITE_IOERR_WRITE, SQLITE_IOERR_FSYNC, SQLITE_FULL}) {
      for (int at = 1;; at += operation.large ? at : 1) {
        SCOPED_TRACE(std::string(operation.name) + ", code " + std::to_string(code) + " at call " +
                     std::to_string(at));
        journal = Fresh();
        files_.FailAt(at, code);
        const absl::Status status = operation.run(journal);
        const bool failed = files_.failed();
        files_.FailAt(0, SQLITE_OK, 0);
        // A checkpoint may have failed: that is behind the commit.
        if (!status.ok()) {
          ASSERT_TRUE(failed && Passes(status)) << status;
          EXPECT_THAT(Contents(journal), AnyOf(before, operation.idempotent ? after : before));
          const absl::Status again = operation.run(journal);
          ASSERT_TRUE(again.ok()) << again;
        }
        ASSERT_EQ(Essence(operation, Contents(journal)), Essence(operation, after));
        ASSERT_EQ(Essence(operation, Contents(Reopen())), Essence(operation, after));
        if (!failed) break;
      }
    }
  }
}

TEST_F(JournalFaultsTest, WhoeverIsKilledAfterAFailureFindsAllOfItOrNothing) {
  const std::string before = Contents(Fresh());
  for (const Operation& operation : Operations()) {
    Journal* journal = Fresh();
    ASSERT_TRUE(operation.run(journal).ok());
    const std::string after = Contents(journal);
    for (int at = 1;; at += operation.large ? at : 1) {
      SCOPED_TRACE(std::string(operation.name) + " at call " + std::to_string(at));
      journal = Fresh();
      files_.FailAt(at, SQLITE_IOERR_FSYNC);
      operation.run(journal).IgnoreError();
      const bool failed = files_.failed();
      // Nothing works any more until the process ends.
      files_.FailAt(1, SQLITE_IOERR_WRITE, 1'000'000);
      journal_.reset();
      files_.FailAt(0, SQLITE_OK, 0);
      EXPECT_THAT(Essence(operation, Contents(Reopen())),
                  AnyOf(Essence(operation, before), Essence(operation, after)));
      if (!failed) break;
    }
  }
}

TEST_F(JournalFaultsTest, GoesOnOnceAFailingDiskWorksAgain) {
  Journal* journal = Fresh();
  const std::string before = Contents(journal);
  files_.FailAt(1, SQLITE_IOERR_WRITE, 1'000'000);
  for (const Operation& operation : Operations()) {
    for (int i = 0; i < 3; ++i) {
      const absl::Status status = operation.run(journal);
      EXPECT_TRUE(Passes(status)) << operation.name << ": " << status;
    }
  }
  files_.FailAt(0, SQLITE_OK, 0);
  EXPECT_EQ(Contents(journal), before);
  for (const Operation& operation : Operations()) EXPECT_TRUE(operation.run(journal).ok());
}

TEST_F(JournalFaultsTest, SaysWhatAFailedSyncTookAway) {
  Journal* journal = Fresh();
  files_.FailAt(1, SQLITE_IOERR_FSYNC);
  EXPECT_TRUE(Passes(journal->WritePosition("app", "2")));
  files_.FailAt(0, SQLITE_OK, 0);
  // The disk had less than the page cache said.
  std::filesystem::resize_file(directory_ + "/tocsin.db-wal", 0);
  for (int i = 0; i < 2; ++i) {
    const absl::Status status = journal->AppendBatches(std::vector<std::string>{"3"}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("tocsin state check"));
  }
}

TEST_F(JournalFaultsTest, ALockedDatabasePasses) {
  Journal* journal = Fresh();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ + "/tocsin.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const absl::Status status = journal->WritePosition("app", "2");
  EXPECT_TRUE(Passes(status)) << status;
  sqlite3_close(other);
  EXPECT_TRUE(journal->WritePosition("app", "2").ok());
}

TEST_F(JournalFaultsTest, WhatIsUpToDateOpensWithoutAWrite) {
  Fresh();
  journal_.reset();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((directory_ + "/tocsin.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_TRUE(OpenSqliteJournal(directory_).ok());
  const absl::Status upgrade = OpenSqliteJournal(directory_, {.writer = "tocsin 9"}).status();
  EXPECT_TRUE(Passes(upgrade)) << upgrade;
  sqlite3_close(other);
  EXPECT_TRUE(OpenSqliteJournal(directory_, {.writer = "tocsin 9"}).ok());
}

TEST_F(JournalFaultsTest, AFileSystemThatBecameReadOnlyPasses) {
  Journal* journal = Fresh();
  const std::string before = Contents(journal);
  files_.FailAt(1, SQLITE_READONLY, 1'000'000);
  EXPECT_TRUE(Passes(journal->WritePosition("app", "2")));
  EXPECT_TRUE(Passes(journal->AppendBatches(std::vector<std::string>{"3"}).status()));
  files_.FailAt(0, SQLITE_OK, 0);
  EXPECT_EQ(Contents(journal), before);
  EXPECT_TRUE(journal->WritePosition("app", "2").ok());
}

}  // namespace
}  // namespace tocsin
