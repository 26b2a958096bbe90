// The newest line of every open incident and of recently resolved ones, for the API.
//
//   IncidentBook book;
//   book.Put(BoundedLine(incident));              // each line as it is decided
//   std::string json = book.ListJson({.resolved = false, .limit = 100});
//   std::vector<IncidentBook::Entry> found = book.Find("INC-2026-001");
//
// If a line is bounded, which means that it leaves something out (core/bounded_line.h), the book
// also keeps the whole incident, if that was put. Lists show the line, Find returns the whole.
// Bounded by the correlator's limit of open incidents and by `resolved_kept`. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/synchronization/mutex.h"
#include "core/hash.h"
#include "core/time.h"

namespace tocsin {

class IncidentBook {
 public:
  struct Entry {
    Hash128 id;
    std::string scope, state;
    std::int64_t level = 4;  // of the severity
    std::string line;
  };
  struct ListOptions {
    bool resolved = false;  // include recently resolved ones
    std::size_t limit = 100;
  };

  // The default of `resolved_kept` suffices for about a week; older ones are in the incidents file.
  explicit IncidentBook(std::size_t resolved_kept = 1'000) : resolved_kept_(resolved_kept) {}

  // Ignores a line that is not an incident. `whole` is the whole incident if `line` is bounded.
  void Put(const std::string& line, const std::string& whole = "");
  // Whether the incident's line is bounded and the whole incident is not known.
  bool LacksWhole(const Hash128& incident) const;
  // {"total": 2, "incidents": [summary, …]}: the most severe first, then the newest first.
  std::string ListJson(const ListOptions& options) const;
  // Finds by id or by number. Several incidents have the same number if they have different scopes.
  std::vector<Entry> Find(std::string_view name) const;

 private:
  // What a list needs, and the line for the rest.
  struct Kept {
    std::string line, number;
    std::unique_ptr<const std::string> whole;  // null if the line is whole, or it is not known
    TimeUs detected_at = kNoTime;
    std::uint32_t head_size = 0;  // bytes of the line that a list shows
    std::int32_t level = 4;
    bool resolved = false;
    bool bounded = false;
  };
  using Kepts = std::map<Hash128, Kept>;
  // Resolved ones last, then by level, then the newest first.
  struct Before {
    bool operator()(const Kepts::value_type* a, const Kepts::value_type* b) const;
  };

  void Drop(Kepts::iterator kept) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::size_t resolved_kept_;
  mutable absl::Mutex mutex_;
  Kepts by_id_ ABSL_GUARDED_BY(mutex_);
  absl::btree_multimap<std::string_view, Hash128> by_number_ ABSL_GUARDED_BY(mutex_);
  absl::btree_set<const Kepts::value_type*, Before> order_ ABSL_GUARDED_BY(mutex_);
  std::deque<Hash128> resolved_ ABSL_GUARDED_BY(mutex_);  // oldest first
  std::size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace tocsin
