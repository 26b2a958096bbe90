// Reads records (lines) from a file, a directory, or stdin; .gz and .zst as they are.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::vector<FileInput> files, ListFiles("logs/"));
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<LineReader> reader, LineReader::Open(files[0].path));
//   LineReader::Line line;
//   while (reader->Next(&line) == LineReader::Result::kLine) …   // line.offset, line.text
//
// A JSON file is "a sequence of JSON values, however laid out": with Framing::kJsonValues each
// top-level value is a record (json_framer.h says how). Offsets are bytes of the decompressed text,
// so that a position can be committed and sought again. A record longer than limits::kEventBytesMax
// is handed over cut (a line one byte past that, so that a decoder sees it), with `oversized` set,
// and the rest skipped. With Framing::kPayload the file is one record. Bounded memory: one buffer
// of twice that, and what the decompression takes (text_stream.h). Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "core/time.h"

namespace tocsin {

class RecordLog;
class TextStream;

struct FileInput {
  std::string path;
  std::string name;  // relative path: the source partition's name
};

// The regular files under a directory (recursively, hidden ones left out) in the order of their
// names, the file itself, or those that a pattern of the shell (*, ?, []) matches, where there is no
// file of that name; their names are relative to its part without one. "-" is stdin, and the folder
// of a record log (ingest/record_log.h) is one input. Errors name the path.
absl::StatusOr<std::vector<FileInput>> ListFiles(const std::string& path);

// The same as far as can be seen, for whoever looks again: what cannot be listed hides nothing else.
struct FoundFiles {
  std::vector<FileInput> files;
  std::vector<std::string> faults;  // of folders that cannot be listed, in words for people
  std::string missing;              // the folder of a pattern that is not there, in the same words
  bool is_single = false;           // the path is of one file, which need not be there
};
FoundFiles FindFiles(const std::string& path);

enum class Framing : std::uint8_t {
  kLines,
  kJsonValues,
  kPayload,        // the file is one record, of up to limits::kPayloadBytesMax
  kJsonOrPayload,  // which of the two, its first bytes tell; stdin is JSON
};

// Whether these first bytes of a record are JSON's, and not those of an OTLP request behind its
// length, as CloudWatch's metric streams have one or the other.
bool BeginsAsJson(std::string_view bytes);

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
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path);
  static absl::StatusOr<std::unique_ptr<LineReader>> Open(const std::string& path,
                                                          const Options& options);
  // Over a text that stands at `options.start_offset`. REQUIRES: framing other than kJsonOrPayload.
  static std::unique_ptr<LineReader> Over(std::unique_ptr<TextStream> stream,
                                          const Options& options);
};

// Which of the two a file of framing kJsonOrPayload is.
absl::StatusOr<Framing> FramingIn(const std::string& path, Framing framing);

}  // namespace tocsin
