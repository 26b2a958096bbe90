// What only the journal on disk can get wrong: reopening, crashes, damage, other processes.
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "journal/journal.h"
#include "journal/sqlite.h"
#include "tests/journal/journal_fixtures.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class SqliteJournalTest : public testing::Test {
 protected:
  SqliteJournalTest() { std::filesystem::remove_all(directory_); }
  ~SqliteJournalTest() override {
    journal_.reset();
    std::filesystem::remove_all(directory_);
  }

  // The journal as a new process finds it.
  Journal* Reopen() {
    journal_.reset();
    absl::StatusOr<std::unique_ptr<Journal>> opened =
        OpenSqliteJournal(directory_, {.limits = {.batches_bytes = 0}, .writer = "tocsin 7.8"});
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (opened.ok()) journal_ = *std::move(opened);
    return journal_.get();
  }
  void Close() { journal_.reset(); }

  // Runs SQL on the closed database.
  void Tamper(const std::string& sql) {
    Close();
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open((directory_ + "/tocsin.db").c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }

  const std::string directory_ = testing::TempDir() + "sqlite_journal_" + std::to_string(getpid());
  std::unique_ptr<Journal> journal_;
};

// Batches 1 to 6; snapshots through 2, 4 and 6, each with a line.
void Fill(Journal* journal) {
  const std::vector<std::string> batches = {"1", "2", "3", "4", "5", "6"};
  ASSERT_TRUE(journal->AppendBatches(batches).ok());
  for (const std::uint64_t through : {2U, 4U, 6U}) {
    const std::string state = "state " + std::to_string(through);
    const std::vector<OutputLine> lines = {
        MakeLine(LineKind::kIncident, static_cast<TimeUs>(through), state)};
    ASSERT_TRUE(journal->SaveSnapshot({.through = through, .state = state}, lines).ok());
  }
}

TEST_F(SqliteJournalTest, FindsEverythingAgain) {
  Fill(Reopen());
  ASSERT_TRUE(journal_->WriteDeliveries(std::vector<Delivery>{MakeDelivery(1, "oncall")}).ok());
  ASSERT_TRUE(journal_->WritePosition("app.log", "12").ok());
  Reopen();
  EXPECT_EQ((*journal_->LoadSnapshot())->state, "state 6");
  EXPECT_THAT(Lines(journal_.get()), ElementsAre("I2 state 2", "I4 state 4", "I6 state 6"));
  EXPECT_THAT(*BatchesAfter(journal_.get(), 4), ElementsAre(Pair(5, "5"), Pair(6, "6")));
  EXPECT_EQ(Deliveries(journal_.get()).size(), 1u);
  EXPECT_EQ(*journal_->ReadPosition("app.log"), "12");
  EXPECT_EQ(*journal_->AppendBatches(std::vector<std::string>{"7"}), 7u);
}

TEST_F(SqliteJournalTest, NumbersGoOnWhenAllBatchesArePruned) {
  Fill(Reopen());
  ASSERT_TRUE(journal_->SaveSnapshot({.through = 6, .state = "again"}, {}).ok());
  Reopen();
  EXPECT_THAT(*BatchesAfter(journal_.get(), 6), IsEmpty());
  EXPECT_EQ(*journal_->AppendBatches(std::vector<std::string>{"7"}), 7u);
}

TEST_F(SqliteJournalTest, ADamagedSnapshotFallsBackToTheOneBefore) {
  Fill(Reopen());
  Tamper("UPDATE snapshot_parts SET body = 'state 7' WHERE body = CAST('state 6' AS BLOB)");
  Reopen();
  const std::optional<Snapshot> snapshot = *journal_->LoadSnapshot();
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->through, 4u);
  EXPECT_EQ(snapshot->state, "state 4");
  EXPECT_THAT(*BatchesAfter(journal_.get(), 4), ElementsAre(Pair(5, "5"), Pair(6, "6")));
  // The line of the damaged one is written again by whoever reads those batches.
  EXPECT_THAT(Lines(journal_.get()), ElementsAre("I2 state 2", "I4 state 4"));
  const std::vector<OutputLine> lines = {MakeLine(LineKind::kIncident, 6, "state 6")};
  ASSERT_TRUE(journal_->SaveSnapshot({.through = 6, .state = "state 6"}, lines).ok());
  Reopen();
  EXPECT_EQ((*journal_->LoadSnapshot())->through, 6u);
  EXPECT_THAT(Lines(journal_.get()), ElementsAre("I2 state 2", "I4 state 4", "I6 state 6"));
}

