#include "detectors/detector.h"

#include <algorithm>

#include "core/math.h"

namespace tocsin {

double DetectorEnvironment::EvidenceThreshold() const {
  const double looks = static_cast<double>(kWeekUs) / static_cast<double>(pane);
  const double series = static_cast<double>(std::max<std::int64_t>(1, series_expected));
  // Below 1 a single event would be evidence enough, whatever the budget.
  return std::max(1.0, Log(looks * series / false_pages_per_series_week));
}

}  // namespace tocsin
