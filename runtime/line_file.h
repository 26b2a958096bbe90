// JSON lines to a file, in order, with the errors of writing kept.
//
//   TOCSIN_ASSIGN_OR_RETURN(LineFile file, LineFile::Create("signals.jsonl"));
//   file.Write(line);
//   TOCSIN_RETURN_IF_ERROR(file.Close());
//
// "-" is standard output. An empty path makes a file that ignores what is written. Not thread-safe.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tocsin {

class LineFile {
 public:
  LineFile() = default;
  ~LineFile();
  LineFile(LineFile&& other) noexcept;
  LineFile& operator=(LineFile&& other) noexcept;

  // Truncates what was there; a new file has mode 0600.
  static absl::StatusOr<LineFile> Create(const std::string& path);

  void Write(std::string_view line);
  // Makes what was written visible to readers.
  void Flush();
  // An error of any write since the beginning, naming the file.
  absl::Status Close();

 private:
  std::FILE* file_ = nullptr;
  std::string path_;
  bool failed_ = false;
};

// Where in a file this line begins, the last one where there are several; nullopt if it is not
// among the last `search_bytes_max`, or there is no such file.
std::optional<std::int64_t> FindLine(const std::string& path, std::string_view line,
                                     std::int64_t search_bytes_max);

}  // namespace tocsin
