#include "transport/local_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <deque>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "system/detachable_thread.h"
#include "system/host_clock.h"
#include "system/write_all.h"

namespace tocsin {
namespace {

// A thread that does not hang ends in far less.
constexpr absl::Duration kEndWait = absl::Milliseconds(200);

SinkReply Written() {
  SinkReply reply;
  reply.status = 200;
  return reply;
}

SinkReply Failed(const std::string& error) {
  SinkReply reply;
  reply.error = error;
  return reply;
}

SinkReply Failed(const std::string& what, int error) {
  return Failed(absl::StrCat(what, ": ", std::generic_category().message(error)));
}

}  // namespace

// Shared with its thread, which may outlive everything else when it hangs.
class LocalOutput::Target {
 public:
  Target(std::string path, std::function<void()> wakeup)
      : path_(std::move(path)), wakeup_(std::move(wakeup)) {}

  static std::shared_ptr<Target> Start(const std::string& path, std::function<void()> wakeup) {
    auto target = std::make_shared<Target>(path, std::move(wakeup));
    target->thread_ = std::make_unique<DetachableThread>([target] { target->Run(); });
    return target;
  }

  void Send(const Hash128& id, SinkRequest request) {
    absl::MutexLock lock(&mutex_);
    if (waiting_.size() >= kLinesMax) {
      replies_.push_back({id, Failed(absl::StrCat(Name(), ": too many lines wait"))});
      return wakeup_();
    }
    waiting_.push_back({.id = id,
                        .line = std::move(request.body),
                        .timeout = request.timeout,
                        .deadline = HostMonotonic() + request.timeout});
  }

  void Collect(std::vector<HttpClient::Reply>* replies) {
    absl::MutexLock lock(&mutex_);
    for (HttpClient::Reply& reply : std::exchange(replies_, {})) {
      replies->push_back(std::move(reply));
    }
    const TimeUs now = HostMonotonic();
    if (writing_ && writing_->deadline <= now) {
      replies->push_back({writing_->id, TooSlow(*writing_)});
      writing_.reset();
    }
    while (!waiting_.empty() && waiting_.front().deadline <= now) {
      replies->push_back({waiting_.front().id, TooSlow(waiting_.front())});
      waiting_.pop_front();
    }
  }

  TimeUs NextDeadline() const {
    absl::MutexLock lock(&mutex_);
    TimeUs next = waiting_.empty() ? INT64_MAX : waiting_.front().deadline;
    if (writing_) next = std::min(next, writing_->deadline);
    return next;
  }

  void End() {
    {
      absl::MutexLock lock(&mutex_);
      ending_ = true;
      waiting_.clear();
      writing_.reset();
    }
    thread_->End(kEndWait);
    // It holds a reference to this.
    thread_.reset();
  }

 private:
  struct Line {
    Hash128 id;
    std::string line;
    DurationUs timeout = 0;
    TimeUs deadline = 0;
  };

  std::string Name() const { return path_.empty() ? "standard output" : path_; }
  SinkReply TooSlow(const Line& line) const {
    return Failed(absl::StrCat(Name(), ": a line was not taken within ",
                               FormatDuration(line.timeout), ": does anybody read it?"));
  }

  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ending_ || !waiting_.empty();
  }

  void Run() {
    BlockSigpipe();
    while (true) {
      Line line;
      {
        absl::MutexLock lock(&mutex_);
        mutex_.Await(absl::Condition(this, &Target::HasWork));
        if (ending_) return;
        line = std::move(waiting_.front());
        waiting_.pop_front();
        writing_ = {.id = line.id, .line = "", .timeout = line.timeout, .deadline = line.deadline};
      }
      SinkReply reply = path_.empty() ? WriteStdout(std::move(line.line))
                                      : AppendLine(path_, std::move(line.line));
      absl::MutexLock lock(&mutex_);
      // Answered already when it took too long.
      if (!writing_) continue;
      replies_.push_back({writing_->id, std::move(reply)});
      writing_.reset();
      // Whom that wakes is there until End.
      if (!ending_) wakeup_();
    }
  }

  const std::string path_;
  const std::function<void()> wakeup_;
  std::unique_ptr<DetachableThread> thread_;
  mutable absl::Mutex mutex_;
  std::deque<Line> waiting_ ABSL_GUARDED_BY(mutex_);
  std::optional<Line> writing_ ABSL_GUARDED_BY(mutex_);
  std::vector<HttpClient::Reply> replies_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

LocalOutput::LocalOutput(std::function<void()> wakeup) : wakeup_(std::move(wakeup)) {}

LocalOutput::~LocalOutput() { CancelAll(); }

void LocalOutput::Send(const Hash128& id, SinkRequest request) {
  const std::string path = request.kind == SinkRequest::Kind::kStdout ? std::string() : request.url;
  std::shared_ptr<Target>& target = targets_[path];
  if (target == nullptr) target = Target::Start(path, wakeup_);
  target->Send(id, std::move(request));
}

void LocalOutput::Collect(std::vector<HttpClient::Reply>* replies) {
  for (const auto& [path, target] : targets_) target->Collect(replies);
}

TimeUs LocalOutput::NextDeadline() const {
  TimeUs next = INT64_MAX;
  for (const auto& [path, target] : targets_) next = std::min(next, target->NextDeadline());
  return next;
}

void LocalOutput::CancelAll() {
  for (const auto& [path, target] : std::exchange(targets_, {})) target->End();
}

SinkReply WriteStdout(std::string line) {
  line.push_back('\n');
  std::size_t done = 0;
  const int error = WriteToStdout(line, &done);
  return error == 0 ? Written() : Failed("standard output", error);
}

SinkReply AppendLine(const std::string& path, std::string line) {
  line.push_back('\n');
  const int file = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
  if (file < 0) return Failed("cannot append to " + path, errno);
  const absl::Cleanup close_file = [file] { close(file); };
  struct stat before = {};
  if (fstat(file, &before) != 0) return Failed("cannot append to " + path, errno);
  std::size_t done = 0;
  int error = WriteAll(file, line, &done);
  // Pipes and devices keep nothing that could be made durable.
  if (error == 0 && fdatasync(file) != 0 && errno != EINVAL && errno != EROFS) error = errno;
  if (error == 0) return Written();
  if (done > 0 && S_ISREG(before.st_mode) && ftruncate(file, before.st_size) != 0) {
    return Failed("cannot take back half a line of " + path, errno);
  }
  return Failed("cannot append to " + path, error);
}

}  // namespace tocsin
