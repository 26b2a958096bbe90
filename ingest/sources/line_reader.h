// Records of one file, one after another: what every reader of files offers, whatever the file holds.
//
//   LineReader::Line line;
//   while (reader->Next(&line) == LineReader::Result::kLine) …   // line.offset, line.text
//
// Offsets are bytes of the decompressed text, so that a position can be committed and sought again.
// Made by OpenLineReader (ingest/sources/file_source.h). Not thread-safe.
#pragma once

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "core/time.h"
#include "ingest/framing.h"

namespace tocsin {

class RecordLog;

class LineReader {
 public:
  struct Line {
    std::uint64_t offset = 0;
    std::uint64_t next_offset = 0;
    std::string_view text;  // without the line feed (and a carriage return before it)
    bool oversized = false;
    TimeUs time = kNoTime;      // when it was appended, where the file says so
    bool is_read_time = false;  // `time` is when it was read in another file
  };
  enum class Result : std::uint8_t { kLine, kEnd, kError };

  virtual ~LineReader() = default;
  // kEnd may be followed by kLine later when the file has grown (plain files). An incomplete last
  // line is handed over only if `complete_at_end` was set on opening. After kError: see status().
  // The views live until the next call.
  virtual Result Next(Line* line) = 0;
  // From now on as if `complete_at_end` had been set.
  virtual void CompleteAtEnd() {}
  virtual absl::Status status() const = 0;
  // Compressed bytes read and file size, for progress; size 0 when unknown.
  virtual std::uint64_t bytes_read() const = 0;
  virtual std::uint64_t bytes_total() const = 0;
  // Of a record log: bytes that were passed over because they are no records any more.
  virtual std::uint64_t damaged_bytes() const { return 0; }

  struct Options {
    Framing framing = Framing::kLines;
    std::uint64_t start_offset = 0;
    bool complete_at_end = true;
    // Of a record log that this process writes: what may be read of it. Outlives the reader.
    const RecordLog* log = nullptr;
  };
};

}  // namespace tocsin
