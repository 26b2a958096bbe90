// What bench/quality measures: stanzas of the shipped profiles, the traffic that each sees, and the
// faults that it has to find.
//
//   for (const QualityCase& c : QualityCases()) … c.traffic(rate, &rng) …
//
// The evidence floor is in the unit of Sign::evidence: for a ratio or a latency h / KL(p1‖p0)
// events (times the dispersion, which the detector's evidence says); for a storm h over the
// divergence of the rates; else what the rule counts (k events, failures in a row, samples, h
// expected events, 7 slots of a trend). Pure functions; immutable.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bench/quality_traffic.h"
#include "config/config.h"
#include "tests/detectors/series_driver.h"

namespace tocsin {

struct QualityFault {
  const char* name;
  double strength = 0;  // as the traffic takes it
  int slot = 1;         // the level whose threshold and `for` it is measured by
};

struct QualityCase {
  const char* profile = "";  // "@rupaya"; empty: `stanza` is the YAML of one
  const char* stanza = "";
  const char* unit = "";  // of `rates`, a minute
  std::vector<double> rates;
  std::function<std::unique_ptr<Traffic>(double rate, Rng* rng)> traffic = {};
  std::vector<QualityFault> faults = {};
  std::function<double(const LevelConfig& level, const Traffic& traffic)> floor;
  // Until a rate over the window can be above the threshold; null: at once.
  std::function<DurationUs(const LevelConfig& level, double strength, double usual)> fill = {};
  DurationUs lasts = 90 * kMinuteUs;  // a fault
  // The evidence has to arrive within it: a window forgets.
  DurationUs within = kDayUs;
  DurationUs grain = kQualityPane;  // of what the rule looks at
  bool sampled =
      false;  // the rates are those of samples: where these are rarer than panes, one more
};

std::vector<QualityCase> QualityCases();

// A stanza as a detector, and which of its levels page by its profile's scheme.
struct QualityRule {
  std::unique_ptr<DetectorSetup> setup;
  std::string kind;
  std::array<bool, 4> pages = {true, true, false, false};

  bool Pages(int slot, const std::string& classification) const;
};
// nullopt when there is no such stanza; the errors say why.
std::optional<QualityRule> MakeQualityRule(const std::string& profile, const std::string& stanza,
                                           ErrorList* errors);

}  // namespace tocsin
