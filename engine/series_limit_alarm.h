// The self-alarm that a scope has more series than its detectors keep apart.
//
//   SeriesLimitAlarm alarm(&config);
//   alarm.Step({.tick = tick, .partial = false, .over = {{"prod", "api-errors"}}}, &changes);
//
// One signal a scope, whichever detectors and labels are concerned: it fires in the tick in which
// something first counts as (other), lists the detectors, and clears once nothing has for half an
// hour, so that a label that explodes now and then is one incident. In the scope of those that are not
// told apart (engine/scope_limit.h) it says that there are too many scopes, for all of them at once.
// Where it is the bound of the process that was reached, it says that. Its level never pages by the
// built-in schemes: what is watched is watched on, only new series are not told apart. Not
// thread-safe.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/config.h"
#include "core/signal.h"
#include "core/wire.h"
#include "correlate/correlator.h"

namespace tocsin {

class SeriesLimitAlarm {
 public:
  explicit SeriesLimitAlarm(const Config* config) : config_(config) {}  // outlives it

  struct Input {
    TimeUs tick = 0;
    bool partial = false;                                     // nothing clears on missing data
    std::set<std::pair<std::string, std::string>> over = {};  // (scope, detector)
    // Scopes for which only the process had no room, limits::kDetectorSeriesMax.
    std::set<std::string> crowded = {};
  };
  // Changes are appended, sorted by scope.
  void Step(const Input& input, std::vector<TitledChange>* changes);

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Firing {
    Signal signal;
    TimeUs last_over = kNoTime;
  };
  // Whether it is the scope of those past the limit of scopes.
  bool IsOther(std::string_view scope) const;
  std::size_t LimitOf(std::string_view scope, bool crowded) const;
  TitledChange Fire(const std::string& scope, const std::vector<std::string>& detectors,
                    bool crowded, TimeUs tick) const;

  const Config* config_;
  std::map<std::string, Firing> firing_;  // by scope
};

}  // namespace tocsin
