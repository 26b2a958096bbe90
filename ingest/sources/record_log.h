// A log of records in files, for what has no log of its own: what arrives by HTTP, and what is read
// in files of a format that does not say when its events were.
//
//   std::unique_ptr<RecordLog> log = RecordLog::Open({.directory = "…"});
//   TOCSIN_RETURN_IF_ERROR(log->Append(now, payload));      // as often as there is something
//   TOCSIN_RETURN_IF_ERROR(log->Sync());                    // now all of it is durable
//   OpenLineReader("…", {.log = log.get()})               // reads it as it grows
//
// The log is a folder of segments, each called after the offset of its first byte in the whole log
// (record_segment.h). Times never go back. A folder is read by one LineReader, in order, as one
// source. Whoever was told that a record is durable finds it: only a record that was being written
// when the process died is left out. Anything else that is not whole is damage: it is kept in the
// segment and, the first 64 times, in a file under damaged/, reported, counted, and passed over.
//
// The disk may be full, read-only or failing at any time: Append and Sync refuse then, and go on
// once it is well. After a failed fsync, or where what was half written cannot be cut off, the
// segment is left as it is and a new one begins.
//
// Segments that have been read are deleted, the oldest first, when all together are larger than
// `bytes_max`; what nobody has read is never deleted: Append refuses instead. One thread appends
// and syncs, Trim may come from another; the const functions are for any.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/time.h"
#include "ingest/sources/line_reader.h"
#include "ingest/sources/record_segment.h"

namespace tocsin {

class RecordLog {
 public:
  struct Options {
    std::string directory;  // made if it is not there
    std::int64_t segment_bytes = 64 << 20;
    std::int64_t bytes_max = std::int64_t{1} << 30;
    RecordTimes times = RecordTimes::kAppended;
    // Told of damage and of disks that fail, in words for people. By the thread that appends.
    std::function<void(const std::string& message)> report = nullptr;
  };
  // Where the folder cannot be used at the moment, status() says why and Append tries again.
  static std::unique_ptr<RecordLog> Open(Options options);
  ~RecordLog();
  RecordLog(const RecordLog&) = delete;
  RecordLog& operator=(const RecordLog&) = delete;

  // `mark` is the caller's, and kept with the record. ResourceExhausted where the log is full of
  // what was not read, or the payload is larger than limits::kPayloadBytesMax; Unavailable where it
  // cannot be written. After Unavailable nothing that was appended since the last Sync is in the
  // log.
  absl::Status Append(TimeUs now, std::string_view payload, std::int64_t mark = 0);
  // After an error none of what was appended since the last Sync is in the log.
  absl::Status Sync();
  // All before `offset` has been read and will not be asked for again.
  void Trim(std::int64_t offset);

  // Why it cannot be used; OK while it can.
  absl::Status status() const;
  // Where what is durable ends, and where that was when it was opened; −1 before it could be.
  std::int64_t durable_end() const;
  std::int64_t recovered_end() const;
  // Of the last record that is durable; 0: there is none.
  std::int64_t last_mark() const;
  // Bytes that were found to be damaged since it was opened.
  std::int64_t damaged_bytes() const;

  // The segment that holds `offset`, or the next one after it, as far as it is durable. nullopt:
  // nothing durable follows.
  std::optional<SegmentFile> Holder(std::int64_t offset) const;

 private:
  struct Segment {
    std::int64_t begin = 0, end = 0;
    int version = kSegmentVersion;
  };
  // What Check found out about a segment.
  struct Findings {
    std::int64_t whole_end = 0;  // behind the last whole record
    bool torn = false;           // what follows is a record that was being written
    bool damaged = false;
    TimeUs last_time = 0;
    std::int64_t last_mark = 0;
  };

  explicit RecordLog(Options options) : options_(std::move(options)) {}
  absl::Status Recover();
  absl::Status RecoverLast(const std::deque<Segment>& segments);
  absl::StatusOr<Findings> Check(const Segment& segment);
  // Makes Append possible: recovers, or begins the segment that is missing.
  absl::Status Prepare();
  absl::Status StartSegment();
  absl::Status WriteBuffer();
  // Forgets what was not synced. `trusted`: what the file holds is known.
  void Rewind(bool trusted);
  void SetStatus(const absl::Status& status);
  void KeepDamaged(const Segment& segment, std::int64_t from, std::string_view bytes);
  void DeleteRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Error(const char* what, const std::string& path) const;

  const Options options_;
  // Of the thread that appends.
  int file_ = -1;  // the last segment; −1: one has to be begun first
  bool recovered_ = false;
  std::int64_t recovered_at_ = 0;  // when that was last tried, in ms of the steady clock
  std::int64_t next_begin_ = 0;    // of the segment that has to be begun
  TimeUs last_time_ = 0;
  std::int64_t appended_mark_ = 0;
  std::string buffer_;

  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  std::deque<Segment> segments_ ABSL_GUARDED_BY(mutex_);
  std::int64_t read_until_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t durable_end_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t recovered_end_ ABSL_GUARDED_BY(mutex_) = -1;
  std::int64_t last_mark_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t damaged_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Whether a path is a folder of segments.
bool IsRecordLog(const std::string& path);

// From `options.start_offset`, which is the beginning of a record, or from the oldest segment where
// that is gone, to the durable end where `options.log` is given, else to the end of the last
// segment. What is damaged is passed over and counted (LineReader::damaged_bytes).
std::unique_ptr<LineReader> OpenRecordLog(const std::string& directory,
                                          const LineReader::Options& options);

}  // namespace tocsin
