#include "journal/sqlite_lines.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "core/wire.h"
#include "journal/sqlite_schema.h"

namespace tocsin {
namespace {

// Rows looked at together when lines are dropped.
constexpr std::int64_t kRowsPerPrune = 256;
// Of meta: the last line that was dropped because it was old.
constexpr char kLastDropped[] =
    "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'lines_dropped_through'";

// The earlier lines of an incident: dropped, or no longer its newest.
absl::Status SupersedeLines(SqliteDatabase* database, const OutputLine& line,
                            const std::string& incident, JournalUsage* usage) {
  if (!line.replaces) {
    return database->Query("UPDATE lines SET open = 0 WHERE kind = 1 AND incident = ? AND open = 1")
        .BindBlob(incident)
        .Run();
  }
  SqliteQuery sizes =
      database->Query("SELECT COUNT(*), SUM(bytes) FROM lines WHERE kind = 1 AND incident = ?");
  TOCSIN_ASSIGN_OR_RETURN(const bool counted, sizes.BindBlob(incident).Next());
  if (counted) {
    usage->lines -= sizes.Int(0);
    usage->line_bytes -= sizes.Int(1);
  }
  return database->Query("DELETE FROM lines WHERE kind = 1 AND incident = ?")
      .BindBlob(incident)
      .Run();
}

}  // namespace

absl::Status AddLines(SqliteDatabase* database, std::int64_t snapshot,
                      std::span<const OutputLine> lines, JournalUsage* usage) {
  for (const OutputLine& line : lines) {
    const bool of_incident = line.kind == LineKind::kIncident;
    const std::string incident = of_incident ? HashText(line.incident) : "";
    if (of_incident) TOCSIN_RETURN_IF_ERROR(SupersedeLines(database, line, incident, usage));
    TOCSIN_RETURN_IF_ERROR(
        database
            ->Query("INSERT INTO lines(snapshot, kind, tick, incident, open, bytes, checksum, "
                    "text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, row_hash(?2, ?3, ?4, ?7), ?7)")
            .Bind(snapshot)
            .Bind(static_cast<std::int64_t>(line.kind))
            .Bind(line.tick)
            .BindBlob(incident)
            .Bind(of_incident && line.open ? 1 : 0)
            .Bind(std::ssize(line.text))
            .BindText(line.text)
            .Run());
    ++usage->lines;
    usage->line_bytes += std::ssize(line.text);
  }
  return absl::OkStatus();
}

absl::Status PruneLines(SqliteDatabase* database, std::int64_t bytes_max, JournalUsage* usage) {
  while (usage->line_bytes > bytes_max) {
    std::int64_t through = 0;
    {
      SqliteQuery oldest =
          database->Query("SELECT id, bytes FROM lines WHERE open = 0 ORDER BY id LIMIT ?");
      oldest.Bind(kRowsPerPrune);
      while (usage->line_bytes > bytes_max) {
        TOCSIN_ASSIGN_OR_RETURN(const bool row, oldest.Next());
        if (!row) break;
        through = oldest.Int(0);
        usage->line_bytes -= oldest.Int(1);
        --usage->lines;
        ++usage->lines_dropped;
        usage->lines_incomplete = true;
      }
    }
    // Nothing is left but the newest lines of open incidents.
    if (through == 0) return absl::OkStatus();
    TOCSIN_RETURN_IF_ERROR(
        database->Query("DELETE FROM lines WHERE open = 0 AND id <= ?").Bind(through).Run());
    TOCSIN_RETURN_IF_ERROR(
        database->Query("INSERT OR REPLACE INTO meta VALUES ('lines_dropped_through', ?)")
            .BindText(std::to_string(through))
            .Run());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<OutputLine>> ReadLinesAfter(SqliteDatabase* database, std::int64_t count,
                                                       std::int64_t* last_id) {
  std::vector<OutputLine> lines;
  TOCSIN_ASSIGN_OR_RETURN(const std::int64_t last_dropped, database->QueryInt(kLastDropped));
  SqliteQuery query = database->Query(
      "SELECT id, checksum = row_hash(kind, tick, incident, text), kind, tick, incident, open, "
      "text FROM lines WHERE id > ? ORDER BY id LIMIT ?");
  query.Bind(*last_id).Bind(count);
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.Next());
    if (!row) return lines;
    *last_id = query.Int(0);
    if (query.Int(1) == 0) {
      return absl::DataLossError(absl::StrCat(database->path(), ": line ", *last_id,
                                              " is damaged: run `tocsin state repair`"));
    }
    OutputLine line;
    line.kind = query.Int(2) == 0 ? LineKind::kSignal : LineKind::kIncident;
    line.tick = query.Int(3);
    ByteReader incident(query.Bytes(4));
    if (line.kind == LineKind::kIncident) {
      line.incident.high = incident.Fixed64();
      line.incident.low = incident.Fixed64();
    }
    line.open = query.Int(5) != 0;
    line.alone = *last_id <= last_dropped;
    line.text = std::string(query.Bytes(6));
    lines.push_back(std::move(line));
  }
}

}  // namespace tocsin
