// Which files of a folder are one log: a file, and what log rotation made of what it held before.
//
//   app.log.3.gz  app.log.2.gz  app.log.1  app.log           // one log, in this order
//   app.log-20260301  app-2026-03-01.log  app.log.old         // also rotated, if app.log is there
//
// By name alone, so that recorded traffic means the same on another machine: a number, `old` or a
// date behind the name or before its extension, and .gz or .zst. Numbers count back in time, dates
// forward. A number before the extension (worker-2.log) is a log of its own. Pure functions.
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

// What a file's name says about its place in the log called `base`.
struct RotatedName {
  std::string base;
  bool dated = false;
  std::vector<std::uint64_t> digits;  // of the number or date
  bool compressed = false;
  bool readable = true;  // not compressed in a way that we cannot undo

  // Whether it was written before the other one of the same base.
  bool IsBefore(const RotatedName& other) const;
  // The same part of the log, perhaps compressed.
  bool IsSamePart(const RotatedName& other) const {
    return dated == other.dated && digits == other.digits;
  }
};

// All that it could be, without knowing which logs there are; the shortest base first.
std::vector<RotatedName> RotationsOf(std::string_view name);

struct LogFiles {
  std::string path = {};
  std::string name = {};                // of the source partition: that of `path`
  std::vector<std::string> older = {};  // oldest first
};

// Each file is a log of its own unless it is one rotated from another of `files` or of the names
// `logs`, which need not be there. In the order of `files`, then those of `logs` that are not.
std::vector<LogFiles> GroupRotations(const std::vector<FileInput>& files,
                                     const std::vector<FileInput>& logs = {});

// Reads them from the oldest on as if they were one: an incomplete last record ends with its file.
// REQUIRES: `options` begin at the beginning.
absl::StatusOr<std::unique_ptr<LineReader>> OpenLogFiles(const LogFiles& log,
                                                         const LineReader::Options& options);

// The files in the folder of `path` that were rotated from it, oldest first; those that are there
// compressed and plain, plain. Empty where the folder cannot be listed.
std::vector<std::string> RotatedFrom(const std::string& path);

}  // namespace tocsin
