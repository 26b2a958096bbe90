// The limits that apply to a sink as a whole: its pace, its requests in flight, and its back-off.
//
//   SinkRateLimit rate_limit;
//   if (!rate_limit.Admits(now)) return;
//   const bool probe = rate_limit.Begin(now, sink.pace());   // a request is sent
//   rate_limit.End(probe);                                   // its reply is here
//   rate_limit.OnTaken();        // the receiver accepted or refused it: the sink is healthy
//   rate_limit.OnFailed({.probe = probe, .others_wait = true, .draw = random}, now);
//
// A sink is failing from its first failure until it takes a request. While it is failing, one
// request at a time, a probe, tests whether it has recovered. Between rounds of probes there is a
// jittered exponential back-off of 1 s to 18 s, so waiting deliveries leave within 18 s of the
// recovery and of the end of the probe in flight. A round has two probes when more than one
// delivery waits, so that a delivery which the receiver cannot process is not mistaken for an
// outage. Retry-After is honoured up to an hour with a 429, and up to five minutes with any other
// status, where it only guesses when the outage ends. Pure: `now` is monotonic microseconds, random
// bits are passed in. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/time.h"

namespace tocsin {

// Doubles from 1 s up to 12 s with the number of failures in a row (≥ 1).
DurationUs SinkBackoff(int failures);
// Up to half of the back-off, from random bits, so that requests that failed together are not
// retried together.
DurationUs SinkBackoffJitter(DurationUs backoff, std::uint64_t draw);

class SinkRateLimit {
 public:
  // A storm of incidents must not open a connection for each: receivers limit those.
  static constexpr std::size_t kRequestsMax = 8;
  static constexpr TimeUs kNever = INT64_MAX;

  // Whether a request may be sent now.
  bool Admits(TimeUs now) const { return OpensAt() <= now; }
  // The earliest time for the next request; kNever while a reply has to arrive first.
  TimeUs OpensAt() const;
  // Whether the next request is the second probe of a round.
  bool asks_again() const { return failures_ > 0 && asked_ > 0; }
  bool fails() const { return failures_ > 0; }
  // The number of requests that the receiver took since the start.
  std::uint64_t taken() const { return taken_; }

  // Returns whether this request is a probe. REQUIRES: Admits(now).
  bool Begin(TimeUs now, DurationUs pace);
  void End(bool probe);
  // Returns whether this ended an outage.
  bool OnTaken();
  struct Failure {
    bool probe = false;
    bool too_many = false;     // a 429: every request waits for as long as the receiver asks
    DurationUs asked = 0;      // Retry-After
    bool others_wait = false;  // other deliveries wait for this sink
    std::uint64_t draw = 0;    // random bits
  };
  void OnFailed(const Failure& failure, TimeUs now);
  // The part of a Retry-After that is honoured.
  static DurationUs Believed(const Failure& failure);

 private:
  TimeUs opens_ = 0;     // set by the pace and by a 429
  TimeUs probe_at_ = 0;  // used while it is failing
  int failures_ = 0;     // failed rounds in a row; 0: it is healthy
  int asked_ = 0;        // failed probes of this round
  bool probing_ = false;
  std::size_t in_flight_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace tocsin
