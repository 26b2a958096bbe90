// Asks in the background where the partitions of an input end.
//
//   EndWatch watch(std::move(probe));
//   if (!watch.busy()) watch.Ask(partitions);
//   for (const KafkaProbe::End& end : watch.Take()) …    // those answered since, at any time
//
// One thread of its own asks, since a broker that is away is waited for; the polling thread never
// is. All calls from one thread.
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
  // A leader that takes longer has not answered.
  static constexpr DurationUs kTimeout = 2 * kSecondUs;

  // `probe` outlives the watch, and answers nothing after it.
  explicit EndWatch(KafkaProbe* probe);
  // Returns when the request that is on its way has ended, at most kTimeout.
  ~EndWatch();
  EndWatch(const EndWatch&) = delete;
  EndWatch& operator=(const EndWatch&) = delete;

  // Whether an answer to the last Ask is still to come.
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
