// Between reading and deciding: the journal's batch log, written by a thread of its own.
//
//   BatchLog log({.journal = journal, .time = &time});
//   TOCSIN_RETURN_IF_ERROR(log.Start());
//   const std::uint64_t sequence = log.Append({.records = …, .positions = …});   // any thread
//   if (log.durable() >= sequence) …                                 // now it may be committed
//   while (std::optional<BatchLog::Set> set = log.Pop()) …           // the deciding thread
//
// Appends never wait for the disk. What is durable is handed to the deciding thread in order; where
// the disk does not follow, it is handed over without being durable (service/write_behind.h): decisions
// and pages go on, and the writer catches up. Nothing that a source keeps for us is committed
// meanwhile, so after a crash it is read again and decided again, under the same ids.
//
// Memory: what waits for the disk or for the deciding thread, against `bytes_max`. Append does not
// refuse; who appends looks at full() and stops reading. Positions of sources that have no commits
// of their own are written in the same transaction as the batches they belong to. Thread-safe.
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

  // Asks the journal where it stands, and starts the writer. REQUIRED before anything else.
  absl::Status Start();

  // The sequence of the last record, which is durable once durable() has reached it. Nothing is
  // kept after Close.
  std::uint64_t Append(Entry entry);
  bool full() const;
  std::uint64_t durable() const { return durable_.load(std::memory_order_acquire); }
  // Up to here it is durable, or was handed over without.
  std::uint64_t released() const;
  // The newest position, written or not.
  absl::StatusOr<std::optional<std::string>> Position(const std::string& source);
  // Whether that one is written.
  bool PositionIsDurable(const std::string& source) const;

  // The next set; waits for it. nullopt once closed and all is taken.
  std::optional<Set> Pop();
  // Nothing more will be appended.
  void Close();
  // Closes, and gives the writer this long for what is not durable yet; see WriteBehind::Stop.
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
  // Wakes who waits in Pop.
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
