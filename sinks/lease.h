// Whether this process may still speak for what it took over.
//
//   Lease lease(session_timeout);
//   lease.Renewed(asked_at);                       // the coordinator answered what was asked then
//   if (lease.Covers(now, request.timeout)) …      // the last look before a request leaves
//
// The coordinator gives a share of the work to another process when it has not heard of its owner
// for the session timeout. Until then a request must have ended, hence: the time since the last good
// heartbeat < session timeout − the request's timeout − 1 s, which is for clocks that run unlike
// (by less than a hundredth in a minute). Without a session timeout the lease has no end: one
// machine, where the lock on the state directory ends with its process. `now` is monotonic.
// Thread-safe.
#pragma once

#include <atomic>

#include "core/time.h"

namespace tocsin {

class Lease {
 public:
  Lease() = default;
  explicit Lease(DurationUs session_timeout) : session_timeout_(session_timeout) {}

  // `asked_at` is when the heartbeat was sent: the coordinator heard of it no earlier.
  void Renewed(TimeUs asked_at) { renewed_ = asked_at; }
  bool Covers(TimeUs now, DurationUs timeout) const {
    if (session_timeout_ == 0) return true;
    const TimeUs renewed = renewed_;
    return renewed != kNoTime && now - renewed < session_timeout_ - timeout - kSecondUs;
  }

 private:
  const DurationUs session_timeout_ = 0;
  std::atomic<TimeUs> renewed_ = kNoTime;
};

}  // namespace tocsin
