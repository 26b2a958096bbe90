// Follows a file: delivers its records as they are written, across rotation, truncation and errors.
//
//   FollowedFile tail({.path = "/var/log/app.log"});       // or NewSnapshotFile
//   while (tail.Next(now, &line) == Tail::Result::kLine) …
//   journal.Write(tail.Position(oldest));                  // once the records are durable
//
// A failure is a state, never an error: a file that cannot be read is retried with growing pauses
// of up to five seconds, and reading continues where it was. Offsets count the bytes of the whole
// log, across its rotated files. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/time.h"
#include "ingest/sources/line_reader.h"

namespace tocsin {

class Tail {
 public:
  enum class Result : std::uint8_t {
    kLine,
    kEnd,      // everything written so far has been delivered
    kBlocked,  // not everything: something cannot be read now
    kDone,     // everything, and nothing will follow
  };
  enum class State : std::uint8_t { kReading, kMissing, kFailing };
  struct Note {
    std::string text;
    bool is_loss = false;  // unread data was lost, as far as is known
  };

  virtual ~Tail() = default;

  // `now` is monotonic. The line's views are valid until the next call.
  virtual Result Next(TimeUs now, LineReader::Line* line) = 0;
  // After kEnd: everything written before this time (monotonic) has been delivered.
  virtual TimeUs looked_at() const = 0;

  // The state to persist in order to continue after the last record and to read the bytes from
  // `oldest` to it again. A string without spaces. Also forgets what is before `oldest`.
  virtual std::string Position(std::uint64_t oldest) = 0;
  // Call before the first Next. InvalidArgument if `position` is malformed.
  virtual absl::Status Restore(std::string_view position) = 0;

  virtual State state() const = 0;
  // A message why the file is not read; empty: it is.
  virtual const std::string& reason() const = 0;
  // Since when the file has been missing (monotonic); kNoTime: it exists.
  virtual TimeUs missing_since() const = 0;
  // About when the newest record was written.
  virtual TimeUs modified() const = 0;
  // Whether the file at `path` is a part of this log or a copy of one.
  virtual bool Owns(const std::string& path) const = 0;
  // Messages for the operator, each returned once.
  virtual std::vector<Note> TakeNotes() = 0;
};

struct TailOptions {
  std::string path;
  // Older files of the same log, oldest first; read before `path` at the first start.
  std::vector<std::string> older = {};
  Framing framing = Framing::kLines;
  bool grows = true;  // false: kDone at the end of the file
};

// Follows a file that holds one payload at a time. Each version is one record, delivered once it
// has been unchanged for kSettledFor; a version that is replaced sooner is missed.
inline constexpr DurationUs kSettledFor = 100 * kMillisecondUs;
std::unique_ptr<Tail> NewSnapshotFile(TailOptions options);

// Reads stdin without blocking. Returns kDone at its end and has no position.
std::unique_ptr<Tail> NewStdinTail(Framing framing);

}  // namespace tocsin
