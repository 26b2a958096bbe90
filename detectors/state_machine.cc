#include "detectors/state_machine.h"

#include <algorithm>

namespace tocsin {
namespace {

// A suspicion that has not become a breach by then starts over: it says nothing about when the next
// incident began.
constexpr DurationUs kSuspicionMax = 10 * kMinuteUs;

bool Breaches(Verdict verdict) {
  return verdict == Verdict::kBreach || verdict == Verdict::kCertain;
}

}  // namespace

std::optional<RuleChange> RuleState::Step(const DetectorCommon& common, const PaneContext& pane,
                                          const Reading& reading) {
  const DurationUs length = pane.end - pane.start;
  int ready = -1;
  bool all_clear = true, contradicted = false;
  DurationUs cleared = 0;
  for (std::size_t slot = 0; slot < levels_.size(); ++slot) {
    if (!common.level[slot].set) continue;
    const LevelReading& now = reading.level[slot];
    Level& level = levels_[slot];
    if (Breaches(now.verdict)) {
      DurationUs advance = std::max(length, now.covers);
      if (level.since == kNoTime) {
        level = {.breached = 0, .since = pane.start};
        // What came before the first breach was none.
        advance = length;
      }
      // In a partial tick `for` holds, but what needs no `for` does not wait.
      if (!pane.partial) level.breached += advance;
      if (now.verdict == Verdict::kCertain || level.breached >= common.level[slot].hold) {
        ready = static_cast<int>(slot);
      }
      contradicted = true;
    } else if (now.verdict != Verdict::kUnknown && !pane.partial) {
      level = {};
      contradicted = contradicted || now.verdict == Verdict::kBetween;
    }
    all_clear = all_clear && now.verdict == Verdict::kClear && !pane.partial;
    cleared = std::max({cleared, length, now.covers});
  }

  Suspect(pane, reading.suspicious);

  if (ready > firing_slot_) {
    const bool raised = firing();
    if (!raised) onset_ = pending_since();
    firing_slot_ = ready;
    clear_for_ = 0;
    return RuleChange{.kind = raised ? SignalChangeKind::kRaised : SignalChangeKind::kFired,
                      .slot = ready,
                      .onset = onset_};
  }
  if (!firing()) return std::nullopt;
  if (contradicted) clear_for_ = 0;
  if (!all_clear) return std::nullopt;
  clear_for_ += clear_for_ == 0 ? length : cleared;
  if (clear_for_ < common.keep_firing_for) return std::nullopt;
  const RuleChange change = {
      .kind = SignalChangeKind::kCleared, .slot = firing_slot_, .onset = onset_};
  *this = RuleState();
  return change;
}

void RuleState::Suspect(const PaneContext& pane, bool suspicious) {
  for (const Level& level : levels_) {
    // What led to a breach is kept as long as that lasts.
    if (level.since != kNoTime && suspected_ != kNoTime) return;
  }
  if (!suspicious || (suspected_ != kNoTime && pane.start - suspected_ >= kSuspicionMax)) {
    suspected_ = kNoTime;
  } else if (suspected_ == kNoTime) {
    suspected_ = pane.start;
  }
}

void RuleState::Hold(int slot, TimeUs onset) {
  firing_slot_ = slot;
  onset_ = onset;
  clear_for_ = 0;
}

void RuleState::Withdraw() { Hold(-1, kNoTime); }

TimeUs RuleState::pending_since() const {
  TimeUs since = suspected_;
  for (const Level& level : levels_) {
    if (level.since != kNoTime && (since == kNoTime || level.since < since)) since = level.since;
  }
  return since;
}

void RuleState::Encode(ByteWriter* out) const {
  for (const Level& level : levels_) {
    out->Signed(level.breached);
    out->Signed(level.since);
  }
  out->Signed(suspected_);
  out->Signed(firing_slot_);
  out->Signed(onset_);
  out->Signed(clear_for_);
}

void RuleState::Decode(ByteReader* in) {
  for (Level& level : levels_) {
    level.breached = in->Signed();
    level.since = in->Signed();
  }
  suspected_ = in->Signed();
  const std::int64_t slot = in->Signed();
  if (slot < -1 || slot > 1) in->Fail();
  firing_slot_ = in->ok() ? static_cast<int>(slot) : -1;
  onset_ = in->Signed();
  clear_for_ = in->Signed();
}

}  // namespace tocsin