TEST_F(SqliteJournalTest, EveryKindOfDamageToASnapshotIsSeen) {
  for (const char* damage :
       {"UPDATE snapshots SET through = 5 WHERE through = 6",
        "UPDATE snapshots SET tick = 5 WHERE through = 6",
        "DELETE FROM snapshot_parts WHERE snapshot = 3 AND part = 1",
        "DELETE FROM snapshot_parts WHERE snapshot = 3 AND part = 2",
        "UPDATE snapshot_parts SET part = 7 WHERE snapshot = 3 AND part = 2",
        "UPDATE snapshot_parts SET body = x'00' WHERE snapshot = 3 AND part = 1"}) {
    SCOPED_TRACE(damage);
    std::filesystem::remove_all(directory_);
    const std::vector<std::string> batches = {"1", "2", "3", "4", "5", "6"};
    ASSERT_TRUE(Reopen()->AppendBatches(batches).ok());
    for (const std::uint64_t through : {2U, 4U, 6U}) {
      const std::string state(2 * limits::kSnapshotPartBytes + through, 's');
      ASSERT_TRUE(journal_->SaveSnapshot({.through = through, .state = state}, {}).ok());
    }
    ASSERT_EQ((*journal_->LoadSnapshot())->through, 6u);
    Tamper(damage);
    Reopen();
    EXPECT_EQ((*journal_->LoadSnapshot())->through, 4u);
    EXPECT_EQ(BatchesAfter(journal_.get(), 4)->size(), 2u);
  }
}

TEST_F(SqliteJournalTest, PartsWithoutTheirSnapshotAreWhatACrashLeft) {
  Fill(Reopen());
  Tamper("INSERT INTO snapshot_parts VALUES (4, 0, 1, x'00'), (4, 1, 1, x'00')");
  Reopen();
  EXPECT_EQ((*journal_->LoadSnapshot())->through, 6u);
  ASSERT_TRUE(journal_->SaveSnapshot({.through = 6, .state = "again"}, {}).ok());
  Reopen();
  EXPECT_EQ((*journal_->LoadSnapshot())->state, "again");
}

// Damage that old rows cannot be removed for: what a snapshot stored is not stored again, and the
// next call says why, without an effect.
TEST_F(SqliteJournalTest, APruneThatFailsStoresNoLineTwice) {
  Fill(Reopen());
  Tamper("CREATE TRIGGER damage BEFORE DELETE ON batches BEGIN DELETE FROM missing; END");
  Reopen();
  std::vector<std::string> expected = Lines(journal_.get());
  int failed = 0;
  for (std::int64_t tick = 7; tick < 10; ++tick) {
    const std::string text = "state " + std::to_string(tick);
    ASSERT_TRUE(journal_->AppendBatches(std::vector<std::string>{text}).ok());
    const std::vector<OutputLine> lines = {MakeLine(LineKind::kIncident, tick, text)};
    const Snapshot snapshot = {.through = static_cast<std::uint64_t>(tick), .state = text};
    absl::Status saved = journal_->SaveSnapshot(snapshot, lines);
    if (!saved.ok()) {
      ++failed;
      EXPECT_FALSE(Passes(saved));
      EXPECT_THAT(std::string(saved.message()), HasSubstr("could not be removed"));
      EXPECT_EQ((*journal_->LoadSnapshot())->through, static_cast<std::uint64_t>(tick) - 1);
      saved = journal_->SaveSnapshot(snapshot, lines);
    }
    ASSERT_TRUE(saved.ok()) << saved;
    EXPECT_EQ((*journal_->LoadSnapshot())->state, text);
    expected.push_back('I' + std::to_string(tick) + ' ' + text);
  }
  EXPECT_EQ(failed, 2) << "it is said";
  EXPECT_EQ(Lines(journal_.get()), expected);
  Tamper("DROP TRIGGER damage");
  Reopen();
  EXPECT_EQ(Lines(journal_.get()), expected);
  EXPECT_EQ((*journal_->LoadSnapshot())->through, 9u);
}

