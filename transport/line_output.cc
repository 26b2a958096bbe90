#include "transport/line_output.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <deque>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "journal/state_directory.h"
#include "system/await_for.h"
#include "system/detachable_thread.h"
#include "system/host_clock.h"
#include "system/write_all.h"

namespace tocsin {
namespace {

// What goes out in one write.
constexpr std::size_t kWriteBytes = 256 << 10;
constexpr absl::Duration kRetryEvery = absl::Seconds(1);
constexpr DurationUs kComplainEvery = kMinuteUs;
// A file that takes nothing for so long is not waited for any more: its mount may be gone.
constexpr absl::Duration kHangsAfter = absl::Seconds(5);
// A thread that does not hang ends in far less.
constexpr absl::Duration kEndWait = absl::Milliseconds(200);

std::string Text(int error) { return std::generic_category().message(error); }

bool IsFile(int descriptor) {
  struct stat status = {};
  return fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
}

// To go on behind the first `keep` bytes; −1 and errno where that fails.
int OpenToWrite(const std::string& path, std::int64_t keep) {
  const int truncates = keep == 0 ? O_TRUNC : 0;
  const int descriptor = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | truncates, 0600);
  if (descriptor < 0 || keep == 0) return descriptor;
  if (ftruncate(descriptor, keep) == 0 && lseek(descriptor, 0, SEEK_END) >= 0) return descriptor;
  const int error = errno;
  close(descriptor);
  errno = error;
  return -1;
}

}  // namespace

absl::Status CheckOutputPaths(const std::string& incidents, const std::string& signals) {
  if (incidents.empty() || signals.empty() || incidents == "-") return absl::OkStatus();
  std::error_code error;
  const std::filesystem::file_status there = std::filesystem::status(incidents, error);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
    return absl::OkStatus();
  }
  // Equivalent are two names of a file that is there, one path one that is not there yet.
  const auto whole = [&](const std::string& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  };
  const bool same =
      std::filesystem::equivalent(incidents, signals, error) || whole(incidents) == whole(signals);
  if (!same) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("--incidents ", incidents, " and --signals ", signals,
                   " are one file: after a restart some of its lines would be there twice; name "
                   "two files, or write both to standard output (-)"));
}

// Shared with its thread, which may outlive everything else when it hangs.
class LineOutput::Writer {
 public:
  struct Target {
    std::string path;  // "-" is standard output; empty: standard error
    int descriptor;    // −1 to open `path`, a FIFO, first
    bool is_file;
  };
  explicit Writer(Target target)
      : path_(std::move(target.path)), is_file_(target.is_file), descriptor_(target.descriptor) {}
  ~Writer() {
    if (descriptor_ > STDERR_FILENO) close(descriptor_);
  }

  static void Start(const std::shared_ptr<Writer>& writer) {
    writer->thread_ = std::make_unique<DetachableThread>([writer] { writer->Run(); });
  }

  void Put(std::string_view line, bool waits) {
    absl::MutexLock lock(&mutex_);
    if (waits && is_file_ && !hangs_) {
      hangs_ = !AwaitFor(&mutex_, absl::Condition(this, &Writer::HasRoom), kHangsAfter);
    }
    lines_.emplace_back(line);
    lines_.back().push_back('\n');
    bytes_ += lines_.back().size();
    while (bytes_ > kWaitingBytesMax && lines_.size() > 1) LeaveOut();
    Complain();
  }

  absl::Status End(absl::Duration grace) {
    if (thread_ == nullptr) return absl::OkStatus();
    {
      absl::MutexLock lock(&mutex_);
      AwaitFor(&mutex_, absl::Condition(this, &Writer::IsIdle), grace);
      ending_ = true;
      left_out_ += std::exchange(writing_, 0);
      while (!lines_.empty()) LeaveOut();
    }
    // Whoever reads a pipe sees its end.
    if (thread_->End(kEndWait) && descriptor_ > STDERR_FILENO) {
      close(std::exchange(descriptor_, -1));
    }
    thread_.reset();
    absl::MutexLock lock(&mutex_);
    if (left_out_ == 0) return absl::OkStatus();
    const std::string what =
        absl::StrCat(Name(), ": ", left_out_, " lines were not written",
                     error_ == 0 ? std::string() : absl::StrCat(" (", Text(error_), ")"));
    if (is_file_) {
      return absl::UnavailableError(what + "; the next start writes the file anew");
    }
    if (!IsLog()) spdlog::warn("{}", what);
    return absl::OkStatus();
  }

  std::int64_t left_out() const {
    absl::MutexLock lock(&mutex_);
    return left_out_;
  }

