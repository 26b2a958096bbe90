// What the detectors of the shipped profiles know of when a fault began, and when they tell.
//
//   std::vector<OnsetSample> samples = SampleOnsets(quality_case, rule, {.rate = 100, …});
//
// A trial warms a series of bench/quality's traffic up, without gaps and lag, injects the fault at
// a random point of a pane, and waits for the signal. Pure functions of their arguments.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/quality_cases.h"

namespace tocsin {

// Times since the fault began.
struct OnsetSample {
  DurationUs earliest = 0, latest = 0;  // of the interval
  DurationUs fired = 0;                 // the tick
};

struct OnsetOptions {
  double rate = 0;  // a minute
  std::uint64_t seed = 0;
  int trials = 30;
};

// Fewer than `trials` where some did not fire.
std::vector<OnsetSample> SampleOnsets(const QualityCase& quality_case, const QualityRule& rule,
                                      double strength, const OnsetOptions& options);

}  // namespace tocsin
