#include "journal/durable_database.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "journal/sqlite_faults.h"
#include "journal/sqlite_schema.h"
#include "journal/sqlite_snapshots.h"

namespace tocsin {
namespace {

// Free pages of the file that are given back when it is opened, where they are more than half of
// it.
constexpr std::int64_t kFreeBytesMax = 256 << 20;

// The acknowledged state as the file has it; keeps the count of what was dropped.
absl::StatusOr<Acknowledged> Found(SqliteDatabase* database, std::int64_t lines_dropped) {
  Acknowledged found;
  // A snapshot may stand for batches that are pruned; their numbers are not given again.
  TOCSIN_ASSIGN_OR_RETURN(
      const std::int64_t last,
      database->QueryInt("SELECT MAX(COALESCE((SELECT MAX(seq) FROM batches), 0), "
                         "COALESCE((SELECT MAX(through) FROM snapshots), 0))"));
  found.last = static_cast<std::uint64_t>(last);
  TOCSIN_ASSIGN_OR_RETURN(found.snapshot, database->QueryInt("SELECT MAX(id) FROM snapshots"));
  TOCSIN_ASSIGN_OR_RETURN(
      found.appended_bytes,
      database->QueryInt("SELECT COALESCE((SELECT MAX(bytes) FROM marks), 0) + COALESCE((SELECT "
                         "SUM(LENGTH(body)) FROM batches WHERE seq > COALESCE((SELECT MAX(through) "
                         "FROM marks), 0)), 0)"));
  SqliteQuery query = database->Query(
      "SELECT (SELECT COUNT(*) FROM batches), (SELECT COALESCE(SUM(LENGTH(body)), 0) FROM "
      "batches), (SELECT COUNT(*) FROM lines), (SELECT COALESCE(SUM(bytes), 0) FROM lines), EXISTS "
      "(SELECT 1 FROM meta WHERE key = 'lines_dropped_through')");
  TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
  if (row) {
    found.usage = {.batches = query.Int(0),
                   .batch_bytes = query.Int(1),
                   .lines = query.Int(2),
                   .line_bytes = query.Int(3),
                   .lines_dropped = lines_dropped,
                   .lines_incomplete = query.Int(4) != 0};
  }
  return found;
}

// Takes back what is behind what was acknowledged; whoever wrote it does so again.
absl::Status TakeBack(SqliteDatabase* database, const Acknowledged& acknowledged) {
  SqliteTransaction transaction(database);
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  TOCSIN_RETURN_IF_ERROR(database->Query("DELETE FROM batches WHERE seq > ?")
                             .Bind(static_cast<std::int64_t>(acknowledged.last))
                             .Run());
  TOCSIN_RETURN_IF_ERROR(DropSnapshotsFrom(database, acknowledged.snapshot + 1));
  TOCSIN_RETURN_IF_ERROR(PutBackPositions(database, acknowledged.replaced));
  return transaction.Commit();
}

}  // namespace

absl::Status DurableDatabase::Open(const std::string& writer) {
  TOCSIN_ASSIGN_OR_RETURN(database_, SqliteDatabase::Open(path_, SqliteMode::kWrite));
  TOCSIN_RETURN_IF_ERROR(PrepareSchema(database_.get(), writer));
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t pages, database_->QueryInt("PRAGMA page_count"));
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t free, database_->QueryInt("PRAGMA freelist_count"));
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t page_bytes, database_->QueryInt("PRAGMA page_size"));
  if (free * page_bytes > kFreeBytesMax && free > pages / 2) {
    // Needs room of its own; without it the file stays as large as it was.
    const absl::Status compacted = database_->Execute("VACUUM");
    if (!compacted.ok() && !Passes(compacted)) return compacted;
  }
  database_->Opened();
  return Measure();
}

absl::Status DurableDatabase::Measure() {
  TOCSIN_ASSIGN_OR_RETURN(acknowledged_, Found(database_.get(), acknowledged_.usage.lines_dropped));
  return absl::OkStatus();
}

absl::StatusOr<SqliteDatabase*> DurableDatabase::Get() {
  if (database_ != nullptr && database_->trust() != SqliteTrust::kFull) {
    distrust_ = std::max(distrust_, database_->trust());
    database_.reset();
  }
  if (database_ == nullptr) {
    TOCSIN_RETURN_IF_ERROR(Reopen(distrust_ == SqliteTrust::kVerify));
    distrust_ = SqliteTrust::kFull;
  }
  return database_.get();
}

absl::Status DurableDatabase::Reopen(bool verify) {
  if (verify) DropCaches();
  absl::StatusOr<std::unique_ptr<SqliteDatabase>> opened =
      SqliteDatabase::Open(path_, SqliteMode::kWrite);
  // It could be opened before.
  if (absl::IsPermissionDenied(opened.status())) {
    return absl::UnavailableError(opened.status().message());
  }
  TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database, std::move(opened));
  database->Opened();
  const absl::Status gone = absl::DataLossError(
      absl::StrCat(path_,
                   ": what was written before an I/O error is not there any more; `tocsin "
                   "state check` says what is left"));
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t version, database->QueryInt("PRAGMA user_version"));
  if (version != kSchemaVersion) return gone;
  TOCSIN_RETURN_IF_ERROR(TakeBack(database.get(), acknowledged_));
  TOCSIN_ASSIGN_OR_RETURN(const Acknowledged found,
                          Found(database.get(), acknowledged_.usage.lines_dropped));
  if (found.last != acknowledged_.last || found.snapshot != acknowledged_.snapshot) return gone;
  if (verify) {
    TOCSIN_ASSIGN_OR_RETURN(const std::vector<SqliteFault> faults, FindFaults(database.get(), 1));
    if (!faults.empty()) {
      return absl::DataLossError(absl::StrCat(
          path_, " is damaged since an I/O error: ", faults[0].table, " ", faults[0].row, ": ",
          faults[0].what, "; stop, and run `tocsin state repair`"));
    }
  }
  acknowledged_ = found;
  database_ = std::move(database);
  ++reopened_;
  return absl::OkStatus();
}

void DurableDatabase::DropCaches() const {
  // The database must be closed: closing any descriptor of a file ends SQLite's locks on it.
  for (const char* suffix : {"", "-wal"}) {
    const int file = open((path_ + suffix).c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
  }
}

}  // namespace tocsin
