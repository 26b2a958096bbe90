#include "detectors/gauge_hold.h"

#include <algorithm>

namespace tocsin {

DurationUs GaugeHold::Interval() const {
  const std::size_t known = std::min<std::size_t>(gap_count_, kGaps);
  if (known == 0) return kMinuteUs;
  std::array<DurationUs, kGaps> sorted = gaps_;
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(known));
  return sorted[known / 2];
}

void GaugeHold::Update(const PaneContext& pane, const GaugeValue& gauge, double value) {
  const auto good_until = [this] { return sampled_ + Interval() / 2 * 5; };
  fresh_ = gauge.samples > 0;
  covers_ = 0;
  if (!fresh_) {
    held_ = sampled_ != kNoTime && pane.end <= good_until();
    return;
  }
  if (sampled_ != kNoTime) {
    if (pane.start <= good_until()) covers_ = pane.end - pane_end_;
    // Several samples in a pane are assumed to be evenly spaced.
    const DurationUs gap = (gauge.last_time - sampled_) / gauge.samples;
    if (gap > 0) {
      gaps_[gap_count_ % kGaps] = gap;
      gap_count_ = gap_count_ == 2 * kGaps - 1 ? kGaps : gap_count_ + 1;
    }
  }
  sampled_ = gauge.last_time;
  pane_end_ = pane.end;
  value_ = value;
  held_ = true;
}

void GaugeHold::Encode(ByteWriter* out) const {
  for (const DurationUs gap : gaps_) out->Signed(gap);
  out->Varint(gap_count_);
  out->Signed(sampled_);
  out->Signed(pane_end_);
  out->Double(value_);
  out->Signed(covers_);
  out->Bool(fresh_);
  out->Bool(held_);
}

void GaugeHold::Decode(ByteReader* in) {
  for (DurationUs& gap : gaps_) gap = in->Signed();
  const std::uint64_t count = in->Varint();
  if (count >= 2 * kGaps) in->Fail();
  gap_count_ = in->ok() ? static_cast<std::uint32_t>(count) : 0;
  sampled_ = in->Signed();
  pane_end_ = in->Signed();
  value_ = in->Double();
  covers_ = in->Signed();
  fresh_ = in->Bool();
  held_ = in->Bool();
}

}  // namespace tocsin
