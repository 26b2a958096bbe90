#include "journal/sqlite_faults.h"

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

struct Table {
  const char* name;
  const char* damaged;  // names of its damaged rows, at most as many as the parameter
};

constexpr std::array<Table, 6> kTables = {{
    {"batches", "SELECT seq FROM batches WHERE checksum <> row_hash(seq, body) LIMIT ?"},
    {"snapshots",
     "SELECT id FROM snapshots WHERE checksum <> row_hash(id, through, tick, bytes, "
     "parts, state_hash) LIMIT ?"},
    {"snapshot_parts",
     "SELECT snapshot || '/' || part FROM snapshot_parts WHERE checksum <> row_hash(snapshot, "
     "part, body) LIMIT ?"},
    {"lines",
     "SELECT id FROM lines WHERE checksum <> row_hash(kind, tick, incident, text) LIMIT ?"},
    {"deliveries",
     "SELECT lower(hex(id)) FROM deliveries WHERE checksum <> row_hash(id, sequence, sink, "
     "format, body) LIMIT ?"},
    {"positions",
     "SELECT source FROM positions WHERE checksum <> row_hash(source, position) LIMIT ?"},
}};

// Calls `found` with the first column of every row; damage of the file is a fault of its own.
template <typename Found>
absl::Status ForEach(SqliteDatabase* database, const Table& table, std::size_t limit, Found found,
                     std::vector<SqliteFault>* faults) {
  SqliteQuery query = database->Query(table.damaged);
  query.Bind(static_cast<std::int64_t>(limit));
  while (true) {
    const absl::StatusOr<bool> row = query.Next();
    if (absl::IsDataLoss(row.status())) {
      faults->push_back({table.name, "", std::string(row.status().message())});
      return absl::OkStatus();
    }
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    found(std::string(query.Bytes(0)));
  }
}

}  // namespace

absl::StatusOr<std::vector<SqliteFault>> FindFaults(SqliteDatabase* database,
                                                    std::size_t faults_max) {
  std::vector<SqliteFault> faults;
  TOCSIN_RETURN_IF_ERROR(ForEach(
      database, {"", "SELECT quick_check FROM pragma_quick_check(?)"}, faults_max,
      [&](std::string text) {
        if (text != "ok") faults.push_back({"", "", std::move(text)});
      },
      &faults));
  for (const Table& table : kTables) {
    TOCSIN_RETURN_IF_ERROR(ForEach(
        database, table, faults_max,
        [&](std::string row) {
          faults.push_back({table.name, std::move(row), "its checksum does not hold"});
        },
        &faults));
  }
  const absl::StatusOr<std::int64_t> missing =
      database->QueryInt("SELECT COALESCE(MAX(seq) - MIN(seq) + 1 - COUNT(*), 0) FROM batches");
  if (missing.ok() && *missing != 0) {
    faults.push_back({"batches", "", absl::StrCat(*missing, " of them are missing")});
  }
  return faults;
}

}  // namespace tocsin
