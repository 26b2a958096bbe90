// Which files a path stands for: a file, a folder, or a pattern of the shell.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::vector<FileInput> files, ListFiles("logs/"));
//
// Thread-safe: functions over the file system.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace tocsin {

struct FileInput {
  std::string path;
  std::string name;  // relative path: the source partition's name
};

// The regular files under a directory (recursively, hidden ones left out) in the order of their
// names, the file itself, or those that a pattern of the shell (*, ?, []) matches, where there is no
// file of that name; their names are relative to its part without one. "-" is stdin, and the folder
// of a record log (ingest/sources/record_log.h) is one input. Errors name the path.
absl::StatusOr<std::vector<FileInput>> ListFiles(const std::string& path);

// The same as far as can be seen, for whoever looks again: what cannot be listed hides nothing else.
struct FoundFiles {
  std::vector<FileInput> files;
  std::vector<std::string> faults;  // of folders that cannot be listed, in words for people
  std::string missing;              // the folder of a pattern that is not there, in the same words
  bool is_single = false;           // the path is of one file, which need not be there
};
FoundFiles FindFiles(const std::string& path);

}  // namespace tocsin
