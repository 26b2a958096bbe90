// Samples of records that could not be used: <state_dir>/dead-letters.jsonl.
//
//   DeadLetters letters("./state/dead-letters.jsonl");
//
// One JSON line a sample: source, offset, reason, the record's first bytes. At most ten a second
// and 16 MiB a file (one older file is kept), mode 0600; the counters count the rest. Thread-safe.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "engine/source_partition.h"

namespace tocsin {

class DeadLetters : public DeadLetterObserver {
 public:
  explicit DeadLetters(std::string path) : path_(std::move(path)) {}
  ~DeadLetters() override;

  void OnDeadLetter(const std::string& source, std::int64_t offset, std::string_view reason,
                    std::string_view bytes) override;

 private:
  bool Ready(std::size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  absl::Mutex mutex_;
  std::FILE* file_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::size_t size_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t second_ ABSL_GUARDED_BY(mutex_) = 0;  // of the monotonic clock
  int this_second_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tocsin
