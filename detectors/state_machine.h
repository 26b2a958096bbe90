// From readings to a signal: the state machine that all detectors share, one a series.
//
//   inactive → pending (`for`) → firing → (keep_firing_for) → cleared
//
//   RuleState rule;
//   std::optional<RuleChange> change = rule.Step(detector.common(), pane, reading);
//
// A level is pending from the first pane that breaches until it has breached for `for` (kCertain
// skips it). kUnknown neither advances nor resets `for` and never clears. kBetween resets a pending
// level but keeps a firing one, for an hour: after an hour of known panes without a breach it
// counts as clear. A signal fires at the worst level reached; a higher level later is a raise, a
// lower one is no change. It clears once every level has been kClear for keep_firing_for. In a
// partial tick `for` holds and nothing clears. Event time only; a pane counts with its length, or
// with the time that its reading covers. 80 bytes; value type.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "core/wire.h"
#include "detectors/detector.h"

namespace tocsin {

struct RuleChange {
  SignalChangeKind kind = SignalChangeKind::kFired;
  int slot = 0;            // 0 warn, 1 critical: the level now
  TimeUs onset = kNoTime;  // start of the first pane that breached or, before it, was suspicious
  OnsetInterval began;     // of the firing condition, by its reading in that pane
};

class RuleState {
 public:
  std::optional<RuleChange> Step(const DetectorCommon& common, const PaneContext& pane,
                                 const Reading& reading);
  // Makes it fire at this level from now on, whatever was read before, because the history was
  // lost.
  void Hold(int slot, TimeUs onset);
  // Takes back that it fires; it fires again when its condition holds in a pane.
  void Withdraw();
  bool firing() const { return firing_slot_ >= 0; }
  int firing_slot() const { return firing_slot_; }
  TimeUs onset() const { return onset_; }
  // Onset of the pending or suspected breach, kNoTime if none; impact is accumulated from here on.
  TimeUs pending_since() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Level {
    DurationUs breached = 0;  // length of the current breach
    TimeUs since = kNoTime;   // its first pane
  };
  void Suspect(const PaneContext& pane, bool suspicious);
  void Date(const PaneContext& pane, const Reading& reading);

  std::array<Level, 2> levels_;
  TimeUs suspected_ = kNoTime;       // first pane of the current suspicion
  OnsetInterval began_;              // of the pending or suspected breach
  std::uint32_t unbreached_ms_ = 0;  // known time since the firing signal's last breach
  std::int16_t firing_slot_ = -1;
  bool went_stale_ = false;  // the suspicion lasted too long to date an onset
  TimeUs onset_ = kNoTime;
  DurationUs clear_for_ = 0;
};

}  // namespace tocsin
