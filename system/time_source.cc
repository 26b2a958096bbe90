#include "system/time_source.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "system/host_clock.h"

namespace tocsin {
namespace {

// Two sightings of one step may differ by this, for the clock runs on.
constexpr DurationUs kSameStep = kSecondUs;

}  // namespace

TimeSource::Reading TimeSource::HostClocks() {
  return {.monotonic = HostMonotonic(), .wall = HostWall()};
}

TimeSource::TimeSource(std::function<Reading()> host) : host_(std::move(host)) {
  const Reading now = host_();
  anchor_.store(now.wall - now.monotonic, std::memory_order_relaxed);
  observed_at_ = now.monotonic;
}

TimeSource::Reading TimeSource::Now() const {
  const TimeUs monotonic = Monotonic();
  return {.monotonic = monotonic, .wall = monotonic + anchor_.load(std::memory_order_relaxed)};
}

void TimeSource::Observe() {
  const Reading now = host_();
  const DurationUs passed = now.monotonic - std::exchange(observed_at_, now.monotonic);
  const DurationUs difference = now.wall - now.monotonic - anchor_.load(std::memory_order_relaxed);
  deviation_.store(difference, std::memory_order_relaxed);
  if (std::abs(difference) < kStepMin) {
    step_ = 0;
    Slew(difference, passed);
  } else {
    WatchStep(difference, now.monotonic);
  }
}

void TimeSource::Slew(DurationUs difference, DurationUs passed) {
  // At least a microsecond, lest many short turns never get there.
  const DurationUs most = std::max<DurationUs>(1, passed * kSlewPerMille / 1000);
  anchor_.fetch_add(std::clamp(difference, -most, most), std::memory_order_relaxed);
}

void TimeSource::WatchStep(DurationUs difference, TimeUs now) {
  if (step_ == 0 || std::abs(difference - step_) > kSameStep) {
    spdlog::warn("the host's clock has stepped by {}; followed only if it stays so",
                 FormatDuration(difference));
    step_seen_at_ = now;
  }
  step_ = difference;
  const DurationUs lasts = std::clamp(std::abs(difference) / 10, kStepLastsMin, kStepLastsMax);
  if (now - step_seen_at_ < lasts) return;
  anchor_.fetch_add(difference, std::memory_order_relaxed);
  steps_.fetch_add(1, std::memory_order_relaxed);
  deviation_.store(0, std::memory_order_relaxed);
  step_ = 0;
  spdlog::warn("following the host's clock by {}: it has stayed so for {}",
               FormatDuration(difference), FormatDuration(lasts));
}

}  // namespace tocsin
