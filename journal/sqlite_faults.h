// What is damaged in a database of tocsin: the file itself, and rows whose checksum does not hold.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::vector<SqliteFault> faults, FindFaults(database, 100));
//
// Reads all of it: about a second for half a gigabyte. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "journal/sqlite.h"

namespace tocsin {

struct SqliteFault {
  std::string table;  // empty: the file
  std::string row;    // which one; empty: all from somewhere on
  std::string what;
};

// At most `faults_max` of each table, in the order of the tables. Errors other than damage.
absl::StatusOr<std::vector<SqliteFault>> FindFaults(SqliteDatabase* database,
                                                    std::size_t faults_max);

}  // namespace tocsin
