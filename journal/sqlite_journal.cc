#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/state_format.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "core/wire.h"
#include "journal/durable_database.h"
#include "journal/journal.h"
#include "journal/sqlite.h"
#include "journal/sqlite_absent.h"
#include "journal/sqlite_lines.h"
#include "journal/sqlite_positions.h"
#include "journal/sqlite_schema.h"
#include "journal/sqlite_snapshots.h"
#include "journal/state_directory.h"

namespace tocsin {
namespace {

constexpr int kSnapshotsKept = 2;
// Parts of a snapshot that are written before others may write again: some tens of milliseconds.
constexpr std::size_t kPartsPerWrite = 8;

// Rows read or dropped at a time: a batch has up to limits::kBatchChunkBytesMax, a line a few KiB.
constexpr std::int64_t kBatchesPerRead = 16;
constexpr std::int64_t kRowsPerRead = 256;

std::int64_t Signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t Unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

class SqliteJournal final : public Journal {
 public:
  SqliteJournal(StateDirectory directory, std::string path, const JournalLimits& limits)
      : directory_(std::move(directory)), path_(path), limits_(limits), durable_(std::move(path)) {}

  // Before anything else.
  absl::Status Open(const std::string& writer) {
    TOCSIN_RETURN_IF_ERROR(MakePrivateFile(path_));
    absl::MutexLock lock(&mutex_);
    return durable_.Open(writer);
  }

  absl::StatusOr<std::uint64_t> AppendBatches(std::span<const std::string> batches,
                                              std::span<const SourcePosition> positions) override;
  absl::Status ReadBatches(
      std::uint64_t after,
      absl::FunctionRef<absl::Status(std::uint64_t, std::string_view)> visit) override;
  absl::StatusOr<std::uint64_t> OldestBatch() override;
  absl::Status SaveSnapshot(const Snapshot& snapshot, std::span<const OutputLine> lines) override;
  absl::StatusOr<std::optional<Snapshot>> LoadSnapshot() override;
  absl::Status ReadLines(absl::FunctionRef<absl::Status(const OutputLine&)> visit) override;
  absl::Status WriteDeliveries(std::span<const Delivery> deliveries) override;
  absl::Status ReadDeliveries(absl::FunctionRef<absl::Status(const Delivery&)> visit) override;
  absl::Status ForgetDeliveries(std::span<const Hash128> ids) override;
  absl::StatusOr<std::vector<std::string>> ForgetAbsent(const Present& present) override;
  JournalUsage Usage() const override {
    absl::MutexLock lock(&mutex_);
    return durable_.acknowledged().usage;
  }

  absl::StatusOr<std::optional<std::string>> ReadPosition(const std::string& source) override {
    return ReadText(
        "SELECT position, checksum = row_hash(source, position) FROM positions WHERE source = ?",
        source);
  }