TEST_F(SqliteJournalTest, DamagedRowsAreNamed) {
  Fill(Reopen());
  ASSERT_TRUE(journal_->AppendBatches(std::vector<std::string>{"7", "8"}).ok());
  ASSERT_TRUE(journal_->WriteDeliveries(std::vector<Delivery>{MakeDelivery(1, "oncall")}).ok());
  ASSERT_TRUE(journal_->WritePosition("app", "12").ok());
  Tamper(
      "UPDATE batches SET body = x'00' WHERE seq = 8; UPDATE deliveries SET sequence = 2; "
      "UPDATE positions SET position = '13'; UPDATE lines SET text = 'x' WHERE tick = 6");
  Reopen();
  const auto expect_lost = [](const absl::Status& status, const char* what) {
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
    EXPECT_FALSE(Passes(status));
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(what), HasSubstr("tocsin state repair")));
  };
  expect_lost(BatchesAfter(journal_.get(), 6).status(), "batch 8");
  const auto ignore = [](const auto&) { return absl::OkStatus(); };
  expect_lost(journal_->ReadDeliveries(ignore), "delivery");
  expect_lost(journal_->ReadLines(ignore), "line 3");
  expect_lost(journal_->ReadPosition("app").status(), "app");
}

TEST_F(SqliteJournalTest, TheOnlySnapshotMayBeDamagedSinceNothingWasPruned) {
  ASSERT_TRUE(Reopen()->AppendBatches(std::vector<std::string>{"1", "2"}).ok());
  const std::vector<OutputLine> lines = {MakeLine(LineKind::kSignal, 1, "x")};
  ASSERT_TRUE(journal_->SaveSnapshot({.through = 2, .state = "two"}, lines).ok());
  Tamper("UPDATE snapshots SET checksum = 0");
  Reopen();
  EXPECT_EQ(*journal_->LoadSnapshot(), std::nullopt);
  EXPECT_THAT(Lines(journal_.get()), IsEmpty());
  EXPECT_EQ(BatchesAfter(journal_.get(), 0)->size(), 2u);
}

TEST_F(SqliteJournalTest, SaysWhenNoSnapshotIsIntact) {
  Fill(Reopen());
  Tamper("UPDATE snapshot_parts SET body = x'00'");
  Reopen();
  const absl::Status status = journal_->LoadSnapshot().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(directory_), HasSubstr("no snapshot is intact")));
  EXPECT_THAT(Lines(journal_.get()), ElementsAre("I2 state 2", "I4 state 4", "I6 state 6"));
}

TEST_F(SqliteJournalTest, ASecondOpenerIsToldWhichDirectory) {
  Reopen();
  const absl::Status status = OpenSqliteJournal(directory_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(directory_), HasSubstr("in use by another process")));
  Close();
  EXPECT_TRUE(OpenSqliteJournal(directory_).ok());
}

TEST_F(SqliteJournalTest, WhatANewerVersionWroteIsRefusedAndLeftAlone) {
  Fill(Reopen());
  for (const char* newer :
       {"PRAGMA user_version = 3", "UPDATE meta SET value = 7 WHERE key = 'format'"}) {
    Tamper("PRAGMA user_version = 2; UPDATE meta SET value = 6 WHERE key = 'format'");
    Tamper(newer);
    const absl::Status status = OpenSqliteJournal(directory_).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(directory_), HasSubstr("(tocsin 7.8)"),
                      HasSubstr("Run that version or a newer one")));
  }
  Tamper("UPDATE meta SET value = 6 WHERE key = 'format'");
  EXPECT_EQ((*Reopen()->LoadSnapshot())->state, "state 6");
}

mode_t ModeOf(const std::string& path) {
  struct stat about = {};
  EXPECT_EQ(stat(path.c_str(), &about), 0) << path;
  return about.st_mode & 07777;
}

TEST_F(SqliteJournalTest, NobodyElseMayReadOrLock) {
  const mode_t before = umask(0);
  ASSERT_TRUE(Reopen()->AppendBatches(std::vector<std::string>{"1"}).ok());
  umask(before);
  EXPECT_EQ(ModeOf(directory_), 0700u);
  for (const char* file : {"tocsin.db", "tocsin.db-wal", "tocsin.db-shm", "tocsin.lock"}) {
    EXPECT_EQ(ModeOf(directory_ + "/" + file), 0600u) << file;
  }
}

