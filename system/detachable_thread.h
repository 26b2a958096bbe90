// A thread whose work may hang in the kernel for good: in open() of a FIFO, in write() to a pipe
// that nobody reads, on a mount that is gone.
//
//   DetachableThread thread([state] { … });   // owns what it uses: it may outlive this object
//   thread.End(absl::Milliseconds(200));      // after it was told to end
//
// End waits for so long and then leaves the thread behind; it ends with the process.
#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "system/await_for.h"

namespace tocsin {

class DetachableThread {
 public:
  explicit DetachableThread(std::function<void()> work)
      : ended_(std::make_shared<absl::Notification>()),
        thread_([work = std::move(work), ended = ended_] {
          work();
          ended->Notify();
        }) {}
  ~DetachableThread() { End(absl::ZeroDuration()); }
  DetachableThread(const DetachableThread&) = delete;
  DetachableThread& operator=(const DetachableThread&) = delete;

  // Whether the thread has ended.
  bool End(absl::Duration wait) {
    if (!thread_.joinable()) return true;
    PollPauses pauses(wait);
    while (!ended_->HasBeenNotified() && pauses.Sleep()) {
    }
    const bool ended = ended_->HasBeenNotified();
    if (ended) {
      thread_.join();
    } else {
      thread_.detach();
    }
    return ended;
  }

 private:
  std::shared_ptr<absl::Notification> ended_;  // the thread's, too
  std::thread thread_;
};

}  // namespace tocsin
