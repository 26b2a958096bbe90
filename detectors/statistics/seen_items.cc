#include "detectors/statistics/seen_items.h"

#include <algorithm>

namespace tocsin {

void SeenItems::Add(const HyperLogLog& items, TimeUs time) {
  const TimeUs day = FloorTo(time, kDayUs);
  if (day != day_) {
    if (day_ != kNoTime) before_ = today_;
    today_.Clear();
    day_ = day;
  }
  today_.Merge(items, {});
}

HyperLogLog SeenItems::All() const {
  HyperLogLog all = today_.Unpacked({});
  all.Merge(before_.Unpacked({}));
  return all;
}

double SeenItems::NewIn(const HyperLogLog& items) const {
  HyperLogLog all = All();
  const double before = all.Estimate();
  all.Merge(items);
  return std::max(0.0, all.Estimate() - before);
}

void SeenItems::Encode(ByteWriter* out) const {
  today_.Encode({}, out);
  before_.Encode({}, out);
  out->Signed(day_);
}

void SeenItems::Decode(ByteReader* in) {
  today_.Decode(in);
  before_.Decode(in);
  day_ = in->Signed();
}

}  // namespace tocsin
