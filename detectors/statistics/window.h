// Windows over panes: a ring of the last counts, sums over stretches of it, and the data of plots.
//
//   CountRing ring(61);  WindowSum five_minutes(0, 30);
//   ring.Push(bad, total);  five_minutes.Slide(ring);
//   double rate = five_minutes.Rate();
//
// Counts are integers, so a sliding sum has no rounding error. An age is in panes: 0 is the newest.
// A ring has a fixed capacity and allocates only when it is built. It keeps the newest 61 panes (10
// min) one by one and older ones in 17 slots of equal length, so that six hours take 640 bytes and
// not 17 KiB. A stretch that ends within a slot is given its part of the slot's counts, as if they
// were spread evenly. Value types; not thread-safe.
#pragma once

#include <array>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/time.h"
#include "core/wire.h"

namespace tocsin {

// How many panes a plot shows.
inline constexpr int kPlotPanes = 60;

// ⌈window / pane⌉, at least 1.
int PanesOf(DurationUs window, DurationUs pane);

// The bad and all events of one pane, or of a slot. More than 2^32 events saturate.
struct PaneCount {
  std::uint32_t bad = 0;
  std::uint32_t total = 0;
};

class CountRing {
 public:
  // Ages below this are kept pane by pane.
  static constexpr int kExactPanes = kPlotPanes + 1;

  // Keeps ages below `capacity`. REQUIRES: capacity ≥ 1.
  explicit CountRing(int capacity);

  void Push(std::int64_t bad, std::int64_t total);
  // REQUIRES: 0 ≤ age < min(capacity, kExactPanes). Zeros before the first pane.
  PaneCount At(int age) const {
    std::size_t at = head_ + exact_ - static_cast<std::size_t>(age);
    if (at >= exact_) at -= exact_;
    return panes_[at];
  }
  // Adds the counts of the ages [0, to). REQUIRES: to < capacity.
  void AddTo(int to, std::int64_t* bad, std::int64_t* total) const;

  // The last kPlotPanes as a JSON list, oldest first: bad ÷ total (null without events), 1 − bad ÷
  // total, or total.
  std::string RatesJson() const { return SharesJson(/*of_bad=*/true); }
  std::string ComplementsJson() const { return SharesJson(/*of_bad=*/false); }
  std::string TotalsJson() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  static constexpr int kSlots = 17;

  std::string SharesJson(bool of_bad) const;
  int plotted() const;
  // Adds a pane that is too old to be kept by itself to the slots.
  void PushOld(PaneCount pane);

  // A ring of single panes, then the complete slots, newest first.
  std::vector<PaneCount> panes_;
  PaneCount open_;                // the slot being filled, newer than the complete ones
  std::uint16_t exact_;           // number of single panes in panes_
  std::uint16_t head_ = 0;        // index of the newest pane
  std::uint16_t slot_panes_ = 0;  // 0: there are no slots
  std::uint16_t open_panes_ = 0;  // below slot_panes_
};

// Sum over the ages [from, to) of a ring whose capacity is above `to`.
class WindowSum {
 public:
  WindowSum() = default;
  WindowSum(int from, int to) : from_(from), to_(to) {}

  // Call once after each Push.
  void Slide(const CountRing& ring) {
    if (to_ >= CountRing::kExactPanes) {
      Recount(ring);
      return;
    }
    const PaneCount entered = ring.At(from_), left = ring.At(to_);
    bad_ += static_cast<std::int64_t>(entered.bad) - left.bad;
    total_ += static_cast<std::int64_t>(entered.total) - left.total;
  }
  // Computes the sum from scratch.
  void Recount(const CountRing& ring);

  std::int64_t bad() const { return bad_; }
  std::int64_t total() const { return total_; }
  int panes() const { return to_ - from_; }
  // 0 without events.
  double Rate() const {
    return total_ > 0 ? static_cast<double>(bad_) / static_cast<double>(total_) : 0;
  }

