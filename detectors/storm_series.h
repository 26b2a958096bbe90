// One series of a storm detector: of events, or of a gauge that is explained by events.
//
//   StormRule rule = …;                                     // of the stanza; outlives its series
//   std::unique_ptr<SeriesState> series = NewStormSeries(&rule);
//
// kinds/storm.cc says when each of them breaches, storm_label.h what it is labelled as.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "core/wire.h"
#include "detectors/detector.h"
#include "detectors/evidence.h"
#include "detectors/statistics/baseline.h"
#include "detectors/storm_label.h"
#include "detectors/storm_sources.h"

namespace tocsin {

struct StormLimits {
  bool set = false;
  double above = 0, clear = 0, ratio = 0;
  bool adaptive = false;                  // says nothing until the usual is known
  int window = 1, minute = 1, cover = 1;  // panes
};

// Calm again: not more than a half above the usual.
inline constexpr double kStormCalmRatio = 1.5;

struct StormRule {
  explicit StormRule(DurationUs pane_length) : pane(pane_length), pace(pane_length) {}

  DurationUs pane;
  BaselinePace pace;
  std::array<StormLimits, 2> limits;
  double h = 1;               // evidence wanted
  double lowest_ratio = 1e6;  // of the levels
  std::array<DurationUs, 2>
      windows{};  // of events, or `for` of a gauge: what the evidence speaks of
  int ring_capacity = 0;
  // What StormSources is told of the events that label it.
  bool endpoints = false, attempts = false;
  std::string explained_by;  // of a gauge, in words
  StormSources NewSources() const {
    return StormSources(pane, {.endpoints = endpoints, .attempts = attempts});
  }
};

std::unique_ptr<SeriesState> NewStormSeries(const StormRule* rule);
std::unique_ptr<SeriesState> NewStormGaugeSeries(const StormRule* rule);

// What a storm was labelled as so far.
class StormLabel {
 public:
  void Update(bool firing, StormVerdict now);
  void Clear() { verdict_ = {}; }
  const std::string& text() const { return verdict_.label; }
  // Why, or what is missing.
  void Explain(EvidenceList* list) const;
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  StormVerdict verdict_;  // without a label: there is no storm
};

}  // namespace tocsin
