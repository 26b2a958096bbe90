#include "journal/repair.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "journal/inspect.h"
#include "journal/sqlite.h"
#include "journal/sqlite_schema.h"
#include "journal/sqlite_snapshots.h"
#include "journal/state_directory.h"

namespace tocsin {
namespace {

// Times that a table is read from one of its ends, or from amid a gap that was halved, in search of
// rows that can still be reached.
constexpr int kPassesMax = 2'000;

// Rows are copied as they are, where `intact` holds; with their rowid where that says something.
struct Table {
  const char* name;
  const char* columns;
  const char* intact;
  const char* what;  // many of them
};

constexpr std::array<Table, 8> kTables = {{
    {"meta", "key, value", "key NOT IN ('format', 'writer')", "settings"},
    {"positions", "source, position, checksum", "checksum = row_hash(source, position)",
     "positions of sources"},
    {"deliveries", "id, sequence, sink, format, checksum, body",
     "checksum = row_hash(id, sequence, sink, format, body)", "deliveries"},
    {"lines", "rowid, snapshot, kind, tick, incident, open, bytes, checksum, text",
     "checksum = row_hash(kind, tick, incident, text)", "output lines"},
    {"batches", "rowid, checksum, body", "checksum = row_hash(rowid, body)", "batches of panes"},
    {"marks", "rowid, tick, bytes", "1", "marks"},
    {"snapshot_parts", "snapshot, part, checksum, body",
     "checksum = row_hash(snapshot, part, body)", "parts of snapshots"},
    {"snapshots", "rowid, through, tick, written_at, bytes, parts, state_hash, checksum",
     "checksum = row_hash(rowid, through, tick, bytes, parts, state_hash)", "snapshots"},
}};

class Salvage {
 public:
  Salvage(SqliteDatabase* database, const Table& table) : database_(database), table_(table) {}

  // From the table of the same name in `old` to that in `main`. Copies all that can be reached.
  absl::Status Run() { return Between(0, INT64_MAX); }
  std::int64_t copied() const { return copied_; }
  std::int64_t damaged() const { return damaged_; }
  bool unreachable() const { return unreachable_; }

 private:
  // The rows of (low, high), from both ends; what lies in between is halved.
  absl::Status Between(std::int64_t low, std::int64_t high) {
    TOCSIN_ASSIGN_OR_RETURN(const std::optional<std::int64_t> from, Pass(low, high, "ASC"));
    if (!from) return absl::OkStatus();
    TOCSIN_ASSIGN_OR_RETURN(const std::optional<std::int64_t> to, Pass(*from, high, "DESC"));
    if (!to) return absl::OkStatus();
    unreachable_ = true;
    if (passes_ >= kPassesMax || *to - *from < 2) return absl::OkStatus();
    const std::int64_t middle = *from + (*to - *from) / 2;
    TOCSIN_RETURN_IF_ERROR(Between(*from, middle));
    return Between(middle - 1, *to);
  }

  // Copies the rows of (low, high) in this order until one cannot be read: the last one that could,
  // or the end from which it began. nullopt where all could be read.
  absl::StatusOr<std::optional<std::int64_t>> Pass(std::int64_t low, std::int64_t high,
                                                   const char* order) {
    ++passes_;
    std::int64_t last = order[0] == 'A' ? low : high;
    std::vector<std::int64_t> rows;
    {
      SqliteQuery query =
          database_->Query(absl::StrCat("SELECT rowid, ", table_.intact, " FROM old.", table_.name,
                                        " WHERE rowid > ? AND rowid < ? ORDER BY rowid ", order));
      query.Bind(low).Bind(high);
      while (true) {
        const absl::StatusOr<bool> row = query.Next();
        if (absl::IsDataLoss(row.status())) break;
        if (!row.ok()) return row.status();
        if (!*row) {
          TOCSIN_RETURN_IF_ERROR(Copy(rows));
          return std::optional<std::int64_t>();
        }
        last = query.Int(0);
        if (query.Int(1) != 0) {
          rows.push_back(last);
        } else {
          ++damaged_;
        }
      }
    }
    TOCSIN_RETURN_IF_ERROR(Copy(rows));
    return std::optional<std::int64_t>(last);
  }

  absl::Status Copy(const std::vector<std::int64_t>& rows) {
    SqliteTransaction transaction(database_);
    TOCSIN_RETURN_IF_ERROR(transaction.status());
    for (const std::int64_t row : rows) {
      const absl::Status copied =
          database_
              ->Query(absl::StrCat("INSERT OR REPLACE INTO main.", table_.name, "(", table_.columns,
                                   ") SELECT ", table_.columns, " FROM old.", table_.name,
                                   " WHERE rowid = ?"))
              .Bind(row)
              .Run();
      if (absl::IsDataLoss(copied)) {
        ++damaged_;
      } else if (!copied.ok()) {
        return copied;
      } else {
        ++copied_;
      }
    }
    return transaction.Commit();
  }

