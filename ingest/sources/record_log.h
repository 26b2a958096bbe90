// A durable log of records in files, for inputs without one: records that arrive by HTTP, and
// records read from files of a format without timestamps.
//
//   std::unique_ptr<RecordLog> log = RecordLog::Open({.directory = "…"});
//   TOCSIN_RETURN_IF_ERROR(log->Append(now, payload));      // any number of times
//   TOCSIN_RETURN_IF_ERROR(log->Sync());                    // now all of it is durable
//   auto reader = OpenLineReader("…", {.log = log.get()});  // reads the log as it grows
//
// The log is a folder of segments, each named by the log offset of its first byte
// (record_segment.h). Timestamps never decrease. One LineReader reads the folder in order, as one
// source. After a crash every record that Sync made durable is found again; only a record that was
// being written when the process died is dropped. Any other incomplete or invalid record is damage:
// it stays in the segment, is copied to a file under damaged/ (the first 64), reported, counted and
// skipped.
//
// The disk may be full, read-only or failing at any time: Append and Sync fail then and work again
// once the disk does. After a failed fsync, or if a partial write cannot be truncated, the segment
// is left as it is and a new one begins.
//
// When the segments together exceed `bytes_max`, those already read are deleted, oldest first.
// Unread ones are never deleted: Append fails instead. One thread calls Append and Sync; Trim may
// be called from another thread, the const functions from any thread.
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
    std::string directory;  // created if it does not exist
    std::int64_t segment_bytes = 64 << 20;
    std::int64_t bytes_max = std::int64_t{1} << 30;
    RecordTimes times = RecordTimes::kAppended;
    // Receives messages about damage and disk failures, on the thread that appends.
    std::function<void(const std::string& message)> report = nullptr;
  };
  // Never fails: if the folder cannot be used now, status() says why and Append tries again.
  static std::unique_ptr<RecordLog> Open(Options options);
  ~RecordLog();
  RecordLog(const RecordLog&) = delete;
  RecordLog& operator=(const RecordLog&) = delete;

  // `mark` is a value of the caller that is stored with the record. ResourceExhausted if the log is
  // full of unread records or the payload is larger than limits::kPayloadBytesMax; Unavailable if
  // it cannot be written. After Unavailable nothing appended since the last Sync is in the log.
  absl::Status Append(TimeUs now, std::string_view payload, std::int64_t mark = 0);
  // After an error nothing appended since the last Sync is in the log.
  absl::Status Sync();
  // Everything before `offset` has been read and may be deleted.
  void Trim(std::int64_t offset);

  // OK, or why the log cannot be used.
  absl::Status status() const;
  // The end of the durable records, now and when the log was opened; the latter is −1 until then.
  std::int64_t durable_end() const;
  std::int64_t recovered_end() const;
  // The mark of the last durable record; 0: there is none.
  std::int64_t last_mark() const;
  // The number of damaged bytes found since the log was opened.
  std::int64_t damaged_bytes() const;

  // The durable part of the segment that holds `offset`, or of the next one. nullopt: nothing
  // durable follows.
  std::optional<SegmentFile> Holder(std::int64_t offset) const;

 private:
  struct Segment {
    std::int64_t begin = 0, end = 0;
    int version = kSegmentVersion;
  };
  // The result of Check.
  struct Findings {
    std::int64_t whole_end = 0;  // the end of the last complete record
    bool torn = false;           // a partly written record follows
    bool damaged = false;
    TimeUs last_time = 0;
    std::int64_t last_mark = 0;
  };

  explicit RecordLog(Options options) : options_(std::move(options)) {}
  absl::Status Recover();
  absl::Status RecoverLast(const std::deque<Segment>& segments);
  absl::StatusOr<Findings> Check(const Segment& segment);
  // Makes Append possible: recovers the log, or begins a segment if none is open.
  absl::Status Prepare();
  absl::Status StartSegment();
  absl::Status WriteBuffer();
  // Drops what was not synced. `trusted`: the content of the file is known (no failed fsync).
  void Rewind(bool trusted);
  void SetStatus(const absl::Status& status);
  void KeepDamaged(const Segment& segment, std::int64_t from, std::string_view bytes);
  void DeleteRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Error(const char* what, const std::string& path) const;

  const Options options_;
  // Used only by the thread that appends.
  int file_ = -1;  // the last segment; −1: a new one must be begun
  bool recovered_ = false;
  std::int64_t recovered_at_ = 0;  // when recovery was last tried, in ms of the steady clock
  std::int64_t next_begin_ = 0;    // log offset of the next new segment
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

// Reads from `options.start_offset`, which must be the beginning of a record, or from the oldest
// segment if that offset was deleted. Reads up to the durable end if `options.log` is set, else to
// the end of the last segment. Damage is skipped and counted (LineReader::damaged_bytes).
std::unique_ptr<LineReader> OpenRecordLog(const std::string& directory,
                                          const LineReader::Options& options);

}  // namespace tocsin
