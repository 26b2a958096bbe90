// What time it is, for everything in the program that has to ask.
//
//   TimeSource time;                       // anchors itself to the host's wall clock
//   const TimeUs begun = time.Monotonic(); // for durations, deadlines, back-off, rates
//   record.appended_at = time.Wall();      // for what is compared with other machines' stamps
//   time.Observe();                        // a few times a second, by one thread
//
// Monotonic() is CLOCK_BOOTTIME: it never steps, and it counts the time in which the machine slept.
// Wall() is Monotonic() plus an anchor, so that a host clock that jumps does not move it. Observe()
// moves the anchor: by at most kSlew of the time that passed for small differences (NTP, a leap
// second that is smeared), and at once, reported in the log, for a step that has lasted: a tenth of
// its size, at least kStepLastsMin and at most kStepLastsMax. A step that is taken back sooner has
// no effect. So Wall() may step, also backwards, but never for a moment; who needs time that does
// not go back keeps its own maximum.
//
// Why a step is believed at all: a clock that was wrong at the start, or a virtual machine that was
// frozen without being told, is only known from that. Why so late: event time that ran ahead makes
// everything that follows late, and cannot be taken back.
//
// Thread-safe; Observe from one thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "core/time.h"

namespace tocsin {

class TimeSource {
 public:
  struct Reading {
    TimeUs monotonic = 0;
    TimeUs wall = 0;
  };

  static constexpr std::int64_t kSlewPerMille = 2;  // NTP itself corrects by up to 0.5
  static constexpr DurationUs kStepMin = kSecondUs;
  static constexpr DurationUs kStepLastsMin = 10 * kSecondUs;
  static constexpr DurationUs kStepLastsMax = 5 * kMinuteUs;

  // `host` reads the host's clocks; by default the real ones.
  explicit TimeSource(std::function<Reading()> host = HostClocks);

  TimeUs Monotonic() const { return host_().monotonic; }
  TimeUs Wall() const { return host_().monotonic + anchor_.load(std::memory_order_relaxed); }
  Reading Now() const;

  void Observe();
  // Steps of the host's clock that Wall() has followed.
  std::int64_t steps() const { return steps_.load(std::memory_order_relaxed); }
  // How far the host's clock is from Wall() at present; for the status.
  DurationUs deviation() const { return deviation_.load(std::memory_order_relaxed); }

  static Reading HostClocks();

 private:
  void Slew(DurationUs difference, DurationUs passed);
  void WatchStep(DurationUs difference, TimeUs now);

  const std::function<Reading()> host_;
  // Wall − monotonic. Relaxed: a number on its own that guards nothing.
  std::atomic<DurationUs> anchor_;
  std::atomic<std::int64_t> steps_ = 0;
  std::atomic<DurationUs> deviation_ = 0;
  // Of Observe alone:
  TimeUs observed_at_;
  DurationUs step_ = 0;  // the one that is being watched; 0: none
  TimeUs step_seen_at_ = 0;
};

}  // namespace tocsin
