// How an input is run, fails, is created anew, and ends; with scripted inputs.

#include "service/input_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "service/reader.h"
#include "tests/service/kafka_setup.h"
#include "tests/service/watched_journal.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr TimeUs kFirst = 1'767'225'600 * kSecondUs;

// What the inputs of a test shall do, and what they did.
struct Script {
  absl::Mutex mutex;                // for all that follows
  std::deque<absl::Status> starts;  // of one after the other; then OK
  std::deque<TimeUs> records;       // that are still to come
  std::vector<std::string> partitions = {"p"};
  std::string left;  // the partition that has ended; it joins again when not
  TimeUs joined_at = kNoTime;
  std::vector<SourceState> states;
  std::string missing;  // what is not there
  absl::Status fails;   // the next Poll, once
  bool throws = false;
  bool hangs = false;       // Poll does not return …
  bool is_hanging = false;  // … and somebody is in it
  bool ends = false;
  int made = 0;
  std::vector<std::string> durable;
};

class ScriptedInput : public Input {
 public:
  ScriptedInput(Script* script, const KafkaSetup* setup) : script_(*script), setup_(*setup) {
    absl::MutexLock lock(&script_.mutex);
    ++script_.made;
  }

  absl::Status Start() override {
    absl::MutexLock lock(&script_.mutex);
    if (!script_.starts.empty()) {
      const absl::Status status = script_.starts.front();
      script_.starts.pop_front();
      if (!status.ok()) return status;
    }
    Follow();
    return absl::OkStatus();
  }
  absl::Status Poll(absl::Duration) override {
    absl::MutexLock lock(&script_.mutex);
    script_.is_hanging = script_.hangs;
    script_.mutex.Await(absl::Condition(
        +[](Script* script) { return !script->hangs; }, &script_));
    if (script_.throws) {
      script_.throws = false;
      throw std::bad_alloc();
    }
    if (!script_.fails.ok()) return std::exchange(script_.fails, absl::OkStatus());
    Follow();
    EndAndJoin();
    if (partitions_.empty()) return absl::OkStatus();
    InputPartition& first = *partitions_.front();
    while (!script_.records.empty() && !first.paused) {
      first.stage1->Feed({.offset = next_,
                          .next_offset = next_ + 1,
                          .timestamp = script_.records.front(),
                          .append_time = true,
                          .bytes = R"({"type":"request","service":"api"})"});
      ++next_;
      script_.records.pop_front();
      first.commit_due = true;
    }
    if (script_.ends && script_.records.empty()) {
      for (const auto& partition : partitions_) {
        if (!partition->ended) partition->stage1->End();
        partition->ended = true;
      }
    }
    return absl::OkStatus();
  }
  std::vector<InputPartition*> Partitions() override {
    std::vector<InputPartition*> all;
    for (const auto& partition : partitions_) all.push_back(partition.get());
    return all;
  }
  std::vector<SourceState> States() const override {
    absl::MutexLock lock(&script_.mutex);
    return script_.states;
  }
  std::string Missing() const override {
    absl::MutexLock lock(&script_.mutex);
    return script_.missing;
  }
  void Pause(InputPartition* partition, bool pause) override { partition->paused = pause; }
  absl::Status CloseIdle(std::uint64_t) override { return absl::OkStatus(); }
  std::optional<std::string> Position(InputPartition*, const SourceCommit&) override {
    return std::nullopt;
  }
  void OnDurable(std::span<const InputCommit> commits) override {
    absl::MutexLock lock(&script_.mutex);
    for (const InputCommit& one : commits) {
      script_.durable.push_back(one.partition->stage1->source() + " " +
                                std::to_string(one.commit.offset));
    }
  }
  bool assigned() const override { return true; }
  void Stop() override {}

 private:
  void Follow() {
    std::erase_if(partitions_, [&](const auto& known) {
      return std::find(script_.partitions.begin(), script_.partitions.end(),
                       known->stage1->source().substr(5)) == script_.partitions.end();
    });
    for (const std::string& name : script_.partitions) {
      const bool known = std::any_of(
          partitions_.begin(), partitions_.end(),
          [&](const auto& partition) { return partition->stage1->source() == "logs/" + name; });
      if (known) continue;
      partitions_.push_back(std::make_unique<InputPartition>());
      partitions_.back()->stage1 =
          setup_.engine->NewPartition(setup_.config->inputs.front(), "logs/" + name).value();
      partitions_.back()->reach = SourceBoard::Reach::kReadable;
    }
  }

