// When that began of which a sequential test has become suspicious.
//
//   RatioChange(ring, pane, {.usual = p0, .changed = p1, .dispersion = d})   // of bad ones
//   RateChange(ring, pane, {.usual = usual_a_pane, .changed = …})            // of all events
//
// For each of the last panes: the likelihood that the rate has been another one since then,
// whichever fits best, against the usual one all along (the generalised likelihood ratio, which for
// a ratio is n·KL(p̂‖p0)). It began in one of those panes whose logarithm is within kDoubt of the
// best: in a pane where many requests fail at once, within minutes where few do. Looked at are the
// panes since a CUSUM from `usual` to `changed` was last zero, or calm panes in a row had strong evidence
// against it, and the calm ones before, at most kPlotPanes. So an earlier fault is not taken for the beginning of this one; nor is an old blip,
// as it would be by that zero alone, because what came between speaks against it. Thread-safe: pure
// functions; some microseconds.
#pragma once

#include "core/signal.h"
#include "detectors/detector.h"
#include "detectors/statistics/window.h"

namespace tocsin {

struct ChangeModel {
  double usual = 0;       // the rate before: of bad ones in [0, 1], of events a pane above 0
  double changed = 0;     // one that would matter
  double dispersion = 1;  // ≥ 1
};

// REQUIRES: the ring has kPlotPanes and one of capacity, and `pane` was the last to be pushed.
// Unknown where there is no evidence at all.
OnsetInterval RatioChange(const CountRing& ring, const PaneContext& pane, const ChangeModel& model);
OnsetInterval RateChange(const CountRing& ring, const PaneContext& pane, const ChangeModel& model);

}  // namespace tocsin
