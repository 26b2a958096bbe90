// Asks brokers in the background for the end offsets of partitions.
//
//   EndWatch watch(&probe);
//   if (!watch.busy()) watch.Ask(partitions);
//   for (const KafkaProbe::End& end : watch.Take()) …    // answers since the last call
//
// A separate thread asks, since an unreachable broker would block the polling thread. All calls
// from one thread.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "ingest/sources/kafka_probe.h"

namespace tocsin {

class EndWatch {
 public:
  // The time-out for the answer of a leader.
  static constexpr DurationUs kTimeout = 2 * kSecondUs;

  // `probe` outlives the watch. The destructor makes it unusable.
  explicit EndWatch(KafkaProbe* probe);
  // Waits for the request in flight, at most kTimeout.
  ~EndWatch();
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;

  // Whether the last Ask has not been answered yet.
  bool busy() const;
  // REQUIRES: !busy(), and the partitions are sorted.
  void Ask(std::vector<KafkaPartition> partitions);
  std::vector<KafkaProbe::End> Take();

 private:
  void Run();
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !asked_.empty(); }

  KafkaProbe* const probe_;
  mutable absl::Mutex mutex_;
  std::vector<KafkaPartition> asked_ ABSL_GUARDED_BY(mutex_);
  bool asking_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<KafkaProbe::End> answers_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace tocsin
