// One series of a storm detector: of events, or of a gauge that is explained by events.
//
//   StormRule rule = …;                                     // of the stanza; outlives its series
//   std::unique_ptr<SeriesState> series = NewStormSeries(&rule);
//
// kinds/storm.cc documents when each of them breaches, storm_label.h how it is labelled.
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
  bool adaptive = false;                  // unknown until the usual rate is known
  int window = 1, minute = 1, cover = 1;  // panes
};

// Calm again: at most this many times the usual.
inline constexpr double kStormCalmRatio = 1.5;

struct StormRule {
  explicit StormRule(DurationUs pane_length) : pane(pane_length), pace(pane_length) {}

  DurationUs pane;
  BaselinePace pace;
  std::array<StormLimits, 2> limits;
  double h = 1;                         // evidence required
  double lowest_ratio = 1e6;            // lowest ratio of the levels
  std::array<DurationUs, 2> windows{};  // shown in the evidence: window of events, `for` of a gauge
  int ring_capacity = 0;
  // Options of StormSources for the events that label it.
  bool endpoints = false, attempts = false;
  std::string explained_by;  // for a gauge: the explaining events, in words
  StormSources NewSources() const {
    return StormSources(pane, {.endpoints = endpoints, .attempts = attempts});
  }
};

std::unique_ptr<SeriesState> NewStormSeries(const StormRule* rule);
std::unique_ptr<SeriesState> NewStormGaugeSeries(const StormRule* rule);

// The label of a storm so far.
class StormLabel {
 public:
  void Update(bool firing, StormVerdict now);
  void Clear() { verdict_ = {}; }
  const std::string& text() const { return verdict_.label; }
  // Adds the reason of the label, or the missing facts.
  void Explain(EvidenceList* list) const;
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  StormVerdict verdict_;  // no label: no storm
};

}  // namespace tocsin