 private:
  std::string Name() const { return path_ == "-" ? "standard output" : path_; }
  bool IsLog() const { return path_.empty(); }
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return bytes_ < kWaitingBytesMax / 2 || error_ != 0 || ending_;
  }
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_ || !lines_.empty(); }
  bool IsIdle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return lines_.empty() && writing_ == 0;
  }
  bool IsEnding() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_; }

  void LeaveOut() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    bytes_ -= lines_.front().size();
    lines_.pop_front();
    ++left_out_;
  }

  void Complain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const TimeUs now = HostMonotonic();
    if (IsLog() || left_out_ == said_ || now < complain_at_) return;
    spdlog::warn("{} takes lines more slowly than they come: {} were left out so far{}", Name(),
                 left_out_, is_file_ ? "; the next start writes the file anew" : "");
    said_ = left_out_;
    complain_at_ = now + kComplainEvery;
  }

  void Run() {
    BlockSigpipe();
    if (descriptor_ < 0) {
      // As long as nobody reads, this waits. O_TRUNC does nothing to a FIFO.
      descriptor_ = OpenToWrite(path_, 0);
      if (descriptor_ < 0) return Fail(errno);
    }
    while (true) {
      std::string bytes;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &Writer::HasWork));
        if (ending_) return;
        while (!lines_.empty() && bytes.size() < kWriteBytes) {
          bytes += lines_.front();
          bytes_ -= lines_.front().size();
          lines_.pop_front();
          ++writing_;
        }
      }
      if (!WriteOut(bytes)) return;
      absl::MutexLock lock(&mutex_);
      writing_ = 0;
      error_ = 0;
    }
  }

  // False when nothing can be written any more.
  bool WriteOut(std::string_view bytes) {
    while (!bytes.empty()) {
      std::size_t done = 0;
      const int error =
          path_ == "-" ? WriteToStdout(bytes, &done) : WriteAll(descriptor_, bytes, &done);
      bytes.remove_prefix(done);
      if (error == 0) continue;
      if (!is_file_) {
        Fail(error);
        return false;
      }
      absl::MutexLock lock(&mutex_);
      if (error_ != error && !IsLog()) {
        spdlog::error("cannot write {}: {}; trying again", Name(), Text(error));
      }
      error_ = error;
      if (AwaitFor(&mutex_, absl::Condition(this, &Writer::IsEnding), kRetryEvery)) {
        return false;
      }
    }
    return true;
  }

  // The reader of a pipe is gone, or there never can be one.
  void Fail(int error) {
    if (!IsLog()) spdlog::warn("nothing is written to {} any more: {}", Name(), Text(error));
    absl::MutexLock lock(&mutex_);
    error_ = error;
    left_out_ += std::exchange(writing_, 0);
    while (!ending_) {
      while (!lines_.empty()) LeaveOut();
      said_ = left_out_;
      mutex_.Await(absl::Condition(this, &Writer::HasWork));
    }
  }

  const std::string path_;
  const bool is_file_;
  int descriptor_;  // the thread's
  std::unique_ptr<DetachableThread> thread_;
  mutable absl::Mutex mutex_;
  std::deque<std::string> lines_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t writing_ ABSL_GUARDED_BY(mutex_) = 0;  // lines that the thread has taken
  int error_ ABSL_GUARDED_BY(mutex_) = 0;             // of the last write; 0: it was good
  std::int64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t said_ ABSL_GUARDED_BY(mutex_) = 0;  // of left_out_
  TimeUs complain_at_ ABSL_GUARDED_BY(mutex_) = 0;
  bool hangs_ ABSL_GUARDED_BY(mutex_) = false;  // there was no room for too long once
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

LineOutput::LineOutput(std::shared_ptr<Writer> writer) : writer_(std::move(writer)) {
  if (writer_ != nullptr) Writer::Start(writer_);
}

LineOutput::~LineOutput() { Close(absl::ZeroDuration()).IgnoreError(); }

absl::StatusOr<std::unique_ptr<LineOutput>> LineOutput::Open(const std::string& path,
                                                             std::int64_t keep) {
  if (path.empty()) return std::unique_ptr<LineOutput>(new LineOutput(nullptr));
  int descriptor = STDOUT_FILENO;
  if (path != "-") {
    struct stat status = {};
    const bool is_fifo = stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode);
    descriptor = is_fifo ? -1 : OpenToWrite(path, keep);
    if (descriptor < 0 && !is_fifo) {
      const int error = errno;
      return FileError("cannot write " + path + ": " + Text(error), error);
    }
  }
  const Writer::Target target{
      .path = path, .descriptor = descriptor, .is_file = IsFile(descriptor)};
  return std::unique_ptr<LineOutput>(new LineOutput(std::make_shared<Writer>(target)));
}

std::unique_ptr<LineOutput> LineOutput::ToStderr() {
  const Writer::Target target{
      .path = "", .descriptor = STDERR_FILENO, .is_file = IsFile(STDERR_FILENO)};
  return std::unique_ptr<LineOutput>(new LineOutput(std::make_shared<Writer>(target)));
}

void LineOutput::Write(std::string_view line) {
  if (writer_ != nullptr) writer_->Put(line, /*waits=*/false);
}

void LineOutput::Rebuild(std::string_view line) {
  if (writer_ != nullptr) writer_->Put(line, /*waits=*/true);
}

absl::Status LineOutput::Close(absl::Duration grace) {
  return writer_ == nullptr ? absl::OkStatus() : writer_->End(grace);
}

std::int64_t LineOutput::left_out() const { return writer_ == nullptr ? 0 : writer_->left_out(); }

}  // namespace tocsin
