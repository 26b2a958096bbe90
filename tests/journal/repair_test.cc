// Looking at a journal on disk, and saving what is intact of a damaged one.
#include "journal/repair.h"

#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "journal/inspect.h"
#include "journal/journal.h"
#include "tests/journal/journal_fixtures.h"

namespace tocsin {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class RepairTest : public testing::Test {
 protected:
  RepairTest() { std::filesystem::remove_all(directory_); }
  ~RepairTest() override {
    journal_.reset();
    std::filesystem::remove_all(directory_);
  }

  Journal* Reopen() {
    journal_.reset();
    absl::StatusOr<std::unique_ptr<Journal>> opened =
        OpenSqliteJournal(directory_, {.writer = "tocsin 7.8"});
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (opened.ok()) journal_ = *std::move(opened);
    return journal_.get();
  }
  // Batches 1 to 60, snapshots through 20, 40 and 50, and some of everything else.
  void Fill() {
    journal_.reset();
    std::filesystem::remove_all(directory_);
    ASSERT_NE(Reopen(), nullptr);
    for (std::uint64_t i = 1; i <= 60; ++i) {
      ASSERT_TRUE(journal_->AppendBatches(std::vector<std::string>{Body(i)}).ok());
      if (i != 20 && i != 40 && i != 50) continue;
      const std::vector<OutputLine> lines = {
          MakeIncidentLine("a", "line of " + std::to_string(i), true)};
      ASSERT_TRUE(journal_
                      ->SaveSnapshot({.through = i,
                                      .state = std::string(100'000, static_cast<char>(i)),
                                      .tick = static_cast<TimeUs>(i)},
                                     lines)
                      .ok());
    }
    for (std::uint64_t i = 1; i <= 30; ++i) {
      ASSERT_TRUE(journal_->WriteDeliveries(std::vector<Delivery>{MakeDelivery(i, "oncall")}).ok());
    }
    ASSERT_TRUE(journal_->WritePosition("app", "12 t1").ok());
    journal_.reset();
  }
  static std::string Body(std::uint64_t i) {
    return "batch " + std::to_string(i) + std::string(2'000, 'x');
  }
  void Tamper(const std::string& sql) {
    sqlite3* handle = nullptr;
    ASSERT_EQ(sqlite3_open((directory_ + "/tocsin.db").c_str(), &handle), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(handle, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(handle);
    sqlite3_close(handle);
  }
  std::vector<std::string> Faults() const {
    const absl::StatusOr<JournalContents> contents = InspectJournal(directory_, Ignore);
    if (!contents.ok()) return {std::string(contents.status().message())};
    std::vector<std::string> faults;
    for (const JournalFault& fault : contents->faults) faults.push_back(fault.what);
    return faults;
  }
  RepairReport Repair() {
    journal_.reset();
    const absl::StatusOr<RepairReport> report = RepairJournal(directory_, "tocsin 7.8");
    EXPECT_TRUE(report.ok()) << report.status();
    return report.value_or(RepairReport());
  }
  static void Ignore(std::uint64_t, std::string_view) {}

  const std::string directory_ = testing::TempDir() + "repair_" + std::to_string(getpid());
  std::unique_ptr<Journal> journal_;
};

TEST_F(RepairTest, WhatIsIntactIsListedAndLeftAlone) {
  Fill();
  // Also while a process has it.
  Reopen();
  std::map<std::uint64_t, std::string> batches;
  const absl::StatusOr<JournalContents> contents = InspectJournal(
      directory_,
      [&](std::uint64_t seq, std::string_view body) { batches[seq] = std::string(body); });
  ASSERT_TRUE(contents.ok()) << contents.status();
  EXPECT_THAT(contents->faults, IsEmpty());
  EXPECT_EQ(contents->writer, "tocsin 7.8");
  EXPECT_EQ(contents->format, kStateFormat);
  ASSERT_THAT(contents->snapshots, SizeIs(2));
  EXPECT_EQ(contents->snapshots[0].through, 50u);
  EXPECT_TRUE(contents->snapshots[0].intact);
  EXPECT_EQ(contents->newest->state, std::string(100'000, 50));
  EXPECT_THAT(batches, SizeIs(60));
  EXPECT_EQ(batches[60], Body(60));
  EXPECT_EQ(contents->usage.lines, 3);
  EXPECT_EQ(contents->deliveries.at("oncall")[0], 30);
  EXPECT_THAT(contents->positions, SizeIs(1));
  EXPECT_EQ(RepairJournal(directory_, "").status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_FALSE(Repair().repaired);
  EXPECT_FALSE(std::filesystem::exists(directory_ + "/tocsin.db.damaged-1"));
  EXPECT_EQ(InspectJournal(directory_ + "/none", Ignore).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(RepairTest, ADamagedBatchEndsTheLogAndNothingElseIsLost) {
  Fill();
  Tamper(
      "UPDATE batches SET body = x'00' WHERE seq = 55; UPDATE batches SET body = x'00' WHERE "
      "seq = 11");
  EXPECT_THAT(Faults(), Contains(HasSubstr("batches 55")));
  const RepairReport report = Repair();
  EXPECT_TRUE(report.repaired);
  EXPECT_THAT(report.lost, Contains(HasSubstr("5 batches of panes behind a damaged one")));
  EXPECT_THAT(report.lost, Contains(HasSubstr("10 batches of panes before a damaged one")));
  EXPECT_TRUE(std::filesystem::exists(report.copy));
  EXPECT_THAT(Faults(), IsEmpty());
  Reopen();
  EXPECT_EQ((*journal_->LoadSnapshot())->through, 50u);
  EXPECT_EQ(*journal_->OldestBatch(), 12u);
  EXPECT_EQ(BatchesAfter(journal_.get(), 50)->size(), 4u);
  EXPECT_EQ(Deliveries(journal_.get()).size(), 30u);
  EXPECT_EQ(Lines(journal_.get()).size(), 3u);
  EXPECT_EQ(*journal_->ReadPosition("app"), "12 t1");
  EXPECT_EQ(*journal_->AppendBatches(std::vector<std::string>{"next"}), 55u);
}

TEST_F(RepairTest, RowsOfOtherTablesAreDroppedOneByOne) {
  Fill();
  Tamper(
      "UPDATE deliveries SET body = x'00' WHERE sequence = 7; UPDATE positions SET position = 'x'; "
      "UPDATE lines SET text = 'x' WHERE snapshot = 2; UPDATE snapshot_parts SET body = x'00' "
      "WHERE "
      "snapshot = 3");
  EXPECT_THAT(Faults(), SizeIs(4));
  const RepairReport report = Repair();
  EXPECT_THAT(report.lost, Contains(HasSubstr("1 deliveries")));
  EXPECT_THAT(report.lost, Contains(HasSubstr("1 positions")));
  EXPECT_THAT(report.lost, Contains(HasSubstr("1 output lines")));
  Reopen();
  // The snapshot before the damaged one, and all batches since.
  EXPECT_EQ((*journal_->LoadSnapshot())->through, 40u);
  EXPECT_EQ(BatchesAfter(journal_.get(), 40)->size(), 20u);
  EXPECT_EQ(Deliveries(journal_.get()).size(), 29u);
  EXPECT_EQ(*journal_->ReadPosition("app"), std::nullopt);
}

TEST_F(RepairTest, WithoutASnapshotWhatIsLeftOfThePanesIsDecidedAnew) {
  Fill();
  Tamper("UPDATE snapshot_parts SET body = x'00'; DELETE FROM batches WHERE seq < 30");
  EXPECT_THAT(Faults(), Contains(HasSubstr("no snapshot is intact")));
  EXPECT_THAT(Repair().lost, Contains(HasSubstr("no snapshot is intact")));
  Reopen();
  EXPECT_EQ(*journal_->LoadSnapshot(), std::nullopt);
  const Batches batches = *BatchesAfter(journal_.get(), 0);
  ASSERT_THAT(batches, SizeIs(31));
  EXPECT_EQ(batches[0].first, 1u);
  EXPECT_EQ(batches[0].second, Body(30));
  EXPECT_TRUE(journal_->Usage().lines_incomplete) << "output files are not emptied";
}

TEST_F(RepairTest, AFileThatIsNoDatabaseAnyMoreGivesNothing) {
  Fill();
  std::fstream file(directory_ + "/tocsin.db", std::ios::in | std::ios::out | std::ios::binary);
  file << std::string(4096, 'z');
  file.close();
  EXPECT_THAT(Faults(), SizeIs(1));
  const RepairReport report = Repair();
  EXPECT_THAT(report.lost, Contains(HasSubstr("everything")));
  EXPECT_EQ(std::filesystem::file_size(report.copy),
            std::filesystem::file_size(directory_ + "/tocsin.db.damaged-1"));
  EXPECT_EQ(*Reopen()->LoadSnapshot(), std::nullopt);
}

// Pages overwritten at random, and files cut anywhere: what comes out is a journal that works, and
// nothing in it was not there before.
TEST_F(RepairTest, WhateverIsDamagedTheRestIsSaved) {
  int saved = 0;
  for (std::uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Fill();
    const std::string path = directory_ + "/tocsin.db";
    const auto pages = static_cast<std::uint32_t>(std::filesystem::file_size(path) / 4096);
    if (seed % 4 == 0) {
      std::filesystem::resize_file(path, 4096 * (1 + random() % pages));
    } else {
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      for (std::uint32_t i = 0; i <= seed % 3; ++i) {
        // Not the first: without it there is no database.
        file.seekp(4096 * (1 + random() % (pages - 1)));
        for (int byte = 0; byte < 4096; ++byte) file.put(static_cast<char>(random()));
      }
    }
    if (Faults().empty()) continue;  // free pages
    const RepairReport report = Repair();
    EXPECT_TRUE(report.repaired);
    EXPECT_THAT(Faults(), IsEmpty());
    ASSERT_NE(Reopen(), nullptr);
    const absl::StatusOr<std::optional<Snapshot>> snapshot = journal_->LoadSnapshot();
    ASSERT_TRUE(snapshot.ok()) << snapshot.status();
    std::uint64_t through = 0;
    if (*snapshot) {
      through = (*snapshot)->through;
      EXPECT_TRUE(through == 40 || through == 50);
      EXPECT_EQ((*snapshot)->state, std::string(100'000, static_cast<char>(through)));
      ++saved;
    }
    const absl::StatusOr<Batches> batches = BatchesAfter(journal_.get(), through);
    ASSERT_TRUE(batches.ok()) << batches.status();
    for (const auto& [seq, body] : *batches) {
      if (*snapshot) {
        EXPECT_EQ(body, Body(seq));
      }
    }
    for (const Delivery& delivery : Deliveries(journal_.get())) {
      EXPECT_EQ(delivery.id, MakeDelivery(delivery.sequence, "oncall").id);
    }
    EXPECT_TRUE(journal_->AppendBatches(std::vector<std::string>{"next"}).ok());
  }
  EXPECT_GT(saved, 15);
}

}  // namespace
}  // namespace tocsin
