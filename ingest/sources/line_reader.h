// The interface of all file readers: the records of one file, in order.
//
//   LineReader::Line line;
//   while (reader->Next(&line) == LineReader::Result::kLine) …   // line.offset, line.text
//
// Offsets count bytes of the decompressed text, so that a position can be committed and sought to
// again. Created by OpenLineReader (ingest/sources/file_source.h). Not thread-safe.
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
    TimeUs time = kNoTime;      // when it was appended, if the file records that
    bool is_read_time = false;  // `time` is when it was read from another file
  };
  enum class Result : std::uint8_t { kLine, kEnd, kError };

  virtual ~LineReader() = default;
  // kLine may follow kEnd if a plain file has grown. An incomplete last line is delivered only if
  // `complete_at_end` was set. After kError see status(). The views are valid until the next call.
  virtual Result Next(Line* line) = 0;
  // Sets `complete_at_end` from now on.
  virtual void CompleteAtEnd() {}
  virtual absl::Status status() const = 0;
  // Compressed bytes read and file size, for progress; size 0 when unknown.
  virtual std::uint64_t bytes_read() const = 0;
  virtual std::uint64_t bytes_total() const = 0;
  // Of a record log: bytes that were skipped because they are damaged.
  virtual std::uint64_t damaged_bytes() const { return 0; }

  struct Options {
    Framing framing = Framing::kLines;
    std::uint64_t start_offset = 0;
    bool complete_at_end = true;
    // The record log, if this process writes it: limits reading to durable records. Must outlive
    // the reader.
    const RecordLog* log = nullptr;
  };
};

}  // namespace tocsin
