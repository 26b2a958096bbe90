#include "service/source_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "core/limits.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Reach = SourceBoard::Reach;

constexpr DurationUs kPane = 10 * kSecondUs;
constexpr TimeUs kBase = 1'767'225'600 * kSecondUs;

// Sources whose ticks a test moves, judged ten times a second of virtual time.
class Board {
 public:
  void Add(const std::string& name, TimeUs tick = kBase) {
    ids_[name] = board_.Add(name);
    progress_[name] = {.tick = tick, .data_tick = tick, .reach = Reach::kReadable};
  }
  SourceBoard::Progress& of(const std::string& name) { return progress_[name]; }
  void Advance(const std::string& name, int panes = 1) {
    progress_[name].tick += panes * kPane;
    progress_[name].data_tick = progress_[name].tick;
  }
  // Time passes; what the board decides is kept. `each` runs before every look.
  void Run(
      DurationUs duration, const std::function<void()>& each = [] {}) {
    for (const TimeUs until = now_ + duration; now_ < until;) {
      now_ += 100 * kMillisecondUs;
      each();
      Look();
    }
  }
  // The process was stopped.
  void Freeze(DurationUs duration) { now_ += duration; }
  void Look() {
    for (const auto& [name, id] : ids_) board_.Report(id, progress_[name]);
    for (const ControlRecord& record : board_.Judge(now_)) {
      decided_.push_back((record.kind == ControlRecord::Kind::kExclude ? "exclude " : "rejoin ") +
                         record.sources.front());
      from_ = record.tick;
    }
  }
  std::vector<std::string> Take() { return std::exchange(decided_, {}); }
  TimeUs from() const { return from_; }
  TimeUs now() const { return now_; }
  const SourceBoard& board() const { return board_; }

 private:
  SourceBoard board_{kPane};
  TimeUs now_ = 5'000 * kSecondUs;
  TimeUs from_ = 0;
  std::map<std::string, SourceBoard::Id> ids_;
  std::map<std::string, SourceBoard::Progress> progress_;
  std::vector<std::string> decided_;
};

TEST(SourceBoard, OneThatStandsStillByItselfIsExcludedAfterHalfAMinute) {
  Board board;
  for (const char* name : {"a", "b", "c"}) board.Add(name);
  board.Run(kMinuteUs);
  EXPECT_THAT(board.Take(), IsEmpty()) << "nobody moves, nobody is to blame";
  board.Advance("a");
  board.Advance("b");
  board.Run(29 * kSecondUs);
  EXPECT_THAT(board.Take(), IsEmpty());
  board.Run(2 * kSecondUs);
  EXPECT_THAT(board.Take(), ElementsAre("exclude c"));
  EXPECT_EQ(board.from(), kBase + kPane);
  EXPECT_THAT(board.board().ExcludedSources(), ElementsAre("c"));

  board.Advance("c");
  board.Run(kSecondUs);
  EXPECT_THAT(board.Take(), ElementsAre("rejoin c"));
  EXPECT_EQ(board.from(), kBase + 2 * kPane);
  EXPECT_THAT(board.board().ExcludedSources(), IsEmpty());
}

TEST(SourceBoard, SeveralThatStandStillTogetherAreExcluded) {
  Board board;
  for (const char* name : {"a", "b", "c", "d"}) board.Add(name);
  board.Run(kSecondUs);
  board.Advance("a");
  board.Run(31 * kSecondUs);
  EXPECT_THAT(board.Take(), ElementsAre("exclude b", "exclude c", "exclude d"));
}

TEST(SourceBoard, OneThatAdvancesIsNeverExcluded) {
  Board board;
  board.Add("fast");
  board.Add("slow");
  int looks = 0;
  board.Run(10 * kMinuteUs, [&] {
    if (++looks % 10 == 0) board.Advance("fast");
    if (looks % 290 == 0) board.Advance("slow");
  });
  EXPECT_THAT(board.Take(), IsEmpty());
}

TEST(SourceBoard, AFreezeExcludesNobody) {
  std::mt19937_64 random(11);
  for (int seed = 0; seed < 200; ++seed) {
    Board board;
    const int sources = 2 + static_cast<int>(random() % 20);
    for (int i = 0; i < sources; ++i) board.Add(std::to_string(i));
    board.Run(kMinuteUs, [&] {
      if (board.now() % kPane != 0) return;
      for (int i = 0; i < sources; ++i) board.Advance(std::to_string(i));
    });
    board.Freeze((random() % 2 == 0 ? 1 : 10) * kMinuteUs);
    board.Look();
    // Each catches up in its own time, up to 25 s later.
    std::vector<TimeUs> back;
    for (int i = 0; i < sources; ++i) {
      back.push_back(board.now() + static_cast<TimeUs>(random() % (25 * kSecondUs)));
    }
    board.Run(kMinuteUs, [&] {
      for (int i = 0; i < sources; ++i) {
        if (board.now() >= back[static_cast<std::size_t>(i)]) board.Advance(std::to_string(i));
      }
    });
    EXPECT_THAT(board.Take(), IsEmpty()) << "seed " << seed;
  }
}

