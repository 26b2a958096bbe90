#include "service/batch_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/service/watched_journal.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;

BatchLog::Entry Records(std::vector<std::string> records) {
  return {.records = std::move(records)};
}

class BatchLogTest : public testing::Test {
 protected:
  void Open(DurationUs release_after = kHourUs, std::size_t bytes_max = BatchLog::kBytesMax) {
    log_.emplace(BatchLog::Options{.journal = &journal_,
                                   .time = &time_,
                                   .bytes_max = bytes_max,
                                   .release_after = release_after});
    ASSERT_TRUE(log_->Start().ok());
  }
  void WaitUntilDurable(std::uint64_t sequence) {
    while (log_->durable() < sequence) std::this_thread::yield();
  }
  std::vector<std::string> InJournal() {
    std::vector<std::string> records;
    EXPECT_TRUE(journal_
                    .ReadBatches(0,
                                 [&](std::uint64_t, std::string_view record) {
                                   records.emplace_back(record);
                                   return absl::OkStatus();
                                 })
                    .ok());
    return records;
  }

  const TimeSource time_;
  WatchedJournal journal_;
  std::optional<BatchLog> log_;
};

TEST_F(BatchLogTest, HandsOverWhatIsDurableInOrder) {
  Open();
  EXPECT_EQ(log_->Append(Records({"a", "b"})), 2u);
  EXPECT_EQ(log_->Append(Records({"c"})), 3u);
  const std::optional<BatchLog::Set> first = log_->Pop();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->sequence, 2u);
  EXPECT_THAT(first->records(), ElementsAre("a", "b"));
  EXPECT_GE(log_->durable(), 2u);
  EXPECT_EQ(log_->Pop()->sequence, 3u);
  log_->Close();
  EXPECT_EQ(log_->Pop(), std::nullopt);
  EXPECT_THAT(InJournal(), ElementsAre("a", "b", "c"));
}

TEST_F(BatchLogTest, GoesOnWhereTheJournalStands) {
  ASSERT_TRUE(journal_.AppendBatches(std::vector<std::string>{"old"}, {}).ok());
  Open();
  EXPECT_EQ(log_->durable(), 1u);
  EXPECT_EQ(log_->Append(Records({"new"})), 2u);
}

TEST_F(BatchLogTest, PositionsAreWrittenWithTheirBatches) {
  Open();
  journal_.FailWrites(true);
  log_->Append({.records = {"a"}, .positions = {{"app.log", "12"}}});
  EXPECT_EQ(**log_->Position("app.log"), "12") << "the newest, written or not";
  EXPECT_FALSE(journal_.ReadPosition("app.log")->has_value());
  EXPECT_FALSE(log_->PositionIsDurable("app.log"));
  const std::uint64_t last = log_->Append({.records = {}, .positions = {{"app.log", "13"}}});
  EXPECT_EQ(last, 1u);
  journal_.FailWrites(false);
  log_->Append(Records({"b"}));
  WaitUntilDurable(2);
  EXPECT_EQ(**journal_.ReadPosition("app.log"), "13");
  EXPECT_EQ(**log_->Position("app.log"), "13");
  while (!log_->PositionIsDurable("app.log")) std::this_thread::yield();
}

TEST_F(BatchLogTest, DecisionsGoOnWithoutTheDiskAndItCatchesUp) {
  Open(/*release_after=*/kMillisecondUs);
  journal_.FailWrites(true);
  log_->Append(Records({"a"}));
  EXPECT_THAT(log_->Pop()->records(), ElementsAre("a"));
  EXPECT_EQ(log_->durable(), 0u);
  EXPECT_EQ(log_->released(), 1u);
  while (log_->GetHealth().disk.failing_since == kNoTime) std::this_thread::yield();
  const WriteHealth failing = log_->GetHealth().disk;
  EXPECT_NE(failing.failing_since, kNoTime);
  EXPECT_EQ(failing.error.message(), "the disk is full");
  log_->Append(Records({"b"}));
  journal_.FailWrites(false);
  WaitUntilDurable(2);
  EXPECT_THAT(log_->Pop()->records(), ElementsAre("b"));
  EXPECT_EQ(log_->GetHealth().disk.failing_since, kNoTime);
  EXPECT_EQ(log_->GetHealth().disk.bytes, 0u);
  EXPECT_THAT(InJournal(), ElementsAre("a", "b"));
}

TEST_F(BatchLogTest, IsFullOfWhatWaitsForTheDiskOrForDeciding) {
  Open(kHourUs, /*bytes_max=*/10);
  log_->Append(Records({"0123456789"}));
  EXPECT_TRUE(log_->full());
  WaitUntilDurable(1);
  EXPECT_TRUE(log_->full());
  log_->Pop();
  EXPECT_FALSE(log_->full());
  journal_.FailWrites(true);
  log_->Append(Records({"0123456789"}));
  EXPECT_TRUE(log_->full());
}

TEST_F(BatchLogTest, WhatTheDiskDoesNotTakeIsDecidedBeforeTheEnd) {
  Open();
  journal_.FailWrites(true);
  log_->Append(Records({"a"}));
  log_->Close();
  EXPECT_TRUE(log_->Stop(absl::Milliseconds(1))) << "the journal answers, if only to refuse";
  EXPECT_THAT(log_->Pop()->records(), ElementsAre("a"));
  EXPECT_EQ(log_->Pop(), std::nullopt);
  EXPECT_EQ(log_->Append(Records({"b"})), 1u) << "nothing is taken any more";
}

}  // namespace
}  // namespace tocsin
