// The value of a gauge between two of its samples.
//
//   GaugeHold hold;
//   hold.Update(pane, gauge, gauge.last);  // samples == 0: an empty pane
//   if (hold.fresh()) …                    // sampled in this pane
//   if (hold.held()) … hold.value() …      // the last sample is still valid
//
// A value holds for 2.5 × the usual interval, the median of the last 8 gaps (one minute before the
// first gap). An empty pane in between neither breaks nor extends anything; the next sample covers
// the time since the previous one (covers). Value type; not thread-safe.
#pragma once

#include <array>
#include <cstdint>

#include "core/time.h"
#include "core/wire.h"
#include "detectors/detector.h"

namespace tocsin {

class GaugeHold {
 public:
  void Update(const PaneContext& pane, const GaugeValue& gauge, double value);
  bool fresh() const { return fresh_; }
  bool held() const { return held_; }
  double value() const { return value_; }
  // The time that a fresh sample covers, or 0.
  DurationUs covers() const { return covers_; }
  DurationUs Interval() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  static constexpr std::size_t kGaps = 8;
  std::array<DurationUs, kGaps> gaps_{};
  std::uint32_t gap_count_ = 0;  // kept within [kGaps, 2·kGaps) once that many were seen
  TimeUs sampled_ = kNoTime;     // time of the last sample
  TimeUs pane_end_ = kNoTime;    // of the pane it was in
  double value_ = 0;
  DurationUs covers_ = 0;
  bool fresh_ = false, held_ = false;
};

}  // namespace tocsin
