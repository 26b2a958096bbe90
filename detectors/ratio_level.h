// One level of a rule over a ratio (failed of all requests, slow of all requests): when does it
// hold?
//
//   RatioLimits limits = MakeRatioLimits({.above = 0.015, .clear = 0.005, …});   // one a detector
//   RatioLevel level(&limits);                                                     // one a series
//   LevelReading reading = level.Update(pane, ring, p0, dispersion);
//
// It breaches when S ≥ h (there is evidence), the rate over the window is ≥ above (it matters) and
// the last minute does not deny it (it goes on; otherwise `for` holds). A breach that has begun
// ends only when the rate is below by more than its standard error, so that `for` is not broken by
// chance. It is certain when S ≥ h + 7 and the whole of max(window, for) is above, its oldest
// quarter included: a burst that is too short for `for` never skips it. It clears when the last
// minute is below `clear`; where that minute has too few requests to tell, the look back is longer,
// up to the window. Not thread-safe; limits outlive the levels.
#pragma once

#include <cstdint>

#include "core/wire.h"
#include "detectors/cusum.h"
#include "detectors/detector.h"
#include "detectors/window.h"

namespace tocsin {

struct RatioLimits {
  double above = 0;  // p1 of the CUSUM
  double clear = 0;
  double h = 0;
  int window = 1;  // panes
  int minute = 1;
  int cover = 1;  // panes of max(window, for)
  std::int64_t min_volume = 0;

  RatioLimits() = default;
  RatioLimits(const LevelConfig& level, double above_ratio, double clear_ratio,
              std::int64_t volume_min, const DetectorEnvironment& environment);
  // Capacity of a ring that serves these limits and a plot.
  int RingCapacity() const;
  // p0 within what p1 allows.
  double ClampP0(double p0) const;
};

class RatioLevel {
 public:
  explicit RatioLevel(const RatioLimits* limits);

  // After ring.Push of this pane.
  LevelReading Update(const PaneContext& pane, const CountRing& ring, double p0, double dispersion);
  // There is more than half the evidence it takes: baselines freeze.
  bool suspicious() const { return cusum_.value() > limits_->h / 2; }
  double evidence() const { return cusum_.value(); }
  const WindowSum& window() const { return window_; }
  const RatioLimits& limits() const { return *limits_; }

  void Encode(ByteWriter* out) const;
  // `ring` is decoded already.
  void Decode(const CountRing& ring, ByteReader* in);

 private:
  bool Certain(double h, const CountRing& ring) const;
  bool Calm(const CountRing& ring) const;

  const RatioLimits* limits_;
  BinomialCusum cusum_;
  WindowSum window_, minute_;
  bool pending_ = false;  // the last pane breached
  bool was_firing_ = false;
};

}  // namespace tocsin