TEST_F(SqliteJournalTest, WhatAnEarlierVersionLeftReadableIsClosed) {
  Fill(Reopen());
  Close();
  std::ofstream(directory_ + "/dead-letters.jsonl") << "{}";
  for (const char* file : {"", "/tocsin.db", "/tocsin.lock", "/dead-letters.jsonl"}) {
    std::filesystem::permissions(directory_ + file, std::filesystem::perms::all);
  }
  Reopen();
  EXPECT_EQ(ModeOf(directory_), 0700u);
  for (const char* file : {"/tocsin.db", "/tocsin.lock", "/dead-letters.jsonl"}) {
    EXPECT_EQ(ModeOf(directory_ + file), 0600u) << file;
  }
  Close();
  // A directory that is not ours alone keeps its mode, and other files theirs.
  std::ofstream(directory_ + "/notes.txt") << "mine";
  std::filesystem::permissions(directory_, std::filesystem::perms::all);
  std::filesystem::permissions(directory_ + "/notes.txt", std::filesystem::perms::all);
  Reopen();
  EXPECT_EQ(ModeOf(directory_), 0777u);
  EXPECT_EQ(ModeOf(directory_ + "/notes.txt"), 0777u);
  EXPECT_EQ(ModeOf(directory_ + "/tocsin.db"), 0600u);
}

TEST_F(SqliteJournalTest, ATruncatedFileIsNamedMalformed) {
  ASSERT_TRUE(Reopen()->AppendBatches(std::vector<std::string>(20, std::string(8192, 'x'))).ok());
  Close();
  const std::string path = directory_ + "/tocsin.db";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
  absl::StatusOr<std::unique_ptr<Journal>> opened = OpenSqliteJournal(directory_);
  const absl::Status status =
      opened.ok() ? BatchesAfter(opened->get(), 0).status() : opened.status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr(path), HasSubstr("database disk image is malformed"),
                    HasSubstr("tocsin state repair")));
}

TEST_F(SqliteJournalTest, AnotherKindOfFileIsRefused) {
  std::filesystem::create_directories(directory_);
  std::ofstream(directory_ + "/tocsin.db") << std::string(4096, 'z');
  const absl::Status status = OpenSqliteJournal(directory_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("not a journal of tocsin"));
}

TEST_F(SqliteJournalTest, ADirectoryThatCannotBeMadeIsNamed) {
  std::ofstream(directory_) << "a file";
  const absl::Status status = OpenSqliteJournal(directory_ + "/state").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(directory_ + "/state"));
}

TEST(SqliteStatus, SaysWhatToDo) {
  const absl::Status full = SqliteStatus(SQLITE_FULL, ENOSPC, "state/tocsin.db");
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(full.message()),
              AllOf(HasSubstr("state/tocsin.db"), HasSubstr("the disk is full"),
                    HasSubstr("No space left on device")));
  EXPECT_EQ(SqliteStatus(SQLITE_IOERR_WRITE, EIO, "p").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(SqliteStatus(SQLITE_IOERR_WRITE, EDQUOT, "p").code(),
            absl::StatusCode::kResourceExhausted);
  for (const int code : {SQLITE_BUSY, SQLITE_FULL, SQLITE_IOERR_FSYNC, SQLITE_READONLY}) {
    EXPECT_TRUE(Passes(SqliteStatus(code, 0, "p"))) << code;
  }
  for (const int code : {SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_CANTOPEN, SQLITE_ERROR}) {
    EXPECT_FALSE(Passes(SqliteStatus(code, 0, "p"))) << code;
  }
  for (const int error : {ENOSPC, EROFS, EIO, EMFILE}) {
    EXPECT_TRUE(Passes(SqliteStatus(SQLITE_CANTOPEN, error, "p"))) << error;
  }
  EXPECT_EQ(SqliteStatus(SQLITE_CANTOPEN, EACCES, "p").code(), absl::StatusCode::kPermissionDenied);
  EXPECT_TRUE(SqliteStatus(SQLITE_DONE, 0, "p").ok());
}

