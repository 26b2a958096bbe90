// The self-alarm that a scope has more series than its detectors keep apart.
//
//   SeriesLimitAlarm alarm(&config);
//   alarm.Step({.tick = tick, .partial = false, .over = {{"prod", "api-errors"}}}, &changes);
//
// One signal per scope, whichever detectors and labels are affected. It fires in the first tick in
// which something counts as (other) and lists the detectors. It clears after half an hour without
// (other), so that a label that explodes now and then causes one incident. In the (other) scope
// (engine/scope_limit.h) it says once that there are too many scopes. If the limit of the whole
// process was reached, it says so. Its level never pages with the built-in schemes: existing series
// are still watched, only new ones are not kept apart. Not thread-safe.
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
  explicit SeriesLimitAlarm(const Config* config) : config_(config) {}  // outlives this

  struct Input {
    TimeUs tick = 0;
    bool partial = false;                                     // data is missing: nothing clears
    std::set<std::pair<std::string, std::string>> over = {};  // (scope, detector)
    // Scopes that were below their own limit but hit that of the process,
    // limits::kDetectorSeriesMax.
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
  // Whether it is the (other) scope.
  bool IsOther(std::string_view scope) const;
  std::size_t LimitOf(std::string_view scope, bool crowded) const;
  TitledChange Fire(const std::string& scope, const std::vector<std::string>& detectors,
                    bool crowded, TimeUs tick) const;

  const Config* config_;
  std::map<std::string, Firing> firing_;  // by scope
};

}  // namespace tocsin
