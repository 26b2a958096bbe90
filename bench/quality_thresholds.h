// What thresholds of error_rate from 0.1 to 50 % make of the same traffic: how often each pages in
// quiet years, and which of the injected incidents it catches, and how soon.
//
//   std::vector<ThresholdTally> tallies = RunThresholds({.per_minute = 100, .seed = 7});
//
// Two rules a threshold: `for: 0s, window: 2m`, which has nothing but its evidence against chance,
// sees traffic without blips and restarts; `for: 5m, window: 5m` sees both. The share that fails
// has a day of its own, half as much at night as at noon. Incidents last 5 to 20 min and fail a
// share of 13 % to all. Pure functions of their arguments.
#pragma once

#include <cstdint>
#include <vector>

#include "core/time.h"

namespace tocsin {

struct ThresholdTraffic {
  double per_minute = 100;
  std::uint64_t seed = 0;
  int weeks = 52;       // of quiet
  int incidents = 100;  // after the first of these weeks
};

struct ThresholdTally {
  double above = 0;
  std::int64_t pages = 0, pages_with_for = 0;  // of quiet weeks
  std::vector<DurationUs> took;  // until the incidents that were caught fired, without `for`
};

// One for each threshold, the lowest first.
std::vector<ThresholdTally> RunThresholds(const ThresholdTraffic& traffic);

}  // namespace tocsin
