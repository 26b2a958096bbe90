#include "journal/inspect.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <system_error>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "core/wire.h"
#include "journal/sqlite.h"
#include "journal/sqlite_faults.h"
#include "journal/sqlite_schema.h"
#include "journal/sqlite_snapshots.h"
#include "journal/state_directory.h"

namespace tocsin {
namespace {

// Faults of one table that are listed.
constexpr std::size_t kFaultsMax = 20;

std::int64_t SizeOf(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(size);
}

// What damage to a table costs.
std::string Remedy(const SqliteFault& fault) {
  const std::string repair = "`tocsin state repair` ";
  if (fault.table == "batches") {
    return repair + "goes on from what was decided before it: panes from there on are lost";
  }
  if (fault.table == "snapshots" || fault.table == "snapshot_parts") {
    return "the snapshot before it and the batches since give the same state, at the next start";
  }
  if (fault.table == "lines") {
    return repair + "drops it: a line of the output files and of the list of incidents is lost";
  }
  if (fault.table == "deliveries") {
    return repair + "drops it: whether that message was sent is not known any more";
  }
  if (fault.table == "positions") {
    return repair + "drops it: that source is read from its configured start";
  }
  return repair + "copies what can be read into a new file";
}

class Inspection {
 public:
  Inspection(SqliteDatabase* database, JournalContents* contents)
      : database_(database), contents_(contents) {}

  absl::Status Run(absl::FunctionRef<void(std::uint64_t, std::string_view)> batch) {
    TOCSIN_RETURN_IF_ERROR(Faults());
    // Each by itself: what cannot be read was named above.
    for (const absl::Status& status :
         {File(), Snapshots(), Batches(batch), Lines(), Deliveries(), Positions()}) {
      if (!status.ok() && !absl::IsDataLoss(status)) return status;
    }
    return absl::OkStatus();
  }

 private:
  void Fault(std::string what, std::string remedy) {
    contents_->faults.push_back({std::move(what), std::move(remedy)});
  }

  absl::Status Faults() {
    TOCSIN_ASSIGN_OR_RETURN(const std::vector<SqliteFault> faults,
                            FindFaults(database_, kFaultsMax));
    for (const SqliteFault& fault : faults) {
      const std::string where = fault.table.empty() ? "the file" : fault.table + " " + fault.row;
      Fault(absl::StrCat(where, ": ", fault.what), Remedy(fault));
    }
    return absl::OkStatus();
  }

  absl::Status File() {
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t free, database_->QueryInt("PRAGMA freelist_count"));
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t page, database_->QueryInt("PRAGMA page_size"));
    contents_->free_bytes = free * page;
    SqliteQuery query = database_->Query(
        "SELECT (SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'format'), (SELECT value FROM "
        "meta WHERE key = 'writer')");
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
    if (row) {
      contents_->format = static_cast<int>(query.Int(0));
      contents_->writer = std::string(query.Bytes(1));
    }
    return absl::OkStatus();
  }

  absl::Status Snapshots() {
    TOCSIN_ASSIGN_OR_RETURN(const std::vector<std::int64_t> ids, SnapshotIds(database_));
    for (const std::int64_t id : ids) {
      JournalContents::SnapshotRow row;
      {
        SqliteQuery query =
            database_->Query("SELECT through, tick, written_at, bytes FROM snapshots WHERE id = ?");
        TOCSIN_ASSIGN_OR_RETURN(const bool found, query.Bind(id).Next());
        if (!found) continue;
        row.through = static_cast<std::uint64_t>(query.Int(0));
        row.tick = query.Int(1);
        row.written_at = query.Int(2) * kSecondUs;
        row.bytes = query.Int(3);
      }
      absl::StatusOr<std::optional<Snapshot>> snapshot = ReadSnapshot(database_, id);
      row.intact = snapshot.ok() && snapshot->has_value();
      contents_->snapshots.push_back(row);
      if (row.intact && !contents_->newest) contents_->newest = *std::move(snapshot);
    }
    if (!ids.empty() && !contents_->newest) {
      Fault("no snapshot is intact",
            "`tocsin state repair` decides what panes there are anew: open incidents, silences and "
            "numbers are lost");
    }
    return absl::OkStatus();
  }