 private:
  struct Attempt {  // at writing a snapshot
    std::int64_t id = 0;
    std::int64_t reopened = 0;
  };
  // The database, unless it was opened again since the attempt began, which took its parts back.
  absl::StatusOr<SqliteDatabase*> DatabaseFor(const Attempt& attempt)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status WriteParts(const Attempt& attempt, std::string_view state);
  absl::Status FinishSnapshot(const Attempt& attempt, const Snapshot& snapshot,
                              std::span<const OutputLine> lines);
  absl::Status Prune(SqliteDatabase* database, const Snapshot& snapshot, std::int64_t id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status PruneBatches(SqliteDatabase* database, const Snapshot& snapshot, JournalUsage* usage)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  absl::StatusOr<std::optional<std::string>> ReadText(const std::string& sql,
                                                      const std::string& key);
  absl::StatusOr<std::vector<std::pair<std::uint64_t, std::string>>> BatchesAfter(
      std::uint64_t after);
  // The rows behind `*last_id`, which moves on.
  absl::StatusOr<std::vector<OutputLine>> LinesAfter(std::int64_t* last_id);
  absl::StatusOr<std::vector<Delivery>> DeliveriesAfter(std::int64_t sequence,
                                                        const std::string& id);

  const StateDirectory directory_;
  const std::string path_;
  const JournalLimits limits_;
  absl::Mutex snapshot_mutex_;  // held while one is written or read, in many steps
  mutable absl::Mutex mutex_ ABSL_ACQUIRED_AFTER(snapshot_mutex_);
  DurableDatabase durable_ ABSL_GUARDED_BY(mutex_);
  absl::Status unpruned_ ABSL_GUARDED_BY(mutex_);  // why the last snapshot's prune failed for good
};

// ---- batches and positions ----

absl::StatusOr<std::uint64_t> SqliteJournal::AppendBatches(
    std::span<const std::string> batches, std::span<const SourcePosition> positions) {
  absl::MutexLock lock(&mutex_);
  Acknowledged& acknowledged = durable_.acknowledged();
  if (batches.empty() && positions.empty()) return acknowledged.last;
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  SqliteTransaction transaction(database);
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  std::uint64_t seq = acknowledged.last;
  std::int64_t bytes = 0;
  for (const std::string& batch : batches) {
    TOCSIN_RETURN_IF_ERROR(database->Query("INSERT INTO batches VALUES (?1, row_hash(?1, ?2), ?2)")
                               .Bind(Signed(++seq))
                               .BindBlob(batch)
                               .Run());
    bytes += std::ssize(batch);
  }
  TOCSIN_ASSIGN_OR_RETURN(acknowledged.replaced, PositionsNow(database, positions));
  TOCSIN_RETURN_IF_ERROR(WritePositions(database, positions));
  TOCSIN_RETURN_IF_ERROR(transaction.Commit());
  acknowledged.replaced.clear();
  acknowledged.last = seq;
  acknowledged.appended_bytes += bytes;
  acknowledged.usage.batches += std::ssize(batches);
  acknowledged.usage.batch_bytes += bytes;
  return seq;
}

absl::StatusOr<std::vector<std::pair<std::uint64_t, std::string>>> SqliteJournal::BatchesAfter(
    std::uint64_t after) {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  std::vector<std::pair<std::uint64_t, std::string>> rows;
  SqliteQuery query = database->Query(
      "SELECT seq, checksum = row_hash(seq, body), body FROM batches WHERE seq > ? ORDER BY seq "
      "LIMIT ?");
  query.Bind(Signed(after)).Bind(kBatchesPerRead);
  std::uint64_t expected = after + 1;
  const auto lost = [&](std::string_view how) {
    return absl::DataLossError(absl::StrCat(path_, ": batch ", expected, " is ", ToAbsl(how)));
  };
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
    if (!row) break;
    if (Unsigned(query.Int(0)) != expected) return lost("missing: it was pruned, or lost");
    if (query.Int(1) == 0) return lost("damaged: run `tocsin state repair`");
    rows.emplace_back(expected++, std::string(query.Bytes(2)));
  }
  if (rows.empty() && after < durable_.acknowledged().last)
    return lost("missing: it was pruned, or lost");
  return rows;
}

absl::Status SqliteJournal::ReadBatches(
    std::uint64_t after, absl::FunctionRef<absl::Status(std::uint64_t, std::string_view)> visit) {
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const auto rows, BatchesAfter(after));
    if (rows.empty()) return absl::OkStatus();
    for (const auto& [seq, body] : rows) TOCSIN_RETURN_IF_ERROR(visit(seq, body));
    after = rows.back().first;
  }
}

absl::StatusOr<std::uint64_t> SqliteJournal::OldestBatch() {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t oldest,
                          database->QueryInt("SELECT MIN(seq) FROM batches"));
  return oldest == 0 ? durable_.acknowledged().last + 1 : Unsigned(oldest);
}

