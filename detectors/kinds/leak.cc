// leak: memory that only ever grows, and when it will be exhausted.
//
//   kind: leak
//   where: {type: metric, name: memory_utilization}   # the default type
//   by: [service, host]
//   unit: percent                                     # or ratio (of `limit` or `max`), the default
//   warn: {left: 6h, level: 3}
//   critical: {left: 30m, at_least: 80%, level: 2}
//
// See forecast.h for the rule. The trend counts, not the level, so that a stable 90 % and a garbage
// collector's saw-tooth do not fire, and a restart starts the trend again. Use kind burst on the
// log to detect that memory has run out.
#include "detectors/forecast.h"

namespace tocsin {

std::unique_ptr<Detector> NewLeak(const DetectorConfig& stanza,
                                  const DetectorEnvironment& environment, ErrorList* errors) {
  return ReadForecast(stanza, environment, "leaks", errors);
}

}  // namespace tocsin
