// What detect_bench runs: one stanza or more of every kind, each with traffic of which its series
// keep as much as they plausibly ever do: thousands of addresses, long user agents, durations of
// four decades.
//
//   for (const DetectCase& detect_case : DetectCases()) …
//
// Deterministic from the generator's seed.
#pragma once

#include <functional>
#include <vector>

#include "bench/sampling.h"
#include "core/time.h"
#include "panes/pane_table.h"

namespace tocsin {

// What a series keeps, hence how large it may be.
enum class Keeps {
  kCounts,  // numbers only
  kSeason,  // and what is usual in each hour of the week
  kSketches,
};

struct DetectCase {
  const char* name;  // "<kind>, what is special"
  const char* stanza;
  Keeps quiet = Keeps::kCounts;
  Keeps firing = Keeps::kCounts;
  // Accumulates a pane that begins at `start`, the nth of the quiet ones or of the incident; with
  // nothing accumulated the series was silent.
  using Fill = std::function<void(bool incident, int n, TimeUs start, Rng* rng, PaneTable* table)>;
  Fill fill;
  Fill explain = {};  // the events that explain it
  int quiet_panes = 400;
  int incident_panes = 200;
  // The samples of a gauge carry their time, so that panes are made as time goes on; others are
  // made beforehand and come again and again.
  bool timed = false;
  bool deployed = false;  // the incident begins with a release
};

std::vector<DetectCase> DetectCases();

}  // namespace tocsin
