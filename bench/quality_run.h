// One simulated series: its quiet weeks, and from moments in them, by way of copies, its incidents.
//
//   SeriesResult result = RunSeries(quality_case, rule, {.rate = 100, .seed = 7, .weeks = 6});
//
// A trial copies series, traffic and climate, injects the fault at a random point of a pane, and
// goes on until a level pages or the fault is over; gaps and lag are left out there. Its bound is a
// pane more than the longest of `for`, the time in which 1.5 × the evidence floor really arrived,
// and 1.5 × what the rate over the window takes to be above the threshold. Pure functions of their
// arguments.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/quality_cases.h"

namespace tocsin {

struct Trial {
  bool floor_met = false;
  bool paged = false;
  DurationUs took = 0;  // since the fault began, or since what the rule speaks of was the case
  // Where the floor was met: max(`for`, 1.5 × the floor) + 1 pane, and with what the rule's window
  // and the samples' interval add.
  DurationUs plain_bound = 0;
  DurationUs bound = 0;
};

struct SeriesOptions {
  double rate = 0;  // a minute
  std::uint64_t seed = 0;
  int weeks = 6;
  int trials = 30;  // of each fault, after the third week
};

struct SeriesResult {
  std::int64_t false_pages = 0;
  std::vector<TimeUs> paged_at;            // of them, for whoever looks into one
  std::vector<std::vector<Trial>> trials;  // by fault
};

// A Monday.
inline constexpr TimeUs kQualityStart = 1'772'409'600 * kSecondUs;

// What stage 2 knows of a pane at that moment.
PaneContext QualityContext(const Moment& moment);

SeriesResult RunSeries(const QualityCase& quality_case, const QualityRule& rule,
                       const SeriesOptions& options);

}  // namespace tocsin
