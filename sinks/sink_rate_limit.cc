#include "sinks/sink_rate_limit.h"

#include <algorithm>

#include "core/check.h"

namespace tocsin {
namespace {

constexpr DurationUs kBackoffFirst = kSecondUs;
// With the jitter at most 18 s, and with a request that takes its full 10 s below 30 s: the longest
// that a delivery waits after its sink has recovered.
constexpr DurationUs kBackoffLast = 12 * kSecondUs;
constexpr int kProbesPerRound = 2;
// A receiver that asks for more has a wrong clock; a page must not wait for a day because of it.
constexpr DurationUs kTooManyMax = kHourUs;
constexpr DurationUs kOutageMax = 5 * kMinuteUs;

}  // namespace

DurationUs SinkBackoff(int failures) {
  const int doublings = std::clamp(failures - 1, 0, 4);  // 2^4 s is past the last
  return std::min(kBackoffFirst << doublings, kBackoffLast);
}

DurationUs SinkBackoffJitter(DurationUs backoff, std::uint64_t draw) {
  return static_cast<DurationUs>(draw % static_cast<std::uint64_t>(backoff / 2 + 1));
}

TimeUs SinkRateLimit::OpensAt() const {
  if (failures_ > 0) return probing_ ? kNever : std::max(opens_, probe_at_);
  return in_flight_ < kRequestsMax ? opens_ : kNever;
}

bool SinkRateLimit::Begin(TimeUs now, DurationUs pace) {
  opens_ = now + pace;
  ++in_flight_;
  if (failures_ == 0) return false;
  probing_ = true;
  return true;
}

void SinkRateLimit::End(bool probe) {
  TOCSIN_CHECK(in_flight_ > 0);
  --in_flight_;
  if (probe) probing_ = false;
}

bool SinkRateLimit::OnTaken() {
  ++taken_;
  const bool failed = failures_ > 0;
  failures_ = asked_ = 0;
  return failed;
}

DurationUs SinkRateLimit::Believed(const Failure& failure) {
  return std::clamp<DurationUs>(failure.asked, 0, failure.too_many ? kTooManyMax : kOutageMax);
}

void SinkRateLimit::OnFailed(const Failure& failure, TimeUs now) {
  const DurationUs asked = Believed(failure);
  if (failures_ > 0 && !failure.probe) {
    // It was sent before the outage was known, so only its Retry-After is new information.
    probe_at_ = std::max(probe_at_, now + asked);
    if (failure.too_many) opens_ = std::max(opens_, now + asked);
    return;
  }
  if (failures_ > 0 && !failure.too_many && asked == 0 && failure.others_wait &&
      ++asked_ < kProbesPerRound) {
    return;
  }
  asked_ = 0;
  const DurationUs backoff = SinkBackoff(++failures_);
  const DurationUs wait = std::max(backoff, asked);
  probe_at_ = now + wait + SinkBackoffJitter(backoff, failure.draw);
  if (failure.too_many) opens_ = std::max(opens_, now + wait);
}

}  // namespace tocsin
