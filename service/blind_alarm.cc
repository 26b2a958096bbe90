#include "service/blind_alarm.h"

#include <algorithm>
#include <utility>

namespace tocsin {

bool BlindAlarm::Update(TimeUs now, const std::vector<Condition>& conditions) {
  const DurationUs step =
      updated_at_ == kNoTime ? 0 : std::clamp<DurationUs>(now - updated_at_, 0, kStepMax);
  updated_at_ = now;
  std::map<std::string, DurationUs> held_for;
  std::vector<std::string> reasons;
  for (const Condition& condition : conditions) {
    const auto before = held_for_.find(condition.key);
    const DurationUs held = before == held_for_.end() ? 0 : before->second + step;
    held_for[condition.key] = held;
    if (held >= condition.after) reasons.push_back(condition.text);
  }
  held_for_ = std::move(held_for);
  const bool was_blind = state_.blind;
  if (!reasons.empty()) {
    if (!was_blind) ++state_.episode;
    state_.blind = true;
    state_.reasons = std::move(reasons);
    clear_for_ = 0;
  } else if (was_blind) {
    clear_for_ = conditions.empty() ? clear_for_ + step : 0;
    if (clear_for_ >= clear_after_) state_ = {.episode = state_.episode};
  }
  return state_.blind != was_blind;
}

}  // namespace tocsin