  SqliteDatabase* database_;
  const Table& table_;
  int passes_ = 0;
  std::int64_t copied_ = 0, damaged_ = 0;
  bool unreachable_ = false;
};

absl::Status CopyFile(const std::string& from, const std::string& to) {
  std::error_code error;
  if (!std::filesystem::exists(from, error)) return absl::OkStatus();
  TOCSIN_RETURN_IF_ERROR(MakePrivateFile(to));
  std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing, error);
  if (!error) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("cannot copy ", from, " to ", to, " before it is repaired: ", error.message()));
}

// Beside the database, under a name that is free.
absl::StatusOr<std::string> SetAside(const std::string& path) {
  for (int i = 1;; ++i) {
    const std::string copy = absl::StrCat(path, ".damaged-", i);
    std::error_code error;
    if (std::filesystem::exists(copy, error)) continue;
    TOCSIN_RETURN_IF_ERROR(CopyFile(path, copy));
    TOCSIN_RETURN_IF_ERROR(CopyFile(path + "-wal", copy + "-wal"));
    return copy;
  }
}

// Makes the rows of the new database one story again: snapshots that are whole, and the batches
// from which on none is missing.
class Consistency {
 public:
  Consistency(SqliteDatabase* database, RepairReport* report)
      : database_(database), report_(report) {}

  absl::Status Run() {
    TOCSIN_RETURN_IF_ERROR(DropDamagedSnapshots());
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t through,
                            database_->QueryInt("SELECT MAX(through) FROM snapshots"));
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t snapshots,
                            database_->QueryInt("SELECT COUNT(*) FROM snapshots"));
    if (snapshots == 0) return StartAnew();
    // After the snapshot: up to the first that is missing. Before it: from the last that is.
    TOCSIN_ASSIGN_OR_RETURN(
        const std::int64_t end,
        First("SELECT MIN(seq) FROM (SELECT ?1 + 1 AS seq UNION SELECT seq + 1 FROM batches WHERE "
              "seq > ?1) WHERE seq NOT IN (SELECT seq FROM batches)",
              through));
    TOCSIN_RETURN_IF_ERROR(Drop("seq >= ", end, "behind a damaged one"));
    TOCSIN_ASSIGN_OR_RETURN(
        const std::int64_t begin,
        First("SELECT MAX(seq) FROM (SELECT seq - 1 AS seq FROM batches WHERE seq <= ?1 UNION "
              "SELECT ?1) WHERE seq NOT IN (SELECT seq FROM batches)",
              through));
    return Drop("seq <= ", begin, "before a damaged one, which detectors might have learned from");
  }

 private:
  absl::StatusOr<std::int64_t> First(const char* sql, std::int64_t through) {
    SqliteQuery query = database_->Query(sql);
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Bind(through).Next());
    return row ? query.Int(0) : 0;
  }

  absl::Status Drop(const char* which, std::int64_t seq, const char* why) {
    const std::string where = absl::StrCat(which, seq);
    TOCSIN_ASSIGN_OR_RETURN(
        const std::int64_t count,
        database_->QueryInt(absl::StrCat("SELECT COUNT(*) FROM batches WHERE ", where)));
    if (count == 0) return absl::OkStatus();
    report_->lost.push_back(absl::StrCat(count, " batches of panes ", why));
    return database_->Execute(absl::StrCat("DELETE FROM batches WHERE ", where));
  }

  absl::Status DropDamagedSnapshots() {
    TOCSIN_ASSIGN_OR_RETURN(const std::vector<std::int64_t> ids, SnapshotIds(database_));
    for (const std::int64_t id : ids) {
      TOCSIN_ASSIGN_OR_RETURN(const std::optional<Snapshot> snapshot, ReadSnapshot(database_, id));
      if (snapshot) continue;
      for (const char* sql : {"DELETE FROM snapshots WHERE id = ?",
                              "DELETE FROM snapshot_parts WHERE snapshot = ?"}) {
        TOCSIN_RETURN_IF_ERROR(database_->Query(sql).Bind(id).Run());
      }
    }
    // Lines that came with a snapshot behind the newest one are written again from the batches.
    return database_->Execute(
        "DELETE FROM lines WHERE snapshot > (SELECT COALESCE(MAX(id), 0) FROM snapshots); DELETE "
        "FROM snapshot_parts WHERE snapshot NOT IN (SELECT id FROM snapshots)");
  }

  // Without a snapshot the log begins with what follows its last gap, as number one.
  absl::Status StartAnew() {
    TOCSIN_ASSIGN_OR_RETURN(
        const std::int64_t begin,
        database_->QueryInt("SELECT MIN(seq) FROM batches WHERE seq > (SELECT COALESCE(MAX(seq), "
                            "0) FROM (SELECT seq - 1 AS seq FROM batches) WHERE seq NOT IN (SELECT "
                            "seq FROM batches) AND seq > 0)"));
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t first,
                            database_->QueryInt("SELECT MIN(seq) FROM batches"));
    if (first == 1 && begin == 1)
      return absl::OkStatus();  // nothing was pruned: all is decided again
    report_->lost.push_back(
        "the state: no snapshot is intact. Open incidents, numbers, silences and what detectors "
        "learned are gone; what is left of the panes is decided anew");
    if (first == 0) return absl::OkStatus();
    TOCSIN_RETURN_IF_ERROR(database_->Execute(absl::StrCat(
        "DELETE FROM batches WHERE seq < ", begin,
        "; CREATE TABLE anew AS SELECT seq, body FROM batches ORDER BY seq; DELETE FROM batches; "
        "INSERT INTO batches SELECT seq - ",
        begin - 1, ", row_hash(seq - ", begin - 1,
        ", body), body FROM anew; DROP TABLE anew; DELETE FROM marks")));
    // The files of output lines keep what they have.
    return database_->Execute("INSERT OR REPLACE INTO meta VALUES ('lines_dropped_through', '0')");
  }

  SqliteDatabase* database_;
  RepairReport* report_;
};

