// Looks at a journal on disk without changing it, also while a process runs on it.
//
//   TOCSIN_ASSIGN_OR_RETURN(JournalContents contents, InspectJournal("./state", visit));
//   for (const JournalFault& fault : contents.faults) …
//
// Reads everything once and checks every checksum. A database of an earlier version is looked at in
// a copy that is brought up to date in a temporary directory, which shows whether this build can.
// Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "core/delivery.h"
#include "journal/journal.h"

namespace tocsin {

struct JournalFault {
  std::string what;    // where, and what is wrong
  std::string remedy;  // what that means, and what to do
};

struct JournalContents {
  std::int64_t schema = 0;  // of the file as it is
  int format = 0;
  std::string writer;
  std::int64_t file_bytes = 0, wal_bytes = 0, free_bytes = 0;

  struct SnapshotRow {
    std::uint64_t through = 0;
    TimeUs tick = kNoTime;
    TimeUs written_at = 0;
    std::int64_t bytes = 0;
    bool intact = false;
  };
  std::vector<SnapshotRow> snapshots;  // the newest first
  std::optional<Snapshot> newest;      // that is intact

  std::uint64_t oldest_batch = 0, newest_batch = 0;  // 0: none
  JournalUsage usage;
  std::map<std::string, std::array<std::int64_t, 5>> deliveries;  // by sink: counts by state
  std::vector<std::pair<std::string, std::string>> positions;     // source, position
  std::vector<JournalFault> faults;
};

// `batch` is called with every batch whose checksum holds, in order. NotFound where there is no
// database; FailedPrecondition where a newer version wrote it; DataLoss where so much is damaged
// that nothing can be said; what passes (Passes).
absl::StatusOr<JournalContents> InspectJournal(
    const std::string& directory,
    absl::FunctionRef<void(std::uint64_t sequence, std::string_view body)> batch);

}  // namespace tocsin
