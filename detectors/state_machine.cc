#include "detectors/state_machine.h"

#include <algorithm>
#include <limits>

namespace tocsin {
namespace {

// A suspicion that has not become a breach within this time starts over: it does not tell when the
// next incident began.
constexpr DurationUs kSuspicionMax = 10 * kMinuteUs;
// How long a firing signal may stay between its thresholds: it must not hide one that begins hours
// later.
constexpr std::uint32_t kBetweenMaxMs = 3'600'000;

bool Breaches(Verdict verdict) {
  return verdict == Verdict::kBreach || verdict == Verdict::kCertain;
}

}  // namespace

std::optional<RuleChange> RuleState::Step(const DetectorCommon& common, const PaneContext& pane,
                                          const Reading& reading) {
  const DurationUs length = pane.end - pane.start;
  const bool stale = unbreached_ms_ >= kBetweenMaxMs;
  int ready = -1;
  bool all_clear = true, contradicted = false, breached = false, known = false;
  DurationUs cleared = 0;
  for (std::size_t slot = 0; slot < levels_.size(); ++slot) {
    if (!common.level[slot].set) continue;
    const LevelReading& now = reading.level[slot];
    Level& level = levels_[slot];
    const bool clear =
        now.verdict == Verdict::kClear || (now.verdict == Verdict::kBetween && stale);
    known = known || now.verdict != Verdict::kUnknown;
    if (Breaches(now.verdict)) {
      breached = true;
      DurationUs advance = std::max(length, now.covers);
      if (level.since == kNoTime) {
        level = {.breached = 0, .since = pane.start};
        // The time before the first breach does not count.
        advance = length;
      }
      // In a partial tick `for` holds, but a level that needs no `for` fires at once.
      if (!pane.partial) level.breached += advance;
      if (now.verdict == Verdict::kCertain || level.breached >= common.level[slot].hold) {
        ready = static_cast<int>(slot);
      }
      contradicted = true;
    } else if (now.verdict != Verdict::kUnknown && !pane.partial) {
      level = {};
      contradicted = contradicted || !clear;
    }
    all_clear = all_clear && clear && !pane.partial;
    cleared = std::max({cleared, length, now.covers});
  }

  Suspect(pane, reading.suspicious);
  Date(pane, reading);

  if (ready > firing_slot_) {
    const bool raised = firing();
    if (!raised) onset_ = pending_since();
    firing_slot_ = static_cast<std::int16_t>(ready);
    unbreached_ms_ = 0;
    clear_for_ = 0;
    return RuleChange{.kind = raised ? SignalChangeKind::kRaised : SignalChangeKind::kFired,
                      .slot = ready,
                      .onset = onset_,
                      .began = began_};
  }
  if (!firing()) return std::nullopt;
  if (breached) {
    unbreached_ms_ = 0;
  } else if (known && !pane.partial && !stale) {
    unbreached_ms_ += static_cast<std::uint32_t>(cleared / kMillisecondUs);
  }
  if (contradicted) clear_for_ = 0;
  if (!all_clear) return std::nullopt;
  clear_for_ += clear_for_ == 0 ? length : cleared;
  if (clear_for_ < common.keep_firing_for) return std::nullopt;
  const RuleChange change = {
      .kind = SignalChangeKind::kCleared, .slot = firing_slot_, .onset = onset_, .began = {}};
  *this = RuleState();
  return change;
}

void RuleState::Suspect(const PaneContext& pane, bool suspicious) {
  for (const Level& level : levels_) {
    // Keep the suspicion that led to a breach as long as the breach lasts.
    if (level.since != kNoTime && suspected_ != kNoTime) return;
  }
  if (!suspicious || (suspected_ != kNoTime && pane.start - suspected_ >= kSuspicionMax)) {
    suspected_ = kNoTime;
    went_stale_ = suspicious;
  } else if (suspected_ == kNoTime) {
    suspected_ = pane.start;
  }
}

void RuleState::Date(const PaneContext& pane, const Reading& reading) {
  if (firing()) return;
  const TimeUs since = pending_since();
  if (since == kNoTime) {
    began_ = {};
  } else if (began_.known()) {
    return;
  } else if (went_stale_) {
    began_ = {.earliest = pane.start - kSuspicionMax, .latest = pane.end};
  } else if (reading.began.known()) {
    began_ = reading.began;
  } else {
    const TimeUs end = since + (pane.end - pane.start);
    DurationUs covers = end - since;
    for (const LevelReading& level : reading.level) covers = std::max(covers, level.covers);
    began_ = {.earliest = end - covers, .latest = end};
  }
}

void RuleState::Hold(int slot, TimeUs onset) {
  firing_slot_ = static_cast<std::int16_t>(slot);
  unbreached_ms_ = 0;
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
  out->Varint(unbreached_ms_);
  out->Signed(onset_);
  out->Signed(clear_for_);
  out->Signed(began_.earliest);
  out->Signed(began_.latest);
  out->Bool(went_stale_);
}

void RuleState::Decode(ByteReader* in) {
  for (Level& level : levels_) {
    level.breached = in->Signed();
    level.since = in->Signed();
  }
  suspected_ = in->Signed();
  const std::int64_t slot = in->Signed();
  if (slot < -1 || slot > 1) in->Fail();
  firing_slot_ = in->ok() ? static_cast<std::int16_t>(slot) : std::int16_t{-1};
  if (in->format() >= 6) {
    const std::uint64_t unbreached = in->Varint();
    if (unbreached > std::numeric_limits<std::uint32_t>::max()) in->Fail();
    unbreached_ms_ = in->ok() ? static_cast<std::uint32_t>(unbreached) : 0;
  }
  onset_ = in->Signed();
  clear_for_ = in->Signed();
  if (in->format() < 6) return;
  began_.earliest = in->Signed();
  began_.latest = in->Signed();
  went_stale_ = in->Bool();
}

}  // namespace tocsin
