// The positions of sources in SQLite. Called within a transaction of the caller.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "journal/journal.h"
#include "journal/sqlite.h"

namespace tocsin {

// By source; nullopt: there was none.
using PositionsBefore = std::map<std::string, std::optional<std::string>>;

// As they are, of the sources that are named. One that is damaged is none.
absl::StatusOr<PositionsBefore> PositionsNow(SqliteDatabase* database,
                                             std::span<const SourcePosition> of);
// The last one of a source holds.
absl::Status WritePositions(SqliteDatabase* database, std::span<const SourcePosition> positions);
absl::Status PutBackPositions(SqliteDatabase* database, const PositionsBefore& before);

}  // namespace tocsin
