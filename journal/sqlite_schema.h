// The tables of tocsin.db, and how those of an earlier version become them.
//
//   TOCSIN_RETURN_IF_ERROR(PrepareSchema(database.get(), "tocsin 1.2.0"));
//
// PRAGMA user_version is the version of the tables, kSchemaVersion; what stands in the rows has the
// format of the build that wrote it (core/state_format.h). Both, and who wrote last, stand in
// `meta`, so that an older build can say whom to run instead. Every row has a checksum, row_hash of
// the columns that are named beside it:
//
//   batches         seq, body
//   marks           a snapshot was taken: through, tick, and the bytes of all batches up to it
//   snapshots       through, tick, written_at (s), bytes, parts, and the state's hash
//   snapshot_parts  snapshot, part, body: at most limits::kSnapshotPartBytes of the state each
//   lines           the snapshot they came with, kind, tick, incident, open, bytes, text
//   deliveries      id, sequence, sink, format, body
//   positions       source, position
//   absent          kind, name, for_us: how long something was not configured any more
//   meta            key, value: format, writer, and the last line that was dropped
//
// Functions over one database; not thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "journal/sqlite.h"

namespace tocsin {

inline constexpr std::int64_t kSchemaVersion = 2;

// Makes the tables, or brings them up to date; in one transaction, so that after a failure the file
// is as it was. FailedPrecondition, with who wrote it, where that was a newer version.
absl::Status PrepareSchema(SqliteDatabase* database, const std::string& writer);

// The same, without changing anything: OK where PrepareSchema has nothing to do.
absl::Status CheckSchema(SqliteDatabase* database);

}  // namespace tocsin
