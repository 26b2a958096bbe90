// The queue between reading and deciding, backed by the journal's batch log. Its own thread writes.
//
//   BatchLog log({.journal = journal, .time = &time});
//   TOCSIN_RETURN_IF_ERROR(log.Start());
//   const std::uint64_t sequence = log.Append({.records = …, .positions = …});   // any thread
//   if (log.durable() >= sequence) …                                 // now it may be committed
//   while (std::optional<BatchLog::Set> set = log.Pop()) …           // the deciding thread
//
// Appends never wait for the disk. Durable sets are handed to the deciding thread in order. If the
// disk is too slow or fails, sets are handed over before they are durable (service/write_behind.h),
// so decisions and pages continue while the writer catches up. Source commits wait until sets are
// durable, so after a crash the records are read and decided again, under the same ids.
//
// Memory: sets that wait for the disk or for the deciding thread count against `bytes_max`. Append
// never refuses; callers check full() and stop reading. Positions of sources that keep no commits
// themselves (files) are written in the same transaction as their batches. Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "journal/journal.h"
#include "service/write_behind.h"
#include "system/time_source.h"

namespace tocsin {

class BatchLog {
 public:
  static constexpr std::size_t kBytesMax = 256u << 20;

  struct Entry {
    std::vector<std::string> records = {};
    std::vector<SourcePosition> positions = {};
  };
  // Records that were appended together.
  struct Set {
    std::uint64_t sequence = 0;  // of the last record
    std::shared_ptr<const Entry> entry;
    const std::vector<std::string>& records() const { return entry->records; }
  };
  struct Options {
    Journal* journal = nullptr;  // both outlive the log
    const TimeSource* time = nullptr;
    std::size_t bytes_max = kBytesMax;
    DurationUs release_after = WriteBehind<Set>::kReleaseAfter;
  };
  struct Health {
    WriteHealth disk;
    TimeUs undecided_since = kNoTime;  // monotonic; kNoTime: nothing waits to be decided
    std::size_t undecided = 0;         // sets
  };

  explicit BatchLog(Options options) : options_(options) {}
  ~BatchLog() { Close(); }
  BatchLog(const BatchLog&) = delete;
  BatchLog& operator=(const BatchLog&) = delete;

  // Reads the journal's last sequence and starts the writer. REQUIRES: called before any other
  // function.
  absl::Status Start();

  // Returns the sequence of the last record, which is durable once durable() has reached it. After
  // Close the entry is dropped.
  std::uint64_t Append(Entry entry);
  bool full() const;
  std::uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
  // Up to this sequence records are durable, or were handed over without being durable.
  std::uint64_t released() const;
  // The newest position, durable or not.
  absl::StatusOr<std::optional<std::string>> Position(const std::string& source);
  // Whether the newest position is durable.
  bool PositionIsDurable(const std::string& source) const;

  // Waits for the next set and returns it. nullopt once the log is closed and empty.
  std::optional<Set> Pop();
  // No more appends are accepted.
  void Close();
  // Closes, and gives the writer this long for sets that are not durable yet; see
  // WriteBehind::Stop.
  bool Stop(absl::Duration grace);

  Health GetHealth() const;

 private:
  struct Undecided {
    Set set;
    std::uint64_t number = 0;  // of the writer's item
    std::size_t bytes = 0;
    TimeUs appended_at = 0;
  };

  absl::Status Write(std::span<const Set* const> sets);
  // Wakes a caller that waits in Pop.
  void OnProgress();
  bool Appended() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return closed_ || !undecided_.empty();
  }

  const Options options_;
  mutable absl::Mutex mutex_;
  std::deque<Undecided> undecided_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> positions_ ABSL_GUARDED_BY(mutex_);  // not written yet
  std::size_t undecided_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool progressed_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<std::uint64_t> durable_ = 0;  // release by the writer, acquire in durable()
  std::unique_ptr<WriteBehind<Set>> writer_;
};

}  // namespace tocsin
