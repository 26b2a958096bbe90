// leak: memory that only ever grows, and when it will be gone.
//
//   kind: leak
//   where: {type: metric, name: memory_utilization}   # the default type
//   by: [service, host]
//   unit: percent                                     # or ratio (of `limit` or `max`), the default
//   warn: {left: 6h, level: 3}
//   critical: {left: 30m, at_least: 80%, level: 2}
//
// The rule is forecast.h's: the trend counts, not the level, so that a stable 90 % and a garbage
// collector's saw-tooth say nothing, and a restart begins anew. That memory has run out is told by
// kind burst from the log.
#include "detectors/forecast.h"

namespace tocsin {

std::unique_ptr<Detector> NewLeak(const DetectorConfig& stanza,
                                  const DetectorEnvironment& environment, ErrorList* errors) {
  return ReadForecast(stanza, environment, "leaks", errors);
}

}  // namespace tocsin