absl::Status SqliteJournal::PruneBatches(SqliteDatabase* database, const Snapshot& snapshot,
                                         JournalUsage* usage) {
  // What the older of two snapshots stands for, as far as it is old or too much.
  TOCSIN_ASSIGN_OR_RETURN(
      const std::int64_t before,
      database->QueryInt(
          "SELECT CASE WHEN COUNT(*) < 2 THEN 0 ELSE MIN(through) END FROM snapshots"));
  const TimeUs old = snapshot.tick == kNoTime ? kNoTime : snapshot.tick - limits_.batches_time;
  SqliteQuery query =
      database->Query("SELECT MAX(through) FROM marks WHERE tick <= ? OR bytes <= ?");
  query.Bind(old).Bind(durable_.acknowledged().appended_bytes - limits_.batches_bytes);
  TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
  const std::int64_t prune = std::min(before, row ? query.Int(0) : 0);
  SqliteQuery sizes =
      database->Query("SELECT COUNT(*), SUM(LENGTH(body)) FROM batches WHERE seq <= ?");
  TOCSIN_ASSIGN_OR_RETURN(const bool counted, sizes.Bind(prune).Next());
  if (counted) {
    usage->batches -= sizes.Int(0);
    usage->batch_bytes -= sizes.Int(1);
  }
  for (const char* sql :
       {"DELETE FROM batches WHERE seq <= ?", "DELETE FROM marks WHERE through <= ?"}) {
    TOCSIN_RETURN_IF_ERROR(database->Query(sql).Bind(prune).Run());
  }
  return absl::OkStatus();
}

// ---- snapshots and lines ----

absl::Status SqliteJournal::SaveSnapshot(const Snapshot& snapshot,
                                         std::span<const OutputLine> lines) {
  absl::MutexLock writing(&snapshot_mutex_);
  Attempt attempt;
  {
    absl::MutexLock lock(&mutex_);
    TOCSIN_RETURN_IF_ERROR(std::exchange(unpruned_, absl::OkStatus()));
    TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
    TOCSIN_ASSIGN_OR_RETURN(
        const std::int64_t before,
        database->QueryInt("SELECT through FROM snapshots ORDER BY id DESC LIMIT 1"));
    const std::uint64_t last = durable_.acknowledged().last;
    if (snapshot.through < Unsigned(before) || snapshot.through > last) {
      return absl::InvalidArgumentError(absl::StrCat("a snapshot through batch ", snapshot.through,
                                                     " between ", before, " and ", last,
                                                     " was expected"));
    }
    attempt = {.id = durable_.acknowledged().snapshot + 1, .reopened = durable_.reopened()};
  }
  TOCSIN_RETURN_IF_ERROR(WriteParts(attempt, snapshot.state));
  return FinishSnapshot(attempt, snapshot, lines);
}

absl::StatusOr<SqliteDatabase*> SqliteJournal::DatabaseFor(const Attempt& attempt) {
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  if (attempt.reopened == durable_.reopened()) return database;
  return absl::UnavailableError(absl::StrCat(
      path_, ": an I/O error came while a snapshot was written; it is to be repeated"));
}

absl::Status SqliteJournal::WriteParts(const Attempt& attempt, std::string_view state) {
  const std::size_t parts = SnapshotPartsOf(state);
  for (std::size_t begin = 0; begin == 0 || begin < parts; begin += kPartsPerWrite) {
    absl::MutexLock lock(&mutex_);
    TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, DatabaseFor(attempt));
    SqliteTransaction transaction(database);
    TOCSIN_RETURN_IF_ERROR(transaction.status());
    // What a crash or an error left of an earlier attempt.
    if (begin == 0) TOCSIN_RETURN_IF_ERROR(DropSnapshotsFrom(database, attempt.id));
    TOCSIN_RETURN_IF_ERROR(WriteSnapshotParts(database, attempt.id, state, begin,
                                              std::min(parts, begin + kPartsPerWrite)));
    TOCSIN_RETURN_IF_ERROR(transaction.Commit());
  }
  return absl::OkStatus();
}

