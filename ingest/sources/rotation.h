// Groups the files of a folder into logs: a file and the older files that log rotation made from
// it.
//
//   app.log.3.gz  app.log.2.gz  app.log.1  app.log           // one log, in this order
//   app.log-20260301  app-2026-03-01.log  app.log.old         // also rotated, if app.log is there
//
// Uses names alone, so that recorded traffic has the same meaning on another machine. A rotated
// file has a number, `old` or a date after the name, or a date before its extension, and may end in
// .gz or .zst. Higher numbers are older, later dates are newer. A number before the extension
// (worker-2.log) makes a separate log. Thread-safe: stateless functions.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "ingest/sources/file_listing.h"
#include "ingest/sources/line_reader.h"

namespace tocsin {

// The place of a file in the log named `base`, parsed from the file's name.
struct RotatedName {
  std::string base;
  bool dated = false;
  std::vector<std::uint64_t> digits;  // of the number or date
  bool compressed = false;
  bool readable = true;  // false: compressed in an unsupported format

  // Whether it is older than `other`. REQUIRES: the same base.
  bool IsBefore(const RotatedName& other) const;
  // Whether both are the same part of the log; one may be compressed.
  bool IsSamePart(const RotatedName& other) const {
    return dated == other.dated && digits == other.digits;
  }
};

// All possible interpretations of a name, without knowing which logs exist; shortest base first.
std::vector<RotatedName> RotationsOf(std::string_view name);

struct LogFiles {
  std::string path = {};
  std::string name = {};                // of the source partition: the name of `path`
  std::vector<std::string> older = {};  // oldest first
};

// Each file is a separate log unless it was rotated from another one in `files` or `logs`; those in
// `logs` need not exist. Returned in the order of `files`, then those only in `logs`.
std::vector<LogFiles> GroupRotations(const std::vector<FileInput>& files,
                                     const std::vector<FileInput>& logs = {});

// Reads the files as one, oldest first. An incomplete last record ends with its file. REQUIRES:
// `options.start_offset` is 0.
absl::StatusOr<std::unique_ptr<LineReader>> OpenLogFiles(const LogFiles& log,
                                                         const LineReader::Options& options);

// The files in the folder of `path` that were rotated from it, oldest first. If a file exists plain
// and compressed, the plain one. Empty if the folder cannot be listed.
std::vector<std::string> RotatedFrom(const std::string& path);

}  // namespace tocsin
