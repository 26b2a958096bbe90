// A file that is followed: its records as they come, through whatever happens to the file.
//
//   FollowedFile tail({.path = "/var/log/app.log"});       // or NewSnapshotFile
//   while (tail.Next(now, &line) == Tail::Result::kLine) …
//   journal.Write(tail.Position(oldest));                  // once what was read is durable
//
// A fault is a state, never an error: what cannot be read is tried again, less and less often, down
// to every five seconds, and goes on where it was. Offsets are those of the log, which goes on
// across the files that it was rotated into. Not thread-safe.
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
    kEnd,      // all that there is has been handed over
    kBlocked,  // not all: something cannot be read
    kDone,     // all, and nothing will follow
  };
  enum class State : std::uint8_t { kReading, kMissing, kFailing };
  struct Note {
    std::string text;
    bool is_loss = false;  // of what was not read, as far as is known
  };

  virtual ~Tail() = default;

  // `now` is monotonic. The line's views live until the next call.
  virtual Result Next(TimeUs now, LineReader::Line* line) = 0;
  // After kEnd: everything that was written before this (monotonic) has been handed over.
  virtual TimeUs looked_at() const = 0;

  // Everything that is needed to go on behind the last record, and to read again what lies between
  // `oldest` and it. One word. Also forgets what is before `oldest`.
  virtual std::string Position(std::uint64_t oldest) = 0;
  // Before the first Next. InvalidArgument for a text that is none of Position's.
  virtual absl::Status Restore(std::string_view position) = 0;

  virtual State state() const = 0;
  // Why it is not read, in words for people; empty: it is.
  virtual const std::string& reason() const = 0;
  // Since when there is no file (monotonic); kNoTime: there is one.
  virtual TimeUs missing_since() const = 0;
  // About when the newest record was written.
  virtual TimeUs modified() const = 0;
  // Whether a file that was found elsewhere is a part of this log, or a copy of one.
  virtual bool Owns(const std::string& path) const = 0;
  // What people should know of, once each.
  virtual std::vector<Note> TakeNotes() = 0;
};

struct TailOptions {
  std::string path;
  // Of the same log, oldest first: read before it at the first start.
  std::vector<std::string> older = {};
  Framing framing = Framing::kLines;
  bool grows = true;  // false: it ends at its end
};

// A file that holds one payload and is replaced by the next one: each is one record, once it has
// been the same for kSettledFor. What is replaced sooner is not seen.
inline constexpr DurationUs kSettledFor = 100 * kMillisecondUs;
std::unique_ptr<Tail> NewSnapshotFile(TailOptions options);

// What comes through stdin, without waiting for it; it ends at its end and has no position.
std::unique_ptr<Tail> NewStdinTail(Framing framing);

}  // namespace tocsin
