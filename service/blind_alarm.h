// Decides when the engine is blind: when it cannot see, or cannot decide, what it was set up for.
//
//   BlindAlarm alarm(kMinuteUs);
//   alarm.Update(time.Monotonic(), {{.key = "input app-logs", .text = "…", .after = kMinuteUs}});
//   if (alarm.state().blind) …
//
// A condition counts once it has held for its own time; blindness is over when none has held for
// `clear_after`. Time in which the process was stopped does not count: it was nobody's fault, and what
// it missed is read afterwards. Pure; not thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/time.h"

namespace tocsin {

struct Blindness {
  bool blind = false;
  std::int64_t episode = 0;               // how often it has been blind
  std::vector<std::string> reasons = {};  // while blind: what holds, or held last
};

class BlindAlarm {
 public:
  // A longer pause between two updates counts as this.
  static constexpr DurationUs kStepMax = 2 * kSecondUs;

  struct Condition {
    std::string key;       // tells conditions apart
    std::string text;      // for people
    DurationUs after = 0;  // has to hold for so long
  };

  explicit BlindAlarm(DurationUs clear_after) : clear_after_(clear_after) {}

  // Every condition that holds now. Returns whether it has become blind, or has ceased to be.
  bool Update(TimeUs now, const std::vector<Condition>& conditions);
  const Blindness& state() const { return state_; }

 private:
  const DurationUs clear_after_;
  TimeUs updated_at_ = kNoTime;
  std::map<std::string, DurationUs> held_for_;
  DurationUs clear_for_ = 0;
  Blindness state_;
};

}  // namespace tocsin
