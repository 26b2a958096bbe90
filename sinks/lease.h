// Whether this process still holds the lease for its partitions.
//
//   Lease lease(session_timeout);
//   lease.Renewed(asked_at);                       // the coordinator answered this heartbeat
//   if (lease.Covers(now, request.timeout)) …      // the last check before a request is sent
//
// The coordinator reassigns partitions to another process when it has not heard from their owner
// for the session timeout. A request must have ended by then, so a lease covers a request only if
// the time since the last answered heartbeat < session timeout − the request's timeout − 1 s. The
// second allows for clock drift (below 1 % over a minute). Without a session timeout the lease
// never expires: on a single machine the lock on the state directory ends with its process. `now`
// is monotonic. Thread-safe.
#pragma once

#include <atomic>

#include "core/time.h"

namespace tocsin {

class Lease {
 public:
  Lease() = default;
  explicit Lease(DurationUs session_timeout) : session_timeout_(session_timeout) {}

  // `asked_at` is when the heartbeat was sent: the coordinator cannot have received it earlier.
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
