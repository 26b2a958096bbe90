// Checks whether the engine reads its inputs and decides; pages when it does not, and sends
// heartbeats while it does.
//
//   Watch watch({.config = &config, .time = &time, .alarm = &self_alarm, …});
//   watch.Turn(state);                        // about once a second, with the engine's state
//
// The engine is blind when one of these conditions has lasted for `blind: after` (default a minute)
// or the time given here: an input or one of its sources cannot be read; a source is excluded (at
// once); an input lags by more than `blind: lag_max`; the state cannot be opened or written;
// decisions stand still; for five minutes, more than `blind: late_share` of an input's events are
// too late or from the future, or almost none of its records can be decoded; records are lost (at
// once).
//
// A heartbeat is sent when it is due, no condition holds, and since the last one a canary has
// passed through the batch log, the deciding thread and the deliverer's thread. Call from one
// thread; blindness() from any.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "config/config.h"
#include "service/batch_log.h"
#include "service/blind_alarm.h"
#include "service/self_alarm.h"
#include "service/source_status.h"
#include "system/time_source.h"

namespace tocsin {

// The engine's state, as far as Watch::Turn needs it.
struct WatchedState {
  std::vector<InputStatus> inputs;
  std::vector<std::string> excluded = {};
  std::vector<std::string> losses = {};  // since the last turn
  std::int64_t lost_batches = 0;         // missing or unreadable in the batch log, since the start
  BatchLog::Health log;
  std::uint64_t durable = 0;        // up to this sequence of the batch log
  std::uint64_t decided = 0;        // up to this sequence of the batch log
  std::int64_t delivery_turns = 0;  // Deliverer::turns
  std::string unopened = {};        // why the state is not open; then all of the above is empty
};

class Watch {
 public:
  // A loss is reported for this long.
  static constexpr DurationUs kLossFor = 10 * kMinuteUs;

  struct Options {
    // All outlive the watch.
    const Config* config = nullptr;
    const TimeSource* time = nullptr;
    SelfAlarm* alarm = nullptr;
    BatchLog* log = nullptr;  // for canaries; null: see Attach
  };

  explicit Watch(Options options);

  // Sets the log once the state is open; without a log no heartbeat is sent. Call from Turn's
  // thread.
  void Attach(BatchLog* log) { log_ = log; }
  void Turn(const WatchedState& state);
  Blindness blindness() const;

 private:
  using Conditions = std::vector<BlindAlarm::Condition>;
  // Counters of one input at one time.
  struct Sample {
    TimeUs at = 0;
    std::int64_t events = 0, unusable = 0, undecodable = 0;
  };
  struct Loss {
    std::string text;
    TimeUs until = 0;
  };

  void AddInput(const InputStatus& input, Conditions* conditions);
  void AddShares(const InputStatus& input, TimeUs now, Conditions* conditions);
  void AddLog(const WatchedState& state, TimeUs now, Conditions* conditions);
  void AddLosses(const WatchedState& state, TimeUs now, Conditions* conditions);
  void Beat(const WatchedState& state, TimeUs now);

  const Options options_;
  BatchLog* log_;
  BlindAlarm alarm_;
  std::map<std::string, std::deque<Sample>> samples_;  // by input
  std::deque<Loss> losses_;
  std::int64_t lost_batches_ = 0;  // already reported
  TimeUs started_at_;
  bool resolved_leftovers_ = false;
  TimeUs beat_at_;
  std::uint64_t canary_ = 0;  // sequence of the canary in flight; 0: none
  std::int64_t canary_turns_ = 0;
  mutable absl::Mutex mutex_;
  Blindness published_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tocsin
