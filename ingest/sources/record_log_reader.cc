// Reads a record log from its folder, also while this process appends to it.

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "ingest/sources/record_log.h"
#include "ingest/sources/record_segment.h"

namespace tocsin {
namespace {

class RecordLogReader final : public LineReader {
 public:
  RecordLogReader(std::string directory, const Options& options)
      : directory_(std::move(directory)),
        log_(options.log),
        offset_(static_cast<std::int64_t>(options.start_offset)) {}

  Result Next(Line* line) override {
    for (;;) {
      if (!status_.ok()) return Result::kError;
      if (offset_ >= end_ && !FindMore()) return status_.ok() ? Result::kEnd : Result::kError;
      SegmentReader::Record record;
      switch (segment_.Next(end_ - offset_, &record)) {
        case SegmentReader::Result::kRecord:
          Deliver(record, line);
          return Result::kLine;
        case SegmentReader::Result::kError:
          status_ = Error(path_, "cannot be read", segment_.error());
          return Result::kError;
        case SegmentReader::Result::kEnd:
        case SegmentReader::Result::kDamaged:
          if (!PassDamage()) return Result::kEnd;
          break;
      }
    }
  }

  absl::Status status() const override { return status_; }
  std::uint64_t damaged_bytes() const override { return damaged_bytes_; }
  std::uint64_t bytes_read() const override {
    return static_cast<std::uint64_t>(segment_.bytes_read());
  }
  std::uint64_t bytes_total() const override {
    std::error_code error;
    std::uint64_t total = 0;
    for (const SegmentFile& file : ListSegments(directory_, &error)) {
      total += static_cast<std::uint64_t>(file.bytes);
    }
    return total;
  }

 private:
  static absl::Status Error(const std::string& path, const char* what, int error) {
    return absl::UnavailableError(path + ": " + what + ": " + std::strerror(error));
  }

  void Deliver(const SegmentReader::Record& record, Line* line) {
    line->text = record.payload;
    line->time = record.time;
    line->is_read_time = segment_.times() == RecordTimes::kRead;
    line->oversized = false;
    line->offset = static_cast<std::uint64_t>(offset_);
    offset_ += static_cast<std::int64_t>(record.size);
    line->next_offset = static_cast<std::uint64_t>(offset_);
  }

  // Finds more bytes to read, in this segment or in another one. False: there are none.
  bool FindMore() {
    const std::optional<SegmentFile> file = log_ != nullptr ? log_->Holder(offset_) : Listed();
    if (!file) return false;
    const std::int64_t end = file->begin + file->bytes;
    if (file->path != path_ || !segment_.is_open()) {
      if (file->begin > offset_ && end_ > 0) {
        damaged_bytes_ += static_cast<std::uint64_t>(file->begin - offset_);
      }
      offset_ = std::max(offset_, file->begin);
      path_ = file->path;
      if (!segment_.Open(*file, offset_ - file->begin)) {
        status_ = Error(path_, "cannot be opened", segment_.error());
        return false;
      }
    } else if (end <= end_) {
      return false;
    }
    end_ = end;
    is_last_ = log_ == nullptr && listed_last_;
    return true;
  }

  // The segment that holds `offset_`, or the next one. For a log that this process does not write.
  std::optional<SegmentFile> Listed() {
    std::error_code error;
    std::vector<SegmentFile> files = ListSegments(directory_, &error);
    if (error) {
      status_ = absl::UnavailableError(directory_ + ": cannot be listed: " + error.message());
      return std::nullopt;
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
      SegmentFile& file = files[i];
      listed_last_ = i + 1 == files.size();
      // Bytes beyond the beginning of the next segment never became durable.
      if (!listed_last_) file.bytes = std::min(file.bytes, files[i + 1].begin - file.begin);
      if (file.begin + file.bytes > offset_) return std::move(file);
    }
    return std::nullopt;
  }

  // Skips an incomplete or invalid record; false: at the end of a log that may still be written.
  bool PassDamage() {
    const std::int64_t left = end_ - offset_;
    if (const std::optional<std::int64_t> skipped = segment_.SkipDamage(left)) {
      damaged_bytes_ += static_cast<std::uint64_t>(*skipped);
      offset_ += *skipped;
      return true;
    }
    if (is_last_) {
      // Read the incomplete record again when there is more.
      segment_.Close();
      end_ = offset_;
      return false;
    }
    if (!segment_.IsTorn(left)) damaged_bytes_ += static_cast<std::uint64_t>(left);
    offset_ = end_;
    return true;
  }

  const std::string directory_;
  const RecordLog* const log_;
  std::int64_t offset_;
  std::int64_t end_ = 0;  // log offset up to which the segment may be read
  std::string path_;
  SegmentReader segment_;
  bool is_last_ = false;
  bool listed_last_ = false;
  std::uint64_t damaged_bytes_ = 0;
  absl::Status status_;
};

}  // namespace

bool IsRecordLog(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error) && !ListSegments(path, &error).empty();
}

std::unique_ptr<LineReader> OpenRecordLog(const std::string& directory,
                                          const LineReader::Options& options) {
  return std::make_unique<RecordLogReader>(directory, options);
}

}  // namespace tocsin
