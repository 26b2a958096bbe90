// Lists the files that a path refers to: a file, a folder, or a shell pattern.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::vector<FileInput> files, ListFiles("logs/"));
//
// Thread-safe: stateless functions over the file system.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tocsin {

struct FileInput {
  std::string path;
  std::string name;  // the relative path; used as the name of the source partition
};

// For a directory: the regular files under it, recursively, without hidden ones, sorted by name.
// For a file: that file. If no such file exists and the path has wildcards (*, ?, []): the files
// that match, with names relative to the part before the wildcards. "-" is stdin. The folder of a
// record log (ingest/sources/record_log.h) is one input. Errors name the path.
absl::StatusOr<std::vector<FileInput>> ListFiles(const std::string& path);

// The same for callers that list repeatedly: a folder that cannot be listed does not hide the files
// of others.
struct FoundFiles {
  std::vector<FileInput> files;
  std::vector<std::string> faults;  // messages about folders that cannot be listed
  std::string missing;              // a message if the folder of a pattern does not exist
  bool is_single = false;           // the path refers to one file, which need not exist
};
FoundFiles FindFiles(const std::string& path);

}  // namespace tocsin
