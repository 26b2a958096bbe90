// exhaustion: a disk that fills up or a replica that falls behind, and when the limit is reached.
//
//   kind: exhaustion
//   where: {type: metric, name: disk_utilization}     # the default type
//   by: [host]
//   unit: percent                                     # or ratio (of `limit` or `max`), the default
//   warn: {left: 6h, level: 3}
//   critical: {left: 30m, at_least: 80%, level: 2}
//
//   kind: exhaustion
//   where: {type: metric, name: replication_lag}      # in seconds
//   max: 300                                          # what must not be reached
//   critical: {left: 30m, at_least: 20%}
//
// See forecast.h for the rule. Use kind saturation for a level that is too high already.
#include "detectors/forecast.h"

namespace tocsin {

std::unique_ptr<Detector> NewExhaustion(const DetectorConfig& stanza,
                                        const DetectorEnvironment& environment, ErrorList* errors) {
  return ReadForecast(stanza, environment, "fills up", errors);
}

}  // namespace tocsin
