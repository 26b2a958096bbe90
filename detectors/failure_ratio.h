// A rule over the share of failed events: what error_rate, success_ratio and crash_rate have in
// common.
//
//   DetectorCommon common = ReadCommon(…);        // levels in the kind's own unit, see below
//   return NewFailureRatio(std::move(common), environment, {.noun = "error rate", …});
//
// Evidence against the learned share of failures (ratio_evidence.h), the same for all levels, and an
// absolute guard for each (ratio_level.h). Evidence of what is over is forgotten: when the last
// minute, or as much more as it takes, has no more failures than usual, where the rest of the last
// ten minutes would have had eight. Works from the first pane: until the baseline is warm p0 is
// 0.2 %. No more than a fifth is ever taken as usual. What is learned does not depend on what fires,
// so that it is the same for all thresholds: a share that is evidently more than twice the usual is
// not learned, and one of more than a quarter not even at the beginning. The evidence names the top
// values of `top_fields` among the failures, counted while there is any evidence.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/event.h"
#include "detectors/detector.h"

namespace tocsin {

struct FailureRatio {
  EventType type = EventType::kRequest;  // where `where` names none
  std::string noun;                      // "error rate": begins the title
  // Speaks of successes: a level's `above` is the share of them below which it holds, and `clear`
  // the share from which it clears.
  bool of_successes = false;
  std::vector<Field> top_fields;  // those in `by` are left out
  // What counts instead of failures: events whose field has this value.
  std::optional<std::pair<FieldRef, std::string>> counted;
  std::optional<double> p0;  // fixes the usual share of failures
};

std::unique_ptr<Detector> NewFailureRatio(DetectorCommon common,
                                          const DetectorEnvironment& environment,
                                          FailureRatio ratio);

}  // namespace tocsin
