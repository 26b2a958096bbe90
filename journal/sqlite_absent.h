// Forgetting what belongs to nothing that is configured any more (Journal::ForgetAbsent).
//
//   TOCSIN_ASSIGN_OR_RETURN(std::vector<std::string> dropped, DropAbsent(database, present));
//
// To be called in a transaction. Not thread-safe.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "journal/journal.h"
#include "journal/sqlite.h"

namespace tocsin {

// What was dropped, in words.
absl::StatusOr<std::vector<std::string>> DropAbsent(SqliteDatabase* database,
                                                    const Journal::Present& present);

}  // namespace tocsin
