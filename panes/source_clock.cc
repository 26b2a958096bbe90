#include "panes/source_clock.h"

#include <algorithm>
#include <charconv>

namespace tocsin {
namespace {

// Reads a decimal integer and the one character behind it.
bool ReadInteger(std::string_view* text, char end, std::int64_t* value) {
  const auto result = std::from_chars(text->data(), text->data() + text->size(), *value);
  if (result.ec != std::errc()) return false;
  text->remove_prefix(static_cast<std::size_t>(result.ptr - text->data()));
  if (text->empty() || text->front() != end) return false;
  text->remove_prefix(1);
  return true;
}

}  // namespace

DurationUs SourceClock::JumpLimit() const {
  const std::size_t count = std::min<std::size_t>(gap_count_, kGaps);
  if (count == 0) return kJumpMin;
  std::array<DurationUs, kGaps> sorted = gaps_;
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(count));
  return std::max(kJumpMin, 3 * sorted[count / 2]);
}

bool SourceClock::IsJump(TimeUs time) const {
  // The common case first: no jump, so the median need not be known.
  return time > now_ + kJumpMin && time > now_ + JumpLimit();
}

SourceClock::Decision SourceClock::Offer(TimeUs time) {
  // What was held before the topic changed to append time is decided by the old rule.
  if (!started() || (trust_ == Trust::kAppendTime && held_ == 0)) return Decision::kAccept;
  if (!IsJump(time)) {
    if (held_ == 0) return Decision::kAccept;
    held_ = 0;
    return Decision::kDropHeld;
  }
  if (held_ < kHeldMax && trust_ == Trust::kProducerTime) {
    ++held_;
    return Decision::kHold;
  }
  held_ = 0;
  return Decision::kReleaseHeld;
}

void SourceClock::Accept(TimeUs time) {
  if (trust_ == Trust::kProducerTime && last_record_ != kNoTime && time >= last_record_) {
    gaps_[gap_count_ % kGaps] = time - last_record_;
    // Kept small so that the text form stays short: only count modulo ring and "full" matter.
    gap_count_ = gap_count_ + 1 < 2 * kGaps ? gap_count_ + 1 : kGaps;
  }
  last_record_ = std::max(last_record_, time);
  if (time > now_) now_ = time;
}

std::string SourceClock::ToText() const {
  std::string text = trust_ == Trust::kAppendTime ? "a:" : "p:";
  text += std::to_string(now_) + ':' + std::to_string(last_record_) + ':' +
          std::to_string(gap_count_) + ':';
  for (const DurationUs gap : gaps_) text += std::to_string(gap) + ',';
  return text;
}

bool SourceClock::FromText(std::string_view text) {
  if (!text.starts_with("a:") && !text.starts_with("p:")) return false;
  SourceClock read(text.front() == 'a' ? Trust::kAppendTime : Trust::kProducerTime);
  text.remove_prefix(2);
  std::int64_t count = 0;
  if (!ReadInteger(&text, ':', &read.now_) || !ReadInteger(&text, ':', &read.last_record_) ||
      !ReadInteger(&text, ':', &count) || count < 0 ||
      count >= static_cast<std::int64_t>(2 * kGaps)) {
    return false;
  }
  read.gap_count_ = static_cast<std::uint32_t>(count);
  for (DurationUs& gap : read.gaps_) {
    if (!ReadInteger(&text, ',', &gap) || gap < 0 || gap > kMaxTime) return false;
  }
  if (!text.empty()) return false;
  *this = read;
  return true;
}

}  // namespace tocsin
