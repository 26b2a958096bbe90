// What every journal promises, over all implementations.
#include "journal/journal.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "tests/journal/journal_fixtures.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

struct Memory {
  explicit Memory(const JournalLimits& limits) : journal(NewMemoryJournal(limits)) {}
  std::unique_ptr<Journal> journal;
};

struct Sqlite {
  explicit Sqlite(const JournalLimits& limits) {
    static std::atomic<int> count = 0;
    directory =
        testing::TempDir() + "journal_" + std::to_string(getpid()) + "_" + std::to_string(++count);
    absl::StatusOr<std::unique_ptr<Journal>> opened =
        OpenSqliteJournal(directory, {.limits = limits});
    EXPECT_TRUE(opened.ok()) << opened.status();
    if (opened.ok()) journal = *std::move(opened);
  }
  ~Sqlite() {
    journal.reset();
    std::filesystem::remove_all(directory);
  }
  std::string directory;
  std::unique_ptr<Journal> journal;
};

template <typename Implementation>
class JournalTest : public testing::Test {
 protected:
  Journal* journal() {
    if (!implementation_) implementation_ = std::make_unique<Implementation>(limits_);
    return implementation_->journal.get();
  }
  void Snapshot(std::uint64_t through, TimeUs tick, const std::vector<OutputLine>& lines = {}) {
    const absl::Status saved = journal()->SaveSnapshot(
        {.through = through, .state = std::to_string(through), .tick = tick}, lines);
    EXPECT_TRUE(saved.ok()) << saved;
  }
  std::uint64_t Append(const std::vector<std::string>& batches) {
    const absl::StatusOr<std::uint64_t> seq = journal()->AppendBatches(batches);
    EXPECT_TRUE(seq.ok()) << seq.status();
    return seq.value_or(0);
  }

  JournalLimits limits_;  // until the journal is first used

 private:
  std::unique_ptr<Implementation> implementation_;
};

using Implementations = testing::Types<Memory, Sqlite>;
TYPED_TEST_SUITE(JournalTest, Implementations);

TYPED_TEST(JournalTest, NumbersBatchesFromOneWithoutGaps) {
  EXPECT_EQ(this->Append({}), 0u);
  EXPECT_EQ(this->Append({"a", "b"}), 2u);
  EXPECT_EQ(this->Append({std::string("\0\xff", 2), ""}), 4u);
  EXPECT_EQ(this->Append({}), 4u);
  EXPECT_THAT(
      *BatchesAfter(this->journal(), 0),
      ElementsAre(Pair(1, "a"), Pair(2, "b"), Pair(3, std::string("\0\xff", 2)), Pair(4, "")));
  EXPECT_THAT(*BatchesAfter(this->journal(), 3), ElementsAre(Pair(4, "")));
  EXPECT_THAT(*BatchesAfter(this->journal(), 4), IsEmpty());
}

TYPED_TEST(JournalTest, ReadsMoreBatchesThanOnePage) {
  for (int i = 0; i < 10; ++i) this->Append(std::vector<std::string>(10, std::to_string(i)));
  const Batches batches = *BatchesAfter(this->journal(), 0);
  ASSERT_EQ(batches.size(), 100u);
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_THAT(batches[i], Pair(i + 1, std::to_string(i / 10)));
  }
}

TYPED_TEST(JournalTest, StopsReadingWhenTheVisitorFails) {
  this->Append({"a", "b"});
  int visits = 0;
  const absl::Status status = this->journal()->ReadBatches(0, [&](std::uint64_t, std::string_view) {
    ++visits;
    return absl::AbortedError("enough");
  });
  EXPECT_EQ(status, absl::AbortedError("enough"));
  EXPECT_EQ(visits, 1);
}

TYPED_TEST(JournalTest, AVisitorMayUseTheJournal) {
  this->Append({"a"});
  EXPECT_TRUE(this->journal()
                  ->ReadBatches(0,
                                [&](std::uint64_t, std::string_view body) {
                                  return this->journal()->WritePosition("seen", std::string(body));
                                })
                  .ok());
  EXPECT_EQ(*this->journal()->ReadPosition("seen"), "a");
}

