// Writes items in order on its own thread, and tells when the owner may treat an item as written.
//
//   WriteBehind<Entry> writer({.write = [&](std::span<const Entry* const> entries) { … }, …});
//   const std::uint64_t number = writer.Push(entry, bytes);       // any thread; never waits
//   if (writer.written() >= number) …                             // it is durable
//
// A disk that is full, read-only or hanging must not delay reading, deciding and paging. So items
// wait here; waiting items are written together; and a failed write is retried every kRetryEvery,
// for ever. An item that has waited for `release_after` is *released*: its owner continues as if it
// had been written, and accepts that a crash may lose it. The writing thread calls `on_progress`
// after each attempt. Releases cause no call; an owner that needs them checks again at NextRelease.
//
// Memory: the items that are not written yet. WriteHealth::bytes counts them; the owner bounds
// them. Thread-safe.
#pragma once

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "system/await_for.h"
#include "system/time_source.h"

namespace tocsin {

// The health of the disk behind a writer.
struct WriteHealth {
  absl::Status error = {};         // of the last finished attempt
  TimeUs failing_since = kNoTime;  // monotonic; includes an attempt that hangs; kNoTime: it works
  std::size_t bytes = 0;           // not written yet

  std::string Reason() const {
    return error.ok() ? "the disk does not answer" : std::string(error.message());
  }
};

template <typename Item>
class WriteBehind {
 public:
  static constexpr DurationUs kReleaseAfter = 2 * kSecondUs;
  static constexpr absl::Duration kRetryEvery = absl::Milliseconds(500);
  // A disk that keeps failing is logged again after this long.
  static constexpr DurationUs kComplainEvery = kMinuteUs;
  static constexpr std::size_t kWriteBytesMax = 16u << 20;  // per write

  struct Options {
    std::string what;  // what is written, for log lines: "batches"
    // Must write all items or none. Called by one thread.
    std::function<absl::Status(std::span<const Item* const>)> write;
    std::function<void()> on_progress = [] {};
    const TimeSource* time = nullptr;  // outlives the writer
    DurationUs release_after = kReleaseAfter;
  };

  explicit WriteBehind(Options options)
      : options_(std::move(options)), thread_([this] { Run(); }) {}
  // REQUIRES: Stop did not return false.
  ~WriteBehind() {
    Stop(absl::ZeroDuration());
    thread_.join();
  }
  WriteBehind(const WriteBehind&) = delete;
  WriteBehind& operator=(const WriteBehind&) = delete;

  // Returns the item's number, from 1.
  std::uint64_t Push(Item item, std::size_t bytes) {
    absl::MutexLock lock(&mutex_);
    waiting_.push_back({.item = std::make_unique<const Item>(std::move(item)),
                        .bytes = bytes,
                        .pushed_at = options_.time->Monotonic()});
    bytes_ += bytes;
    return ++last_;
  }

  std::uint64_t written() const { return written_.load(std::memory_order_acquire); }
  // Every item up to this number is written or released.
  std::uint64_t released() const {
    absl::MutexLock lock(&mutex_);
    std::uint64_t released = written();
    const TimeUs before = options_.time->Monotonic() - options_.release_after;
    for (const Waiting& one : waiting_) {
      if (one.pushed_at > before && !gives_up_) break;
      ++released;
    }
    return released;
  }
  // When the next item will be released (monotonic); INT64_MAX if there is none.
  TimeUs NextRelease() const {
    absl::MutexLock lock(&mutex_);
    const TimeUs before = options_.time->Monotonic() - options_.release_after;
    for (const Waiting& one : waiting_) {
      if (one.pushed_at > before) return one.pushed_at + options_.release_after;
    }
    return INT64_MAX;
  }

  WriteHealth Health() const {
    absl::MutexLock lock(&mutex_);
    WriteHealth health{.error = error_, .failing_since = failing_since_, .bytes = bytes_};
    const bool hangs = attempt_since_ != kNoTime &&
                       options_.time->Monotonic() - attempt_since_ > options_.release_after;
    if (health.failing_since == kNoTime && hangs) health.failing_since = attempt_since_;
    return health;
  }

  // Waits at most `grace` for waiting items, then gives up. False if a write hangs: then the
  // process has to end without destroying the writer. Nothing is written afterwards.
  bool Stop(absl::Duration grace) {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (AwaitFor(&mutex_, absl::Condition(&ended_), grace)) return true;
    gives_up_ = true;
    // A retry notices at once.
    return AwaitFor(&mutex_, absl::Condition(&ended_), 2 * kRetryEvery);
  }

 private:
  struct Waiting {
    std::unique_ptr<const Item> item;
    std::size_t bytes = 0;
    TimeUs pushed_at = 0;
  };

  void Run() {
    while (true) {
      const std::vector<const Item*> items = Next();
      if (items.empty()) break;
      Wrote(items.size(), options_.write(items));
      options_.on_progress();
    }
    absl::MutexLock lock(&mutex_);
    ended_ = true;
  }

  bool HasWork() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return stopping_ || !waiting_.empty(); }

  // The items to write together; none: the thread ends. Items stay queued until they are written.
  std::vector<const Item*> Next() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &WriteBehind::HasWork));
    std::vector<const Item*> items;
    if (gives_up_) return items;
    std::size_t bytes = 0;
    for (const Waiting& one : waiting_) {
      if (!items.empty() && bytes + one.bytes > kWriteBytesMax) break;
      bytes += one.bytes;
      items.push_back(one.item.get());
    }
    attempt_since_ = options_.time->Monotonic();
    return items;
  }

  void Wrote(std::size_t count, const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    const TimeUs now = options_.time->Monotonic();
    const TimeUs began = std::exchange(attempt_since_, kNoTime);
    error_ = status;
    if (!status.ok()) {
      if (failing_since_ == kNoTime) failing_since_ = began;
      if (now >= complain_at_) {
        spdlog::error("cannot write {}, continuing without the disk: {}", options_.what,
                      std::string(status.message()));
        complain_at_ = now + kComplainEvery;
      }
      AwaitFor(&mutex_, absl::Condition(&gives_up_), kRetryEvery);
      return;
    }
    if (failing_since_ != kNoTime) spdlog::info("{} can be written again", options_.what);
    failing_since_ = kNoTime;
    complain_at_ = 0;
    for (std::size_t i = 0; i < count; ++i) {
      bytes_ -= waiting_.front().bytes;
      waiting_.pop_front();
    }
    written_.fetch_add(count, std::memory_order_release);
  }

  const Options options_;
  mutable absl::Mutex mutex_;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::uint64_t last_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool gives_up_ ABSL_GUARDED_BY(mutex_) = false;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  TimeUs failing_since_ ABSL_GUARDED_BY(mutex_) = kNoTime;
  TimeUs attempt_since_ ABSL_GUARDED_BY(mutex_) = kNoTime;
  TimeUs complain_at_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<std::uint64_t> written_ = 0;  // release by the writer, acquire in written()
  std::thread thread_;                      // last: it uses all of the above
};

}  // namespace tocsin