  void EndAndJoin() {
    for (const auto& partition : partitions_) {
      const bool left = partition->stage1->source() == "logs/" + script_.left;
      if (left == partition->ended) continue;
      partition->ended = left;
      if (left) {
        partition->stage1->End();
      } else {
        partition->joined_at = script_.joined_at;
      }
    }
  }

  Script& script_;
  const KafkaSetup& setup_;
  std::vector<std::unique_ptr<InputPartition>> partitions_;
  std::int64_t next_ = 0;
};

class InputRunnerTest : public testing::Test {
 protected:
  InputRunnerTest() { EXPECT_TRUE(log_.Start().ok()); }
  ~InputRunnerTest() override {
    if (reader_) reader_->Stop(absl::Seconds(5));
  }

  void Run(std::vector<std::string> known = {}) {
    reader_.emplace(Reader::Options{
        .inputs = {{.name = "logs",
                    .make = [this] { return std::make_unique<ScriptedInput>(&script_, &setup_); }}},
        .plan = &setup_.engine->plan,
        .log = &log_,
        .time = &time_,
        .known_sources = std::move(known)});
    reader_->Start();
  }
  template <typename Condition>
  void TurnUntil(Condition condition) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (!condition()) {
      ASSERT_LT(absl::Now(), deadline);
      reader_->Turn();
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
  InputStatus Status() { return reader_->Inputs().front(); }
  template <typename Change>
  void Tell(Change change) {
    absl::MutexLock lock(&script_.mutex);
    change(&script_);
  }
  // Control records and batches, as "expect logs/p", "logs/p 20".
  std::vector<std::string> InLog() {
    std::vector<std::string> said;
    EXPECT_TRUE(journal_
                    .ReadBatches(0,
                                 [&](std::uint64_t, std::string_view record) {
                                   said.push_back(Describe(record));
                                   return absl::OkStatus();
                                 })
                    .ok());
    return said;
  }
  static std::string Describe(std::string_view record) {
    const absl::StatusOr<Chunk> chunk = DecodeChunk(record);
    if (!chunk.ok()) return "broken";
    if (!chunk->control) {
      return chunk->source + ' ' + std::to_string((chunk->tick - kFirst) / kSecondUs);
    }
    const absl::StatusOr<ControlRecord> control = DecodeControl(*chunk);
    std::string text = control->kind == ControlRecord::Kind::kExpect   ? "expect"
                       : control->kind == ControlRecord::Kind::kRetire ? "retire"
                                                                       : "other";
    for (const std::string& source : control->sources) text += ' ' + source;
    if (control->tick == kNoTime) return text;
    return text + " from " + std::to_string((control->tick - kFirst) / kSecondUs);
  }

  KafkaSetup setup_{"unused:1", "app-logs"};
  const TimeSource time_;
  WatchedJournal journal_;
  BatchLog log_{{.journal = &journal_, .time = &time_}};
  Script script_;
  std::optional<Reader> reader_;
};

TEST_F(InputRunnerTest, AnnouncesItsSourcesBeforeTheirBatchesAndCommitsWhatIsDurable) {
  Tell([](Script* script) { script->records = {kFirst, kFirst + 20 * kSecondUs}; });
  Run();
  TurnUntil([&] {
    absl::MutexLock lock(&script_.mutex);
    return !script_.durable.empty();
  });
  EXPECT_THAT(InLog(), ElementsAre("expect logs/p", "logs/p 20"));
  EXPECT_EQ(Status().state, InputStatus::State::kRunning);
  EXPECT_EQ(Status().sources.front().counters.records, 2);
}

TEST_F(InputRunnerTest, WhatIsNotDurableIsNotCommitted) {
  journal_.FailWrites(true);
  Tell([](Script* script) { script->records = {kFirst, kFirst + 20 * kSecondUs}; });
  Run();
  TurnUntil([&] {
    return log_.GetHealth().disk.failing_since != kNoTime && !log_.GetHealth().disk.error.ok();
  });
  TurnUntil([&] { return !Status().sources.empty(); });
  {
    absl::MutexLock lock(&script_.mutex);
    EXPECT_TRUE(script_.durable.empty());
  }
  journal_.FailWrites(false);
  TurnUntil([&] {
    absl::MutexLock lock(&script_.mutex);
    return !script_.durable.empty();
  });
}

TEST_F(InputRunnerTest, OneThatCannotStartIsTriedAgain) {
  Tell([](Script* script) { script->starts = {absl::UnavailableError("no broker answered")}; });
  Run();
  TurnUntil([&] { return Status().state == InputStatus::State::kFailed; });
  EXPECT_EQ(Status().reason, "no broker answered");
  EXPECT_NE(Status().down_since, kNoTime);
  EXPECT_TRUE(reader_->status().ok());
  Tell([](Script* script) { script->records = {kFirst, kFirst + 20 * kSecondUs}; });
  TurnUntil([&] { return InLog().size() == 2; });
  EXPECT_THAT(InLog(), ElementsAre("expect logs/p", "logs/p 20"));
  EXPECT_EQ(Status().failures, 1);
  EXPECT_EQ(Status().down_since, kNoTime);
}

TEST_F(InputRunnerTest, OneThatFailsOrThrowsIsMadeAnew) {
  Run();
  TurnUntil([&] { return Status().state == InputStatus::State::kRunning; });
  Tell([](Script* script) { script->fails = absl::InternalError("fatal"); });
  TurnUntil([&] { return Status().failures == 1; });
  TurnUntil([&] { return Status().state == InputStatus::State::kRunning; });
  Tell([](Script* script) { script->throws = true; });
  TurnUntil([&] { return Status().failures == 2; });
  EXPECT_THAT(Status().reason, HasSubstr("bad_alloc"));
  TurnUntil([&] { return Status().state == InputStatus::State::kRunning; });
  absl::MutexLock lock(&script_.mutex);
  EXPECT_EQ(script_.made, 3);
}

TEST_F(InputRunnerTest, AWrongConfigurationIsSaid) {
  Tell([](Script* script) {
    script->starts = {absl::InvalidArgumentError("kafka property x: no such property")};
  });
  Run();
  TurnUntil([&] { return !reader_->status().ok(); });
  EXPECT_TRUE(absl::IsInvalidArgument(reader_->status()));
  EXPECT_THAT(std::string(reader_->status().message()), HasSubstr("input logs: kafka property x"));
}

TEST_F(InputRunnerTest, PartitionsComeAndGo) {
  Run();
  TurnUntil([&] { return InLog().size() == 1; });
  Tell([](Script* script) { script->partitions = {"p", "q"}; });
  TurnUntil([&] { return InLog().size() == 2; });
  Tell([](Script* script) { script->partitions = {"q"}; });
  TurnUntil([&] { return InLog().size() == 3; });
  Tell([](Script* script) { script->partitions = {"q", "p"}; });
  TurnUntil([&] { return InLog().size() == 4; });
  EXPECT_THAT(InLog(),
              ElementsAre("expect logs/p", "expect logs/q", "retire logs/p", "expect logs/p"));
}

TEST_F(InputRunnerTest, OneThatEndedAndJoinsAgainIsAnnouncedBehindThatTick) {
  Tell([](Script* script) { script->partitions = {"p", "q"}; });
  Run();
  TurnUntil([&] { return InLog().size() == 1; });
  Tell([](Script* script) { script->left = "q"; });
  TurnUntil([&] { return InLog().size() == 2; });
  Tell([](Script* script) {
    script->left.clear();
    script->joined_at = kFirst + 100 * kSecondUs;
  });
  TurnUntil([&] { return InLog().size() == 3; });
  EXPECT_EQ(InLog().front(), "expect logs/p logs/q");
  EXPECT_EQ(InLog().back(),
            "expect logs/q from " + std::to_string(100 + setup_.engine->plan.pane() / kSecondUs));
}

TEST_F(InputRunnerTest, OneWithoutPartitionsGoesOnAndRetiresThoseThatItHad) {
  Tell([](Script* script) { script->partitions.clear(); });
  Run({"logs/gone"});
  TurnUntil([&] { return !InLog().empty(); });
  EXPECT_THAT(InLog(), ElementsAre("retire logs/gone"));
  EXPECT_FALSE(reader_->ended());
  Tell([](Script* script) { script->partitions = {"p"}; });
  TurnUntil([&] { return InLog().size() == 2; });
  EXPECT_EQ(InLog().back(), "expect logs/p");
}

TEST_F(InputRunnerTest, APartThatIsNoPartitionYetIsSaidToFail) {
  Tell([](Script* script) {
    script->states = {{.source = "logs/bad", .failing = true, .reason = "denied"},
                      {.source = "logs/new", .failing = false, .reason = "not there"}};
  });
  Run();
  TurnUntil([&] { return Status().sources.size() == 2; });
  EXPECT_EQ(Status().sources.back().source, "logs/bad");
  EXPECT_EQ(Status().sources.back().problem, "denied");
  EXPECT_TRUE(Status().IsUp()) << "another one can be read";
  Tell([](Script* script) { script->partitions.clear(); });
  TurnUntil([&] { return !Status().IsUp(); });
  EXPECT_EQ(Status().reason, "denied");
}

TEST_F(InputRunnerTest, OneWhoseFileIsNotThereIsDownAndHoldsUpNobody) {
  Tell([](Script* script) { script->missing = "app.log: No such file"; });
  Run();
  TurnUntil([&] { return Status().state == InputStatus::State::kRunning; });
  EXPECT_FALSE(Status().IsUp());
  EXPECT_NE(Status().down_since, kNoTime);
  EXPECT_EQ(Status().reason, "app.log: No such file");
  EXPECT_EQ(Status().sources.size(), 1U) << "its source goes on";
  EXPECT_EQ(Status().sources.front().problem, "");
  Tell([](Script* script) { script->missing.clear(); });
  TurnUntil([&] { return Status().IsUp(); });
  EXPECT_EQ(Status().reason, "");
}

// A read on a mount that is gone, a call of a library that does not return.
TEST_F(InputRunnerTest, OneThatHangsIsDownUntilItComesBack) {
  std::atomic<TimeUs> now = 100 * kSecondUs;
  const TimeSource time(
      [&] { return TimeSource::Reading{.monotonic = now, .wall = kFirst + now}; });
  SourceBoard board(setup_.engine->plan.pane());
  InputRunner runner({.name = "logs",
                      .make = [this] { return std::make_unique<ScriptedInput>(&script_, &setup_); },
                      .plan = &setup_.engine->plan,
                      .log = &log_,
                      .board = &board,
                      .time = &time});
  const auto wait_until = [](const auto& condition) {
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (!condition() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(1));
    EXPECT_TRUE(condition());
  };
  runner.Start();
  runner.Open();
  wait_until([&] { return runner.Status().IsUp(); });
  Tell([](Script* script) { script->hangs = true; });
  wait_until([&] {
    absl::MutexLock lock(&script_.mutex);
    return script_.is_hanging;
  });
  now += InputRunner::kHangsAfter;
  EXPECT_TRUE(runner.Status().IsUp()) << "a call may take so long";
  now += 12 * kSecondUs;
  EXPECT_FALSE(runner.Status().IsUp());
  EXPECT_EQ(runner.Status().down_since, 100 * kSecondUs);
  EXPECT_EQ(runner.Status().reason, "it hangs in a call that has not returned for 42s");
  EXPECT_EQ(runner.Status().sources.size(), 1U);
  Tell([](Script* script) { script->hangs = false; });
  wait_until([&] { return runner.Status().IsUp(); });
  EXPECT_EQ(runner.Status().reason, "");
  EXPECT_TRUE(runner.Stop(absl::Seconds(5)));
  now += kHourUs;
  EXPECT_TRUE(runner.Status().IsUp()) << "it has ended";
}

TEST_F(InputRunnerTest, SourcesThatAreThereNoMoreAreRetiredAtTheStart) {
  Run({"logs/p", "logs/gone", "old/app/0"});
  TurnUntil([&] { return InLog().size() == 3; });
  EXPECT_THAT(InLog(), ElementsAre("retire old/app/0", "expect logs/p", "retire logs/gone"));
}

TEST_F(InputRunnerTest, OneThatEndsIsReadToItsEnd) {
  Tell([](Script* script) {
    script->records = {kFirst, kFirst + 20 * kSecondUs};
    script->ends = true;
  });
  Run();
  TurnUntil([&] { return reader_->ended(); });
  EXPECT_EQ(Status().state, InputStatus::State::kEnded);
  EXPECT_TRUE(Status().IsUp());
  EXPECT_THAT(InLog().back(), HasSubstr("logs/p"));
}

TEST_F(InputRunnerTest, WhatWasTakenIsAppendedAtTheEnd) {
  Tell([](Script* script) { script->records = {kFirst}; });
  Run();
  TurnUntil([&] { return !Status().sources.empty() && Status().sources[0].counters.records == 1; });
  EXPECT_TRUE(reader_->Stop(absl::Seconds(5)));
  absl::MutexLock lock(&script_.mutex);
  ASSERT_FALSE(script_.durable.empty());
  EXPECT_EQ(script_.durable.back(), "logs/p 0");
}

}  // namespace
}  // namespace tocsin
