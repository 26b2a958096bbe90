// What a gauge's value means: a share of its limit, percent, or a number of its own.
//
//   const GaugeScale scale = ReadGaugeScale({"ratio", "percent"}, &reader);   // unit, max
//   double level = scale.Level(value, gauge);     // NaN where it can be no level
//
// Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/node.h"
#include "panes/pane_table.h"

namespace tocsin {

struct GaugeScale {
  enum class Unit { kRatio, kPercent, kAbsolute };
  Unit unit = Unit::kRatio;
  std::optional<double> max;  // where samples carry no limit

  // 0: none.
  double LimitOf(const GaugeValue& gauge) const { return max.value_or(gauge.limit.value_or(0)); }
  // 1 is full, where the unit is not absolute. A share of nothing, a negative one, and more than a
  // thousand times full (a lag may be long; bytes of a limit in megabytes are no lag) are none: NaN.
  double Level(double value, const GaugeValue& gauge) const;
};

// The stanza's `unit`, one of `units` (the first is the default), and `max`.
GaugeScale ReadGaugeScale(const std::vector<std::string>& units, ConfigReader* reader);

}  // namespace tocsin
