// SQLite's C interface in RAII, as much of it as the journal needs.
//
//   TOCSIN_ASSIGN_OR_RETURN(auto db, SqliteDatabase::Open("state/tocsin.db", SqliteMode::kWrite));
//   SqliteTransaction transaction(db.get());
//   db->Query("INSERT INTO t VALUES (?, ?)").Bind(7).BindBlob(bytes).Run();
//   TOCSIN_RETURN_IF_ERROR(transaction.Commit());      // else: rolled back
//
// Statements are prepared once per SQL text and kept. A query resets its statement when it goes out
// of scope; what was bound is not copied and must live until then. At most one query of a text at a
// time. Errors are sticky: the first one of a query is what Next and Run return. In SQL there is
// row_hash(…), 64 bits over its integers, texts and blobs: the checksum of a row; and
// bytes_of_hex(…), empty unless it is the 32 digits of an id. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/hash.h"

struct sqlite3;
struct sqlite3_stmt;

namespace tocsin {

// What a result code means for the owner of the file at `path`. `code` may be extended;
// `system_error` is the errno behind it, or 0. Ok for SQLITE_OK, _ROW and _DONE.
absl::Status SqliteStatus(int code, int system_error, std::string_view path);

class SqliteDatabase;

class SqliteQuery {
 public:
  SqliteQuery(SqliteDatabase* database, sqlite3_stmt* statement, absl::Status status);
  ~SqliteQuery();
  SqliteQuery(const SqliteQuery&) = delete;
  SqliteQuery& operator=(const SqliteQuery&) = delete;

  // Parameters from left to right.
  SqliteQuery& Bind(std::int64_t value);
  SqliteQuery& BindText(std::string_view value);
  SqliteQuery& BindBlob(std::string_view value);

  // Steps to the next row; false after the last.
  absl::StatusOr<bool> Next();
  // Steps to the end.
  absl::Status Run();

  // A column of the current row, from 0. The view lives until the next step.
  std::int64_t Int(int column) const;
  std::string_view Bytes(int column) const;

 private:
  void Check(int code);

  SqliteDatabase* database_;
  sqlite3_stmt* statement_;  // owned by the database
  absl::Status status_;
  int bound_ = 0;
};

enum class SqliteMode : std::uint8_t {
  kWrite,  // made if it is not there; WAL, synchronous=FULL
  kRead,   // while another process may be writing
};

// What an error so far says about the file.
enum class SqliteTrust : std::uint8_t {
  kFull,
  kReopen,  // a write failed: what is in the file is not what the handle thinks
  kVerify,  // a sync or a read failed: what was written before may be gone
};

class SqliteDatabase {
 public:
  static absl::StatusOr<std::unique_ptr<SqliteDatabase>> Open(const std::string& path,
                                                              SqliteMode mode);
  // Leaves the WAL as it is where the file is not trusted.
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  SqliteQuery Query(const std::string& sql);
  // Statements that return nothing, one or several.
  absl::Status Execute(const std::string& sql);
  // The first column of the first row; 0 if there is none.
  absl::StatusOr<std::int64_t> QueryInt(const std::string& sql);

  // All of it, as of one moment, into a new file.
  absl::Status CopyTo(const std::string& path) const;

  const std::string& path() const { return path_; }
  SqliteTrust trust() const { return trust_; }
  // From now on a file that cannot be written is Unavailable: it could be, so it may be again.
  void Opened() { opened_ = true; }
  // The status of `code`, which a call on this database just returned.
  absl::Status StatusOf(int code);

 private:
  explicit SqliteDatabase(std::string path) : path_(std::move(path)) {}

  std::string path_;
  sqlite3* handle_ = nullptr;
  std::map<std::string, sqlite3_stmt*> statements_;
  SqliteTrust trust_ = SqliteTrust::kFull;
  bool opened_ = false;
};

// Rolls back unless Commit succeeded.
class SqliteTransaction {
 public:
  explicit SqliteTransaction(SqliteDatabase* database);
  ~SqliteTransaction();
  SqliteTransaction(const SqliteTransaction&) = delete;
  SqliteTransaction& operator=(const SqliteTransaction&) = delete;

  // The status of its beginning.
  const absl::Status& status() const { return status_; }
  absl::Status Commit();

 private:
  SqliteDatabase* database_;
  absl::Status status_;
  bool open_;
};

// 16 bytes, as ids and hashes are stored.
std::string HashText(const Hash128& hash);

}  // namespace tocsin
