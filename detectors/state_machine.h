// From readings to a signal: the state machine that all detectors share, one a series.
//
//   inactive → pending (`for`) → firing → (keep_firing_for) → cleared
//
//   RuleState rule;
//   std::optional<RuleChange> change = rule.Step(detector.common(), pane, reading);
//
// A level is pending from the first pane that breaches until it has breached for `for` (kCertain
// skips it); kUnknown neither advances nor resets `for` and never clears; kBetween resets a pending
// level but keeps a firing one, for an hour: what has not breached for longer, while that was known,
// counts as clear. A signal fires at the worst level reached; a higher level later is a raise, a
// lower one is no change. It clears once every level has been kClear for keep_firing_for. In a
// partial tick `for` holds and nothing clears. Event time only; a pane counts with its length, or
// with what its reading covers. 80 bytes; value type.
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
  OnsetInterval began;     // of what fires now, as its reading said in that pane
};

class RuleState {
 public:
  std::optional<RuleChange> Step(const DetectorCommon& common, const PaneContext& pane,
                                 const Reading& reading);
  // Fires at this level from now on, whatever was read before: what led to it is not known any
  // more.
  void Hold(int slot, TimeUs onset);
  // Takes back that it fires: it says so, once its condition holds in a pane.
  void Withdraw();
  bool firing() const { return firing_slot_ >= 0; }
  int firing_slot() const { return firing_slot_; }
  TimeUs onset() const { return onset_; }
  // Onset of the pending or suspected breach, kNoTime if none: from here impact is remembered.
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
  TimeUs suspected_ = kNoTime;       // first pane of the suspicion that goes on
  OnsetInterval began_;              // of what is pending or suspected
  std::uint32_t unbreached_ms_ = 0;  // known time since the last breach of what fires
  std::int16_t firing_slot_ = -1;
  bool went_stale_ = false;  // a suspicion lasted so long that it says nothing about its beginning
  TimeUs onset_ = kNoTime;
  DurationUs clear_for_ = 0;
};

}  // namespace tocsin
