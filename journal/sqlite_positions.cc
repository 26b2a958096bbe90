#include "journal/sqlite_positions.h"

#include "core/status_macros.h"

namespace tocsin {

absl::StatusOr<PositionsBefore> PositionsNow(SqliteDatabase* database,
                                             std::span<const SourcePosition> of) {
  PositionsBefore found;
  for (const SourcePosition& one : of) {
    SqliteQuery query = database->Query(
        "SELECT position FROM positions WHERE source = ? AND checksum = row_hash(source, "
        "position)");
    TOCSIN_ASSIGN_OR_RETURN(const bool row, query.BindText(one.source).Next());
    found[one.source] = row ? std::optional<std::string>(query.Bytes(0)) : std::nullopt;
  }
  return found;
}

absl::Status WritePositions(SqliteDatabase* database, std::span<const SourcePosition> positions) {
  for (const SourcePosition& position : positions) {
    TOCSIN_RETURN_IF_ERROR(
        database->Query("INSERT OR REPLACE INTO positions VALUES (?1, ?2, row_hash(?1, ?2))")
            .BindText(position.source)
            .BindText(position.text)
            .Run());
  }
  return absl::OkStatus();
}

absl::Status PutBackPositions(SqliteDatabase* database, const PositionsBefore& before) {
  for (const auto& [source, text] : before) {
    if (text) {
      const SourcePosition position = {.source = source, .text = *text};
      TOCSIN_RETURN_IF_ERROR(WritePositions(database, std::span(&position, 1)));
      continue;
    }
    TOCSIN_RETURN_IF_ERROR(
        database->Query("DELETE FROM positions WHERE source = ?").BindText(source).Run());
  }
  return absl::OkStatus();
}

}  // namespace tocsin
