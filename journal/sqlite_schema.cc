#include "journal/sqlite_schema.h"

#include <cstddef>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/delivery.h"
#include "core/hash.h"
#include "core/limits.h"
#include "core/state_format.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "core/wire.h"
#include "journal/sqlite_snapshots.h"

namespace tocsin {
namespace {

constexpr char kTables[] = R"(
  CREATE TABLE batches(seq INTEGER PRIMARY KEY, checksum INTEGER NOT NULL, body BLOB NOT NULL);
  CREATE TABLE marks(through INTEGER PRIMARY KEY, tick INTEGER NOT NULL, bytes INTEGER NOT NULL);
  CREATE TABLE snapshots(id INTEGER PRIMARY KEY, through INTEGER NOT NULL, tick INTEGER NOT NULL,
                         written_at INTEGER NOT NULL, bytes INTEGER NOT NULL, parts INTEGER NOT NULL, state_hash BLOB NOT NULL,
                         checksum INTEGER NOT NULL);
  CREATE TABLE snapshot_parts(snapshot INTEGER NOT NULL, part INTEGER NOT NULL,
                              checksum INTEGER NOT NULL, body BLOB NOT NULL);
  CREATE UNIQUE INDEX snapshot_parts_in_order ON snapshot_parts(snapshot, part);
  CREATE TABLE lines(id INTEGER PRIMARY KEY AUTOINCREMENT, snapshot INTEGER NOT NULL, kind INTEGER NOT NULL,
                     tick INTEGER NOT NULL, incident BLOB NOT NULL, open INTEGER NOT NULL,
                     bytes INTEGER NOT NULL, checksum INTEGER NOT NULL, text TEXT NOT NULL);
  CREATE INDEX lines_by_snapshot ON lines(snapshot);
  CREATE INDEX lines_by_incident ON lines(incident) WHERE kind = 1;
  CREATE INDEX lines_to_drop ON lines(id) WHERE open = 0;
  CREATE TABLE deliveries(id BLOB PRIMARY KEY, sequence INTEGER NOT NULL, sink TEXT NOT NULL,
                          format INTEGER NOT NULL, checksum INTEGER NOT NULL, body BLOB NOT NULL);
  CREATE INDEX deliveries_by_sequence ON deliveries(sequence, id);
  CREATE INDEX deliveries_by_sink ON deliveries(sink);
  CREATE TABLE positions(source TEXT PRIMARY KEY, position TEXT NOT NULL,
                         checksum INTEGER NOT NULL);
  CREATE TABLE absent(kind TEXT NOT NULL, name TEXT NOT NULL, for_us INTEGER NOT NULL,
                      PRIMARY KEY(kind, name));
  CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
)";

// ---- from version 1 ----

// Its tables, out of the way of the new ones.
constexpr char kSetAside[] = R"(
  ALTER TABLE batches RENAME TO old_batches;
  ALTER TABLE snapshots RENAME TO old_snapshots;
  ALTER TABLE lines RENAME TO old_lines;
  ALTER TABLE deliveries RENAME TO old_deliveries;
  ALTER TABLE positions RENAME TO old_positions;
  DROP INDEX lines_by_snapshot;
  DROP INDEX deliveries_by_sequence;
)";
constexpr char kCopy[] = R"(
  INSERT INTO batches SELECT seq, row_hash(seq, body), body FROM old_batches;
  INSERT INTO positions SELECT source, position, row_hash(source, position) FROM old_positions;
)";
// Version 1 kept all lines there ever were. The newest are taken over, up to as many bytes as the
// parameter, and the newest one of each open incident; an incident's line says which that is.
constexpr char kCopyLines[] = R"(
  WITH sized AS (SELECT id, SUM(LENGTH(CAST(text AS BLOB))) OVER (ORDER BY id DESC) AS total
                 FROM old_lines),
       newest AS (SELECT MAX(id) AS id FROM old_lines WHERE kind = 1 AND json_valid(text)
                  GROUP BY json_extract(text, '$.incident')),
       told AS (SELECT id, snapshot, kind, tick, text,
                       CASE WHEN kind = 1 THEN bytes_of_hex(json_extract(text, '$.incident'))
                            ELSE x'' END AS incident,
                       COALESCE(kind = 1 AND id IN newest AND
                                json_extract(text, '$.state') <> 'resolved', 0) AS open
                FROM old_lines WHERE json_valid(text))
  INSERT INTO lines
    SELECT id, snapshot, kind, tick, incident, open, LENGTH(CAST(text AS BLOB)),
           row_hash(kind, tick, incident, text), text
    FROM told
    WHERE open OR id >= (SELECT COALESCE(MIN(id), 0) FROM sized WHERE total <= ?) ORDER BY id
)";
constexpr char kMarkDropped[] = R"(
  INSERT OR REPLACE INTO meta
    SELECT 'lines_dropped_through', MAX(id) FROM old_lines WHERE id NOT IN (SELECT id FROM lines)
    HAVING MAX(id) IS NOT NULL;
)";
constexpr char kDropOld[] = R"(
  DROP TABLE old_batches;
  DROP TABLE old_snapshots;
  DROP TABLE old_lines;
  DROP TABLE old_deliveries;
  DROP TABLE old_positions;
)";

