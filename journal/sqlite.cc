#include "journal/sqlite.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/hash.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "core/wire.h"
#include "journal/state_directory.h"

namespace tocsin {
namespace {

// Ours is the only process (journal/state_directory.h), but someone may look into the database with
// the sqlite3 program meanwhile. Whoever called us waits as long, and tries again.
constexpr int kBusyTimeoutMs = 1000;

std::string SystemError(int number) {
  // Not strerror, which is not thread-safe.
  return number == 0 ? "" : absl::StrCat(" (", std::generic_category().message(number), ")");
}

bool OutOfRoom(int system_error) {
  return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

SqliteTrust TrustAfter(int code) {
  switch (code) {
    case SQLITE_IOERR_READ:
    case SQLITE_IOERR_SHORT_READ:
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
      return SqliteTrust::kVerify;
    default:
      return (code & 0xff) == SQLITE_IOERR ? SqliteTrust::kReopen : SqliteTrust::kFull;
  }
}

void RowHash(sqlite3_context* context, int count, sqlite3_value** values) {
  ByteWriter parts;
  for (int i = 0; i < count; ++i) {
    const int type = sqlite3_value_type(values[i]);
    parts.Byte(static_cast<std::uint8_t>(type));
    if (type == SQLITE_INTEGER) {
      parts.Fixed64(static_cast<std::uint64_t>(sqlite3_value_int64(values[i])));
    } else if (type != SQLITE_NULL) {
      const void* data = sqlite3_value_blob(values[i]);
      const auto size = static_cast<std::size_t>(sqlite3_value_bytes(values[i]));
      // Hashed by itself, so that large ones are not copied.
      parts.Fixed64(HashBytes({static_cast<const char*>(data), data == nullptr ? 0 : size}).low);
    }
  }
  sqlite3_result_int64(context, static_cast<sqlite3_int64>(HashBytes(parts.view()).low));
}

void BytesOfHex(sqlite3_context* context, int, sqlite3_value** values) {
  const void* text = sqlite3_value_text(values[0]);
  const auto size = static_cast<std::size_t>(sqlite3_value_bytes(values[0]));
  const std::optional<Hash128> hash =
      Hash128::FromHex({static_cast<const char*>(text), text == nullptr ? 0 : size});
  ByteWriter bytes;
  if (hash) {
    bytes.Fixed64(hash->high);
    bytes.Fixed64(hash->low);
  }
  sqlite3_result_blob64(context, bytes.view().data(), bytes.size(), SQLITE_TRANSIENT);
}

}  // namespace

absl::Status SqliteStatus(int code, int system_error, std::string_view path) {
  const int kind = code & 0xff;
  if (kind == SQLITE_OK || kind == SQLITE_ROW || kind == SQLITE_DONE) return absl::OkStatus();
  const std::string text =
      absl::StrCat(ToAbsl(path), ": ", sqlite3_errstr(code), SystemError(system_error));
  switch (kind) {
    case SQLITE_CORRUPT:
      return absl::DataLossError(absl::StrCat(
          text,
          "; the file was cut or overwritten: `tocsin state repair` saves what is intact, or "
          "restore a copy of its directory"));
    case SQLITE_NOTADB:
      return absl::DataLossError(
          absl::StrCat(text, "; this is not a journal of tocsin: move it away"));
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(
          absl::StrCat(text, "; the disk is full: make room, nothing was lost"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(absl::StrCat(text, "; another program holds the database"));
    case SQLITE_READONLY:
      // The journal makes its file, and opens it to write, before SQLite does (MakePrivateFile).
      return absl::UnavailableError(
          absl::StrCat(text, "; the directory and its files must be writable"));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return FileError(absl::StrCat(text, "; the directory and its files must be writable"),
                       system_error);
    case SQLITE_ERROR:
      // A table that is missing, for one.
      return absl::InternalError(text);
    case SQLITE_TOOBIG:
      return absl::OutOfRangeError(text);
    default:
      // A quota, the file size limit, or a failing disk; all may pass.
      if (OutOfRoom(system_error)) {
        return absl::ResourceExhaustedError(
            absl::StrCat(text, "; no more may be written there: make room, nothing was lost"));
      }
      return absl::UnavailableError(text);
  }
}

SqliteQuery::SqliteQuery(SqliteDatabase* database, sqlite3_stmt* statement, absl::Status status)
    : database_(database), statement_(statement), status_(std::move(status)) {}

SqliteQuery::~SqliteQuery() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void SqliteQuery::Check(int code) {
  if (status_.ok()) status_ = database_->StatusOf(code);
}

SqliteQuery& SqliteQuery::Bind(std::int64_t value) {
  if (status_.ok()) Check(sqlite3_bind_int64(statement_, ++bound_, value));
  return *this;
}

SqliteQuery& SqliteQuery::BindText(std::string_view value) {
  // An empty view may point to nothing, which SQLite would take for NULL.
  const char* data = value.empty() ? "" : value.data();
  if (status_.ok()) {
    Check(
        sqlite3_bind_text64(statement_, ++bound_, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  }
  return *this;
}

SqliteQuery& SqliteQuery::BindBlob(std::string_view value) {
  const char* data = value.empty() ? "" : value.data();
  if (status_.ok()) {
    Check(sqlite3_bind_blob64(statement_, ++bound_, data, value.size(), SQLITE_STATIC));
  }
  return *this;
}

absl::StatusOr<bool> SqliteQuery::Next() {
  if (!status_.ok()) return status_;
  const int code = sqlite3_step(statement_);
  Check(code);
  if (!status_.ok()) return status_;
  return code == SQLITE_ROW;
}

absl::Status SqliteQuery::Run() {
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, Next());
    if (!row) return absl::OkStatus();
  }
}

std::int64_t SqliteQuery::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view SqliteQuery::Bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr || size <= 0) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path,
                                                                     SqliteMode mode) {
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path));
  const bool writes = mode == SqliteMode::kWrite;
  // No mutex of its own: whoever owns the database serialises.
  const int flags = SQLITE_OPEN_NOMUTEX |
                    (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  int code = sqlite3_open_v2(path.c_str(), &database->handle_, flags, nullptr);
  if (code != SQLITE_OK) return database->StatusOf(code);
  sqlite3_extended_result_codes(database->handle_, 1);
  sqlite3_busy_timeout(database->handle_, kBusyTimeoutMs);
  const auto add = [&](const char* name, int arguments, auto function) {
    return sqlite3_create_function_v2(database->handle_, name, arguments,
                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC, nullptr, function,
                                      nullptr, nullptr, nullptr);
  };
  code = add("row_hash", -1, RowHash);
  if (code == SQLITE_OK) code = add("bytes_of_hex", 1, BytesOfHex);
  if (code != SQLITE_OK) return database->StatusOf(code);
  if (!writes) return database;
  // journal_size_limit: a WAL that one large snapshot made long is cut again. secure_delete, which
  // some distributions build in, would write every snapshot once more, as zeros, when it is pruned.
  TOCSIN_RETURN_IF_ERROR(database->Execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864; "
      "PRAGMA secure_delete=OFF"));
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  // What failed to be written is not to reach the file by a checkpoint.
  if (trust_ != SqliteTrust::kFull) {
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  }
  sqlite3_close(handle_);
}