 private:
  std::int32_t from_ = 0, to_ = 0;
  std::int64_t bad_ = 0, total_ = 0;
};

// The last kPlotPanes values of any quantity; NaN is "no value" and prints as null.
class PlotRing {
 public:
  void Push(double value);
  std::string Json() const;
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  std::vector<double> values_;  // grows to kPlotPanes, then wraps
  std::size_t next_ = 0;
};

// A sketch (LogHistogram, SpaceSaving, HyperLogLog) kept in encoded form, which takes a tenth of
// the memory; for sketches that are updated once a pane and read less often.
template <typename Sketch>
class PackedSketch {
 public:
  void Clear() { bytes_ = std::string(); }
  // `empty` is a sketch without content (it carries k, where it has one).
  Sketch Unpacked(const Sketch& empty) const {
    if (bytes_.empty()) return empty;
    ByteReader in(bytes_);
    if constexpr (kCompact) {
      return Sketch::DecodeCompact(&in);
    } else {
      return Sketch::Decode(&in);
    }
  }
  void Pack(const Sketch& sketch) {
    ByteWriter out;
    if constexpr (kCompact) {
      sketch.EncodeCompact(&out);
    } else {
      sketch.Encode(&out);
    }
    bytes_ = std::string(out.view());  // a copy has no spare capacity
  }
  void Merge(const Sketch& other, const Sketch& empty) {
    Sketch sum = Unpacked(empty);
    sum.Merge(other);
    Pack(sum);
  }
  void Encode(const Sketch& empty, ByteWriter* out) const { Unpacked(empty).Encode(out); }
  void Decode(ByteReader* in) {
    const Sketch sketch = Sketch::Decode(in);
    if (in->ok()) Pack(sketch);
  }

 private:
  static constexpr bool kCompact = requires(const Sketch& sketch, ByteWriter* out) {
    sketch.EncodeCompact(out);
  };

  std::string bytes_;
};

// A sketch over a window of panes. Sketches cannot be subtracted, and one per pane would take 30 of
// them; six parts, each a fifth of the window, cover between one and 1.2 windows.
template <typename Sketch>
class SketchWindow {
 public:
  static constexpr int kParts = 6;

  // REQUIRES: window_panes ≥ 1. `empty` is a sketch without content.
  SketchWindow(int window_panes, Sketch empty)
      : panes_per_part_((window_panes + kParts - 2) / (kParts - 1)), empty_(std::move(empty)) {}

  // Call at the start of each pane. Returns true when a part was completed, which is the time to
  // learn from it.
  bool NextPane() {
    if (panes_ < panes_per_part_) {
      ++panes_;
      return false;
    }
    panes_ = 1;
    current_ = (current_ + 1) % kParts;
    parts_[current_].Clear();
    return true;
  }
  void Add(const Sketch& sketch) { parts_[current_].Merge(sketch, empty_); }
  // Merges the parts that cover the newest `panes`, or all. Oldest first, so that ties are resolved
  // the same way after a restart.
  Sketch Merged(int panes = INT_MAX) const {
    std::size_t parts = kParts;
    if (panes < panes_per_part_ * (kParts - 1)) {
      parts = static_cast<std::size_t>((panes + panes_per_part_ - 1) / panes_per_part_) + 1;
    }
    Sketch merged = empty_;
    for (std::size_t i = kParts - parts + 1; i <= kParts; ++i) {
      merged.Merge(parts_[(current_ + i) % kParts].Unpacked(empty_));
    }
    return merged;
  }

  void Encode(ByteWriter* out) const {
    out->Varint(static_cast<std::uint64_t>(panes_));
    for (std::size_t i = 1; i <= kParts; ++i) parts_[(current_ + i) % kParts].Encode(empty_, out);
  }
  void Decode(ByteReader* in) {
    const std::uint64_t panes = in->Varint();
    if (panes > static_cast<std::uint64_t>(panes_per_part_)) in->Fail();
    for (PackedSketch<Sketch>& part : parts_) part.Decode(in);
    current_ = kParts - 1;
    panes_ = in->ok() ? static_cast<int>(panes) : 0;
  }

 private:
  int panes_per_part_;
  int panes_ = 0;  // of the current part
  std::size_t current_ = 0;
  Sketch empty_;
  std::array<PackedSketch<Sketch>, kParts> parts_;
};

}  // namespace tocsin
