// Output lines as rows, and which of them are kept.
//
//   TOCSIN_RETURN_IF_ERROR(AddLines(database, snapshot_id, lines, &usage));
//   TOCSIN_RETURN_IF_ERROR(PruneLines(database, limits.lines_bytes, &usage));
//
// `open` marks the newest line of an incident that goes on; those are never dropped. `meta` has the
// last line that was, so that those before it are known to stand alone. Both are to be called in a
// transaction. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "journal/journal.h"
#include "journal/sqlite.h"

namespace tocsin {

// Keeps `usage` up to date.
absl::Status AddLines(SqliteDatabase* database, std::int64_t snapshot,
                      std::span<const OutputLine> lines, JournalUsage* usage);
// Drops the oldest, and counts them, until all together have at most `bytes_max`.
absl::Status PruneLines(SqliteDatabase* database, std::int64_t bytes_max, JournalUsage* usage);

// At most `count` of those behind `*last_id`, which moves on; empty at the end. DataLoss for one
// that is damaged.
absl::StatusOr<std::vector<OutputLine>> ReadLinesAfter(SqliteDatabase* database, std::int64_t count,
                                                       std::int64_t* last_id);

}  // namespace tocsin