absl::Status CopySnapshots(SqliteDatabase* database) {
  std::vector<std::int64_t> ids;
  {
    SqliteQuery query = database->Query("SELECT id FROM old_snapshots ORDER BY id");
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool found, query.Next());
      if (!found) break;
      ids.push_back(query.Int(0));
    }
  }
  for (const std::int64_t id : ids) {
    Snapshot snapshot;
    bool intact = false;
    {
      SqliteQuery query =
          database->Query("SELECT through, checksum, state FROM old_snapshots WHERE id = ?");
      TOCSIN_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Next());
      if (!found) continue;
      snapshot.through = static_cast<std::uint64_t>(query.Int(0));
      snapshot.state = std::string(query.Bytes(2));
      ByteWriter through;
      through.Fixed64(snapshot.through);
      intact = HashText(HashParts({through.view(), snapshot.state})) == query.Bytes(1);
    }
    TOCSIN_RETURN_IF_ERROR(
        WriteSnapshotParts(database, id, snapshot.state, 0, SnapshotPartsOf(snapshot.state)));
    TOCSIN_RETURN_IF_ERROR(WriteSnapshotRow(database, id, snapshot));
    // One that was damaged before must not become a good one.
    if (!intact) {
      TOCSIN_RETURN_IF_ERROR(
          database->Query("UPDATE snapshots SET state_hash = x'' WHERE id = ?").Bind(id).Run());
    }
  }
  return absl::OkStatus();
}

absl::Status CopyDeliveries(SqliteDatabase* database) {
  std::vector<std::pair<std::string, std::string>> sinks;  // by id
  {
    SqliteQuery query = database->Query("SELECT id, body FROM old_deliveries");
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool found, query.Next());
      if (!found) break;
      ByteReader in(query.Bytes(1), 5);
      const Delivery delivery = Delivery::Decode(&in);
      if (!in.Done()) {
        return absl::DataLossError(absl::StrCat(
            database->path(), ": a delivery cannot be decoded: `tocsin state repair` drops it"));
      }
      sinks.emplace_back(std::string(query.Bytes(0)), delivery.sink);
    }
  }
  for (const auto& [id, sink] : sinks) {
    TOCSIN_RETURN_IF_ERROR(
        database
            ->Query("INSERT INTO deliveries SELECT id, sequence, ?2, 5, row_hash(id, sequence, ?2, "
                    "5, body), body FROM old_deliveries WHERE id = ?1")
            .BindBlob(id)
            .BindText(sink)
            .Run());
  }
  return absl::OkStatus();
}

