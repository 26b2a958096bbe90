#include "detectors/gauge_scale.h"

#include <limits>

namespace tocsin {

double GaugeScale::Level(double value, const GaugeValue& gauge) const {
  if (unit == Unit::kAbsolute) return value;
  if (unit == Unit::kPercent) return value / 100;
  const double limit = LimitOf(gauge);
  return limit > 0 ? value / limit : std::numeric_limits<double>::quiet_NaN();
}

GaugeScale ReadGaugeScale(const std::vector<std::string>& units, ConfigReader* reader) {
  const std::string name = reader->Choice("unit", units, units.front());
  GaugeScale scale;
  scale.unit = name == "percent"    ? GaugeScale::Unit::kPercent
               : name == "absolute" ? GaugeScale::Unit::kAbsolute
                                    : GaugeScale::Unit::kRatio;
  scale.max = reader->OptionalNumber("max", 1e-9, 1e18);
  if (scale.max && scale.unit != GaugeScale::Unit::kRatio) {
    reader->Error("max", "max goes with unit: ratio");
  }
  return scale;
}

}  // namespace tocsin
