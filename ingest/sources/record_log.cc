#include "ingest/sources/record_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "core/limits.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

namespace fs = std::filesystem;

// Appended records are written in chunks of this size.
constexpr std::size_t kBufferBytes = 1 << 20;
// Recovery of an unusable folder is not tried for every record.
constexpr std::int64_t kRecoverEveryMs = 1'000;
constexpr std::size_t kDamagedFilesMax = 64;

std::int64_t SteadyMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Writes all bytes. Returns 0 or errno.
int WriteAll(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return 0;
}

template <typename Call>
bool Retry(Call call) {
  while (call() != 0) {
    if (errno != EINTR) return false;
  }
  return true;
}

// Makes the name of a new file durable.
bool SyncFolder(const std::string& directory) {
  const int folder = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return false;
  const bool synced = Retry([&] { return fsync(folder); });
  const int error = errno;
  close(folder);
  errno = error;
  return synced;
}

}  // namespace

absl::Status RecordLog::Error(const char* what, const std::string& path) const {
  return absl::UnavailableError(path + ": " + what + ": " + std::strerror(errno));
}

std::unique_ptr<RecordLog> RecordLog::Open(Options options) {
  std::unique_ptr<RecordLog> log(new RecordLog(std::move(options)));
  log->Prepare().IgnoreError();
  return log;
}

RecordLog::~RecordLog() {
  if (file_ >= 0) close(file_);
}

void RecordLog::SetStatus(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  status_ = status;
}

absl::Status RecordLog::Prepare() {
  if (recovered_ && file_ >= 0) return absl::OkStatus();
  if (!recovered_) {
    if (recovered_at_ != 0 && SteadyMs() - recovered_at_ < kRecoverEveryMs) return status();
    recovered_at_ = SteadyMs();
  }
  absl::Status ready = recovered_ ? absl::OkStatus() : Recover();
  if (ready.ok() && file_ < 0) ready = StartSegment();
  SetStatus(ready);
  return ready;
}

absl::Status RecordLog::Recover() {
  std::error_code error;
  fs::create_directories(options_.directory, error);
  const std::vector<SegmentFile> found =
      error ? std::vector<SegmentFile>() : ListSegments(options_.directory, &error);
  if (error) return absl::UnavailableError(options_.directory + ": " + error.message());
  std::deque<Segment> segments;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const SegmentFile& file = found[i];
    std::int64_t end = file.begin + file.bytes;
    if (i + 1 < found.size()) {
      const std::int64_t next = found[i + 1].begin;
      if (end < next && options_.report) {
        options_.report(file.path + ": " + std::to_string(next - end) +
                        " bytes are missing between it and the next segment");
      }
      // Bytes beyond the beginning of the next segment never became durable.
      end = std::min(end, next);
    }
    if (end <= file.begin && i + 1 < found.size()) continue;
    segments.push_back({file.begin, end, file.version});
  }
  TOCSIN_RETURN_IF_ERROR(RecoverLast(segments));
  recovered_ = true;
  return absl::OkStatus();
}

// The last segments give the latest timestamp and the end of the log.
absl::Status RecordLog::RecoverLast(const std::deque<Segment>& segments) {
  std::deque<Segment> known = segments;
  Findings last;
  std::int64_t mark = 0;
  // Two segments, because the last one may be empty.
  for (std::size_t i = known.size() - std::min<std::size_t>(known.size(), 2); i < known.size();
       ++i) {
    TOCSIN_ASSIGN_OR_RETURN(last, Check(known[i]));
    last_time_ = std::max(last_time_, last.last_time);
    if (last.last_mark != 0) mark = last.last_mark;
  }
  next_begin_ = 0;
  int file = -1;
  if (!known.empty()) {
    Segment& back = known.back();
    const bool is_whole = back.begin + last.whole_end == back.end;
    if (last.torn) back.end = back.begin + last.whole_end;
    next_begin_ = back.end;
    if (is_whole && !last.damaged && back.version == kSegmentVersion && back.end > back.begin) {
      const std::string path = SegmentPath(options_.directory, back.begin);
      file = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
      if (file < 0 || !Retry([&] { return fdatasync(file); })) {
        const absl::Status failed = Error("cannot be opened", path);
        if (file >= 0) close(file);
        return failed;
      }
    } else if (back.end == back.begin) {
      known.pop_back();
    }
  }
  file_ = file;
  appended_mark_ = mark;
  absl::MutexLock lock(&mutex_);
  segments_ = std::move(known);
  durable_end_ = recovered_end_ = next_begin_;
  last_mark_ = mark;
  return absl::OkStatus();
}

