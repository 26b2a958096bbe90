// Feeds stage 1 of several partitions with records, in the background while more are taken.
//
//   RecordFeeder feeder(executor);
//   const std::size_t queue = feeder.AddQueue(partition.stage1.get());
//   feeder.Add(queue, std::move(records));       // while it feeds, too
//   feeder.Start();                             // returns at once
//   feeder.WaitUntilIdle(absl::Milliseconds(1));
//   feeder.Rest();                              // now stage 1 may be looked at
//
// A partition is fed by one thread at a time, in the order of Add; which thread that is changes
// from slice to slice, so that none has to wait for the longest partition. All public functions are
// for one thread, the one that takes. Queued are as many records as that thread adds: it has to
// look at `queued_records` and `queued_bytes`.
#pragma once

#include <cstddef>
#include <deque>
#include <future>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/executor.h"
#include "engine/source_partition.h"
#include "service/record_slice.h"

namespace tocsin {

class RecordFeeder {
 public:
  // Of so many records at a time: a millisecond's work, which is how long Rest waits, and enough
  // that locking costs nothing.
  static constexpr std::size_t kSliceRecords = 1'000;
  static constexpr std::size_t kSliceBytes = 1 << 20;

  // The executor runs as many threads as shall feed.
  explicit RecordFeeder(Executor executor) : executor_(std::move(executor)) {}
  ~RecordFeeder() { Rest(); }

  // `stage1` outlives the feeder. REQUIRES: it rests.
  std::size_t AddQueue(SourcePartition* stage1);
  void Add(std::size_t queue, RecordSlice slice);

  void Start();
  // Whether Start was called and neither Rest nor Drain since.
  bool feeding() const { return fed_.valid(); }
  // Whether nothing is left to be fed; waits for that.
  bool WaitUntilIdle(absl::Duration wait);
  // Returns when nobody feeds any more. What is queued stays so.
  void Rest();
  // Returns when everything has been fed. Where nobody feeds yet, the calling thread does.
  void Drain();
  // Rests and forgets what is queued.
  void Clear();

  std::size_t queued_records() const;
  std::size_t queued_bytes() const;
  // Whether records of this queue are queued or being fed.
  bool busy(std::size_t queue) const;

 private:
  struct Queue {
    SourcePartition* stage1;
    std::deque<RecordSlice> slices;
    bool fed = false;  // by some thread, at the moment
  };
  enum class Goal : std::uint8_t { kRest, kFeed, kDrain };

  // What a feeding thread does until there is nothing more to do for it.
  void FeedSlices();
  // The next slice and its queue, when there is one; nullptr: nothing more to do.
  Queue* Take(RecordSlice* slice);
  bool Idle() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return queued_records_ == 0; }
  bool Awaited() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return goal_ != Goal::kFeed || !ready_.empty();
  }

  const Executor executor_;
  std::future<void> fed_;  // valid while threads feed
  mutable absl::Mutex mutex_;
  Goal goal_ ABSL_GUARDED_BY(mutex_) = Goal::kRest;
  std::deque<Queue> queues_ ABSL_GUARDED_BY(mutex_);
  // Lanes with slices that nobody feeds: the one just fed, then the one that has waited longest.
  // The others are not forgotten, since no more is added than what is queued leaves room for.
  std::deque<Queue*> ready_ ABSL_GUARDED_BY(mutex_);
  // With those that are being fed.
  std::size_t queued_records_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tocsin
