// Saves what is intact of a damaged journal.
//
//   TOCSIN_ASSIGN_OR_RETURN(RepairReport report, RepairJournal("./state", "tocsin 1.2.0"));
//   for (const std::string& lost : report.lost) …
//
// The rows that can be read and whose checksums hold are copied into a new database, which then
// takes the place of the old one; that is kept beside it. The newest intact snapshot stays, and of
// the batches those from which on nothing is missing: what was decided and what follows from it is
// the same as before, up to the first damaged batch. Where no snapshot is intact, the batches are
// numbered anew and decided again. Not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tocsin {

struct RepairReport {
  bool repaired = false;          // false: nothing was damaged, and nothing was changed
  std::string copy;               // where the old database is
  std::vector<std::string> kept;  // in words
  std::vector<std::string> lost;  // in words; empty where all could be saved
};

// FailedPrecondition while a process has the directory, or where a newer version wrote it; NotFound
// where there is no database; else what keeps it from being written. The old database is in place
// until the new one is complete.
absl::StatusOr<RepairReport> RepairJournal(const std::string& directory, const std::string& writer);

}  // namespace tocsin