  absl::Status Batches(absl::FunctionRef<void(std::uint64_t, std::string_view)> batch) {
    SqliteQuery query = database_->Query(
        "SELECT seq, checksum = row_hash(seq, body), body FROM batches ORDER BY seq");
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
      if (!row) return absl::OkStatus();
      const auto sequence = static_cast<std::uint64_t>(query.Int(0));
      if (contents_->oldest_batch == 0) contents_->oldest_batch = sequence;
      contents_->newest_batch = sequence;
      const std::string_view body = query.Bytes(2);
      ++contents_->usage.batches;
      contents_->usage.batch_bytes += std::ssize(body);
      if (query.Int(1) != 0) batch(sequence, body);
    }
  }

  absl::Status Lines() {
    SqliteQuery query = database_->Query("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM lines");
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
    if (!row) return absl::OkStatus();
    contents_->usage.lines = query.Int(0);
    contents_->usage.line_bytes = query.Int(1);
    return absl::OkStatus();
  }

  absl::Status Deliveries() {
    SqliteQuery query = database_->Query(
        "SELECT lower(hex(id)), format, checksum = row_hash(id, sequence, sink, format, body), "
        "body "
        "FROM deliveries ORDER BY sequence, id");
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
      if (!row) return absl::OkStatus();
      ByteReader in(query.Bytes(3), static_cast<int>(query.Int(1)));
      const Delivery delivery = Delivery::Decode(&in);
      if (in.Done()) {
        ++contents_->deliveries[delivery.sink][static_cast<std::size_t>(delivery.state)];
      } else if (query.Int(2) != 0) {
        Fault(absl::StrCat("deliveries ", ToAbsl(query.Bytes(0)), ": cannot be decoded"),
              Remedy({.table = "deliveries", .row = "", .what = ""}));
      }
    }
  }

  absl::Status Positions() {
    SqliteQuery query = database_->Query("SELECT source, position FROM positions ORDER BY source");
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
      if (!row) return absl::OkStatus();
      contents_->positions.emplace_back(query.Bytes(0), query.Bytes(1));
    }
  }

  SqliteDatabase* database_;
  JournalContents* contents_;
};

// Of an earlier version: a copy of it, brought up to date.
absl::StatusOr<std::unique_ptr<SqliteDatabase>> Migrated(const SqliteDatabase& old,
                                                         const std::string& folder) {
  const std::string copy = absl::StrCat(folder, "/", kDatabaseFile);
  TOCSIN_RETURN_IF_ERROR(old.CopyTo(copy));
  TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                          SqliteDatabase::Open(copy, SqliteMode::kWrite));
  TOCSIN_RETURN_IF_ERROR(PrepareSchema(database.get(), "tocsin of an earlier version"));
  return database;
}

}  // namespace

absl::StatusOr<JournalContents> InspectJournal(
    const std::string& directory, absl::FunctionRef<void(std::uint64_t, std::string_view)> batch) {
  const std::string path = absl::StrCat(directory, "/", kDatabaseFile);
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    return absl::NotFoundError(
        absl::StrCat("there is no state in ", directory, ": it has no ", kDatabaseFile));
  }
  TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                          SqliteDatabase::Open(path, SqliteMode::kRead));
  JournalContents contents;
  TOCSIN_ASSIGN_OR_RETURN(contents.schema, database->QueryInt("PRAGMA user_version"));
  contents.file_bytes = SizeOf(path);
  contents.wal_bytes = SizeOf(path + "-wal");
  const absl::Status readable = CheckSchema(database.get());
  std::string folder;
  const absl::Cleanup remove_folder = [&folder] {
    std::error_code ignored;
    if (!folder.empty()) std::filesystem::remove_all(folder, ignored);
  };
  if (absl::IsUnimplemented(readable)) {
    std::string pattern = (std::filesystem::temp_directory_path(error) / "tocsin-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      return absl::UnavailableError(absl::StrCat("cannot make a folder like ", pattern));
    }
    folder = pattern;
    TOCSIN_ASSIGN_OR_RETURN(database, Migrated(*database, folder));
  } else {
    TOCSIN_RETURN_IF_ERROR(readable);
  }
  TOCSIN_RETURN_IF_ERROR(Inspection(database.get(), &contents).Run(batch));
  database.reset();
  return contents;
}

}  // namespace tocsin
