// What the detectors make of little traffic: where a plain rate would page all day.
//
//   std::int64_t pages = PagesInWeeks(rule, {.per_minute = 10, .share = 0.002}, 52);
//
// Pure functions of their arguments.
#pragma once

#include <cstdint>
#include <optional>

#include "bench/quality_cases.h"

namespace tocsin {

struct ThinTraffic {
  EventType type = EventType::kRequest;
  double per_minute = 10;  // Poisson, at every hour
  double share = 0.002;    // fails, at random
  std::uint64_t seed = 0;
};

std::int64_t PagesInWeeks(const QualityRule& rule, const ThinTraffic& traffic, int weeks);

// Pages after one failure among two requests: at once on a new series and, `warm_days` later, on
// one that had ten requests a minute.
std::int64_t PagesOfOneInTwo(const QualityRule& rule, const ThinTraffic& traffic, int warm_days);

// From the moment at which all fail, after a week; nullopt: not within an hour.
std::optional<DurationUs> TimeToPageOutage(const QualityRule& rule, const ThinTraffic& traffic);

}  // namespace tocsin
