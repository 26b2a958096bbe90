// File inputs as the running engine has them, with clocks of a test's own and without threads but
// that of the batch log: what service/input_runner.h does with them, the deciding included.
//
//   LiveFiles live(yaml, folder);
//   live.Turn(/*seconds=*/1);              // reads, decides, commits, closes what is idle
//   live.Restart();                        // goes on at the last commit, as after kill -9
//   live.lines()                           // signals and incidents, in order of ticks
//
// Not thread-safe.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "engine/decider.h"
#include "journal/journal.h"
#include "runtime/engine_setup.h"
#include "runtime/tbb_executor.h"
#include "service/batch_log.h"
#include "service/file_input.h"
#include "service/source_board.h"
#include "system/time_source.h"

namespace tocsin {

class LiveFiles {
 public:
  // 2026-03-02T00:00:00Z
  static constexpr TimeUs kStart = 1'772'409'600 * kSecondUs;

  explicit LiveFiles(const std::string& yaml, std::unique_ptr<Journal> journal = NewMemoryJournal())
      : journal_(std::move(journal)) {
    ErrorList errors;
    config_ = LoadConfigText(yaml, "test", &errors);
    if (config_) setup_ = EngineSetup::Build(&*config_, &errors);
    EXPECT_NE(setup_, nullptr) << ErrorsText(errors);
    decider_ = std::make_unique<Decider>(&*config_, &setup_->plan, &setup_->detectors,
                                         TbbExecutor({.threads = 1}));
    log_ = std::make_unique<BatchLog>(BatchLog::Options{.journal = journal_.get(), .time = &time_});
    EXPECT_TRUE(log_->Start().ok());
    Restart();
  }

  void Restart() {
    inputs_.clear();
    announced_.clear();
    const TimeUs next = decider_->assembler().next_tick();
    board_ = std::make_unique<SourceBoard>(setup_->plan.pane(),
                                           next == kNoTime ? kNoTime : next - setup_->plan.pane());
    std::vector<std::string> present;
    for (const InputConfig& input : config_->inputs) {
      inputs_.push_back(std::make_unique<FileFollower>(&input, setup_.get(), log_.get(),
                                                       /*dead_letters=*/nullptr, nullptr, &time_));
      inputs_.back()->SetTicks(board_->GetTicks());
      EXPECT_TRUE(inputs_.back()->Start().ok());
      for (const InputPartition* one : inputs_.back()->Partitions()) {
        present.push_back(one->stage1->source());
        announced_[present.back()] = {.id = board_->Add(present.back())};
      }
    }
    BatchLog::Entry entry;
    ControlRecord retire = {.kind = ControlRecord::Kind::kRetire};
    for (const std::string& known : decider_->assembler().Sources()) {
      if (std::count(present.begin(), present.end(), known) == 0) retire.sources.push_back(known);
    }
    if (!retire.sources.empty()) entry.records.push_back(EncodeControl(retire));
    entry.records.push_back(
        EncodeControl({.kind = ControlRecord::Kind::kExpect, .sources = present}));
    Append(std::move(entry));
  }

  // The parts of a turn, for tests that do something between them.
  void Advance(double seconds) { now_ += static_cast<DurationUs>(seconds * kSecondUs); }
  void Poll() {
    for (const auto& input : inputs_) {
      input->SetTicks(board_->GetTicks());
      EXPECT_TRUE(input->Poll(absl::ZeroDuration()).ok());
    }
  }
  // Batches with the positions that belong to them, and commits that are due for other reasons.
  void Send(bool commit = true) {
    std::vector<InputCommit> commits;
    BatchLog::Entry entry;
    Announce(&entry);
    for (const auto& input : inputs_) {
      for (InputPartition* one : input->Partitions()) {
        const std::vector<PaneBatch> batches = one->stage1->TakeBatches();
        for (const PaneBatch& batch : batches) {
          for (std::string& chunk : EncodeBatch(batch, setup_->plan)) {
            entry.records.push_back(std::move(chunk));
          }
        }
        Source& source = announced_.at(one->stage1->source());
        source.ended = one->ended;
        board_->Report(source.id, {.tick = one->stage1->last_tick(), .ended = one->ended});
        if (batches.empty() && !(commit && one->commit_due)) continue;
        const SourceCommit made = one->stage1->Commit();
        const std::optional<std::string> position = input->Position(one, made);
        EXPECT_TRUE(position.has_value());
        entry.positions.push_back({one->stage1->source(), position.value_or("")});
        one->commit_due = false;
        commits.push_back({one, made});
      }
    }
    Append(std::move(entry));
    for (const InputCommit& one : commits) {
      static_cast<FilePartition*>(one.partition)->OnDurable(one.commit);
    }
  }
  void CloseIdle() {
    for (const auto& input : inputs_) EXPECT_TRUE(input->CloseIdle(log_->released()).ok());
  }
  void Turn(double seconds, bool commit = true) {
    Advance(seconds);
    Poll();
    Send(commit);
    CloseIdle();
  }
  // Until all that there is has been read, and what follows from it sent.
  void Settle(double seconds = 1) {
    for (std::int64_t before = -1; before != Sum().records;) {
      before = Sum().records;
      Turn(seconds);
    }
    Turn(seconds);
  }