TYPED_TEST(JournalTest, KeepsWhatTheLastTwoSnapshotsDoNotCover) {
  this->limits_.batches_bytes = 0;
  EXPECT_EQ(*this->journal()->LoadSnapshot(), std::nullopt);
  this->Append({"1", "2", "3", "4", "5", "6"});
  ASSERT_TRUE(this->journal()->SaveSnapshot({.through = 2, .state = "two"}, {}).ok());
  // Nothing is pruned yet: were this snapshot damaged, the batches would have to give all.
  EXPECT_EQ(BatchesAfter(this->journal(), 0)->size(), 6u);
  ASSERT_TRUE(this->journal()->SaveSnapshot({.through = 4, .state = "four"}, {}).ok());
  EXPECT_EQ(BatchesAfter(this->journal(), 2)->size(), 4u);
  EXPECT_EQ(BatchesAfter(this->journal(), 1).status().code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(this->journal()->SaveSnapshot({.through = 6, .state = "six"}, {}).ok());
  EXPECT_THAT(*BatchesAfter(this->journal(), 4), ElementsAre(Pair(5, "5"), Pair(6, "6")));
  EXPECT_EQ(BatchesAfter(this->journal(), 3).status().code(), absl::StatusCode::kDataLoss);
  // Numbers go on when no batch is left.
  ASSERT_TRUE(this->journal()->SaveSnapshot({.through = 6, .state = "again"}, {}).ok());
  EXPECT_EQ(BatchesAfter(this->journal(), 5).status().code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(this->Append({"7"}), 7u);
  const std::optional<Snapshot> snapshot = *this->journal()->LoadSnapshot();
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->through, 6u);
  EXPECT_EQ(snapshot->state, "again");
}

TYPED_TEST(JournalTest, KeepsBatchesBeforeThatForATimeOfTheirTicks) {
  this->limits_.batches_time = 10 * kMinuteUs;
  EXPECT_EQ(*this->journal()->OldestBatch(), 1u);
  for (int minute = 0; minute <= 30; ++minute) {
    this->Append({"x"});
    this->Snapshot(static_cast<std::uint64_t>(minute) + 1, minute * kMinuteUs);
    // Batch n was there when minute n − 1 was decided.
    EXPECT_EQ(*this->journal()->OldestBatch(), static_cast<std::uint64_t>(std::max(1, minute - 8)));
  }
  EXPECT_EQ(this->journal()->Usage().batches, 10);
  EXPECT_EQ(BatchesAfter(this->journal(), 21)->size(), 10u);
}

TYPED_TEST(JournalTest, KeepsBatchesBeforeThatWithinANumberOfBytes) {
  this->limits_.batches_bytes = 1000;
  for (std::uint64_t i = 1; i <= 30; ++i) {
    this->Append({std::string(100, 'x')});
    this->Snapshot(i, static_cast<TimeUs>(i) * kSecondUs);
  }
  EXPECT_EQ(this->journal()->Usage().batch_bytes, 1000);
  EXPECT_EQ(*this->journal()->OldestBatch(), 21u);
  // What a restart needs is kept, however large.
  this->Append({std::string(100'000, 'x')});
  this->Snapshot(31, 31 * kSecondUs);
  this->Append({std::string(100'000, 'y')});
  this->Snapshot(32, 32 * kSecondUs);
  EXPECT_EQ(BatchesAfter(this->journal(), 31)->size(), 1u);
}

TYPED_TEST(JournalTest, RefusesSnapshotsThatStandForNothing) {
  this->Append({"1", "2"});
  EXPECT_EQ(this->journal()->SaveSnapshot({.through = 3, .state = ""}, {}).code(),
            absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(this->journal()->SaveSnapshot({.through = 2, .state = ""}, {}).ok());
  EXPECT_EQ(this->journal()->SaveSnapshot({.through = 1, .state = ""}, {}).code(),
            absl::StatusCode::kInvalidArgument);
}

TYPED_TEST(JournalTest, KeepsLinesInOrder) {
  this->Append({"1", "2"});
  const std::vector<OutputLine> first = {MakeLine(LineKind::kSignal, 10, "{\"a\":\"\\n\"}"),
                                         MakeLine(LineKind::kIncident, 10, "")};
  ASSERT_TRUE(this->journal()->SaveSnapshot({.through = 1, .state = ""}, first).ok());
  std::vector<OutputLine> many;
  for (int i = 0; i < 1000; ++i) many.push_back(MakeLine(LineKind::kSignal, i, "x"));
  ASSERT_TRUE(this->journal()->SaveSnapshot({.through = 2, .state = ""}, many).ok());
  const std::vector<std::string> lines = Lines(this->journal());
  ASSERT_EQ(lines.size(), 1002u);
  EXPECT_EQ(lines[0], "S10 {\"a\":\"\\n\"}");
  EXPECT_EQ(lines[1], "I10 ");
  EXPECT_EQ(lines[1001], "S999 x");
}

TYPED_TEST(JournalTest, KeepsASnapshotOfAnySizeWithItsTick) {
  this->Append({"1"});
  for (const std::size_t size : {std::size_t{0}, limits::kSnapshotPartBytes - 1,
                                 limits::kSnapshotPartBytes, 10 * limits::kSnapshotPartBytes + 3}) {
    std::string state(size, 'x');
    for (std::size_t i = 0; i < size; i += 1000) state[i] = static_cast<char>(i / 1000);
    ASSERT_TRUE(this->journal()->SaveSnapshot({.through = 1, .state = state, .tick = 7}, {}).ok());
    const std::optional<Snapshot> read = *this->journal()->LoadSnapshot();
    ASSERT_TRUE(read.has_value());
    EXPECT_TRUE(read->state == state) << size;
    EXPECT_EQ(read->tick, 7);
  }
}

TYPED_TEST(JournalTest, KeepsTheNewestLinesAndThoseOfOpenIncidents) {
  this->limits_.lines_bytes = 500;
  this->Append({"1"});
  this->Snapshot(1, 1, {MakeIncidentLine("a", "a1", true), MakeIncidentLine("b", "b1", true)});
  this->Snapshot(1, 2, {MakeIncidentLine("b", "b2", false), MakeIncidentLine("c", "c1", true)});
  for (int i = 0; i < 100; ++i) {
    this->Snapshot(1, 3 + i, {MakeLine(LineKind::kSignal, i, std::string(100, 's'))});
  }
  std::vector<std::string> lines = Lines(this->journal());
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0], "I0 a1 alone");
  EXPECT_EQ(lines[1], "I0 c1 alone");
  EXPECT_EQ(lines[2], "S96 " + std::string(100, 's'));
  EXPECT_EQ(lines[5], "S99 " + std::string(100, 's'));
  const JournalUsage usage = this->journal()->Usage();
  EXPECT_EQ(usage.lines, 6);
  EXPECT_EQ(usage.line_bytes, 404);
  EXPECT_EQ(usage.lines_dropped, 98);
  // Once it is over it goes with its time.
  this->Snapshot(1, 200, {MakeIncidentLine("a", "a2", false)});
  this->Snapshot(1, 201, {MakeLine(LineKind::kSignal, 1, std::string(450, 't'))});
  lines = Lines(this->journal());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0], "I0 c1 alone");
  EXPECT_EQ(lines[1], "I0 a2");
}

TYPED_TEST(JournalTest, ALineMayReplaceTheEarlierOnesOfItsIncident) {
  this->Append({"1"});
  this->Snapshot(1, 1, {MakeIncidentLine("a", "a1", true), MakeIncidentLine("b", "b1", true)});
  OutputLine line = MakeIncidentLine("a", "a2", true);
  line.replaces = true;
  this->Snapshot(1, 2, {line});
  EXPECT_THAT(Lines(this->journal()), ElementsAre("I0 b1", "I0 a2"));
  EXPECT_EQ(this->journal()->Usage().lines, 2);
  EXPECT_EQ(this->journal()->Usage().line_bytes, 4);
  EXPECT_EQ(this->journal()->Usage().lines_dropped, 0);
}

TYPED_TEST(JournalTest, ForgetsWhatIsConfiguredNoMoreAfterATime) {
  ASSERT_TRUE(this->journal()->WritePosition("app", "1").ok());
  ASSERT_TRUE(this->journal()->WritePosition("old", "2").ok());
  ASSERT_TRUE(this->journal()
                  ->WriteDeliveries(std::vector<Delivery>{
                      MakeDelivery(1, "oncall"), MakeDelivery(2, "gone"), MakeDelivery(3, "gone")})
                  .ok());
  const auto forget = [&](std::vector<std::string> sources, std::vector<std::string> sinks) {
    absl::StatusOr<std::vector<std::string>> dropped = this->journal()->ForgetAbsent(
        {.sources = sources, .sinks = sinks, .elapsed = kHourUs, .forget_after = 4 * kHourUs});
    EXPECT_TRUE(dropped.ok()) << dropped.status();
    return dropped.value_or(std::vector<std::string>());
  };
  EXPECT_THAT(forget({"app"}, {"oncall"}), IsEmpty());
  EXPECT_THAT(forget({"app"}, {"oncall"}), IsEmpty());
  // Back again: it begins anew.
  EXPECT_THAT(forget({"app", "old"}, {"oncall"}), IsEmpty());
  EXPECT_THAT(forget({"app"}, {"oncall"}), ElementsAre("the deliveries of sink gone"));
  EXPECT_EQ(Deliveries(this->journal()).size(), 1u);
  EXPECT_THAT(forget({"app"}, {"oncall"}), IsEmpty());
  EXPECT_THAT(forget({"app"}, {"oncall"}), IsEmpty());
  EXPECT_EQ(*this->journal()->ReadPosition("old"), "2");
  EXPECT_THAT(forget({"app"}, {"oncall"}), ElementsAre("the position of source old"));
  EXPECT_EQ(*this->journal()->ReadPosition("old"), std::nullopt);
  EXPECT_EQ(*this->journal()->ReadPosition("app"), "1");
}

TYPED_TEST(JournalTest, InsertsReplacesAndForgetsDeliveries) {
  std::vector<Delivery> written;
  for (const std::uint64_t sequence : {3U, 1U, 2U})
    written.push_back(MakeDelivery(sequence, "oncall"));
  ASSERT_TRUE(this->journal()->WriteDeliveries(written).ok());
  Delivery receipt = written[1];
  receipt.state = DeliveryState::kDelivered;
  receipt.attempts = 4;
  ASSERT_TRUE(this->journal()->WriteDeliveries(std::vector<Delivery>{receipt}).ok());
  std::vector<Delivery> read = Deliveries(this->journal());
  ASSERT_EQ(read.size(), 3u);
  EXPECT_EQ(read[0].sequence, 1u);
  EXPECT_EQ(read[0].state, DeliveryState::kDelivered);
  EXPECT_EQ(read[0].attempts, 4);
  EXPECT_EQ(read[0].payload, R"({"title":"x"})");
  EXPECT_EQ(read[2].sequence, 3u);
  const std::vector<Hash128> ids = {written[0].id, HashBytes("unknown")};
  ASSERT_TRUE(this->journal()->ForgetDeliveries(ids).ok());
  read = Deliveries(this->journal());
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1].sequence, 2u);
}

TYPED_TEST(JournalTest, ReadsMoreDeliveriesThanOnePage) {
  std::vector<Delivery> written;
  // Two of each sequence, as a journal of two processes' deliveries could hold.
  for (std::uint64_t i = 0; i < 600; ++i) {
    written.push_back(MakeDelivery(i / 2, i % 2 == 0 ? "a" : "b"));
  }
  ASSERT_TRUE(this->journal()->WriteDeliveries(written).ok());
  const std::vector<Delivery> read = Deliveries(this->journal());
  ASSERT_EQ(read.size(), 600u);
  for (std::size_t i = 0; i < 600; ++i) EXPECT_EQ(read[i].sequence, i / 2);
}

TYPED_TEST(JournalTest, KeepsPositions) {
  EXPECT_EQ(*this->journal()->ReadPosition("app.log"), std::nullopt);
  ASSERT_TRUE(this->journal()->WritePosition("app.log", "12").ok());
  ASSERT_TRUE(this->journal()->WritePosition("app.log", "34").ok());
  EXPECT_EQ(*this->journal()->ReadPosition("app.log"), "34");
  EXPECT_EQ(*this->journal()->ReadPosition("other.log"), std::nullopt);
}

TYPED_TEST(JournalTest, WritesPositionsWithTheirBatches) {
  const std::vector<std::string> batches = {"a", "b"};
  // The last one of a source holds.
  const std::vector<SourcePosition> positions = {{"app", "1"}, {"other", "7"}, {"app", "2"}};
  EXPECT_EQ(*this->journal()->AppendBatches(batches, positions), 2u);
  EXPECT_EQ(*this->journal()->ReadPosition("app"), "2");
  EXPECT_EQ(*this->journal()->ReadPosition("other"), "7");
  EXPECT_EQ(*this->journal()->AppendBatches({}, std::vector<SourcePosition>{{"app", "3"}}), 2u);
  EXPECT_EQ(*this->journal()->ReadPosition("app"), "3");
  EXPECT_EQ(BatchesAfter(this->journal(), 0)->size(), 2u);
}

TYPED_TEST(JournalTest, MayBeUsedByManyThreads) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 25;
  ASSERT_NE(this->journal(), nullptr);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([this, t] {
        for (int i = 0; i < kRounds; ++i) {
          this->Append({"x"});
          EXPECT_TRUE(this->journal()->WritePosition(std::to_string(t), std::to_string(i)).ok());
        }
      });
    }
  }
  EXPECT_EQ(BatchesAfter(this->journal(), 0)->size(), std::size_t{kThreads * kRounds});
}

}  // namespace
}  // namespace tocsin