SqliteQuery SqliteDatabase::Query(const std::string& sql) {
  sqlite3_stmt*& statement = statements_[sql];
  int code = SQLITE_OK;
  if (statement == nullptr) {
    code = sqlite3_prepare_v3(handle_, sql.c_str(), static_cast<int>(sql.size() + 1),
                              SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  }
  return SqliteQuery(this, statement, StatusOf(code));
}

absl::Status SqliteDatabase::Execute(const std::string& sql) {
  return StatusOf(sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr));
}

absl::StatusOr<std::int64_t> SqliteDatabase::QueryInt(const std::string& sql) {
  SqliteQuery query = Query(sql);
  TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
  return row ? query.Int(0) : 0;
}

absl::Status SqliteDatabase::CopyTo(const std::string& path) const {
  sqlite3* copy = nullptr;
  int code =
      sqlite3_open_v2(path.c_str(), &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_backup* const backup = sqlite3_backup_init(copy, "main", handle_, "main");
    if (backup != nullptr) {
      sqlite3_backup_step(backup, -1);
      sqlite3_backup_finish(backup);
    }
    code = sqlite3_errcode(copy);
  }
  sqlite3_close(copy);
  return SqliteStatus(code, 0, path);
}

absl::Status SqliteDatabase::StatusOf(int code) {
  const int kind = code & 0xff;
  trust_ = std::max(trust_, TrustAfter(code));
  // errno is only meaningful where the operating system refused something.
  const bool system = kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL;
  absl::Status status =
      SqliteStatus(code, system && handle_ != nullptr ? sqlite3_system_errno(handle_) : 0, path_);
  return opened_ && absl::IsPermissionDenied(status) ? absl::UnavailableError(status.message())
                                                     : status;
}

SqliteTransaction::SqliteTransaction(SqliteDatabase* database)
    : database_(database), status_(database->Execute("BEGIN IMMEDIATE")), open_(status_.ok()) {}

SqliteTransaction::~SqliteTransaction() {
  // SQLite may have rolled back by itself (a full disk); then this is an error that means nothing.
  if (open_) database_->Execute("ROLLBACK").IgnoreError();
}

absl::Status SqliteTransaction::Commit() {
  TOCSIN_RETURN_IF_ERROR(status_);
  TOCSIN_RETURN_IF_ERROR(database_->Execute("COMMIT"));
  open_ = false;
  return absl::OkStatus();
}

std::string HashText(const Hash128& hash) {
  ByteWriter out;
  out.Fixed64(hash.high);
  out.Fixed64(hash.low);
  return out.Take();
}

}  // namespace tocsin
