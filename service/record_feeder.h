// Feeds records to stage 1 of several partitions, in the background while more records are taken.
//
//   RecordFeeder feeder(executor);
//   const std::size_t queue = feeder.AddQueue(partition.stage1.get());
//   feeder.Add(queue, std::move(records));       // while it feeds, too
//   feeder.Start();                             // returns at once
//   feeder.WaitUntilIdle(absl::Milliseconds(1));
//   feeder.Rest();                              // now stage 1 may be used
//
// A partition is fed by one thread at a time, in the order of Add. The thread changes from slice to
// slice, so that threads stay busy whatever the sizes of the partitions. Call all public functions
// from one thread, the one that takes records. The queues are not bounded: the caller has to check
// `queued_records` and `queued_bytes`.
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
  // The size of a slice: a millisecond's work. That bounds how long Rest waits, and is enough to
  // make the cost of locking negligible.
  static constexpr std::size_t kSliceRecords = 1'000;
  static constexpr std::size_t kSliceBytes = 1 << 20;

  // The executor's threads feed.
  explicit RecordFeeder(Executor executor) : executor_(std::move(executor)) {}
  ~RecordFeeder() { Rest(); }

  // `stage1` outlives the feeder. REQUIRES: no thread is feeding.
  std::size_t AddQueue(SourcePartition* stage1);
  void Add(std::size_t queue, RecordSlice slice);

  void Start();
  // Whether Start was called, and neither Rest nor Drain since.
  bool feeding() const { return fed_.valid(); }
  // Waits at most `wait` until all records have been fed. Returns whether they have.
  bool WaitUntilIdle(absl::Duration wait);
  // Stops feeding and waits for the threads. Queued records stay queued.
  void Rest();
  // Feeds all queued records; on the calling thread if no thread is feeding.
  void Drain();
  // Stops feeding and drops the queued records.
  void Clear();

  std::size_t queued_records() const;
  std::size_t queued_bytes() const;
  // Whether records of this queue are queued or being fed.
  bool busy(std::size_t queue) const;

 private:
  struct Queue {
    SourcePartition* stage1;
    std::deque<RecordSlice> slices;
    bool fed = false;  // a thread is feeding it
  };
  enum class Goal : std::uint8_t { kRest, kFeed, kDrain };

  // The loop of a feeding thread.
  void FeedSlices();
  // Waits for the next slice and returns its queue; nullptr: nothing more to do.
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
  // Queues with slices that no thread feeds: the one just fed, then the one that has waited
  // longest. The others do not starve, since the caller bounds the queued records.
  std::deque<Queue*> ready_ ABSL_GUARDED_BY(mutex_);
  // Including records that are being fed.
  std::size_t queued_records_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tocsin
