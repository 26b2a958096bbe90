// Decides when the engine is blind: when it cannot read its inputs or cannot decide.
//
//   BlindAlarm alarm(kMinuteUs);
//   alarm.Update(time.Monotonic(), {{.key = "input app-logs", .text = "…", .after = kMinuteUs}});
//   if (alarm.state().blind) …
//
// A condition counts once it has held for its `after`. Blindness ends when no condition has held
// for `clear_after`. Time in which the process was stopped does not count, since the missed records
// are read afterwards. Pure; not thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/time.h"

namespace tocsin {

struct Blindness {
  bool blind = false;
  std::int64_t episode = 0;               // how many times it has been blind
  std::vector<std::string> reasons = {};  // while blind: the conditions that hold, or held last
};

class BlindAlarm {
 public:
  // A longer pause between two updates counts as this long.
  static constexpr DurationUs kStepMax = 2 * kSecondUs;

  struct Condition {
    std::string key;       // identifies the condition
    std::string text;      // for the page
    DurationUs after = 0;  // how long it has to hold before it counts
  };

  explicit BlindAlarm(DurationUs clear_after) : clear_after_(clear_after) {}

  // `conditions` are all that hold now. Returns whether the state changed to blind or back.
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
