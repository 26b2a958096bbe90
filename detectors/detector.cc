#include "detectors/detector.h"

#include <algorithm>

#include "core/labels.h"
#include "core/math.h"
#include "detectors/statistics/drift.h"

namespace tocsin {
namespace {

constexpr double kLn10 = 2.302585092994046;
// Below 1 a single event would be enough evidence, whatever the budget.
constexpr double kEvidenceMin = 1;

}  // namespace

bool Detector::Drifts(const Labels& series) const {
  if (common_.drift != Drift::kByName) return common_.drift == Drift::kAlways;
  const std::string_view name = LabelValue(series, "name");
  if (!name.empty()) return NamesDrift(name);
  const std::vector<std::string> wanted =
      common_.where.Wanted({.kind = FieldRef::Kind::kField, .field = Field::kName, .label = {}});
  return wanted.empty() ? NamesDrift(common_.name)
                        : std::any_of(wanted.begin(), wanted.end(), NamesDrift);
}

double DetectorEnvironment::EvidenceThreshold() const {
  const double looks = static_cast<double>(kWeekUs) / static_cast<double>(pane);
  const double series = static_cast<double>(std::max<std::int64_t>(1, series_expected));
  return std::max(kEvidenceMin, Log(looks * series / false_pages_per_series_week));
}

double EnoughEvidence(double h, const PaneContext& pane) {
  return std::max(kEvidenceMin, pane.recent_deploy ? h - kLn10 : h);
}

}  // namespace tocsin
