// An input of the running engine: where records come from, and where its progress is kept.
//
// Each input has a thread of its own (service/input_runner.h), the only one that calls it, so that one
// that blocks holds up nobody else. An input feeds its partitions (stage 1) and knows how to pause
// them and when to close them while they are idle; what happens to the batches is the runner's.
//
// A fault of one partition, a file or a record is told by `reach` and `problem`; a status that is not
// OK means that the whole input cannot go on, and it is made anew.
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
  bool at_end = false;      // everything there is has been fed
  bool ended = false;       // and nothing will follow, as far as is known
  bool commit_due = false;  // something changed since the last commit
  // Where it joins others that are under way: it sends nothing up to this tick, and is expected behind
  // it. kNoTime: it does not say.
  TimeUs joined_at = kNoTime;
  // Sequence in the batch log of the last batch that it sent; the runner's.
  std::uint64_t appended = 0;
  SourceBoard::Reach reach = SourceBoard::Reach::kAway;
  std::string problem;  // why it cannot be read; empty: it can
};

// Up to here a source need not be read again.
struct InputCommit {
  InputPartition* partition = nullptr;
  SourceCommit commit;
};

// How a part of an input fares that may fail by itself: a file.
struct SourceState {
  std::string source;  // "input/name"
  bool failing = false;
  std::string reason;  // why nothing comes from it; empty: something may
};

class Input {
 public:
  virtual ~Input() = default;
  // Connects; fails with a message for people.
  virtual absl::Status Start() = 0;
  // Takes what is there, waiting at most `wait` when there is nothing. While records are being fed,
  // takes more and has them fed along, for a while. Nothing is being fed when this returns.
  virtual absl::Status Poll(absl::Duration wait) = 0;
  // Feeds stage 1 with what Poll took, perhaps in the background: until the next Poll or Settle
  // returns, no partition's stage 1 may be touched.
  virtual void Feed() {}
  // Returns when everything that was to be fed has been.
  virtual void Settle() {}
  // All partitions that are ours, in order of source name. They may come and go with any Poll; a
  // pointer is good until the Poll after the first call that does not give it any more. One that
  // ended and is not ended any more has joined again.
  virtual std::vector<InputPartition*> Partitions() = 0;
  // Of the parts that are known, also those that are no partitions yet. Not all inputs have any.
  virtual std::vector<SourceState> States() const { return {}; }
  // What the input is to read is not there: why, in words for people; empty: it is there. That blinds,
  // though nobody waits for it.
  virtual std::string Missing() const { return {}; }
  // Whether nothing will come any more.
  virtual bool ended() {
    const std::vector<InputPartition*> all = Partitions();
    return !all.empty() &&
           std::all_of(all.begin(), all.end(), [](const auto* one) { return one->ended; });
  }
  virtual void Pause(InputPartition* partition, bool pause) = 0;
  // Closes partitions whose end was reached up to where nothing earlier can follow. Batches up to
  // the sequence `released` of the batch log are durable, or go on without. REQUIRES: nothing is
  // being fed.
  virtual absl::Status CloseIdle(std::uint64_t released) = 0;

  // What the journal is to keep of a partition's commit, which is the newest, in one transaction with
  // the batches before it; nullopt: the source itself keeps commits.
  virtual std::optional<std::string> Position(InputPartition* partition,
                                              const SourceCommit& commit) = 0;
  // What these stand for is durable: the source may be told.
  virtual void OnDurable(std::span<const InputCommit> commits) = 0;
  // The same at the end; waits for the source's answer no longer than `timeout`.
  virtual absl::Status CommitLast(std::span<const InputCommit> commits, absl::Duration timeout) {
    (void)timeout;
    OnDurable(commits);
    return absl::OkStatus();
  }

  // Whether partitions are known (Kafka: assigned).
  virtual bool assigned() const = 0;
  virtual std::int64_t errors() const { return 0; }
  // Records that could not be read, or that the log did not have any more.
  virtual std::int64_t skipped() const { return 0; }
  // Records that are lost for good, a sentence each, since the last call.
  virtual std::vector<std::string> TakeLosses() { return {}; }
  virtual void Stop() = 0;

  // Where all sources stand, as of now: told before Start and every Poll.
  void SetTicks(const SourceBoard::Ticks& ticks) { ticks_ = ticks; }

  // Records taken so far, whether stage 1 has read them or not. From any thread, at any time.
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

// Idle partitions are closed this long after the tick: a record may be on its way that long.
inline constexpr DurationUs kIdleGrace = 2 * kSecondUs;
// An input whose newest record was further than this from the time it arrived is not live.
inline constexpr DurationUs kLiveDistanceMax = 5 * kMinuteUs;

}  // namespace tocsin
