// A rule over the share of failed events, shared by error_rate, success_ratio and crash_rate.
//
//   DetectorCommon common = ReadCommon(…);        // levels in the kind's own unit, see below
//   return NewFailureRatio(std::move(common), environment, {.noun = "error rate", …});
//
// A level needs evidence against the learned share of failures (ratio_evidence.h), the same for all
// levels, and a rate above its absolute limit (ratio_level.h). Works from the first pane: until the
// baseline is warm p0 is 0.2 %. Evidence is forgotten when the failures are over: when the last
// minute, or a longer stretch of the last ten minutes, has no more failures than usual, although it
// would have had eight at the rate of the rest of the ten minutes.
//
// A share above a fifth is never taken as usual. Learning does not depend on what fires, so that it
// is the same for all thresholds: a share with evidence of more than twice the usual is not
// learned; before the baseline is warm, a share with evidence of more than a quarter is not. The
// evidence lists the top values of `top_fields` among the failures, counted while there is any
// evidence.
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
  EventType type = EventType::kRequest;  // if `where` names none
  std::string noun;                      // "error rate": begins the title
  // The rule is about successes: it holds below the share `above` of successes, and clears at the
  // share `clear`.
  bool of_successes = false;
  std::vector<Field> top_fields;  // fields in `by` are left out
  // Counts events whose field has this value instead of failures.
  std::optional<std::pair<FieldRef, std::string>> counted;
  std::optional<double> p0;  // fixes the usual share of failures
};

std::unique_ptr<Detector> NewFailureRatio(DetectorCommon common,
                                          const DetectorEnvironment& environment,
                                          FailureRatio ratio);

}  // namespace tocsin