  // Of all partitions that there are.
  SourceCounters Sum() const {
    SourceCounters sum;
    for (const auto& input : inputs_) {
      for (const InputPartition* one : input->Partitions()) {
        const SourceCounters& c = one->stage1->counters();
        sum.records += c.records;
        sum.events += c.events;
        sum.late += c.late;
        sum.quarantined += c.quarantined;
        sum.undecodable += c.undecodable;
      }
    }
    return sum;
  }
  InputPartition* Find(const std::string& source) {
    for (const auto& input : inputs_) {
      for (InputPartition* one : input->Partitions()) {
        if (one->stage1->source() == source) return one;
      }
    }
    return nullptr;
  }
  std::vector<std::string> Sources() {
    std::vector<std::string> names;
    for (const auto& input : inputs_) {
      for (const InputPartition* one : input->Partitions()) names.push_back(one->stage1->source());
    }
    return names;
  }
  SourceState StateOf(const std::string& source) const {
    for (const auto& input : inputs_) {
      for (SourceState& state : input->States()) {
        if (state.source == source) return state;
      }
    }
    return {};
  }
  Input& input() { return *inputs_.front(); }
  const Decider& decider() const { return *decider_; }
  const Config& config() const { return *config_; }
  TimeUs wall() const { return kStart + now_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  struct Source {
    SourceBoard::Id id = 0;
    bool ended = false;
  };

  // As InputRunner::UpdateRows.
  void Announce(BatchLog::Entry* entry) {
    std::map<std::string, Source> gone = announced_;
    ControlRecord retire = {.kind = ControlRecord::Kind::kRetire};
    const SourceBoard::Ticks ticks = board_->GetTicks();
    for (const auto& input : inputs_) {
      for (const InputPartition* one : input->Partitions()) {
        const std::string& name = one->stage1->source();
        gone.erase(name);
        const auto known = announced_.find(name);
        if (known != announced_.end() && (one->ended || !known->second.ended)) continue;
        if (known == announced_.end()) announced_[name] = {.id = board_->Add(name)};
        const TimeUs behind = one->joined_at != kNoTime ? one->joined_at : ticks.furthest;
        entry->records.push_back(
            EncodeControl({.kind = ControlRecord::Kind::kExpect,
                           .tick = behind == kNoTime ? kNoTime : behind + setup_->plan.pane(),
                           .sources = {name}}));
      }
    }
    for (const auto& [name, source] : gone) {
      retire.sources.push_back(name);
      board_->Remove(source.id);
      announced_.erase(name);
    }
    if (!retire.sources.empty()) entry->records.push_back(EncodeControl(retire));
  }

  // Until it is durable and decided.
  void Append(BatchLog::Entry entry) {
    const bool has_records = !entry.records.empty();
    if (!has_records && entry.positions.empty()) return AwaitDisk();
    log_->Append(std::move(entry));
    AwaitDisk();
    if (!has_records) return;
    const std::optional<BatchLog::Set> set = log_->Pop();
    ASSERT_TRUE(set.has_value());
    for (const std::string& record : set->records()) Decide(record);
  }
  void AwaitDisk() const {
    while (log_->GetHealth().disk.bytes > 0) absl::SleepFor(absl::Microseconds(100));
  }
  void Decide(const std::string& record) {
    ASSERT_TRUE(decider_->Append(record).ok());
    Decision decision;
    while (decider_->Step(&decision)) {
      for (const OutputLine& line : decision.lines) {
        lines_.push_back((line.kind == LineKind::kSignal ? "signal " : "incident ") + line.text);
      }
    }
  }

  std::optional<Config> config_;
  std::unique_ptr<EngineSetup> setup_;
  const std::unique_ptr<Journal> journal_;
  std::unique_ptr<Decider> decider_;
  std::atomic<DurationUs> now_ = 0;  // the batch log's thread asks, too
  const TimeSource time_{
      [this] { return TimeSource::Reading{.monotonic = kSecondUs + now_, .wall = kStart + now_}; }};
  std::unique_ptr<BatchLog> log_;
  std::unique_ptr<SourceBoard> board_;
  std::map<std::string, Source> announced_;
  std::vector<std::unique_ptr<FileFollower>> inputs_;
  std::vector<std::string> lines_;
};

}  // namespace tocsin