absl::Status CannotRepair(const std::string& path) {
  return absl::DataLossError(absl::StrCat(
      path,
      " is of an earlier version and damaged, which this one cannot repair: restore a copy of "
      "the directory, or move it away to start without history"));
}

absl::Status CopyTables(SqliteDatabase* database, RepairReport* report) {
  for (const Table& table : kTables) {
    Salvage salvage(database, table);
    const absl::Status run = salvage.Run();
    // A table whose very root is damaged has nothing to give.
    if (!run.ok() && !absl::IsDataLoss(run) && !absl::IsUnavailable(run)) return run;
    if (salvage.copied() > 0) {
      report->kept.push_back(absl::StrCat(salvage.copied(), " ", table.what));
    }
    if (salvage.damaged() > 0) {
      report->lost.push_back(absl::StrCat(salvage.damaged(), " ", table.what));
    }
    if (salvage.unreachable() || !run.ok()) {
      report->lost.push_back(
          absl::StrCat("an unknown number of ", table.what, ", on damaged pages of the file"));
    }
  }
  return absl::OkStatus();
}

absl::Status BuildNew(const std::string& path, const std::string& fresh, const std::string& writer,
                      RepairReport* report) {
  std::error_code error;
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(fresh + suffix, error);
  TOCSIN_RETURN_IF_ERROR(MakePrivateFile(fresh));
  TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                          SqliteDatabase::Open(fresh, SqliteMode::kWrite));
  TOCSIN_RETURN_IF_ERROR(PrepareSchema(database.get(), writer));
  // Else a file that was cut could not be read at all.
  TOCSIN_RETURN_IF_ERROR(database->Execute("PRAGMA writable_schema=ON"));
  const absl::Status attached = database->Query("ATTACH ? AS old").BindText(path).Run();
  if (attached.ok()) {
    const absl::StatusOr<std::int64_t> version = database->QueryInt("PRAGMA old.user_version");
    if (version.ok() && *version != kSchemaVersion) return CannotRepair(path);
    TOCSIN_RETURN_IF_ERROR(CopyTables(database.get(), report));
    TOCSIN_RETURN_IF_ERROR(database->Execute("DETACH old"));
    TOCSIN_RETURN_IF_ERROR(Consistency(database.get(), report).Run());
  } else {
    report->lost.push_back(
        absl::StrCat("everything: the file is not a database any more (", attached.message(), ")"));
  }
  TOCSIN_RETURN_IF_ERROR(database->Execute("PRAGMA writable_schema=OFF"));
  return database->Execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode=DELETE");
}

}  // namespace

absl::StatusOr<RepairReport> RepairJournal(const std::string& directory,
                                           const std::string& writer) {
  const std::string path = absl::StrCat(directory, "/", kDatabaseFile);
  std::error_code error;
  if (!std::filesystem::is_directory(directory, error)) {
    return absl::NotFoundError(absl::StrCat("there is no state directory ", directory));
  }
  TOCSIN_ASSIGN_OR_RETURN(const StateDirectory taken, StateDirectory::Take(directory));
  RepairReport report;
  const absl::StatusOr<JournalContents> contents =
      InspectJournal(directory, [](std::uint64_t, std::string_view) {});
  if (!contents.ok() && !absl::IsDataLoss(contents.status())) return contents.status();
  if (contents.ok() && contents->faults.empty()) return report;
  if (contents.ok() && contents->schema != kSchemaVersion) return CannotRepair(path);
  TOCSIN_ASSIGN_OR_RETURN(report.copy, SetAside(path));
  const std::string fresh = path + ".new";
  TOCSIN_RETURN_IF_ERROR(BuildNew(path, fresh, writer, &report));
  // The old file's WAL must not be taken for the new one's.
  for (const char* suffix : {"-wal", "-shm"}) std::filesystem::remove(path + suffix, error);
  std::filesystem::rename(fresh, path, error);
  if (error) {
    return absl::UnavailableError(absl::StrCat("cannot rename ", fresh, ": ", error.message()));
  }
  report.repaired = true;
  return report;
}

}  // namespace tocsin
