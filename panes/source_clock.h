// The clock of one source partition: the highest record timestamp, guarded against wrong ones.
//
//   SourceClock clock(SourceClock::Trust::kProducerTime);
//   switch (clock.Offer(record_time)) {
//     case Decision::kAccept: …       // Accept() it
//     case Decision::kHold: …         // keep the record; decided by what follows
//     case Decision::kReleaseHeld: …  // the jump is real: Accept() each held record, then this one
//     case Decision::kDropHeld: …     // an earlier time followed: quarantine the held, accept this
//   }
//
// With the broker's append time every timestamp is trusted. With the producer's time, or in a file
// the event time, a jump of more than max(60 s, 3 × the median gap) counts only once three
// consecutive records lie beyond it. Decided from the log alone. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/time.h"

namespace tocsin {

class SourceClock {
 public:
  enum class Trust : std::uint8_t { kAppendTime, kProducerTime };
  enum class Decision : std::uint8_t { kAccept, kHold, kReleaseHeld, kDropHeld };

  static constexpr DurationUs kJumpMin = 60 * kSecondUs;
  static constexpr int kHeldMax = 2;  // the third one releases them
  static constexpr std::size_t kGaps = 9;

  explicit SourceClock(Trust trust) : trust_(trust) {}
  void set_trust(Trust trust) { trust_ = trust; }
  Trust trust() const { return trust_; }

  // What to do with a record of this time. Except for kHold the caller then accepts records in
  // order.
  Decision Offer(TimeUs time);
  // Moves the clock; to be called for each accepted record, held ones first.
  void Accept(TimeUs time);
  // An idle partition's clock follows the broker's without a record. Gaps do not count it.
  void AdvanceTo(TimeUs time) {
    if (time > now_) now_ = time;
  }

  // Beyond the clock by more than the next record may be without being held.
  bool IsJump(TimeUs time) const;
  // What was held is offered again, or gone.
  void ForgetHeld() { held_ = 0; }

  TimeUs now() const { return now_; }  // kNoTime before the first record
  bool started() const { return now_ != kNoTime; }

  // "trust:clock:last:count:gap,gap,…": everything that Offer depends on when nothing is held.
  std::string ToText() const;
  // False, and nothing changed, when the text is not of that form.
  bool FromText(std::string_view text);

 private:
  DurationUs JumpLimit() const;

  Trust trust_;
  TimeUs now_ = kNoTime;
  TimeUs last_record_ = kNoTime;
  int held_ = 0;
  std::array<DurationUs, kGaps> gaps_{};  // the last gaps between records, a ring
  std::uint32_t gap_count_ = 0;
};

}  // namespace tocsin
