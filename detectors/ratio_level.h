// One level of a rule over a ratio (failed of all requests, slow of all requests): when does it
// hold?
//
//   RatioLimits limits(level, 0.015, 0.005, min_volume, environment);   // one a detector
//   RatioLevel level(&limits);                                            // one a series
//   LevelReading reading = level.Update(pane, ring, evidence, usual_max);
//
// It breaches when there is evidence (ratio_evidence.h), the rate over the window is at least
// `above` (it matters) and more than usual, and the last minute does not deny it (it goes on;
// otherwise `for` holds). A breach that has begun goes on while the evidence is held, or the series
// fires, and the rate is not below by more than its standard error, so that chance does not break
// `for`. It is certain when the whole of max(window, for) is above, its oldest quarter by itself, no
// quarter is below by more than chance, and whichever stretch of a quarter's length is taken out,
// nor is the rest, with half the evidence: neither one burst nor two that are too short for `for`
// skip it. It clears when the last minute is at `clear` or lower, or is usual; where that minute has
// too few requests to tell, the look back is longer, up to the window. Below `min_volume` events
// nothing begins to breach, but what fires may clear.
//
// A lower `above` (with a `clear` that is not higher) never fires later, nor clears while a higher
// one fires: every condition here is monotone in it, by itself and whatever the past was. Not
// thread-safe; limits outlive the levels.
#pragma once

#include <cstdint>

#include "core/wire.h"
#include "detectors/detector.h"
#include "detectors/statistics/ratio_evidence.h"
#include "detectors/statistics/window.h"

namespace tocsin {

struct RatioLimits {
  double above = 0;
  double clear = 0;
  int window = 1;  // panes
  int minute = 1;
  int cover = 1;  // of max(window, for)
  std::int64_t min_volume = 0;

  RatioLimits() = default;
  RatioLimits(const LevelConfig& level, double above_ratio, double clear_ratio,
              std::int64_t volume_min, const DetectorEnvironment& environment);
  // Capacity of a ring that serves these limits and a plot.
  int RingCapacity() const;
};

class RatioLevel {
 public:
  explicit RatioLevel(const RatioLimits* limits);

  // After ring.Push and, unless the pane is partial, evidence.Update of this pane. `usual_max`: up to
  // there a rate is known to be usual here; 0 where that is not known.
  LevelReading Update(const PaneContext& pane, const CountRing& ring, const RatioEvidence& evidence,
                      double usual_max);
  const WindowSum& window() const { return window_; }
  const RatioLimits& limits() const { return *limits_; }

  void Encode(ByteWriter* out) const;
  // `ring` is decoded already.
  void Decode(const CountRing& ring, ByteReader* in);

 private:
  // The rate is at least `above`, or near enough for a breach that goes on.
  bool IsAbove(double above) const;
  bool Certain(const CountRing& ring, const RatioEvidence& evidence, double above) const;
  bool Calm(const CountRing& ring, double clear) const;

  const RatioLimits* limits_;
  WindowSum window_, minute_;
  bool pending_ = false;  // the last pane breached
  bool proven_ = false;   // there was evidence of what fires; more is not asked for
};

}  // namespace tocsin