absl::Status MigrateFrom1(SqliteDatabase* database) {
  TOCSIN_RETURN_IF_ERROR(database->Execute(kSetAside));
  TOCSIN_RETURN_IF_ERROR(database->Execute(kTables));
  TOCSIN_RETURN_IF_ERROR(database->Execute(kCopy));
  TOCSIN_RETURN_IF_ERROR(database->Query(kCopyLines).Bind(limits::kLinesBytesMax).Run());
  TOCSIN_RETURN_IF_ERROR(database->Execute(kMarkDropped));
  TOCSIN_RETURN_IF_ERROR(CopySnapshots(database));
  TOCSIN_RETURN_IF_ERROR(CopyDeliveries(database));
  return database->Execute(kDropOld);
}

// ---- both ----

absl::StatusOr<std::string> Meta(SqliteDatabase* database, std::string_view key) {
  SqliteQuery query = database->Query("SELECT value FROM meta WHERE key = ?");
  TOCSIN_ASSIGN_OR_RETURN(const bool found, query.BindText(key).Next());
  return found ? std::string(query.Bytes(0)) : std::string();
}

absl::Status Refuse(SqliteDatabase* database, std::string_view what) {
  // A newer version may have no such table.
  const absl::StatusOr<std::string> writer = Meta(database, "writer");
  const std::string who = writer.ok() && !writer->empty() ? absl::StrCat(" (", *writer, ")") : "";
  return absl::FailedPreconditionError(absl::StrCat(
      database->path(), " was written by a newer version of tocsin", who, ": ", ToAbsl(what),
      ". Run that version or a newer one; to go back for good, stop it and start this one with the "
      "copy of the state directory that was made before the upgrade, or with an empty one, which "
      "forgets open incidents, silences and what was posted and not yet read"));
}

// FailedPrecondition where this build cannot read it.
absl::StatusOr<std::int64_t> VersionOf(SqliteDatabase* database) {
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t version, database->QueryInt("PRAGMA user_version"));
  if (version > kSchemaVersion) {
    return Refuse(database, absl::StrCat("its tables have version ", version,
                                         ", this build knows versions up to ", kSchemaVersion));
  }
  if (version < 2) return version;
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t format,
                          database->QueryInt("SELECT CAST(value AS INTEGER) FROM meta WHERE key = "
                                             "'format'"));
  if (format > kStateFormat) {
    return Refuse(database,
                  absl::StrCat("its state has format ", format, ", this build reads formats ",
                               kStateFormatOldest, " to ", kStateFormat));
  }
  return version;
}

absl::StatusOr<bool> IsCurrent(SqliteDatabase* database, std::int64_t version,
                               const std::string& writer) {
  if (version != kSchemaVersion) return false;
  TOCSIN_ASSIGN_OR_RETURN(const std::string format, Meta(database, "format"));
  TOCSIN_ASSIGN_OR_RETURN(const std::string last, Meta(database, "writer"));
  return format == std::to_string(kStateFormat) && last == writer;
}

}  // namespace

absl::Status PrepareSchema(SqliteDatabase* database, const std::string& writer) {
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t version, VersionOf(database));
  // A database that nothing is to be changed of opens on a full disk, too.
  TOCSIN_ASSIGN_OR_RETURN(const bool current, IsCurrent(database, version, writer));
  if (current) return absl::OkStatus();
  SqliteTransaction transaction(database);
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  if (version == 0) TOCSIN_RETURN_IF_ERROR(database->Execute(kTables));
  if (version == 1) TOCSIN_RETURN_IF_ERROR(MigrateFrom1(database));
  const std::string set = "INSERT OR REPLACE INTO meta VALUES (?, ?)";
  TOCSIN_RETURN_IF_ERROR(
      database->Query(set).BindText("format").BindText(std::to_string(kStateFormat)).Run());
  TOCSIN_RETURN_IF_ERROR(database->Query(set).BindText("writer").BindText(writer).Run());
  TOCSIN_RETURN_IF_ERROR(database->Execute(absl::StrCat("PRAGMA user_version=", kSchemaVersion)));
  return transaction.Commit();
}

absl::Status CheckSchema(SqliteDatabase* database) {
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t version, VersionOf(database));
  if (version == kSchemaVersion) return absl::OkStatus();
  return absl::UnimplementedError(
      absl::StrCat(database->path(), " has tables of version ", version));
}

}  // namespace tocsin
