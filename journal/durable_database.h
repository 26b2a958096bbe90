// A database that does not believe more than the disk has.
//
//   DurableDatabase database("./state/tocsin.db");
//   TOCSIN_RETURN_IF_ERROR(database.Open("tocsin 1.2.0"));
//   TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const sqlite, database.Get());   // for every call
//   … write, commit …;   database.acknowledged().last = seq;                 // only then
//
// After an I/O error the file is closed without a checkpoint and opened again; what was not
// acknowledged and reached the disk all the same is taken back, and what was acknowledged must be
// there (docs/decisions/034-after-an-io-error.md). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "journal/journal.h"
#include "journal/sqlite.h"
#include "journal/sqlite_positions.h"

namespace tocsin {

// What callers were told is durable.
struct Acknowledged {
  std::uint64_t last = 0;           // the last batch ever appended
  std::int64_t snapshot = 0;        // id of the last one
  std::int64_t appended_bytes = 0;  // of all batches ever appended
  JournalUsage usage;
  PositionsBefore replaced;  // by a transaction that was not acknowledged
};

class DurableDatabase {
 public:
  explicit DurableDatabase(std::string path) : path_(std::move(path)) {}

  // Makes the file or brings it up to date, and gives back what is free where that is most of it.
  absl::Status Open(const std::string& writer);
  // What passes (Passes) where it cannot be opened again yet; DataLoss, from then on, where
  // something that was acknowledged is gone. Valid until the next call. REQUIRES: Open succeeded.
  absl::StatusOr<SqliteDatabase*> Get();

  Acknowledged& acknowledged() { return acknowledged_; }
  const Acknowledged& acknowledged() const { return acknowledged_; }
  // What is there counts as acknowledged.
  absl::Status Measure();
  // Times that it was opened again.
  std::int64_t reopened() const { return reopened_; }
  const std::string& path() const { return path_; }

 private:
  absl::Status Reopen(bool verify);
  // Empties the page cache, so that what is verified is what the disk has.
  void DropCaches() const;

  const std::string path_;
  std::unique_ptr<SqliteDatabase> database_;   // null where it could not be opened again
  SqliteTrust distrust_ = SqliteTrust::kFull;  // why it is null
  Acknowledged acknowledged_;
  std::int64_t reopened_ = 0;
};

}  // namespace tocsin
