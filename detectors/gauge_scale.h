// How to read a gauge's value: as a share of its limit, as percent, or as an absolute number.
//
//   const GaugeScale scale = ReadGaugeScale({"ratio", "percent"}, &reader);   // unit, max
//   double level = scale.Level(value, gauge);     // NaN if the value is not plausible
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
  std::optional<double> max;  // if samples carry no limit

  // 0: no limit.
  double LimitOf(const GaugeValue& gauge) const { return max.value_or(gauge.limit.value_or(0)); }
  // The level of a value; 1 is full unless the unit is absolute. NaN for a share without a limit, a
  // negative share, and more than a thousand times full (a lag may exceed its limit by far; bytes
  // compared with a limit in megabytes are an error).
  double Level(double value, const GaugeValue& gauge) const;
};

// The stanza's `unit`, one of `units` (the first is the default), and `max`.
GaugeScale ReadGaugeScale(const std::vector<std::string>& units, ConfigReader* reader);

}  // namespace tocsin
