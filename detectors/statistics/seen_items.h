// Items of today and yesterday, to tell which items are new.
//
//   SeenItems seen;  seen.Add(addresses_of_a_quiet_window, time);
//   seen.NewIn(addresses_now)                    // how many of these were not seen before
//
// Half a KiB a day. Value type; not thread-safe.
#pragma once

#include "core/hyperloglog.h"
#include "core/time.h"
#include "core/wire.h"
#include "detectors/statistics/window.h"

namespace tocsin {

class SeenItems {
 public:
  void Add(const HyperLogLog& items, TimeUs time);
  HyperLogLog All() const;
  double NewIn(const HyperLogLog& items) const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  PackedSketch<HyperLogLog> today_, before_;
  TimeUs day_ = kNoTime;
};

}  // namespace tocsin
