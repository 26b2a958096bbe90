// Tells the outside about the engine itself: that it is blind, and that it is alive.
//
//   SelfAlarm alarm({.config = &config, .sinks = &sinks, .time = &time});
//   TOCSIN_RETURN_IF_ERROR(alarm.Start());
//   alarm.SetBlindness(state);       // one page while it is blind, resolved when that is over
//   alarm.Beat();                    // one request to `heartbeat: url`
//
// A page goes straight to every sink that pages people (or those that `blind: to` names), under the
// constant key "<name>:blind", once per blindness; a sink that does not answer is tried again, with
// a pause that doubles up to kPauseMax. Neither needs the disk, the deciding thread or the
// deliverer, since those may be what has failed. The end is sent once more after kEchoAfter, and once
// after every start, to sinks that take a repeat for what it is: whoever was killed while it was
// blind leaves no page open.
//
// One thread of its own. All calls are thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "config/config.h"
#include "service/blind_alarm.h"
#include "sinks/sink.h"
#include "system/time_source.h"

namespace tocsin {

class SelfAlarm {
 public:
  static constexpr DurationUs kPauseMin = kSecondUs;
  static constexpr DurationUs kPauseMax = 30 * kSecondUs;
  static constexpr DurationUs kEchoAfter = kMinuteUs;

  struct Options {
    // All outlive the alarm.
    const Config* config = nullptr;
    const std::vector<std::unique_ptr<Sink>>* sinks = nullptr;
    const TimeSource* time = nullptr;
  };
  struct Counters {
    std::int64_t pages = 0;       // messages that a sink took
    std::int64_t heartbeats = 0;  // that were answered with success
    std::int64_t failures = 0;    // of both
  };

  explicit SelfAlarm(Options options);
  ~SelfAlarm();
  SelfAlarm(const SelfAlarm&) = delete;
  SelfAlarm& operator=(const SelfAlarm&) = delete;

  absl::Status Start();
  void SetBlindness(const Blindness& state);
  // That it has been well for long enough since the start: what an earlier process may have left
  // open is resolved.
  void ResolveLeftovers();
  // REQUIRES: the configuration has a heartbeat. Dropped while the last one is on its way.
  void Beat();
  // What is on its way gets so long.
  void Stop(absl::Duration grace);
  // The same sinks with other secrets; what waits is tried again at once.
  // REQUIRES: as many of the same names and kinds.
  void ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks);

  Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
