// Whether a gauge keeps rising, and when it will be full.
//
//   Trend trend;
//   trend.Add(pane.start, level);                 // 0 … 1 is empty … full; newest pane last
//   if (trend.rising()) … trend.TimeLeft(pane.end) …
//
// Works on five-minute minima, which stay flat under a garbage collector's saw-tooth, in a ring of
// 48 (4 h). The Mann–Kendall test tells whether they rise (z > 3, its variance inflated by the
// lag-1 autocorrelation of the residuals of the line: Hamed & Rao 1998), Theil–Sen how fast, with
// its 90 % bounds. Both are applied to the last hour, two hours and all four, so that the calm
// before does not hide a rise that has just begun. The fit with the highest lower bound of the
// slope counts, unless the last hour by itself rules out so steep a slope, because the rise may
// have ended. A fall by more than 30 % is a restart: earlier slots are forgotten, and the restart
// is counted. Needs 7 slots, so no trend is younger than 35 min. 0.5 KiB; value type; not
// thread-safe.
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

  // Adds the lowest level of a pane that had samples.
  void Add(TimeUs pane_start, double level);
  // These two use complete slots only.
  bool rising() const { return line_.rising; }
  std::size_t slots() const { return count_; }
  // Level of the newest complete slot, and its gain per hour with 90 % bounds.
  double level() const { return count_ > 0 ? double{minima_[count_ - 1]} : 0; }
  double per_hour() const { return line_.slope; }
  double per_hour_low() const { return line_.low; }
  double per_hour_high() const { return line_.high; }
  // Time until the level is 1; nullopt unless it rises. Not negative, at most a year.
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

  // The first count_ entries are valid, oldest first. Slot numbers count from the epoch, so that
  // missing slots leave a gap; 32 bits of five minutes last 20,000 years. Levels to a ten-millionth
  // are finer than any gauge.
  std::array<float, kSlots> minima_{};
  std::array<std::int32_t, kSlots> numbers_{};
  std::uint32_t count_ = 0;
  std::int32_t restarts_ = 0;
  std::int64_t current_ = INT64_MIN;  // number of the slot being filled
  double minimum_ = 0;
  Line line_;  // of the complete slots; derived
};

}  // namespace tocsin