absl::Status SqliteJournal::FinishSnapshot(const Attempt& attempt, const Snapshot& snapshot,
                                           std::span<const OutputLine> lines) {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, DatabaseFor(attempt));
  JournalUsage usage = durable_.acknowledged().usage;
  {
    SqliteTransaction transaction(database);
    TOCSIN_RETURN_IF_ERROR(transaction.status());
    TOCSIN_RETURN_IF_ERROR(WriteSnapshotRow(database, attempt.id, snapshot));
    TOCSIN_RETURN_IF_ERROR(AddLines(database, attempt.id, lines, &usage));
    TOCSIN_RETURN_IF_ERROR(database->Query("INSERT OR REPLACE INTO marks VALUES (?, ?, ?)")
                               .Bind(Signed(snapshot.through))
                               .Bind(snapshot.tick)
                               .Bind(durable_.acknowledged().appended_bytes)
                               .Run());
    TOCSIN_RETURN_IF_ERROR(transaction.Commit());
  }
  durable_.acknowledged().snapshot = attempt.id;
  durable_.acknowledged().usage = usage;
  // Apart, so that a snapshot that is taken back takes nothing with it. The next one prunes, too.
  // The snapshot is there whatever becomes of this: whoever was told that it failed would store its
  // lines once more. What will not pass is the answer to the next call, before that does anything.
  const absl::Status pruned = Prune(database, snapshot, attempt.id);
  if (!pruned.ok() && !Passes(pruned)) {
    unpruned_ = absl::Status(
        pruned.code(),
        absl::StrCat("what is no longer needed could not be removed: ", pruned.message()));
  }
  return absl::OkStatus();
}

absl::Status SqliteJournal::Prune(SqliteDatabase* database, const Snapshot& snapshot,
                                  std::int64_t id) {
  SqliteTransaction transaction(database);
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  JournalUsage usage = durable_.acknowledged().usage;
  TOCSIN_RETURN_IF_ERROR(PruneLines(database, limits_.lines_bytes, &usage));
  for (const char* sql :
       {"DELETE FROM snapshots WHERE id <= ?", "DELETE FROM snapshot_parts WHERE snapshot <= ?"}) {
    TOCSIN_RETURN_IF_ERROR(database->Query(sql).Bind(id - kSnapshotsKept).Run());
  }
  TOCSIN_RETURN_IF_ERROR(PruneBatches(database, snapshot, &usage));
  TOCSIN_RETURN_IF_ERROR(transaction.Commit());
  durable_.acknowledged().usage = usage;
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Snapshot>> SqliteJournal::LoadSnapshot() {
  absl::MutexLock reading(&snapshot_mutex_);
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  TOCSIN_ASSIGN_OR_RETURN(const std::vector<std::int64_t> ids, SnapshotIds(database));
  std::optional<Snapshot> found;
  std::int64_t found_id = 0;
  for (const std::int64_t id : ids) {
    TOCSIN_ASSIGN_OR_RETURN(found, ReadSnapshot(database, id));
    found_id = found ? id : 0;
    if (found) break;
  }
  if (ids.empty() || found_id == ids.front()) return found;
  if (!found) {
    // With one snapshot so far nothing was pruned, and the batches give everything again.
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t first,
                            database->QueryInt("SELECT MIN(seq) FROM batches"));
    if (first != 1 && durable_.acknowledged().last != 0) {
      return absl::DataLossError(absl::StrCat(
          path_, ": no snapshot is intact (", ids.size(),
          " damaged) and the batches before them were pruned: `tocsin state repair` saves what "
          "else there is, or restore a copy of the directory"));
    }
  }
  SqliteTransaction transaction(database);
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  TOCSIN_RETURN_IF_ERROR(DropSnapshotsFrom(database, found_id + 1));
  TOCSIN_RETURN_IF_ERROR(transaction.Commit());
  TOCSIN_RETURN_IF_ERROR(durable_.Measure());
  return found;
}

absl::StatusOr<std::vector<OutputLine>> SqliteJournal::LinesAfter(std::int64_t* last_id) {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  return ReadLinesAfter(database, kRowsPerRead, last_id);
}

absl::Status SqliteJournal::ReadLines(absl::FunctionRef<absl::Status(const OutputLine&)> visit) {
  std::int64_t last_id = 0;
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const std::vector<OutputLine> lines, LinesAfter(&last_id));
    if (lines.empty()) return absl::OkStatus();
    for (const OutputLine& line : lines) TOCSIN_RETURN_IF_ERROR(visit(line));
  }
}

// ---- deliveries ----

