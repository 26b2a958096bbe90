// Looks whether the engine sees and decides what it was set up for, and says so to the outside.
//
//   Watch watch({.config = &config, .alarm = &self_alarm, …});
//   watch.Turn(status);                       // about once a second, with what the engine says
//
// What blinds it, each with how long it has to last (`blind: after`, a minute, where nothing else is
// said): an input, or one of its sources, that cannot be read; a source that was left out; an input
// further behind than `blind: lag_max`; the state that cannot be opened or written; decisions that
// stand still; for five minutes, an input whose events come too late or from the future (more than
// `blind: late_share` of them), or of which nearly nothing can be decoded; records that are lost.
//
// The heartbeat goes out when it is due, a canary has crossed the batch log, the deciding thread and
// the deliverer's since the last one, and nothing blinds. Of one thread; blindness() of any.
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

// What a look at the engine takes.
struct WatchedState {
  std::vector<InputStatus> inputs;
  std::vector<std::string> excluded = {};
  std::vector<std::string> losses = {};  // since the last look
  std::int64_t lost_batches = 0;         // of the batch log: missing or unreadable, since the start
  BatchLog::Health log;
  std::uint64_t durable = 0;        // sequence in the batch log
  std::uint64_t decided = 0;        // the same
  std::int64_t delivery_turns = 0;  // of the deliverer's thread
  std::string unopened = {};        // why there is no state to work with, and none of the above
};

class Watch {
 public:
  // A loss is said for so long.
  static constexpr DurationUs kLossFor = 10 * kMinuteUs;

  struct Options {
    // All outlive the watch.
    const Config* config = nullptr;
    const TimeSource* time = nullptr;
    SelfAlarm* alarm = nullptr;
    BatchLog* log = nullptr;  // for canaries; null: see Attach
  };

  explicit Watch(Options options);

  // The log that there was not yet, and without which nothing beats. Of Turn's thread.
  void Attach(BatchLog* log) { log_ = log; }
  void Turn(const WatchedState& state);
  Blindness blindness() const;

 private:
  using Conditions = std::vector<BlindAlarm::Condition>;
  // Of one input, at one time.
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
  std::int64_t lost_batches_ = 0;  // of them told
  TimeUs started_at_;
  bool resolved_leftovers_ = false;
  TimeUs beat_at_;
  std::uint64_t canary_ = 0;  // its sequence; 0: none is on its way
  std::int64_t canary_turns_ = 0;
  mutable absl::Mutex mutex_;
  Blindness published_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tocsin
