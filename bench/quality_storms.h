// Storms with their sources, for what they are labelled as (detectors/storm_sources.h).
//
//   StormLabels labels = RunStormWorld(rule, {.per_minute = 200, .seed = 3, .trials = 8});
//
// A world has two quiet days of connections from a few thousand known clients with six user agents.
// Then, from copies of the series: an attack from 1 to 15 addresses; a botnet of thousands of new
// ones, with agents of its own or the commonest one; a surge of known and new clients with the
// usual agents; a client that is a tenth of all and reconnects in a loop from its usual addresses.
// Each is 5 to 15 times the usual. Pure functions of their arguments.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>

#include "bench/quality_cases.h"

namespace tocsin {

inline constexpr std::array<const char*, 4> kStormKinds = {"attack", "botnet", "surge", "client"};

struct StormWorld {
  double per_minute = 200;
  std::uint64_t seed = 0;
  int trials = 8;  // of each kind
};

// By kind: how often it was given each label; "" where it was not noticed.
using StormLabels = std::array<std::map<std::string, int>, kStormKinds.size()>;

StormLabels RunStormWorld(const QualityRule& rule, const StormWorld& world);

}  // namespace tocsin
