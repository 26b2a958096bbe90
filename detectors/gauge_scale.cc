#include "detectors/gauge_scale.h"

#include <limits>

namespace tocsin {
namespace {

constexpr double kShareMax = 1000;

}  // namespace

double GaugeScale::Level(double value, const GaugeValue& gauge) const {
  if (unit == Unit::kAbsolute) return value;
  const double full = unit == Unit::kPercent ? 100 : LimitOf(gauge);
  const bool possible = full > 0 && value >= 0 && value / full <= kShareMax;
  return possible ? value / full : std::numeric_limits<double>::quiet_NaN();
}

GaugeScale ReadGaugeScale(const std::vector<std::string>& units, ConfigReader* reader) {
  const std::string name = reader->Choice("unit", units, units.front());
  GaugeScale scale;
  scale.unit = name == "percent"    ? GaugeScale::Unit::kPercent
               : name == "absolute" ? GaugeScale::Unit::kAbsolute
                                    : GaugeScale::Unit::kRatio;
  scale.max = reader->OptionalNumber("max", 1e-9, 1e18);
  if (scale.max && scale.unit != GaugeScale::Unit::kRatio && reader->Sound("unit")) {
    reader->Error("max", "max requires unit: ratio");
  }
  return scale;
}

}  // namespace tocsin
