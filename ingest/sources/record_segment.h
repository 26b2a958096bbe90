// The segment files of a record log (record_log.h): their names and their format.
//
//   00000000000000004096.v2.tlog                 the segment that begins at byte 4096 of the log
//   "tocsinL2" kind(1) zeros(7)                  the file header, not counted in offsets
//   size(4) time(8) mark(8) checksum(8) payload  a record; integers are little-endian
//
// The checksum covers the rest of the record. Version 1, written by the last release, is named
// 00000000000000004096.tlog and has neither header nor marks; its checksum covers time and payload.
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "core/time.h"

namespace tocsin {

// The meaning of a log's timestamps.
enum class RecordTimes : std::uint8_t {
  kAppended = 0,  // when the record was received
  kRead = 1,      // when the record was read from a file
};

struct SegmentFile {
  std::int64_t begin = 0;  // log offset
  int version = 0;
  std::string path;
  std::int64_t bytes = 0;  // of records; the last ones may be incomplete
};

inline constexpr int kSegmentVersion = 2;

std::string SegmentPath(const std::string& directory, std::int64_t begin,
                        int version = kSegmentVersion);
// Sorted by their beginnings; other files are ignored.
std::vector<SegmentFile> ListSegments(const std::string& directory, std::error_code* error);

// The header of a file of the current version.
std::string SegmentHeader(RecordTimes times);
// Bytes of a record of the current version before its payload.
inline constexpr std::size_t kRecordHeaderBytes = 4 + 8 + 8 + 8;
void AppendRecord(TimeUs time, std::int64_t mark, std::string_view payload, std::string* out);

class SegmentReader {
 public:
  // kEnd: no complete record is left; more may be appended. kError: see error().
  enum class Result : std::uint8_t { kRecord, kEnd, kDamaged, kError };
  struct Record {
    TimeUs time = 0;
    std::int64_t mark = 0;
    std::string_view payload;  // until the next call
    std::size_t size = 0;      // with its header
  };

  SegmentReader() = default;
  ~SegmentReader() { Close(); }
  SegmentReader(const SegmentReader&) = delete;
  SegmentReader& operator=(const SegmentReader&) = delete;

  // `offset` counts from the segment's first record. False: see error().
  bool Open(const SegmentFile& file, std::int64_t offset);
  void Close();
  bool is_open() const { return file_ >= 0; }
  RecordTimes times() const { return times_; }
  std::int64_t bytes_read() const { return bytes_read_; }
  int error() const { return error_; }  // errno

  // Reads at most `bytes_max` bytes from the position, since later bytes may still change.
  Result Next(std::int64_t bytes_max, Record* record);
  // After kDamaged or an unexpected kEnd: skips to the next complete record within `bytes_max`
  // bytes and returns the number of skipped bytes. nullopt: there is none, or reading failed.
  std::optional<std::int64_t> SkipDamage(std::int64_t bytes_max);
  // Whether the next bytes are the beginning of a partly written record, or zeros.
  bool IsTorn(std::int64_t bytes_max);
  // The next bytes, without consuming them.
  std::string Peek(std::int64_t bytes_max);

 private:
  Result Missing() const { return error_ != 0 ? Result::kError : Result::kEnd; }
  // Ensures that `size` bytes are buffered; buffers at most `size_max`. False: end or error.
  bool Have(std::size_t size, std::size_t size_max);
  std::string_view rest() const { return std::string_view(text_).substr(begin_); }
  std::size_t header_bytes() const;
  // Parses the record at the beginning; false: it is incomplete or invalid.
  bool Parse(std::string_view bytes, Record* record) const;

  int file_ = -1;
  int version_ = kSegmentVersion;
  int error_ = 0;
  RecordTimes times_ = RecordTimes::kAppended;
  TimeUs last_time_ = 0;
  std::string text_;
  std::size_t begin_ = 0;
  std::int64_t bytes_read_ = 0;
};

}  // namespace tocsin
