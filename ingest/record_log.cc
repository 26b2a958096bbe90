#include "ingest/record_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/limits.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

constexpr char kSuffix[] = ".tlog";
constexpr int kNameDigits = 20;
constexpr std::size_t kHeaderBytes = 4 + 8 + 8;
// A batch of appends is written in pieces of this.
constexpr std::size_t kBufferBytes = 1 << 20;
constexpr std::size_t kReadBytes = 256 << 10;

void PutFixed(std::uint64_t value, int bytes, std::string* out) {
  for (int i = 0; i < bytes; ++i) out->push_back(static_cast<char>(value >> (8 * i)));
}

std::uint64_t GetFixed(const char* at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(at[i])) << (8 * i);
  }
  return value;
}

std::uint64_t ChecksumOf(std::string_view time, std::string_view payload) {
  return HashParts({time, payload}).low;
}

// nullopt for a file that is no segment.
std::optional<std::int64_t> BeginOf(const fs::path& path) {
  const std::string name = path.filename().string();
  if (name.size() != kNameDigits + sizeof kSuffix - 1 || !name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  std::int64_t begin = 0;
  for (int i = 0; i < kNameDigits; ++i) {
    const char c = name[static_cast<std::size_t>(i)];
    if (c < '0' || c > '9' || begin > (INT64_MAX - 9) / 10) return std::nullopt;
    begin = 10 * begin + (c - '0');
  }
  return begin;
}

// In order of their beginnings.
std::vector<std::pair<std::int64_t, std::string>> SegmentsIn(const std::string& directory,
                                                             std::error_code* error) {
  std::vector<std::pair<std::int64_t, std::string>> found;
  for (fs::directory_iterator at(directory, *error), end; !*error && at != end;
       at.increment(*error)) {
    if (const std::optional<std::int64_t> begin = BeginOf(at->path())) {
      found.emplace_back(*begin, at->path().string());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

// The records of one segment, which may grow.
class SegmentReader {
 public:
  enum class Result { kRecord, kEnd, kDamaged, kError };
  struct Record {
    TimeUs time = 0;
    std::string_view payload;  // until the next call
    std::size_t size = 0;      // with its header
  };

  ~SegmentReader() { Close(); }

  bool Open(const std::string& path, std::int64_t offset) {
    Close();
    text_.clear();
    begin_ = 0;
    file_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    return file_ >= 0 && lseek(file_, offset, SEEK_SET) == offset;
  }
  void Close() {
    if (file_ >= 0) close(file_);
    file_ = -1;
  }
  bool is_open() const { return file_ >= 0; }
  std::int64_t bytes_read() const { return bytes_read_; }

  // kEnd where a record is not there as a whole; more may come. At most `bytes_max` are read on.
  Result Next(std::int64_t bytes_max, Record* record) {
    const auto available = static_cast<std::size_t>(std::max<std::int64_t>(bytes_max, 0));
    if (available < kHeaderBytes || !Have(kHeaderBytes)) return Missing();
    const char* const header = text_.data() + begin_;
    const std::size_t size = GetFixed(header, 4);
    if (size > limits::kPayloadBytesMax) return Result::kDamaged;
    if (available < kHeaderBytes + size || !Have(kHeaderBytes + size)) return Missing();
    const char* const at = text_.data() + begin_;
    record->time = static_cast<TimeUs>(GetFixed(at + 4, 8));
    record->payload = {at + kHeaderBytes, size};
    record->size = kHeaderBytes + size;
    if (GetFixed(at + 12, 8) != ChecksumOf({at + 4, 8}, record->payload)) return Result::kDamaged;
    begin_ += record->size;
    return Result::kRecord;
  }

 private:
  Result Missing() const { return failed_ ? Result::kError : Result::kEnd; }
  bool Have(std::size_t size) {
    while (text_.size() - begin_ < size) {
      text_.erase(0, std::exchange(begin_, 0));
      const std::size_t kept = text_.size();
      text_.resize(kept + std::max(kReadBytes, size - kept));
      ssize_t count;
      do {
        count = read(file_, text_.data() + kept, text_.size() - kept);
      } while (count < 0 && errno == EINTR);
      failed_ = count < 0;
      text_.resize(kept + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
      bytes_read_ += std::max<ssize_t>(count, 0);
      if (count <= 0) return false;
    }
    return true;
  }

  int file_ = -1;
  bool failed_ = false;
  std::string text_;
  std::size_t begin_ = 0;
  std::int64_t bytes_read_ = 0;
};

class RecordLogReader final : public LineReader {
 public:
  RecordLogReader(std::string directory, const Options& options)
      : directory_(std::move(directory)),
        durable_end_(options.durable_end),
        offset_(static_cast<std::int64_t>(options.start_offset)) {}

  Result Next(Line* line) override {
    for (;;) {
      if (!segment_.is_open() && !OpenSegment()) {
        return status_.ok() ? Result::kEnd : Result::kError;
      }
      SegmentReader::Record record;
      const std::int64_t durable = durable_end_ != nullptr
                                       ? durable_end_->load(std::memory_order_acquire) - offset_
                                       : INT64_MAX;
      switch (segment_.Next(durable, &record)) {
        case SegmentReader::Result::kRecord:
          line->text = record.payload;
          line->time = record.time;
          line->oversized = false;
          line->offset = static_cast<std::uint64_t>(offset_);
          offset_ += static_cast<std::int64_t>(record.size);
          line->next_offset = static_cast<std::uint64_t>(offset_);
          return Result::kLine;
        case SegmentReader::Result::kEnd: {
          const std::optional<std::int64_t> next = NextBegin();
          if (!next) return Result::kEnd;
          if (*next == offset_) {
            segment_.Close();
          } else if (std::exchange(retried_at_, offset_) == offset_) {
            return Damaged();
          }
          break;  // else it grew while we looked for the next
        }
        case SegmentReader::Result::kDamaged:
          // Of a log that nobody recovered, the end may be half written.
          if (durable_end_ == nullptr && !NextBegin()) return Result::kEnd;
          return Damaged();
        case SegmentReader::Result::kError:
          status_ =
              absl::UnavailableError(directory_ + ": cannot be read: " + std::strerror(errno));
          return Result::kError;
      }
    }
  }

  absl::Status status() const override { return status_; }
  std::uint64_t bytes_read() const override {
    return static_cast<std::uint64_t>(segment_.bytes_read());
  }
  std::uint64_t bytes_total() const override {
    std::error_code error;
    std::uint64_t total = 0;
    for (const auto& [begin, path] : SegmentsIn(directory_, &error)) {
      total += fs::file_size(path, error);
    }
    return total;
  }

 private:
  // The segment that holds `offset_`; false where there is none.
  bool OpenSegment() {
    std::error_code error;
    const std::vector<std::pair<std::int64_t, std::string>> segments =
        SegmentsIn(directory_, &error);
    if (error) {
      status_ = absl::UnavailableError(directory_ + ": cannot be listed: " + error.message());
      return false;
    }
    if (segments.empty()) return false;
    auto holder = std::upper_bound(
        segments.begin(), segments.end(), offset_,
        [](std::int64_t offset, const auto& segment) { return offset < segment.first; });
    if (holder == segments.begin()) {
      offset_ = holder->first;  // what was before it is gone
    } else {
      --holder;
    }
    segment_begin_ = holder->first;
    if (segment_.Open(holder->second, offset_ - segment_begin_)) return true;
    segment_.Close();
    status_ =
        absl::UnavailableError(holder->second + ": cannot be opened: " + std::strerror(errno));
    return false;
  }
  // Where the segment behind this one begins.
  std::optional<std::int64_t> NextBegin() const {
    std::error_code error;
    for (const auto& [begin, path] : SegmentsIn(directory_, &error)) {
      if (begin > segment_begin_) return begin;
    }
    return std::nullopt;
  }
  Result Damaged() {
    status_ = absl::DataLossError(directory_ + ": the record at offset " + std::to_string(offset_) +
                                  " is damaged");
    return Result::kError;
  }

  const std::string directory_;
  const std::atomic<std::int64_t>* durable_end_;
  std::int64_t offset_;
  std::int64_t segment_begin_ = -1;
  std::int64_t retried_at_ = -1;
  SegmentReader segment_;
  absl::Status status_;
};

}  // namespace

std::string RecordLog::PathOf(std::int64_t begin) const {
  std::string digits = std::to_string(begin);
  digits.insert(0, static_cast<std::size_t>(kNameDigits) - digits.size(), '0');
  return options_.directory + '/' + digits + kSuffix;
}

absl::Status RecordLog::Error(const char* what, const std::string& path) const {
  return absl::UnavailableError(path + ": " + what + ": " + std::strerror(errno));
}

absl::StatusOr<std::unique_ptr<RecordLog>> RecordLog::Open(const Options& options) {
  std::unique_ptr<RecordLog> log(new RecordLog(options));
  TOCSIN_RETURN_IF_ERROR(log->Recover());
  return log;
}

RecordLog::~RecordLog() {
  if (file_ >= 0) close(file_);
}

absl::Status RecordLog::Recover() {
  std::error_code error;
  fs::create_directories(options_.directory, error);
  const std::vector<std::pair<std::int64_t, std::string>> found =
      error ? std::vector<std::pair<std::int64_t, std::string>>()
            : SegmentsIn(options_.directory, &error);
  if (error) {
    return absl::UnavailableError(options_.directory + ": " + error.message());
  }
  absl::MutexLock lock(&mutex_);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto& [begin, path] = found[i];
    const auto size = static_cast<std::int64_t>(fs::file_size(path, error));
    if (i + 1 < found.size() && begin + size != found[i + 1].first) {
      return absl::DataLossError(path + ": has " + std::to_string(size) + " bytes where " +
                                 std::to_string(found[i + 1].first - begin) + " are expected");
    }
    segments_.push_back({begin, begin + size});
    // Of the last two, as the last may be empty: when it was written last, and what is whole.
    if (i + 2 < found.size()) continue;
    SegmentReader reader;
    if (!reader.Open(path, 0)) return Error("cannot be opened", path);
    std::int64_t whole = 0;
    SegmentReader::Record record;
    SegmentReader::Result result;
    while ((result = reader.Next(INT64_MAX, &record)) == SegmentReader::Result::kRecord) {
      whole += static_cast<std::int64_t>(record.size);
      last_time_ = std::max(last_time_, record.time);
    }
    if (result == SegmentReader::Result::kError) return Error("cannot be read", path);
    if (whole == size) continue;
    if (i + 1 < found.size()) {
      return absl::DataLossError(path + ": is damaged behind its first " + std::to_string(whole) +
                                 " bytes");
    }
    // What was not whole had not been answered for.
    if (truncate(path.c_str(), whole) != 0) return Error("cannot be cut", path);
    segments_.back().end = begin + whole;
  }
  if (segments_.empty()) return StartSegment();
  const std::string path = PathOf(segments_.back().begin);
  file_ = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (file_ < 0 || fdatasync(file_) != 0) return Error("cannot be opened", path);
  durable_end_.store(segments_.back().end, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status RecordLog::StartSegment() {
  const std::int64_t begin = segments_.empty() ? 0 : segments_.back().end;
  const std::string path = PathOf(begin);
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
  if (file < 0) return Error("cannot be made", path);
  // So that the name is durable as well.
  const int folder = open(options_.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = folder >= 0 && fsync(folder) == 0;
  if (folder >= 0) close(folder);
  if (!synced) {
    close(file);
    unlink(path.c_str());
    return Error("cannot be made durable", path);
  }
  if (file_ >= 0) close(file_);
  file_ = file;
  segments_.push_back({begin, begin});
  DeleteRead();
  return absl::OkStatus();
}

absl::Status RecordLog::Append(TimeUs now, std::string_view payload) {
  if (payload.size() > limits::kPayloadBytesMax) {
    return absl::ResourceExhaustedError("larger than 8 MiB");
  }
  const auto size = static_cast<std::int64_t>(kHeaderBytes + payload.size());
  {
    absl::MutexLock lock(&mutex_);
    const Segment& last = segments_.back();
    if (last.end - last.begin >= options_.segment_bytes &&
        last.end == durable_end_.load(std::memory_order_relaxed)) {
      TOCSIN_RETURN_IF_ERROR(StartSegment());
    }
    if (segments_.back().end + static_cast<std::int64_t>(buffer_.size()) + size -
            std::max(read_until_, segments_.front().begin) >
        options_.bytes_max) {
      return absl::ResourceExhaustedError("the log is full of what has not been read yet");
    }
  }
  last_time_ = std::max(last_time_, now);
  std::string time;
  PutFixed(static_cast<std::uint64_t>(last_time_), 8, &time);
  PutFixed(payload.size(), 4, &buffer_);
  buffer_ += time;
  PutFixed(ChecksumOf(time, payload), 8, &buffer_);
  buffer_ += payload;
  if (buffer_.size() < kBufferBytes) return absl::OkStatus();
  return Write(std::exchange(buffer_, {}));
}

absl::Status RecordLog::Write(std::string_view bytes) {
  std::size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = write(file_, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      const absl::Status error = Error("cannot be written", options_.directory);
      Rewind();
      return error;
    }
    written += static_cast<std::size_t>(count);
  }
  absl::MutexLock lock(&mutex_);
  segments_.back().end += static_cast<std::int64_t>(bytes.size());
  return absl::OkStatus();
}

void RecordLog::Rewind() {
  buffer_.clear();
  absl::MutexLock lock(&mutex_);
  Segment& last = segments_.back();
  last.end = durable_end_.load(std::memory_order_relaxed);
  // Where this fails as well, the next Open cuts off what is broken; what is whole comes again.
  static_cast<void>(ftruncate(file_, last.end - last.begin));
}

absl::Status RecordLog::Sync() {
  TOCSIN_RETURN_IF_ERROR(Write(std::exchange(buffer_, {})));
  if (fdatasync(file_) != 0) {
    const absl::Status error = Error("cannot be made durable", options_.directory);
    Rewind();
    return error;
  }
  absl::MutexLock lock(&mutex_);
  durable_end_.store(segments_.back().end, std::memory_order_release);
  return absl::OkStatus();
}

void RecordLog::Trim(std::int64_t offset) {
  absl::MutexLock lock(&mutex_);
  read_until_ = std::max(read_until_, offset);
  DeleteRead();
}

void RecordLog::DeleteRead() {
  // The last one is being written.
  while (segments_.size() > 1 && segments_.front().end <= read_until_ &&
         segments_.back().end - segments_.front().begin > options_.bytes_max) {
    unlink(PathOf(segments_.front().begin).c_str());
    segments_.pop_front();
  }
}

bool IsRecordLog(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error) && !SegmentsIn(path, &error).empty();
}

absl::StatusOr<std::unique_ptr<LineReader>> OpenRecordLog(const std::string& directory,
                                                          const LineReader::Options& options) {
  return std::make_unique<RecordLogReader>(directory, options);
}

}  // namespace tocsin
