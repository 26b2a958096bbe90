// Waits that last as long as they say, whatever the wall clock does.
//
//   absl::MutexLock lock(&mutex_);
//   if (!AwaitFor(&mutex_, absl::Condition(&done_), absl::Seconds(2))) …    // not in time
//
// The timeouts of abseil 20220623 (Mutex::AwaitWithTimeout,
// Notification::WaitForNotificationWithTimeout) become a time of the wall clock, until which the
// kernel waits (FUTEX_CLOCK_REALTIME): a clock that is set back by an hour meanwhile makes a wait
// of a second last an hour. These here sleep, which is relative, for a tenth of what they have
// waited so far, at most kPollMax, and look again.
#pragma once

#include <algorithm>
#include <chrono>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace tocsin {

// The pauses between two looks at whatever is waited for. Of one thread.
class PollPauses {
 public:
  static constexpr absl::Duration kPollMin = absl::Microseconds(50);
  static constexpr absl::Duration kPollMax = absl::Milliseconds(20);

  explicit PollPauses(absl::Duration timeout) : timeout_(timeout) {}

  // False, at once, when the time is up.
  bool Sleep() {
    const absl::Duration waited = absl::FromChrono(std::chrono::steady_clock::now() - begun_);
    if (waited >= timeout_) return false;
    const absl::Duration pause = std::clamp(waited / 10, kPollMin, kPollMax);
    absl::SleepFor(std::min(pause, timeout_ - waited));
    return true;
  }

 private:
  const std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
  const absl::Duration timeout_;
};

// Whether the condition holds, which is waited for at most so long. The mutex is free meanwhile.
inline bool AwaitFor(absl::Mutex* mutex, const absl::Condition& condition, absl::Duration timeout)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) {
  PollPauses pauses(timeout);
  while (!condition.Eval()) {
    mutex->Unlock();
    const bool in_time = pauses.Sleep();
    mutex->Lock();
    if (!in_time) return condition.Eval();
  }
  return true;
}

}  // namespace tocsin
