#include "journal/sqlite.h"

#include <sqlite3.h>

#include <cstddef>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

// Ours is the only process (see the lock file of sqlite_journal.cc), but someone may look into the
// database with the sqlite3 program meanwhile.
constexpr int kBusyTimeoutMs = 5000;

std::string SystemError(int number) {
  // Not strerror, which is not thread-safe.
  return number == 0 ? "" : absl::StrCat(" (", std::generic_category().message(number), ")");
}

}  // namespace

absl::Status SqliteStatus(int code, int system_error, std::string_view path) {
  const std::string text =
      absl::StrCat(ToAbsl(path), ": ", sqlite3_errstr(code), SystemError(system_error));
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return absl::OkStatus();
    case SQLITE_CORRUPT:
      return absl::DataLossError(absl::StrCat(
          text,
          "; the file was cut or overwritten: restore a copy of its directory, or move the "
          "directory away to start without history"));
    case SQLITE_NOTADB:
      return absl::DataLossError(
          absl::StrCat(text, "; this is not a journal of tocsin: move it away"));
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(
          absl::StrCat(text, "; the disk is full: make room, nothing was lost"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(absl::StrCat(text, "; another program holds the database"));
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return absl::PermissionDeniedError(
          absl::StrCat(text, "; the directory and its files must be writable"));
    case SQLITE_TOOBIG:
      return absl::OutOfRangeError(text);
    default:
      // A write beyond the file size limit or a failing disk; both may pass.
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

absl::StatusOr<std::unique_ptr<SqliteDatabase>> SqliteDatabase::Open(const std::string& path) {
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path));
  // No mutex of its own: whoever owns the database serialises.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(path.c_str(), &database->handle_, flags, nullptr);
  if (code != SQLITE_OK) return database->StatusOf(code);
  sqlite3_extended_result_codes(database->handle_, 1);
  sqlite3_busy_timeout(database->handle_, kBusyTimeoutMs);
  // journal_size_limit: a WAL that one large snapshot made long is cut again.
  TOCSIN_RETURN_IF_ERROR(database->Execute(
      "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA journal_size_limit=67108864"));
  return database;
}

SqliteDatabase::~SqliteDatabase() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
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

absl::Status SqliteDatabase::StatusOf(int code) const {
  const int kind = code & 0xff;
  // errno is only meaningful where the operating system refused something.
  const bool system = kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL;
  return SqliteStatus(code, system && handle_ != nullptr ? sqlite3_system_errno(handle_) : 0,
                      path_);
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

}  // namespace tocsin
