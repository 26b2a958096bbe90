// Pages when the engine itself is blind, and sends a heartbeat while it is alive.
//
//   SelfAlarm alarm({.config = &config, .sinks = &sinks, .time = &time});
//   TOCSIN_RETURN_IF_ERROR(alarm.Start());
//   alarm.SetBlindness(state);       // one page while it is blind, resolved afterwards
//   alarm.Beat();                    // one request to `heartbeat: url`
//
// A page goes directly to every sink that pages (or to those that `blind: to` names), under the
// constant key "<name>:blind", once per period of blindness. A sink that fails is retried, with a
// pause that doubles up to kPauseMax. Page and heartbeat do not use the disk, the deciding thread
// or the deliverer, since those may have failed. At sinks with an idempotency key the resolve is
// repeated after kEchoAfter, and sent once after every start, so that a process that is killed
// while blind leaves no page open.
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
    std::int64_t pages = 0;       // messages that a sink accepted
    std::int64_t heartbeats = 0;  // answered with success
    std::int64_t failures = 0;    // of both
  };

  explicit SelfAlarm(Options options);
  ~SelfAlarm();
  SelfAlarm(const SelfAlarm&) = delete;
  SelfAlarm& operator=(const SelfAlarm&) = delete;

  absl::Status Start();
  void SetBlindness(const Blindness& state);
  // Resolves the page that an earlier process may have left open. Called when the engine has not
  // been blind for long enough since the start.
  void ResolveLeftovers();
  // Sends a heartbeat, unless one is in flight. REQUIRES: the configuration has a heartbeat.
  void Beat();
  // Waits at most `grace` for requests in flight.
  void Stop(absl::Duration grace);
  // Replaces the sinks by the same ones with new secrets; waiting messages are retried at once.
  // REQUIRES: the same number of sinks, with the same names and kinds.
  void ReplaceSinks(std::vector<std::unique_ptr<Sink>> sinks);

  Counters counters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
