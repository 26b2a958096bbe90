// Remembers the hashes of signed bodies that an input accepted, to detect repeats and replays.
//
//   TOCSIN_ASSIGN_OR_RETURN(auto seen, SeenBodies::Open("./state/http/sentry.seen", now));
//   if (seen->Look(HashBytes(body), now) == SeenBodies::Seen::kNever) …
//   seen->Remember(HashBytes(body), now);    // once it is durable
//
// Within kWindow of the first time, a repeat may come from a sender that did not get the success
// response; a later one is a replay. Hashes are kept for kKept, at most kMax of them; the oldest
// are forgotten first. A small file keeps them across restarts: a version, then one record per
// body, appended without fsync, so that a kill loses nothing and a power cut the last seconds. A
// damaged file, or one of another version, is logged and started anew. If the file cannot be
// written, that is logged once and hashes are kept in memory only. `now` is wall-clock time.
// Thread-safe; Look never waits for the disk.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/hash.h"
#include "core/time.h"

namespace tocsin {

class SeenBodies {
 public:
  static constexpr DurationUs kWindow = 10 * kMinuteUs;
  static constexpr DurationUs kKept = kDayUs;
  static constexpr std::size_t kMax = 65'536;

  enum class Seen { kNever, kWithinWindow, kBefore };

  // Fails when the file can be neither read nor created.
  static absl::StatusOr<std::unique_ptr<SeenBodies>> Open(const std::string& path, TimeUs now);
  ~SeenBodies();
  SeenBodies(const SeenBodies&) = delete;
  SeenBodies& operator=(const SeenBodies&) = delete;

  Seen Look(const Hash128& body, TimeUs now);
  void Remember(const Hash128& body, TimeUs now);

 private:
  using Record = std::pair<TimeUs, Hash128>;
  struct Times {
    TimeUs first = 0;
    int in_order = 0;  // number of its records in `order_`
  };

  explicit SeenBodies(std::string path) : path_(std::move(path)) {}
  absl::Status Load(TimeUs now) ABSL_LOCKS_EXCLUDED(mutex_, file_mutex_);
  // Writes a new file with only the hashes that are kept.
  absl::Status Rewrite() ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status Append(const Record& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mutex_);
  void Put(const Record& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(TimeUs now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;

  absl::Mutex file_mutex_ ABSL_ACQUIRED_BEFORE(mutex_);
  int file_ ABSL_GUARDED_BY(file_mutex_) = -1;
  std::size_t size_ ABSL_GUARDED_BY(file_mutex_) = 0;
  bool complained_ ABSL_GUARDED_BY(file_mutex_) = false;

  absl::Mutex mutex_;
  std::deque<Record> order_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Hash128, Times> seen_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tocsin
