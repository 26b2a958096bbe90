// An input of the running engine: where records come from, and where its progress is kept.
//
// The reading thread owns all inputs and is the only one that calls them. An input feeds its
// partitions (stage 1) and knows how to pause, commit and close them when idle; what happens to the
// batches is the reader's (app/reader.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "config/config.h"
#include "engine/source_partition.h"

namespace tocsin {

struct InputPartition {
  std::unique_ptr<SourcePartition> stage1;
  bool paused = false;
  bool at_end = false;      // everything there is has been fed
  bool ended = false;       // and nothing will follow, as far as is known
  bool commit_due = false;  // something changed since the last commit
  TimeUs committed_at = 0;  // monotonic
  // For exclusion: the tick and when it was first seen (monotonic).
  TimeUs seen_tick = kNoTime;
  TimeUs seen_tick_at = 0;
  bool excluded = false;
};

// What time it is, for idle partitions: the process's clocks, injected; and where the partitions of
// all inputs stand.
struct InputClock {
  TimeUs monotonic = 0;
  TimeUs wall = 0;
  // Every tick up to here has been sent by all, or is not waited for: who joins begins behind it.
  // kNoTime while nobody has sent one.
  TimeUs due_tick = kNoTime;
  TimeUs furthest_tick = kNoTime;  // of the partition that is furthest ahead
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
  virtual const InputConfig& config() const = 0;
  // Connects; fails with a message for people.
  virtual absl::Status Start() = 0;
  // Takes what is there, waiting at most `wait` when there is nothing. While records are being fed,
  // takes more and has them fed along, for a while. Nothing is being fed when this returns.
  virtual absl::Status Poll(absl::Duration wait, const InputClock& clock) = 0;
  // Feeds stage 1 with what Poll took, perhaps in the background: until the next Poll or Settle
  // returns, no partition's stage 1 may be touched.
  virtual void Feed() {}
  // Returns when everything that was to be fed has been.
  virtual void Settle() {}
  // All partitions that are ours, in order of source name. The pointers are good until the next
  // Poll.
  virtual std::vector<InputPartition*> Partitions() = 0;
  // Sources that have joined since the last call: stage 2 waits for them behind the due tick.
  virtual std::vector<std::string> TakeJoined() { return {}; }
  // Of the parts that are known, also those that are no partitions yet. Not all inputs have any.
  virtual std::vector<SourceState> States() const { return {}; }
  // Whether nothing will come any more.
  virtual bool ended() {
    const std::vector<InputPartition*> all = Partitions();
    return std::all_of(all.begin(), all.end(), [](const auto* one) { return one->ended; });
  }
  virtual void Pause(InputPartition* partition, bool pause) = 0;
  // Closes partitions whose end was reached up to where nothing earlier can follow. REQUIRES: the
  // batches so far are durable.
  virtual absl::Status CloseIdle(const InputClock& clock) = 0;
  virtual absl::Status Commit(InputPartition* partition, bool sync) = 0;
  // Whether partitions are known (Kafka: assigned).
  virtual bool assigned() const = 0;
  virtual std::int64_t errors() const { return 0; }
  virtual std::int64_t skipped() const { return 0; }
  virtual void Stop() = 0;

  // Records taken so far, whether stage 1 has read them or not. From any thread, at any time.
  std::int64_t received() const { return received_.load(std::memory_order_relaxed); }

 protected:
  void CountReceived(std::size_t records) {
    const auto more = static_cast<std::int64_t>(records);
    received_.store(received() + more, std::memory_order_relaxed);  // by one thread only
  }

 private:
  std::atomic<std::int64_t> received_ = 0;
};

// Idle partitions are closed this long after the tick: a record may be on its way that long.
inline constexpr DurationUs kIdleGrace = 2 * kSecondUs;
// An input whose newest record was further than this from the time it arrived is not live.
inline constexpr DurationUs kLiveDistanceMax = 5 * kMinuteUs;

}  // namespace tocsin
