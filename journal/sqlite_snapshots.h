// Snapshots in parts: rows of limited size, with a checksum each and one over all.
//
//   TOCSIN_RETURN_IF_ERROR(WriteSnapshotParts(database, id, state, 0, 8));  // in a transaction
//   TOCSIN_RETURN_IF_ERROR(WriteSnapshotRow(database, id, snapshot));        // now it counts
//   TOCSIN_ASSIGN_OR_RETURN(std::optional<Snapshot> read, ReadSnapshot(database, id));
//
// A row of SQLite may have 10⁹ bytes, which the state of 200,000 rich series comes near, and a
// write of that size would hold up everybody else. Parts without a row of `snapshots` are what a
// crash left behind. Functions over one database; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "journal/journal.h"
#include "journal/sqlite.h"

namespace tocsin {

std::size_t SnapshotPartsOf(std::string_view state);

// Parts [begin, end) of the state.
absl::Status WriteSnapshotParts(SqliteDatabase* database, std::int64_t id, std::string_view state,
                                std::size_t begin, std::size_t end);
absl::Status WriteSnapshotRow(SqliteDatabase* database, std::int64_t id, const Snapshot& snapshot);

// nullopt where a checksum does not hold or a part is missing.
absl::StatusOr<std::optional<Snapshot>> ReadSnapshot(SqliteDatabase* database, std::int64_t id);
// The newest first.
absl::StatusOr<std::vector<std::int64_t>> SnapshotIds(SqliteDatabase* database);

// Snapshots from `id` on, with their parts, marks and lines, and parts that belong to none.
absl::Status DropSnapshotsFrom(SqliteDatabase* database, std::int64_t id);

}  // namespace tocsin