TEST(SourceBoard, AnOutageOfAllExcludesNobody) {
  std::mt19937_64 random(13);
  for (int seed = 0; seed < 200; ++seed) {
    Board board;
    const int sources = 2 + static_cast<int>(random() % 20);
    for (int i = 0; i < sources; ++i) board.Add(std::to_string(i));
    for (int i = 0; i < sources; ++i)
      board.Advance(std::to_string(i), static_cast<int>(random() % 2));
    for (int i = 0; i < sources; ++i) board.of(std::to_string(i)).reach = Reach::kAway;
    board.Run(static_cast<DurationUs>(1 + random() % 20) * kMinuteUs);
    // Brokers come back one after the other, and their partitions move some time after that.
    std::vector<TimeUs> back, moves;
    for (int i = 0; i < sources; ++i) {
      back.push_back(board.now() + static_cast<TimeUs>(random() % kMinuteUs));
      moves.push_back(back.back() + static_cast<TimeUs>(random() % (25 * kSecondUs)));
    }
    board.Run(3 * kMinuteUs, [&] {
      for (int i = 0; i < sources; ++i) {
        const auto at = static_cast<std::size_t>(i);
        if (board.now() >= back[at]) board.of(std::to_string(i)).reach = Reach::kReadable;
        if (board.now() >= moves[at]) board.Advance(std::to_string(i));
      }
    });
    EXPECT_THAT(board.Take(), IsEmpty()) << "seed " << seed;
  }
}

TEST(SourceBoard, OneThatIsAwayIsWaitedForUntilOthersHaveSomethingToDecide) {
  Board board;
  board.Add("kafka");
  board.Add("http");
  board.of("kafka").reach = Reach::kAway;
  // The other one is idle: its ticks carry nothing.
  const TimeUs data_tick = board.of("http").data_tick;
  board.Run(30 * kMinuteUs, [&] {
    board.Advance("http");
    board.of("http").data_tick = data_tick;
  });
  EXPECT_THAT(board.Take(), IsEmpty());
  board.Advance("http");
  board.Run(kMinuteUs);
  EXPECT_THAT(board.Take(), IsEmpty());
  board.Run(61 * kSecondUs);
  EXPECT_THAT(board.Take(), ElementsAre("exclude kafka"));
  board.of("kafka").reach = Reach::kReadable;
  board.of("kafka").tick = board.of("http").tick;
  board.Run(kSecondUs);
  EXPECT_THAT(board.Take(), ElementsAre("rejoin kafka"));
}

TEST(SourceBoard, OneThatNeverHadATickIsLeftOut) {
  Board board;
  board.Add("busy");
  board.Add("empty", kNoTime);
  board.Run(20 * kSecondUs, [&] { board.Advance("busy"); });
  EXPECT_THAT(board.Take(), IsEmpty());
  board.Run(12 * kSecondUs, [&] { board.Advance("busy"); });
  EXPECT_THAT(board.Take(), ElementsAre("exclude empty"));
  EXPECT_EQ(board.from(), kNoTime);
}

TEST(SourceBoard, WhatIsDueHasBeenSentByAllThatAreWaitedFor) {
  Board board;
  board.Add("a", kNoTime);
  board.Add("b", kBase + 5 * kPane);
  board.Look();
  EXPECT_EQ(board.board().GetTicks().due, kNoTime) << "one has not begun";
  EXPECT_EQ(board.board().GetTicks().furthest, kBase + 5 * kPane);
  board.of("a").tick = kBase + 2 * kPane;
  board.Look();
  EXPECT_EQ(board.board().GetTicks().due, kBase + 2 * kPane);
  // It does not go back for one that comes.
  board.Add("c", kBase);
  board.Look();
  EXPECT_EQ(board.board().GetTicks().due, kBase + 2 * kPane);
  board.of("a").ended = board.of("c").ended = true;
  board.Look();
  EXPECT_EQ(board.board().GetTicks().due, kBase + 5 * kPane);
}

TEST(SourceBoard, WhatStage2HasDecidedIsDue) {
  SourceBoard board(kPane, kBase);
  EXPECT_EQ(board.GetTicks().due, kBase);
  EXPECT_EQ(board.GetTicks().furthest, kBase);
  board.Add("a");
  EXPECT_EQ(board.GetTicks().due, kBase);
}

TEST(SourceBoard, NobodyRunsFarAhead) {
  Board board;
  board.Add("a");
  board.Add("b", kBase + 5 * kPane);
  board.Look();
  EXPECT_EQ(board.board().Limit(), kBase + limits::kTicksAheadMax * kPane);
  board.of("a").ended = true;
  board.Look();
  EXPECT_EQ(board.board().Limit(), kBase + (5 + limits::kTicksAheadMax) * kPane);
  EXPECT_EQ(board.board().GetTicks().furthest, kBase + 5 * kPane);
  // One without a time of its own holds nobody back for good, but the others keep together.
  board.Add("c", kNoTime);
  board.Look();
  EXPECT_EQ(board.board().Limit(), kBase + (5 + limits::kTicksAheadMax) * kPane);
}

}  // namespace
}  // namespace tocsin