absl::Status SqliteJournal::WriteDeliveries(std::span<const Delivery> deliveries) {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  SqliteTransaction transaction(database);
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  for (const Delivery& delivery : deliveries) {
    ByteWriter body;
    delivery.Encode(&body);
    const std::string id = HashText(delivery.id);
    TOCSIN_RETURN_IF_ERROR(
        database
            ->Query("INSERT OR REPLACE INTO deliveries VALUES (?1, ?2, ?3, ?4, row_hash(?1, ?2, "
                    "?3, ?4, ?5), ?5)")
            .BindBlob(id)
            .Bind(Signed(delivery.sequence))
            .BindText(delivery.sink)
            .Bind(kStateFormat)
            .BindBlob(body.view())
            .Run());
  }
  return transaction.Commit();
}

absl::StatusOr<std::vector<Delivery>> SqliteJournal::DeliveriesAfter(std::int64_t sequence,
                                                                     const std::string& id) {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  std::vector<Delivery> deliveries;
  SqliteQuery query = database->Query(
      "SELECT format, checksum = row_hash(id, sequence, sink, format, body), body FROM deliveries "
      "WHERE (sequence, id) > (?, ?) ORDER BY sequence, id LIMIT ?");
  query.Bind(sequence).BindBlob(id).Bind(kRowsPerRead);
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
    if (!row) return deliveries;
    ByteReader in(query.Bytes(2), static_cast<int>(query.Int(0)));
    deliveries.push_back(Delivery::Decode(&in));
    if (query.Int(1) == 0 || !in.Done()) {
      return absl::DataLossError(
          absl::StrCat(path_, ": a delivery is damaged: run `tocsin state repair`"));
    }
  }
}

absl::Status SqliteJournal::ReadDeliveries(absl::FunctionRef<absl::Status(const Delivery&)> visit) {
  std::int64_t sequence = -1;
  std::string id;
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const std::vector<Delivery> page, DeliveriesAfter(sequence, id));
    if (page.empty()) return absl::OkStatus();
    for (const Delivery& delivery : page) TOCSIN_RETURN_IF_ERROR(visit(delivery));
    sequence = Signed(page.back().sequence);
    id = HashText(page.back().id);
  }
}

absl::Status SqliteJournal::ForgetDeliveries(std::span<const Hash128> ids) {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  SqliteTransaction transaction(database);
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  for (const Hash128& hash : ids) {
    const std::string id = HashText(hash);
    TOCSIN_RETURN_IF_ERROR(
        database->Query("DELETE FROM deliveries WHERE id = ?").BindBlob(id).Run());
  }
  return transaction.Commit();
}

absl::StatusOr<std::vector<std::string>> SqliteJournal::ForgetAbsent(const Present& present) {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  SqliteTransaction transaction(database);
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  TOCSIN_ASSIGN_OR_RETURN(std::vector<std::string> dropped, DropAbsent(database, present));
  TOCSIN_RETURN_IF_ERROR(transaction.Commit());
  return dropped;
}

// ---- values by name ----

absl::StatusOr<std::optional<std::string>> SqliteJournal::ReadText(const std::string& sql,
                                                                   const std::string& key) {
  absl::MutexLock lock(&mutex_);
  TOCSIN_ASSIGN_OR_RETURN(SqliteDatabase* const database, durable_.Get());
  SqliteQuery query = database->Query(sql);
  TOCSIN_ASSIGN_OR_RETURN(const bool row, query.BindText(key).Next());
  if (!row) return std::optional<std::string>();
  if (query.Int(1) == 0) {
    return absl::DataLossError(
        absl::StrCat(path_, ": what is stored as ", key, " is damaged: run `tocsin state repair`"));
  }
  return std::optional<std::string>(query.Bytes(0));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> OpenSqliteJournal(const std::string& directory,
                                                           const SqliteJournalOptions& options) {
  TOCSIN_ASSIGN_OR_RETURN(StateDirectory taken, StateDirectory::Take(directory));
  auto journal = std::make_unique<SqliteJournal>(
      std::move(taken), absl::StrCat(directory, "/", kDatabaseFile), options.limits);
  TOCSIN_RETURN_IF_ERROR(journal->Open(options.writer));
  return journal;
}

}  // namespace tocsin
