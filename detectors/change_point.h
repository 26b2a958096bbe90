// Dates the onset of a change that a sequential test has become suspicious of.
//
//   RatioChange(ring, pane, {.usual = p0, .changed = p1, .dispersion = d})   // of bad events
//   RateChange(ring, pane, {.usual = usual_a_pane, .changed = …})            // of all events
//
// For each of the last panes, computes the likelihood that the rate has been a different one since
// that pane (whichever rate fits best), relative to the usual rate all along: the generalised
// likelihood ratio, whose logarithm for a ratio is n·KL(p̂‖p0). The change began in one of the
// panes whose logarithm is within kDoubt of the best. If many requests fail at once that is a
// single pane, if few fail it is an interval of minutes.
//
// Considers at most kPlotPanes panes: those since a CUSUM from `usual` to `changed` was last zero,
// or since a run of calm panes gave strong evidence against the change, and the calm panes before
// them. So an earlier fault is not taken for the beginning of this one. An old blip is not either,
// as it would be by the zero alone, because the panes in between are evidence against it.
// Thread-safe: pure functions; some microseconds.
#pragma once

#include "core/signal.h"
#include "detectors/detector.h"
#include "detectors/statistics/window.h"

namespace tocsin {

struct ChangeModel {
  double usual = 0;       // rate before: of bad events in [0, 1], or events a pane, > 0
  double changed = 0;     // the smallest rate that would matter
  double dispersion = 1;  // ≥ 1
};

// The onset, unknown if there is no evidence at all. REQUIRES: the ring has a capacity of at least
// kPlotPanes + 1, and `pane` was the last one pushed.
OnsetInterval RatioChange(const CountRing& ring, const PaneContext& pane, const ChangeModel& model);
OnsetInterval RateChange(const CountRing& ring, const PaneContext& pane, const ChangeModel& model);

}  // namespace tocsin
