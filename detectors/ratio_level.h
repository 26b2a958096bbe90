// Decides when one level of a rule over a ratio (failed or slow requests of all requests) holds.
//
//   RatioLimits limits(level, 0.015, 0.005, min_volume, environment);   // one a detector
//   RatioLevel ratio_level(&limits);                                    // one a series
//   LevelReading reading = ratio_level.Update(pane, ring, evidence, usual_max);
//
// Breach: there is evidence (ratio_evidence.h), the rate over the window is at least `above` (it
// matters) and more than usual, and the last minute does not contradict it (it goes on; otherwise
// `for` holds). A breach that has begun continues while the evidence is held, or the series fires,
// and while the rate is not below `above` by more than its standard error, so that chance does not
// interrupt `for`.
//
// Certain: over the whole of max(window, for) the rate is at least `above`, and in its oldest
// quarter by itself. No quarter is below by more than chance. With any stretch of a quarter's
// length taken out, the rest is not below by more than chance and has half the evidence. So neither
// one burst nor two that are too short for `for` skip it.
//
// Clear: the last minute is at `clear` or lower, or is usual. If that minute has too few requests
// to tell, a longer stretch is used, up to the window. Below `min_volume` events no breach begins,
// but a firing level may clear.
//
// A lower `above` (with a `clear` that is not higher) never fires later, and never clears while a
// higher one fires: every condition here is monotone in it, by itself and for any history. Not
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
  // Capacity of a ring that these limits and a plot need.
  int RingCapacity() const;
};

class RatioLevel {
 public:
  explicit RatioLevel(const RatioLimits* limits);

  // Call after ring.Push and, unless the pane is partial, evidence.Update of this pane.
  // `usual_max`: rates up to it are known to be usual here; 0 if not known.
  LevelReading Update(const PaneContext& pane, const CountRing& ring, const RatioEvidence& evidence,
                      double usual_max);
  const WindowSum& window() const { return window_; }
  const RatioLimits& limits() const { return *limits_; }

  void Encode(ByteWriter* out) const;
  // REQUIRES: `ring` was decoded.
  void Decode(const CountRing& ring, ByteReader* in);

 private:
  // The rate is at least `above`, or near enough for a breach to continue.
  bool IsAbove(double above) const;
  bool Certain(const CountRing& ring, const RatioEvidence& evidence, double above) const;
  bool Calm(const CountRing& ring, double clear) const;

  const RatioLimits* limits_;
  WindowSum window_, minute_;
  bool pending_ = false;  // the last pane breached
  bool proven_ = false;   // there was evidence of what fires; no more is required
};

}  // namespace tocsin
