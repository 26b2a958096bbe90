// An input of the running engine: reads records from a source and commits the progress.
//
// Only the input's own thread (service/input_runner.h) calls it, so that an input that blocks
// delays no other. An input feeds its partitions (stage 1), pauses them, and closes them while they
// are idle; the runner handles the batches.
//
// A fault of one partition, file or record is reported by `reach` and `problem`. A status that is
// not OK means that the whole input has failed; the runner then creates a new one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "config/config.h"
#include "engine/source_partition.h"
#include "service/source_board.h"
#include "system/time_source.h"

namespace tocsin {

struct InputPartition {
  std::unique_ptr<SourcePartition> stage1;
  bool paused = false;
  bool at_end = false;      // all existing records have been fed
  bool ended = false;       // at_end, and no more records are expected
  bool commit_due = false;  // something changed since the last commit
  // For a partition that joins running ones: it sends nothing up to this tick, and is expected from
  // the next one on. kNoTime: not known.
  TimeUs joined_at = kNoTime;
  // Sequence in the batch log of the last batch that it sent. Set by the runner.
  std::uint64_t appended = 0;
  SourceBoard::Reach reach = SourceBoard::Reach::kAway;
  std::string problem;  // why it cannot be read; empty: it can
};

// A position up to which a source does not have to be read again.
struct InputCommit {
  InputPartition* partition = nullptr;
  SourceCommit commit;
};

// The state of a part of an input that can fail separately: a file.
struct SourceState {
  std::string source;  // "input/name"
  bool failing = false;
  std::string reason;  // why it delivers no records; empty: it can be read
};

class Input {
 public:
  virtual ~Input() = default;
  // Connects. The error message is for operators.
  virtual absl::Status Start() = 0;
  // Takes available records; waits at most `wait` if there are none. While records are being fed in
  // the background, it takes more for a while. Nothing is being fed when it returns.
  virtual absl::Status Poll(absl::Duration wait) = 0;
  // Feeds the records that Poll took to stage 1, possibly in the background: until the next Poll or
  // Settle returns, no partition's stage 1 may be used.
  virtual void Feed() {}
  // Returns when all taken records have been fed.
  virtual void Settle() {}
  // All partitions of this process, in order of source name. They may change with any Poll. A
  // pointer stays valid until the Poll after the first call that does not return it any more. A
  // partition whose `ended` turns false again has joined again.
  virtual std::vector<InputPartition*> Partitions() = 0;
  // The states of the known parts, including those that are not partitions yet. Not all inputs have
  // parts.
  virtual std::vector<SourceState> States() const { return {}; }
  // If the input's file or folder is missing, why, for operators; else empty. A missing one makes
  // the engine blind, although decisions do not wait for it.
  virtual std::string Missing() const { return {}; }
  // Whether no more records are expected.
  virtual bool ended() {
    const std::vector<InputPartition*> all = Partitions();
    return !all.empty() &&
           std::all_of(all.begin(), all.end(), [](const auto* one) { return one->ended; });
  }
  virtual void Pause(InputPartition* partition, bool pause) = 0;
  // Closes partitions that are at their end, up to a time before which no record can follow.
  // Batches up to the sequence `released` of the batch log are durable or released
  // (BatchLog::released). REQUIRES: nothing is being fed.
  virtual absl::Status CloseIdle(std::uint64_t released) = 0;

  // The position to store in the journal for a partition's newest commit, in one transaction with
  // the batches before it; nullopt: the source itself keeps commits.
  virtual std::optional<std::string> Position(InputPartition* partition,
                                              const SourceCommit& commit) = 0;
  // The batches up to these commits are durable, so they may be committed to the source.
  virtual void OnDurable(std::span<const InputCommit> commits) = 0;
  // OnDurable at shutdown; waits at most `timeout` for the source's answer.
  virtual absl::Status CommitLast(std::span<const InputCommit> commits, absl::Duration timeout) {
    (void)timeout;
    OnDurable(commits);
    return absl::OkStatus();
  }

  // Whether partitions are known (Kafka: assigned).
  virtual bool assigned() const = 0;
  virtual std::int64_t errors() const { return 0; }
  // Records that could not be read, or that the source had already deleted.
  virtual std::int64_t skipped() const { return 0; }
  // A sentence for each permanent loss of records since the last call.
  virtual std::vector<std::string> TakeLosses() { return {}; }
  virtual void Stop() = 0;

  // The current progress of all sources. Called before Start and before every Poll.
  void SetTicks(const SourceBoard::Ticks& ticks) { ticks_ = ticks; }

  // Records taken so far, including those that stage 1 has not read yet. Thread-safe.
  std::int64_t received() const { return received_.load(std::memory_order_relaxed); }

 protected:
  const SourceBoard::Ticks& ticks() const { return ticks_; }
  void CountReceived(std::size_t records) {
    const auto more = static_cast<std::int64_t>(records);
    received_.store(received() + more, std::memory_order_relaxed);  // by one thread only
  }

 private:
  SourceBoard::Ticks ticks_;
  std::atomic<std::int64_t> received_ = 0;
};

// Idle partitions are closed this long after the tick, since a record may be in transit that long.
inline constexpr DurationUs kIdleGrace = 2 * kSecondUs;
// An input is live if its newest record's timestamp was within this of the time it arrived.
inline constexpr DurationUs kLiveDistanceMax = 5 * kMinuteUs;

}  // namespace tocsin
