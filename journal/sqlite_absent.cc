#include "journal/sqlite_absent.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

// Where names of one kind stand, and what is said of what is dropped.
struct Kind {
  const char* name;
  const char* list;
  const char* drop;
  const char* gone;  // names that are nowhere any more
  const char* what;
};

constexpr Kind kSource = {
    "source", "SELECT source FROM positions ORDER BY source",
    "DELETE FROM positions WHERE source = ?",
    "DELETE FROM absent WHERE kind = 'source' AND name NOT IN (SELECT source FROM positions)",
    "the position of source "};
constexpr Kind kSink = {
    "sink", "SELECT DISTINCT sink FROM deliveries ORDER BY sink",
    "DELETE FROM deliveries WHERE sink = ?",
    "DELETE FROM absent WHERE kind = 'sink' AND name NOT IN (SELECT sink FROM deliveries)",
    "the deliveries of sink "};

absl::StatusOr<std::vector<std::string>> Names(SqliteDatabase* database, const Kind& kind) {
  std::vector<std::string> names;
  SqliteQuery query = database->Query(kind.list);
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
    if (!row) return names;
    names.emplace_back(query.Bytes(0));
  }
}

absl::StatusOr<DurationUs> AbsentFor(SqliteDatabase* database, const Kind& kind,
                                     const std::string& name) {
  SqliteQuery query = database->Query("SELECT for_us FROM absent WHERE kind = ? AND name = ?");
  TOCSIN_ASSIGN_OR_RETURN(const bool row, query.BindText(kind.name).BindText(name).Next());
  return row ? query.Int(0) : 0;
}

absl::Status DropOfKind(SqliteDatabase* database, const Kind& kind,
                        std::vector<std::string> present, const Journal::Present& options,
                        std::vector<std::string>* dropped) {
  std::sort(present.begin(), present.end());
  TOCSIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, Names(database, kind));
  for (const std::string& name : names) {
    if (std::binary_search(present.begin(), present.end(), name)) {
      TOCSIN_RETURN_IF_ERROR(database->Query("DELETE FROM absent WHERE kind = ? AND name = ?")
                                 .BindText(kind.name)
                                 .BindText(name)
                                 .Run());
      continue;
    }
    TOCSIN_ASSIGN_OR_RETURN(const DurationUs before, AbsentFor(database, kind, name));
    const DurationUs absent = before + options.elapsed;
    if (absent < options.forget_after) {
      TOCSIN_RETURN_IF_ERROR(database->Query("INSERT OR REPLACE INTO absent VALUES (?, ?, ?)")
                                 .BindText(kind.name)
                                 .BindText(name)
                                 .Bind(absent)
                                 .Run());
      continue;
    }
    TOCSIN_RETURN_IF_ERROR(database->Query(kind.drop).BindText(name).Run());
    dropped->push_back(absl::StrCat(kind.what, name));
  }
  return database->Execute(kind.gone);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> DropAbsent(SqliteDatabase* database,
                                                    const Journal::Present& present) {
  std::vector<std::string> dropped;
  TOCSIN_RETURN_IF_ERROR(DropOfKind(database, kSource, present.sources, present, &dropped));
  TOCSIN_RETURN_IF_ERROR(DropOfKind(database, kSink, present.sinks, present, &dropped));
  return dropped;
}

}  // namespace tocsin
