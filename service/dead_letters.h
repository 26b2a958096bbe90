// Samples of records that could not be used: <state_dir>/dead-letters.jsonl.
//
//   DeadLetters letters("./state/dead-letters.jsonl");
//
// One JSON line per sample: source, offset, reason, the record's first bytes. At most ten samples a
// second and 16 MiB per file (one older file is kept), mode 0600; counters cover the rest. A
// separate thread writes, so that a hanging disk does not delay readers: at most kQueuedMax samples
// wait, more are dropped. Thread-safe.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "engine/source_partition.h"

namespace tocsin {

class DeadLetters : public DeadLetterObserver {
 public:
  static constexpr std::size_t kQueuedMax = 64;

  explicit DeadLetters(std::string path);
  ~DeadLetters() override;

  void OnDeadLetter(const std::string& source, std::int64_t offset, std::string_view reason,
                    std::string_view bytes) override;

 private:
  void Run();
  bool Ready(std::size_t bytes);
  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !lines_.empty(); }

  const std::string path_;
  // Used only by the thread:
  std::FILE* file_ = nullptr;
  std::size_t size_ = 0;

  absl::Mutex mutex_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mutex_);  // to be written
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::int64_t second_ ABSL_GUARDED_BY(mutex_) = 0;  // of the monotonic clock
  int this_second_ ABSL_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace tocsin
