// The segments of a record log (record_log.h): their names, and the records in them.
//
//   00000000000000004096.v2.tlog                 what begins at byte 4096 of the log
//   "tocsinL2" kind(1) zeros(7)                  a header, which offsets do not count
//   size(4) time(8) mark(8) checksum(8) payload  a record; integers are little-endian
//
// The checksum is over all else of the record. Version 1, which the last release wrote, is called
// 00000000000000004096.tlog and has neither header nor marks; its checksum is over time and payload.
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

// What the times of a log are.
enum class RecordTimes : std::uint8_t {
  kAppended = 0,  // when somebody sent the record
  kRead = 1,      // when it was read in a file
};

struct SegmentFile {
  std::int64_t begin = 0;  // in the log
  int version = 0;
  std::string path;
  std::int64_t bytes = 0;  // of records; some may not be whole
};

inline constexpr int kSegmentVersion = 2;

std::string SegmentPath(const std::string& directory, std::int64_t begin,
                        int version = kSegmentVersion);
// In order of their beginnings; other files are left out.
std::vector<SegmentFile> ListSegments(const std::string& directory, std::error_code* error);

// Of a file of this version, before its first record.
std::string SegmentHeader(RecordTimes times);
// Bytes of a record of the current version beside its payload.
inline constexpr std::size_t kRecordHeaderBytes = 4 + 8 + 8 + 8;
void AppendRecord(TimeUs time, std::int64_t mark, std::string_view payload, std::string* out);

class SegmentReader {
 public:
  // kEnd: a record is not there as a whole; more may come. kError: see error().
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

  // Looks at no more than `bytes_max` from where it stands, since what follows may still change.
  Result Next(std::int64_t bytes_max, Record* record);
  // After kDamaged or kEnd, where there should be more: the bytes up to the next whole record among
  // the next `bytes_max`, which are passed over; nullopt: there is none, or they cannot be read.
  std::optional<std::int64_t> SkipDamage(std::int64_t bytes_max);
  // Whether the next bytes are the beginning of a record whose writing was cut short, or zeros.
  bool IsTorn(std::int64_t bytes_max);
  // The next bytes as they are.
  std::string Peek(std::int64_t bytes_max);

 private:
  Result Missing() const { return error_ != 0 ? Result::kError : Result::kEnd; }
  // Whether so many bytes are here; reads at most up to `size_max`.
  bool Have(std::size_t size, std::size_t size_max);
  std::string_view rest() const { return std::string_view(text_).substr(begin_); }
  std::size_t header_bytes() const;
  // Whether these bytes begin with a whole record.
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