absl::StatusOr<RecordLog::Findings> RecordLog::Check(const Segment& segment) {
  SegmentFile file = {.begin = segment.begin, .version = segment.version, .path = {}};
  file.path = SegmentPath(options_.directory, segment.begin, segment.version);
  const std::int64_t size = segment.end - segment.begin;
  SegmentReader reader;
  if (!reader.Open(file, 0)) {
    errno = reader.error();
    return Error("cannot be opened", file.path);
  }
  Findings findings;
  std::int64_t at = 0;
  while (at < size) {
    SegmentReader::Record record;
    const SegmentReader::Result result = reader.Next(size - at, &record);
    if (result == SegmentReader::Result::kError) {
      errno = reader.error();
      return Error("cannot be read", file.path);
    }
    if (result == SegmentReader::Result::kRecord) {
      at += static_cast<std::int64_t>(record.size);
      findings.whole_end = at;
      findings.last_time = std::max(findings.last_time, record.time);
      findings.last_mark = record.mark;
      continue;
    }
    const std::string bytes = reader.Peek(size - at);
    const std::optional<std::int64_t> skipped = reader.SkipDamage(size - at);
    if (!skipped && reader.IsTorn(size - at)) {
      findings.torn = true;
      break;
    }
    findings.damaged = true;
    const std::int64_t damaged = skipped.value_or(size - at);
    KeepDamaged(segment, at, std::string_view(bytes).substr(0, static_cast<std::size_t>(damaged)));
    at += damaged;
  }
  return findings;
}

void RecordLog::KeepDamaged(const Segment& segment, std::int64_t from, std::string_view bytes) {
  const std::string folder = options_.directory + "/damaged";
  const std::string path = SegmentPath(folder, segment.begin + from, segment.version) + ".damaged";
  std::string kept = "; a copy is in " + path;
  std::error_code error;
  if (!fs::exists(path, error)) {
    fs::create_directories(folder, error);
    std::size_t files = 0;
    for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
      ++files;
    }
    const int file = error || files >= kDamagedFilesMax
                         ? -1
                         : open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || WriteAll(file, bytes) != 0) kept.clear();
    if (file >= 0) close(file);
  }
  {
    absl::MutexLock lock(&mutex_);
    damaged_bytes_ += static_cast<std::int64_t>(bytes.size());
  }
  if (options_.report) {
    options_.report(SegmentPath(options_.directory, segment.begin, segment.version) + ": " +
                    std::to_string(bytes.size()) + " bytes from byte " + std::to_string(from) +
                    " on are damaged and were skipped" + kept);
  }
}

absl::Status RecordLog::StartSegment() {
  const std::string path = SegmentPath(options_.directory, next_begin_);
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return Error("cannot be created", path);
  if (const int error = WriteAll(file, SegmentHeader(options_.times)); error != 0) {
    close(file);
    unlink(path.c_str());
    errno = error;
    return Error("cannot be written", path);
  }
  if (!SyncFolder(options_.directory)) {
    const absl::Status failed = Error("cannot be synced to disk", path);
    close(file);
    unlink(path.c_str());
    return failed;
  }
  if (file_ >= 0) close(file_);
  file_ = file;
  absl::MutexLock lock(&mutex_);
  if (!segments_.empty() && segments_.back().begin == next_begin_) segments_.pop_back();
  segments_.push_back({next_begin_, next_begin_, kSegmentVersion});
  durable_end_ = next_begin_;
  DeleteRead();
  return absl::OkStatus();
}

absl::Status RecordLog::Append(TimeUs now, std::string_view payload, std::int64_t mark) {
  if (payload.size() > limits::kPayloadBytesMax) {
    return absl::ResourceExhaustedError("larger than 8 MiB");
  }
  TOCSIN_RETURN_IF_ERROR(Prepare());
  const auto size = static_cast<std::int64_t>(kRecordHeaderBytes + payload.size());
  bool is_full = false;
  {
    absl::MutexLock lock(&mutex_);
    const Segment& last = segments_.back();
    is_full = last.end - last.begin >= options_.segment_bytes && last.end == durable_end_;
    next_begin_ = last.end;
    if (last.end + static_cast<std::int64_t>(buffer_.size()) + size -
            std::max(read_until_, segments_.front().begin) >
        options_.bytes_max) {
      return absl::ResourceExhaustedError("the log is full of records that have not been read yet");
    }
  }
  // If no new segment can be created now, the current one keeps growing.
  if (is_full) StartSegment().IgnoreError();
  last_time_ = std::max(last_time_, now);
  appended_mark_ = mark;
  AppendRecord(last_time_, mark, payload, &buffer_);
  if (buffer_.size() < kBufferBytes) return absl::OkStatus();
  return WriteBuffer();
}

