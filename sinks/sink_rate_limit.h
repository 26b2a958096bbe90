// What holds a sink as a whole: its pace, how many requests it is sent at once, and its back-off.
//
//   SinkRateLimit rate_limit;
//   if (rate_limit.Admits(now)) const bool probe = rate_limit.Begin(now, sink.pace());   // a request leaves
//   rate_limit.End(probe);                                                         // it is back
//   rate_limit.OnTaken();        // the receiver took or refused it: it is well
//   rate_limit.OnFailed({.probe = probe, .others_wait = true, .draw = random}, now);
//
// A sink fails from its first failure until it takes something. While it fails, one request at a
// time asks whether it is well again: a probe. Rounds of probes are apart by a jittered exponential
// back-off of 1 s to 18 s, so that whatever waits leaves within 18 s of the recovery and of the end
// of the probe that was on its way. A round has two probes where more than one delivery waits: a
// delivery that its receiver cannot digest must not pass for an outage. Retry-After is believed up
// to an hour with a 429, and up to five minutes with anything else, which is a guess at an outage's
// end. Pure: `now` is monotonic microseconds, randomness is given. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace tocsin {

// Doubles from 1 s to 12 s with the failures in a row (≥ 1).
DurationUs SinkBackoff(int failures);
// Up to half of it, from random bits: those that failed together do not come back together.
DurationUs SinkBackoffJitter(DurationUs backoff, std::uint64_t draw);

class SinkRateLimit {
 public:
  // A storm of incidents must not open a connection for each: receivers limit those.
  static constexpr std::size_t kRequestsMax = 8;
  static constexpr TimeUs kNever = INT64_MAX;

  // Whether a request may leave now.
  bool Admits(TimeUs now) const { return OpensAt() <= now; }
  // When one may leave at the earliest; kNever where a request has to come back first.
  TimeUs OpensAt() const;
  // Whether what leaves next is the second probe of a round.
  bool asks_again() const { return failures_ > 0 && asked_ > 0; }
  bool fails() const { return failures_ > 0; }
  // How many requests it took, ever.
  std::uint64_t taken() const { return taken_; }

  // REQUIRES: Admits(now). Whether this request is a probe.
  bool Begin(TimeUs now, DurationUs pace);
  void End(bool probe);
  // True when that ended an outage.
  bool OnTaken();
  struct Failure {
    bool probe = false;
    bool too_many = false;     // a 429: it is well, and holds everything for as long as it asks
    DurationUs asked = 0;      // Retry-After
    bool others_wait = false;  // for this sink
    std::uint64_t draw = 0;    // random bits
  };
  void OnFailed(const Failure& failure, TimeUs now);
  // What is believed of a Retry-After.
  static DurationUs Believed(const Failure& failure);

 private:
  TimeUs opens_ = 0;     // by its pace, and by a 429
  TimeUs probe_at_ = 0;  // while it fails
  int failures_ = 0;     // rounds in a row; 0: it is well
  int asked_ = 0;        // probes of this round that failed
  bool probing_ = false;
  std::size_t in_flight_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace tocsin
