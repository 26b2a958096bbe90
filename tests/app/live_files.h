// File inputs as the running engine has them, with clocks of a test's own and without threads: what
// app/reader.h does with them, the deciding included.
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
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "app/file_input.h"
#include "engine/decider.h"
#include "journal/journal.h"
#include "replay/engine_setup.h"
#include "replay/tbb_executor.h"

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
    Restart();
  }

  void Restart() {
    inputs_.clear();
    std::vector<std::string> present;
    for (const InputConfig& input : config_->inputs) {
      inputs_.push_back(std::make_unique<FileFollower>(&input, setup_.get(), journal_.get(),
                                                       /*dead_letters=*/nullptr, nullptr));
      EXPECT_TRUE(inputs_.back()->Start().ok());
      for (const InputPartition* one : inputs_.back()->Partitions()) {
        present.push_back(one->stage1->source());
      }
    }
    ControlRecord retire = {.kind = ControlRecord::Kind::kRetire, .sources = {}};
    for (const std::string& known : decider_->assembler().Sources()) {
      if (std::count(present.begin(), present.end(), known) == 0) retire.sources.push_back(known);
    }
    if (!retire.sources.empty()) Append(EncodeControl(retire));
    Append(EncodeControl({.kind = ControlRecord::Kind::kExpect, .sources = present}));
    const TimeUs next = decider_->assembler().next_tick();
    due_ = next == kNoTime ? kNoTime : next - setup_->plan.pane();
  }

  // The parts of a turn, for tests that do something between them.
  void Advance(double seconds) { now_ += static_cast<DurationUs>(seconds * kSecondUs); }
  InputClock clock() {
    TimeUs slowest = INT64_MAX;
    bool waits = false;
    for (const auto& input : inputs_) {
      for (const InputPartition* one : input->Partitions()) {
        furthest_ = std::max(furthest_, one->stage1->last_tick());
        if (one->ended) continue;
        waits = waits || one->stage1->last_tick() == kNoTime;
        slowest = std::min(slowest, one->stage1->last_tick());
      }
    }
    if (slowest == INT64_MAX) slowest = furthest_;
    if (!waits) due_ = std::max(due_, slowest);
    return {.monotonic = kSecondUs + now_,
            .wall = kStart + now_,
            .due_tick = due_,
            .furthest_tick = furthest_};
  }
  void Poll(const InputClock& clock) {
    for (const auto& input : inputs_) {
      EXPECT_TRUE(input->Poll(absl::ZeroDuration(), clock).ok());
    }
  }
  void Send() {
    ControlRecord expect = {.kind = ControlRecord::Kind::kExpect, .sources = {}};
    if (due_ != kNoTime) expect.tick = due_ + setup_->plan.pane();
    for (const auto& input : inputs_) {
      for (std::string& source : input->TakeJoined()) expect.sources.push_back(std::move(source));
    }
    if (!expect.sources.empty()) Append(EncodeControl(expect));
    for (const auto& input : inputs_) {
      for (InputPartition* one : input->Partitions()) {
        for (const PaneBatch& batch : one->stage1->TakeBatches()) {
          for (const std::string& chunk : EncodeBatch(batch, setup_->plan)) Append(chunk);
        }
      }
    }
  }
  void Commit() {
    for (const auto& input : inputs_) {
      for (InputPartition* one : input->Partitions()) {
        if (std::exchange(one->commit_due, false)) {
          EXPECT_TRUE(input->Commit(one, /*sync=*/false).ok());
        }
      }
    }
  }
  void CloseIdle(const InputClock& clock) {
    for (const auto& input : inputs_) EXPECT_TRUE(input->CloseIdle(clock).ok());
  }
  void Turn(double seconds, bool commit = true) {
    Advance(seconds);
    const InputClock now = clock();
    Poll(now);
    Send();
    if (commit) Commit();
    CloseIdle(now);
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
  Journal& journal() { return *journal_; }
  TimeUs wall() const { return kStart + now_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  void Append(const std::string& record) {
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
  std::vector<std::unique_ptr<FileFollower>> inputs_;
  DurationUs now_ = 0;
  TimeUs due_ = kNoTime, furthest_ = kNoTime;
  std::vector<std::string> lines_;
};

}  // namespace tocsin
