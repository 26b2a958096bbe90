// A log of records in files, for what has no log of its own: what arrives by HTTP.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<RecordLog> log, RecordLog::Open({.directory = "…"}));
//   TOCSIN_RETURN_IF_ERROR(log->Append(now, payload));      // as often as there is something
//   TOCSIN_RETURN_IF_ERROR(log->Sync());                    // now all of it is durable
//   LineReader::Open("…", {.durable_end = log->durable_end()})   // reads it as it grows
//
// The log is a folder of segments, each called after the offset of its first byte in the whole log:
// 00000000000000000000.tlog. A record is its size (4 bytes), the time of its append (8), a checksum
// of both the time and the payload (8), all little-endian, and the payload. Times never go back.
// What a crash left half written at the end is cut off by Open; whoever was told that it is durable
// finds it. A folder is read by one LineReader, in order, as one source with append times.
//
// Segments that have been read are deleted, the oldest first, when all together are larger than
// `bytes_max`; what nobody has read is never deleted: Append refuses instead. One thread appends
// and syncs, Trim may come from another, durable_end from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "core/time.h"
#include "ingest/file_source.h"

namespace tocsin {

class RecordLog {
 public:
  struct Options {
    std::string directory;  // made if it is not there
    std::int64_t segment_bytes = 64 << 20;
    std::int64_t bytes_max = std::int64_t{1} << 30;
  };
  // DataLoss where a segment is damaged other than at the end of the last one.
  static absl::StatusOr<std::unique_ptr<RecordLog>> Open(const Options& options);
  ~RecordLog();
  RecordLog(const RecordLog&) = delete;
  RecordLog& operator=(const RecordLog&) = delete;

  // ResourceExhausted where the log is full of what was not read, or the payload is larger than
  // limits::kPayloadBytesMax; Unavailable where it cannot be written: nothing of it stays.
  absl::Status Append(TimeUs now, std::string_view payload);
  // After an error none of what was appended since the last Sync is in the log.
  absl::Status Sync();
  // All before `offset` has been read and will not be asked for again.
  void Trim(std::int64_t offset);

  // Where what is durable ends.
  const std::atomic<std::int64_t>* durable_end() const { return &durable_end_; }

 private:
  struct Segment {
    std::int64_t begin = 0, end = 0;
  };

  explicit RecordLog(Options options) : options_(std::move(options)) {}
  absl::Status Recover();
  absl::Status Write(std::string_view bytes);
  absl::Status StartSegment() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Forgets what was not synced.
  void Rewind();
  void DeleteRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string PathOf(std::int64_t begin) const;
  absl::Status Error(const char* what, const std::string& path) const;

  const Options options_;
  int file_ = -1;  // the last segment
  TimeUs last_time_ = 0;
  std::string buffer_;
  absl::Mutex mutex_;
  std::deque<Segment> segments_ ABSL_GUARDED_BY(mutex_);
  std::int64_t read_until_ ABSL_GUARDED_BY(mutex_) = 0;
  std::atomic<std::int64_t> durable_end_{0};
};

// Whether a path is a folder of segments.
bool IsRecordLog(const std::string& path);

// From `options.start_offset`, which is the beginning of a record, or from the oldest segment where
// that is gone, to the durable end if there is one, else to the end of the last segment.
absl::StatusOr<std::unique_ptr<LineReader>> OpenRecordLog(const std::string& directory,
                                                          const LineReader::Options& options);

}  // namespace tocsin
