#include "detectors/detector.h"

#include <algorithm>

#include "core/math.h"

namespace tocsin {
namespace {

constexpr double kLn10 = 2.302585092994046;
// Below 1 a single event would be evidence enough, whatever the budget.
constexpr double kEvidenceMin = 1;

}  // namespace

double DetectorEnvironment::EvidenceThreshold() const {
  const double looks = static_cast<double>(kWeekUs) / static_cast<double>(pane);
  const double series = static_cast<double>(std::max<std::int64_t>(1, series_expected));
  return std::max(kEvidenceMin, Log(looks * series / false_pages_per_series_week));
}

double EnoughEvidence(double h, const PaneContext& pane) {
  return std::max(kEvidenceMin, pane.recent_deploy ? h - kLn10 : h);
}

}  // namespace tocsin
