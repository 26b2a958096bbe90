// A rule over the trend of a gauge, shared by leak and exhaustion.
//
//   return ReadForecast(stanza, environment, "leaks", errors);
//
// A level holds while the gauge rises (trend.h), will be full within `left`, and is at `at_least`
// or above already; it clears when the gauge stops rising, or rises so slowly that twice `left`
// remains. A level's `above` is `left` in seconds. The evidence gives the slope with its bounds,
// the time left and the number of restarts.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "detectors/detector.h"
#include "detectors/gauge_scale.h"

namespace tocsin {

struct Forecast {
  std::string verb;  // "leaks", "fills up": the title is "<series> leaks: full in about 24m"
  GaugeScale scale;
  std::array<double, 2> at_least = {0, 0};
};

// Reads unit, max, and for each level left and at_least, and builds the detector.
std::unique_ptr<Detector> ReadForecast(const DetectorConfig& stanza,
                                       const DetectorEnvironment& environment, std::string verb,
                                       ErrorList* errors);

}  // namespace tocsin
