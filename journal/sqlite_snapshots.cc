#include "journal/sqlite_snapshots.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/hash.h"
#include "core/limits.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

std::int64_t Signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t Unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// What the row of a snapshot says about its parts.
struct Row {
  Snapshot snapshot;
  std::int64_t bytes = 0, parts = 0;
  std::string state_hash;
};

absl::StatusOr<std::optional<Row>> ReadRow(SqliteDatabase* database, std::int64_t id) {
  SqliteQuery query = database->Query(
      "SELECT through, tick, bytes, parts, state_hash, checksum = row_hash(id, through, tick, "
      "bytes, "
      "parts, state_hash) FROM snapshots WHERE id = ?");
  TOCSIN_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Next());
  if (!found || query.Int(5) == 0) return std::optional<Row>();
  return std::optional<Row>(
      Row{.snapshot = {.through = Unsigned(query.Int(0)), .state = "", .tick = query.Int(1)},
          .bytes = query.Int(2),
          .parts = query.Int(3),
          .state_hash = std::string(query.Bytes(4))});
}

}  // namespace

std::size_t SnapshotPartsOf(std::string_view state) {
  return (state.size() + limits::kSnapshotPartBytes - 1) / limits::kSnapshotPartBytes;
}

absl::Status WriteSnapshotParts(SqliteDatabase* database, std::int64_t id, std::string_view state,
                                std::size_t begin, std::size_t end) {
  for (std::size_t part = begin; part < end; ++part) {
    TOCSIN_RETURN_IF_ERROR(
        database->Query("INSERT INTO snapshot_parts VALUES (?1, ?2, row_hash(?1, ?2, ?3), ?3)")
            .Bind(id)
            .Bind(static_cast<std::int64_t>(part))
            .BindBlob(state.substr(part * limits::kSnapshotPartBytes, limits::kSnapshotPartBytes))
            .Run());
  }
  return absl::OkStatus();
}

absl::Status WriteSnapshotRow(SqliteDatabase* database, std::int64_t id, const Snapshot& snapshot) {
  const std::string state_hash = HashText(HashBytes(snapshot.state));
  return database
      ->Query(
          "INSERT INTO snapshots VALUES (?1, ?2, ?3, unixepoch(), ?4, ?5, ?6, row_hash(?1, ?2, "
          "?3, ?4, ?5, ?6))")
      .Bind(id)
      .Bind(Signed(snapshot.through))
      .Bind(snapshot.tick)
      .Bind(static_cast<std::int64_t>(snapshot.state.size()))
      .Bind(static_cast<std::int64_t>(SnapshotPartsOf(snapshot.state)))
      .BindBlob(state_hash)
      .Run();
}

absl::StatusOr<std::optional<Snapshot>> ReadSnapshot(SqliteDatabase* database, std::int64_t id) {
  TOCSIN_ASSIGN_OR_RETURN(std::optional<Row> row, ReadRow(database, id));
  if (!row) return std::optional<Snapshot>();
  Snapshot& snapshot = row->snapshot;
  SqliteQuery query = database->Query(
      "SELECT part, checksum = row_hash(snapshot, part, body), body FROM snapshot_parts WHERE "
      "snapshot = ? ORDER BY part");
  query.Bind(id);
  std::int64_t parts = 0;
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (!found) break;
    // `bytes` is from a row whose checksum holds.
    if (parts == 0) snapshot.state.reserve(static_cast<std::size_t>(row->bytes));
    if (query.Int(0) != parts++ || query.Int(1) == 0) return std::optional<Snapshot>();
    snapshot.state += query.Bytes(2);
  }
  const bool whole = parts == row->parts && std::ssize(snapshot.state) == row->bytes &&
                     HashText(HashBytes(snapshot.state)) == row->state_hash;
  return whole ? std::optional<Snapshot>(std::move(snapshot)) : std::nullopt;
}

absl::StatusOr<std::vector<std::int64_t>> SnapshotIds(SqliteDatabase* database) {
  std::vector<std::int64_t> ids;
  SqliteQuery query = database->Query("SELECT id FROM snapshots ORDER BY id DESC");
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool found, query.Next());
    if (!found) return ids;
    ids.push_back(query.Int(0));
  }
}

absl::Status DropSnapshotsFrom(SqliteDatabase* database, std::int64_t id) {
  for (const char* sql :
       {"DELETE FROM snapshots WHERE id >= ?", "DELETE FROM snapshot_parts WHERE snapshot >= ?",
        "DELETE FROM lines WHERE snapshot >= ?"}) {
    TOCSIN_RETURN_IF_ERROR(database->Query(sql).Bind(id).Run());
  }
  return absl::OkStatus();
}

}  // namespace tocsin
