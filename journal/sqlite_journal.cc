#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "core/wire.h"
#include "journal/journal.h"
#include "journal/sqlite.h"

namespace tocsin {
namespace {

constexpr std::int64_t kFormat = 1;  // PRAGMA user_version
constexpr int kSnapshotsKept = 2;

// Rows read at a time: a batch has up to limits::kBatchChunkBytesMax, a line a few KiB.
constexpr std::int64_t kBatchesPerRead = 16;
constexpr std::int64_t kRowsPerRead = 256;

// `lines.snapshot` is the snapshot that a line was stored with: what came after an older snapshot
// can be dropped with the newer one.
constexpr char kSchema[] = R"(
  CREATE TABLE batches(seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
  CREATE TABLE snapshots(id INTEGER PRIMARY KEY, through INTEGER NOT NULL, checksum BLOB NOT NULL,
                         state BLOB NOT NULL);
  CREATE TABLE lines(id INTEGER PRIMARY KEY, snapshot INTEGER NOT NULL, kind INTEGER NOT NULL,
                     tick INTEGER NOT NULL, text TEXT NOT NULL);
  CREATE INDEX lines_by_snapshot ON lines(snapshot);
  CREATE TABLE deliveries(id BLOB PRIMARY KEY, sequence INTEGER NOT NULL, body BLOB NOT NULL);
  CREATE INDEX deliveries_by_sequence ON deliveries(sequence, id);
  CREATE TABLE positions(source TEXT PRIMARY KEY, position TEXT NOT NULL);
  CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
  PRAGMA user_version=1;
)";

std::int64_t Signed(std::uint64_t value) { return static_cast<std::int64_t>(value); }
std::uint64_t Unsigned(std::int64_t value) { return static_cast<std::uint64_t>(value); }

std::string HashText(const Hash128& hash) {
  ByteWriter out;
  out.Fixed64(hash.high);
  out.Fixed64(hash.low);
  return out.Take();
}

std::string Checksum(const Snapshot& snapshot) {
  ByteWriter through;
  through.Fixed64(snapshot.through);
  return HashText(HashParts({through.view(), snapshot.state}));
}

// Held while the journal is open; the kernel frees it with the process, however that ends.
class DirectoryLock {
 public:
  static absl::StatusOr<DirectoryLock> Take(const std::string& directory) {
    const std::string path = directory + "/tocsin.lock";
    DirectoryLock lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (lock.descriptor_ < 0) {
      return absl::PermissionDeniedError(
          absl::StrCat("cannot create ", path, ": ", std::generic_category().message(errno)));
    }
    if (flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0) {
      return absl::FailedPreconditionError(
          absl::StrCat("the state directory ", directory,
                       " is in use by another process; stop it, or give this one a state_dir of "
                       "its own"));
    }
    return lock;
  }
  DirectoryLock(DirectoryLock&& other) noexcept
      : descriptor_(std::exchange(other.descriptor_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock() {
    if (descriptor_ >= 0) close(descriptor_);
  }

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

class SqliteJournal final : public Journal {
 public:
  SqliteJournal(DirectoryLock lock, std::unique_ptr<SqliteDatabase> database, std::uint64_t last)
      : lock_(std::move(lock)), database_(std::move(database)), last_(last) {}

  absl::StatusOr<std::uint64_t> AppendBatches(std::span<const std::string> batches,
                                              std::span<const SourcePosition> positions) override;
  absl::Status ReadBatches(
      std::uint64_t after,
      absl::FunctionRef<absl::Status(std::uint64_t, std::string_view)> visit) override;
  absl::Status SaveSnapshot(const Snapshot& snapshot, std::span<const OutputLine> lines) override;
  absl::StatusOr<std::optional<Snapshot>> LoadSnapshot() override;
  absl::Status ReadLines(absl::FunctionRef<absl::Status(const OutputLine&)> visit) override;
  absl::Status WriteDeliveries(std::span<const Delivery> deliveries) override;
  absl::Status ReadDeliveries(absl::FunctionRef<absl::Status(const Delivery&)> visit) override;
  absl::Status ForgetDeliveries(std::span<const Hash128> ids) override;

  absl::StatusOr<std::optional<std::string>> ReadPosition(const std::string& source) override {
    return ReadText("SELECT position FROM positions WHERE source = ?", source);
  }
  absl::Status WriteMeta(const std::string& key, const std::string& value) override {
    return WriteText("INSERT OR REPLACE INTO meta VALUES (?, ?)", key, value);
  }
  absl::StatusOr<std::optional<std::string>> ReadMeta(const std::string& key) override {
    return ReadText("SELECT value FROM meta WHERE key = ?", key);
  }

 private:
  absl::Status WriteText(const std::string& sql, const std::string& key, const std::string& value);
  absl::StatusOr<std::optional<std::string>> ReadText(const std::string& sql,
                                                      const std::string& key);
  absl::StatusOr<std::vector<std::pair<std::uint64_t, std::string>>> BatchesAfter(
      std::uint64_t after);
  // The rows behind `*last_id`, which moves on.
  absl::StatusOr<std::vector<OutputLine>> LinesAfter(std::int64_t* last_id);
  absl::StatusOr<std::vector<Delivery>> DeliveriesAfter(std::int64_t sequence,
                                                        const std::string& id);
  absl::Status DropSnapshotsAfter(std::int64_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DirectoryLock lock_;
  absl::Mutex mutex_;
  const std::unique_ptr<SqliteDatabase> database_ ABSL_PT_GUARDED_BY(mutex_);
  std::uint64_t last_ ABSL_GUARDED_BY(mutex_);  // sequence of the last batch ever appended
};

absl::StatusOr<std::uint64_t> SqliteJournal::AppendBatches(
    std::span<const std::string> batches, std::span<const SourcePosition> positions) {
  absl::MutexLock lock(&mutex_);
  if (batches.empty() && positions.empty()) return last_;
  SqliteTransaction transaction(database_.get());
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  std::uint64_t seq = last_;
  for (const std::string& batch : batches) {
    TOCSIN_RETURN_IF_ERROR(database_->Query("INSERT INTO batches VALUES (?, ?)")
                               .Bind(Signed(++seq))
                               .BindBlob(batch)
                               .Run());
  }
  for (const SourcePosition& position : positions) {
    TOCSIN_RETURN_IF_ERROR(database_->Query("INSERT OR REPLACE INTO positions VALUES (?, ?)")
                               .BindText(position.source)
                               .BindText(position.text)
                               .Run());
  }
  TOCSIN_RETURN_IF_ERROR(transaction.Commit());
  last_ = seq;
  return seq;
}

absl::StatusOr<std::vector<std::pair<std::uint64_t, std::string>>> SqliteJournal::BatchesAfter(
    std::uint64_t after) {
  absl::MutexLock lock(&mutex_);
  std::vector<std::pair<std::uint64_t, std::string>> rows;
  SqliteQuery query =
      database_->Query("SELECT seq, body FROM batches WHERE seq > ? ORDER BY seq LIMIT ?");
  query.Bind(Signed(after)).Bind(kBatchesPerRead);
  std::uint64_t expected = after + 1;
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
    if (!row) break;
    rows.emplace_back(Unsigned(query.Int(0)), std::string(query.Bytes(1)));
    if (rows.back().first != expected++) break;
  }
  const bool gap = rows.empty() ? after < last_ : rows.back().first + 1 != expected;
  if (gap) {
    return absl::DataLossError(absl::StrCat(database_->path(), ": batch ",
                                            rows.empty() ? expected : expected - 1,
                                            " is missing; only what the last two snapshots do not "
                                            "cover is kept"));
  }
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

absl::Status SqliteJournal::SaveSnapshot(const Snapshot& snapshot,
                                         std::span<const OutputLine> lines) {
  absl::MutexLock lock(&mutex_);
  SqliteTransaction transaction(database_.get());
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  TOCSIN_ASSIGN_OR_RETURN(
      const std::int64_t before,
      database_->QueryInt("SELECT through FROM snapshots ORDER BY id DESC LIMIT 1"));
  if (snapshot.through < Unsigned(before) || snapshot.through > last_) {
    return absl::InvalidArgumentError(absl::StrCat("a snapshot through batch ", snapshot.through,
                                                   " between ", before, " and ", last_,
                                                   " was expected"));
  }
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t newest,
                          database_->QueryInt("SELECT MAX(id) FROM snapshots"));
  const std::int64_t id = newest + 1;
  const std::string checksum = Checksum(snapshot);
  TOCSIN_RETURN_IF_ERROR(database_->Query("INSERT INTO snapshots VALUES (?, ?, ?, ?)")
                             .Bind(id)
                             .Bind(Signed(snapshot.through))
                             .BindBlob(checksum)
                             .BindBlob(snapshot.state)
                             .Run());
  for (const OutputLine& line : lines) {
    TOCSIN_RETURN_IF_ERROR(
        database_->Query("INSERT INTO lines(snapshot, kind, tick, text) VALUES (?, ?, ?, ?)")
            .Bind(id)
            .Bind(static_cast<std::int64_t>(line.kind))
            .Bind(line.tick)
            .BindText(line.text)
            .Run());
  }
  TOCSIN_RETURN_IF_ERROR(
      database_->Query("DELETE FROM snapshots WHERE id <= ?").Bind(id - kSnapshotsKept).Run());
  TOCSIN_RETURN_IF_ERROR(database_->Query("DELETE FROM batches WHERE seq <= ?").Bind(before).Run());
  return transaction.Commit();
}

absl::Status SqliteJournal::DropSnapshotsAfter(std::int64_t id) {
  SqliteTransaction transaction(database_.get());
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  TOCSIN_RETURN_IF_ERROR(database_->Query("DELETE FROM snapshots WHERE id > ?").Bind(id).Run());
  TOCSIN_RETURN_IF_ERROR(database_->Query("DELETE FROM lines WHERE snapshot > ?").Bind(id).Run());
  return transaction.Commit();
}

absl::StatusOr<std::optional<Snapshot>> SqliteJournal::LoadSnapshot() {
  absl::MutexLock lock(&mutex_);
  std::optional<Snapshot> found;
  std::int64_t found_id = 0;
  int damaged = 0;
  {
    SqliteQuery query =
        database_->Query("SELECT id, through, checksum, state FROM snapshots ORDER BY id DESC");
    while (!found) {
      TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
      if (!row) break;
      Snapshot snapshot{.through = Unsigned(query.Int(1)), .state = std::string(query.Bytes(3))};
      if (Checksum(snapshot) == query.Bytes(2)) {
        found_id = query.Int(0);
        found = std::move(snapshot);
      } else {
        ++damaged;
      }
    }
  }
  if (damaged == 0) return found;
  if (!found) {
    // With one snapshot so far nothing was pruned, and the batches give everything again.
    TOCSIN_ASSIGN_OR_RETURN(const std::int64_t first,
                            database_->QueryInt("SELECT MIN(seq) FROM batches"));
    if (first != 1 && last_ != 0) {
      return absl::DataLossError(absl::StrCat(
          database_->path(), ": no snapshot is intact (", damaged,
          " damaged) and the batches before them were pruned: restore a copy of the directory, or "
          "move it away to start without history"));
    }
  }
  TOCSIN_RETURN_IF_ERROR(DropSnapshotsAfter(found_id));
  return found;
}

absl::StatusOr<std::vector<OutputLine>> SqliteJournal::LinesAfter(std::int64_t* last_id) {
  absl::MutexLock lock(&mutex_);
  std::vector<OutputLine> lines;
  SqliteQuery query =
      database_->Query("SELECT id, kind, tick, text FROM lines WHERE id > ? ORDER BY id LIMIT ?");
  query.Bind(*last_id).Bind(kRowsPerRead);
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
    if (!row) return lines;
    *last_id = query.Int(0);
    lines.push_back({.kind = query.Int(1) == 0 ? LineKind::kSignal : LineKind::kIncident,
                     .tick = query.Int(2),
                     .text = std::string(query.Bytes(3))});
  }
}

absl::Status SqliteJournal::ReadLines(absl::FunctionRef<absl::Status(const OutputLine&)> visit) {
  std::int64_t last_id = 0;
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const std::vector<OutputLine> lines, LinesAfter(&last_id));
    if (lines.empty()) return absl::OkStatus();
    for (const OutputLine& line : lines) TOCSIN_RETURN_IF_ERROR(visit(line));
  }
}

absl::Status SqliteJournal::WriteDeliveries(std::span<const Delivery> deliveries) {
  absl::MutexLock lock(&mutex_);
  SqliteTransaction transaction(database_.get());
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  for (const Delivery& delivery : deliveries) {
    ByteWriter body;
    delivery.Encode(&body);
    const std::string id = HashText(delivery.id);
    TOCSIN_RETURN_IF_ERROR(database_->Query("INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?)")
                               .BindBlob(id)
                               .Bind(Signed(delivery.sequence))
                               .BindBlob(body.view())
                               .Run());
  }
  return transaction.Commit();
}

absl::StatusOr<std::vector<Delivery>> SqliteJournal::DeliveriesAfter(std::int64_t sequence,
                                                                     const std::string& id) {
  absl::MutexLock lock(&mutex_);
  std::vector<Delivery> deliveries;
  SqliteQuery query = database_->Query(
      "SELECT body FROM deliveries WHERE (sequence, id) > (?, ?) ORDER BY sequence, id LIMIT ?");
  query.Bind(sequence).BindBlob(id).Bind(kRowsPerRead);
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
    if (!row) return deliveries;
    ByteReader in(query.Bytes(0));
    deliveries.push_back(Delivery::Decode(&in));
    if (!in.Done()) {
      return absl::DataLossError(absl::StrCat(database_->path(), ": a delivery cannot be decoded"));
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
  SqliteTransaction transaction(database_.get());
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  for (const Hash128& hash : ids) {
    const std::string id = HashText(hash);
    TOCSIN_RETURN_IF_ERROR(
        database_->Query("DELETE FROM deliveries WHERE id = ?").BindBlob(id).Run());
  }
  return transaction.Commit();
}

absl::Status SqliteJournal::WriteText(const std::string& sql, const std::string& key,
                                      const std::string& value) {
  absl::MutexLock lock(&mutex_);
  return database_->Query(sql).BindText(key).BindText(value).Run();
}

absl::StatusOr<std::optional<std::string>> SqliteJournal::ReadText(const std::string& sql,
                                                                   const std::string& key) {
  absl::MutexLock lock(&mutex_);
  SqliteQuery query = database_->Query(sql);
  TOCSIN_ASSIGN_OR_RETURN(const bool row, query.BindText(key).Next());
  if (!row) return std::optional<std::string>();
  return std::optional<std::string>(query.Bytes(0));
}

absl::Status PrepareSchema(SqliteDatabase* database) {
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t format, database->QueryInt("PRAGMA user_version"));
  if (format > kFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat(database->path(), " has format ", format, ", this build knows up to ", kFormat,
                     ": run the version of tocsin that wrote it, or a newer one"));
  }
  if (format == kFormat) return absl::OkStatus();
  SqliteTransaction transaction(database);
  TOCSIN_RETURN_IF_ERROR(transaction.status());
  TOCSIN_RETURN_IF_ERROR(database->Execute(kSchema));
  return transaction.Commit();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> OpenSqliteJournal(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) {
    return absl::PermissionDeniedError(
        absl::StrCat("cannot create the state directory ", directory, ": ", error.message()));
  }
  TOCSIN_ASSIGN_OR_RETURN(DirectoryLock lock, DirectoryLock::Take(directory));
  TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<SqliteDatabase> database,
                          SqliteDatabase::Open(directory + "/tocsin.db"));
  TOCSIN_RETURN_IF_ERROR(PrepareSchema(database.get()));
  // A snapshot may stand for batches that are pruned; their numbers are not given again.
  TOCSIN_ASSIGN_OR_RETURN(
      const std::int64_t last,
      database->QueryInt("SELECT MAX(COALESCE((SELECT MAX(seq) FROM batches), 0), "
                         "COALESCE((SELECT MAX(through) FROM snapshots), 0))"));
  return std::make_unique<SqliteJournal>(std::move(lock), std::move(database), Unsigned(last));
}

}  // namespace tocsin