// Runs `body` in a child process, which ends without any clean-up.
int InChild(const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST_F(SqliteJournalTest, GoesOnAfterAWriteThatFailed) {
  // A file size limit stands in for a full disk.
  const int status = InChild([this] {
    Journal* journal = Reopen();
    signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 64 << 10;
    setrlimit(RLIMIT_FSIZE, &limit);
    const std::vector<std::string> large(1, std::string(1 << 20, 'x'));
    const absl::Status failed = journal->AppendBatches(large).status();
    limit.rlim_cur = before;
    setrlimit(RLIMIT_FSIZE, &limit);
    if (failed.ok() || failed.message().find(directory_) == std::string::npos) _exit(1);
    const absl::StatusOr<std::uint64_t> seq = journal->AppendBatches(large);
    if (!seq.ok() || *seq != 1) _exit(2);
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(BatchesAfter(Reopen(), 0)->size(), 1u);
}

// What belongs to the batches through `seq`, unless it was written before: as stage 2 decides again
// after a restart.
bool WriteWhatFollows(Journal* journal, std::uint64_t seq) {
  const std::vector<Delivery> pair = {MakeDelivery(seq, "a"), MakeDelivery(seq, "b")};
  if (!journal->WriteDeliveries(pair).ok()) return false;
  const absl::StatusOr<std::optional<Snapshot>> last = journal->LoadSnapshot();
  if (!last.ok()) return false;
  if (seq % 2 != 0 || (last->has_value() && (*last)->through >= seq)) return true;
  const std::vector<OutputLine> lines = {
      MakeLine(LineKind::kSignal, static_cast<TimeUs>(seq), "line")};
  return journal->SaveSnapshot({.through = seq, .state = "through " + std::to_string(seq)}, lines)
      .ok();
}

// Writes until it is killed; every acknowledged step is reported through `pipe`.
[[noreturn]] void WriteForEver(const std::string& directory, int pipe) {
  absl::StatusOr<std::unique_ptr<Journal>> journal = OpenSqliteJournal(directory);
  if (!journal.ok()) _exit(1);
  std::uint64_t seq = *(*journal)->AppendBatches({});
  while (true) {
    if (seq > 0 && !WriteWhatFollows(journal->get(), seq)) _exit(2);
    if (write(pipe, &seq, sizeof(seq)) != sizeof(seq)) _exit(3);
    std::vector<std::string> batches;
    for (std::uint64_t i = 1; i <= 3; ++i) batches.push_back("batch " + std::to_string(seq + i));
    const absl::StatusOr<std::uint64_t> last = (*journal)->AppendBatches(batches);
    if (!last.ok()) _exit(4);
    seq = *last;
  }
}

TEST_F(SqliteJournalTest, AKilledProcessLeavesAllItAcknowledged) {
  std::mt19937 random(1);
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 12; ++round) {
    SCOPED_TRACE(round);
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    Close();
    const pid_t child = fork();
    if (child == 0) WriteForEver(directory_, ends[1]);
    close(ends[1]);
    // After some acknowledgements, in the middle of whatever comes next.
    const int acknowledgements = 3 + static_cast<int>(random() % 12);
    std::uint64_t seq = 0;
    for (int i = 0; i < acknowledgements; ++i) {
      ASSERT_EQ(read(ends[0], &seq, sizeof(seq)), static_cast<ssize_t>(sizeof(seq)));
    }
    kill(child, SIGKILL);
    while (read(ends[0], &seq, sizeof(seq)) == static_cast<ssize_t>(sizeof(seq))) {
    }
    close(ends[0]);
    waitpid(child, nullptr, 0);
    ASSERT_GT(seq, acknowledged);
    acknowledged = seq;

    ASSERT_NE(Reopen(), nullptr);
    const std::optional<Snapshot> snapshot = *journal_->LoadSnapshot();
    const std::uint64_t through = snapshot ? snapshot->through : 0;
    if (snapshot) {
      EXPECT_EQ(snapshot->state, "through " + std::to_string(through));
    }
    const absl::StatusOr<Batches> batches = BatchesAfter(journal_.get(), through);
    ASSERT_TRUE(batches.ok()) << batches.status();
    const std::uint64_t last = batches->empty() ? through : batches->back().first;
    EXPECT_GE(last, acknowledged);
    EXPECT_EQ(last % 3, 0u) << "a part of an append";
    for (const auto& [number, body] : *batches) EXPECT_EQ(body, "batch " + std::to_string(number));
    EXPECT_GE(through, acknowledged / 6 * 6);
    EXPECT_EQ(Lines(journal_.get()).size(), through / 6);
    const std::vector<Delivery> deliveries = Deliveries(journal_.get());
    EXPECT_EQ(deliveries.size() % 2, 0u) << "a part of a transaction";
    EXPECT_GE(deliveries.size(), acknowledged / 3 * 2);
  }
}

}  // namespace
}  // namespace tocsin