absl::Status RecordLog::WriteBuffer() {
  if (buffer_.empty()) return absl::OkStatus();
  if (const int error = WriteAll(file_, buffer_); error != 0) {
    errno = error;
    const absl::Status failed = Error("cannot be written", options_.directory);
    Rewind(/*trusted=*/true);
    SetStatus(failed);
    return failed;
  }
  absl::MutexLock lock(&mutex_);
  segments_.back().end += static_cast<std::int64_t>(buffer_.size());
  buffer_.clear();
  return absl::OkStatus();
}

void RecordLog::Rewind(bool trusted) {
  buffer_.clear();
  Segment last;
  {
    absl::MutexLock lock(&mutex_);
    segments_.back().end = durable_end_;
    last = segments_.back();
    appended_mark_ = last_mark_;
  }
  const auto size =
      static_cast<off_t>(SegmentHeader(options_.times).size()) + last.end - last.begin;
  if (trusted && Retry([&] { return ftruncate(file_, size); })) return;
  // The content after the durable end is unknown: it stays there, and the next segment's name tells
  // where the log continues.
  close(std::exchange(file_, -1));
  next_begin_ = last.end;
  const absl::StatusOr<Findings> findings = Check(last);
  if (options_.report) {
    options_.report(
        SegmentPath(options_.directory, last.begin) +
        ": the disk failed; the log continues in a new segment, and the durable records " +
        (findings.ok() ? "were checked" : "cannot be read at the moment"));
  }
}

absl::Status RecordLog::Sync() {
  if (buffer_.empty() && file_ < 0) return status();
  TOCSIN_RETURN_IF_ERROR(WriteBuffer());
  if (!Retry([&] { return fdatasync(file_); })) {
    const absl::Status failed = Error("cannot be synced to disk", options_.directory);
    // The kernel may have dropped pages that it could not write, without an error the next time.
    Rewind(/*trusted=*/false);
    SetStatus(failed);
    return failed;
  }
  absl::MutexLock lock(&mutex_);
  status_ = absl::OkStatus();
  durable_end_ = segments_.back().end;
  last_mark_ = appended_mark_;
  return absl::OkStatus();
}

void RecordLog::Trim(std::int64_t offset) {
  absl::MutexLock lock(&mutex_);
  read_until_ = std::max(read_until_, offset);
  DeleteRead();
}

void RecordLog::DeleteRead() {
  // The last segment is being written and stays.
  while (segments_.size() > 1 && segments_.front().end <= read_until_ &&
         segments_.back().end - segments_.front().begin > options_.bytes_max) {
    const Segment& front = segments_.front();
    unlink(SegmentPath(options_.directory, front.begin, front.version).c_str());
    segments_.pop_front();
  }
}

absl::Status RecordLog::status() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

std::int64_t RecordLog::durable_end() const {
  absl::MutexLock lock(&mutex_);
  return durable_end_;
}

std::int64_t RecordLog::recovered_end() const {
  absl::MutexLock lock(&mutex_);
  return recovered_end_;
}

std::int64_t RecordLog::last_mark() const {
  absl::MutexLock lock(&mutex_);
  return last_mark_;
}

std::int64_t RecordLog::damaged_bytes() const {
  absl::MutexLock lock(&mutex_);
  return damaged_bytes_;
}

std::optional<SegmentFile> RecordLog::Holder(std::int64_t offset) const {
  absl::MutexLock lock(&mutex_);
  for (const Segment& segment : segments_) {
    const std::int64_t end = std::min(segment.end, durable_end_);
    if (end <= offset || end == segment.begin) continue;
    return SegmentFile{.begin = segment.begin,
                       .version = segment.version,
                       .path = SegmentPath(options_.directory, segment.begin, segment.version),
                       .bytes = end - segment.begin};
  }
  return std::nullopt;
}

}  // namespace tocsin
