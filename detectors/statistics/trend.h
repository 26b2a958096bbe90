// Whether a gauge keeps rising, and when it will be full.
//
//   Trend trend;
//   trend.Add(pane.start, level);                 // 0 … 1 is empty … full; newest pane last
//   if (trend.rising()) … trend.TimeLeft(pane.end) …
//
// Five-minute minima, which a garbage collector's saw-tooth leaves flat, in a ring of 48 (4 h). The
// Mann–Kendall test says whether they rise (z > 3, its variance inflated by the autocorrelation of
// what the line leaves over: Hamed & Rao 1998, lag 1), Theil–Sen how fast, with its 90 % bounds.
// Both look at the last hour, two hours and all four, so that what has just begun to rise is not
// hidden by the calm before; the one that is surest of the fastest rise counts, unless the last hour
// by itself rules so steep a slope out: what has filled up need not go on. A fall by more than
// 30 % is a restart: what came before is forgotten, and counted. Needs 7 slots, so no trend is
// younger than 35 min. 0.5 KiB; value type; not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/time.h"
#include "core/wire.h"

namespace tocsin {

class Trend {
 public:
  static constexpr DurationUs kSlot = 5 * kMinuteUs;
  static constexpr std::size_t kSlots = 48;

  // The lowest level of a pane that had samples.
  void Add(TimeUs pane_start, double level);
  // Of complete slots.
  bool rising() const { return line_.rising; }
  std::size_t slots() const { return count_; }
  // Level of the newest complete slot, and what it gains an hour (the bounds: 90 %).
  double level() const { return count_ > 0 ? double{minima_[count_ - 1]} : 0; }
  double per_hour() const { return line_.slope; }
  double per_hour_low() const { return line_.low; }
  double per_hour_high() const { return line_.high; }
  // Until the level is 1; nullopt unless it rises. Not negative, at most a year.
  std::optional<DurationUs> TimeLeft(TimeUs now) const;
  std::int64_t restarts() const { return restarts_; }

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Line {
    bool rising = false;
    float slope = 0, low = 0, high = 0;  // per hour
  };
  void Complete();
  void Judge();
  // Through the last `slots`.
  Line Fit(std::size_t slots) const;

  // The first count_, oldest first. Numbers are since the epoch, so that missing slots leave a gap;
  // 32 bits of five minutes last 20,000 years. Levels to a ten-millionth are finer than any gauge.
  std::array<float, kSlots> minima_{};
  std::array<std::int32_t, kSlots> numbers_{};
  std::uint32_t count_ = 0;
  std::int32_t restarts_ = 0;
  std::int64_t current_ = INT64_MIN;  // number of the slot being filled
  double minimum_ = 0;
  Line line_;  // of the complete slots; derived
};

}  // namespace tocsin
