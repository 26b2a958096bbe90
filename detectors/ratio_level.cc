#include "detectors/ratio_level.h"

#include <algorithm>

#include "core/math.h"
#include "detectors/stanza.h"

namespace tocsin {
namespace {

// With this many bad events expected and none seen, calm is 98 % sure.
constexpr double kCalmExpected = 4;
// Number of parts of max(window, for) that are checked, and of positions at which a burst of a
// part's length is taken out.
constexpr int kParts = 4, kBursts = 32;
// Fraction of the evidence that must remain without a burst.
constexpr double kWithoutBurst = 0.5;

bool AtMost(double rate, std::int64_t bad, std::int64_t total) {
  return static_cast<double>(bad) <= rate * static_cast<double>(total);
}

// The rate is at least `above`, or below it by no more than its standard error, which is chance.
bool MayBeAbove(double above, std::int64_t bad, std::int64_t total) {
  const auto n = static_cast<double>(total);
  return static_cast<double>(bad) >= above * n - SquareRoot(above * (1 - above) * n);
}

WindowSum SumOf(const CountRing& ring, int from, int to) {
  WindowSum sum(from, to);
  sum.Recount(ring);
  return sum;
}

}  // namespace

RatioLimits::RatioLimits(const LevelConfig& level, double above_ratio, double clear_ratio,
                         std::int64_t volume_min, const DetectorEnvironment& environment)
    : above(above_ratio),
      clear(clear_ratio),
      window(PanesOf(level.window, environment.pane)),
      minute(std::min(window, PanesOf(kMinuteUs, environment.pane))),
      cover(PanesOf(std::max(level.window, std::min(level.hold, kWindowMax)), environment.pane)),
      min_volume(volume_min) {}

int RatioLimits::RingCapacity() const { return std::max(kPlotPanes, std::max(window, cover)) + 1; }

RatioLevel::RatioLevel(const RatioLimits* limits)
    : limits_(limits), window_(0, limits->window), minute_(0, limits->minute) {}

bool RatioLevel::IsAbove(double above) const {
  return window_.Rate() >= above || (pending_ && MayBeAbove(above, window_.bad(), window_.total()));
}

// Sums are computed only here, because few series ever have so much evidence.
bool RatioLevel::Certain(const CountRing& ring, const RatioEvidence& evidence, double above) const {
  const int cover = limits_->cover;
  const WindowSum whole = SumOf(ring, 0, cover);
  if (whole.Rate() < above) return false;
  for (int i = 0; cover >= kParts && i < kParts; ++i) {
    const WindowSum part = SumOf(ring, cover * i / kParts, cover * (i + 1) / kParts);
    if (!MayBeAbove(above, part.bad(), part.total())) return false;
  }
  const int burst = std::max(1, cover / kParts), step = std::max(1, cover / kBursts);
  for (int from = 0; cover > 1 && from + burst <= cover; from += step) {
    const WindowSum sum = SumOf(ring, from, from + burst);
    const std::int64_t bad = whole.bad() - sum.bad(), total = whole.total() - sum.total();
    if (!MayBeAbove(above, bad, total)) return false;
    // With few events the evidence may be older than the window.
    const double left = std::max(evidence.In(bad, total), evidence.Without(sum.bad()));
    if (left < kWithoutBurst) return false;
  }
  const WindowSum oldest = SumOf(ring, cover - burst, cover);
  if (oldest.Rate() >= above) return true;
  // The oldest part has too few requests to expect a bad one: it must have its share of the bad
  // ones.
  return static_cast<double>(oldest.total()) * above < 1 && oldest.bad() > 0 &&
         oldest.bad() * 12 >= whole.bad() - oldest.bad();
}

// Whether the last minute, or any longer stretch that has enough events to tell, is calm. Allowing
// any stretch ensures that a lower threshold never clears sooner.
bool RatioLevel::Calm(const CountRing& ring, double clear) const {
  std::int64_t bad = minute_.bad(), total = minute_.total();
  const std::int64_t rest = window_.total() - total;
  const double rest_rate =
      rest > 0 ? static_cast<double>(window_.bad() - bad) / static_cast<double>(rest) : 0;
  const double expected_rate = std::max(limits_->above, rest_rate);
  const auto calm = [&] {
    return static_cast<double>(total) * expected_rate >= kCalmExpected && AtMost(clear, bad, total);
  };
  const int exact = std::min(limits_->window, CountRing::kExactPanes);
  for (int age = limits_->minute; age < exact && !calm(); ++age) {
    bad += ring.At(age).bad;
    total += ring.At(age).total;
  }
  return calm() || AtMost(clear, window_.bad(), window_.total());
}

LevelReading RatioLevel::Update(const PaneContext& pane, const CountRing& ring,
                                const RatioEvidence& evidence, double usual_max) {
  for (WindowSum* sum : {&window_, &minute_}) sum->Slide(ring);
  LevelReading reading = {.value = window_.Rate(), .threshold = limits_->above};
  if (pane.partial || minute_.total() == 0) return reading;
  const double above = std::max(limits_->above, usual_max);
  const double clear = std::max(limits_->clear, usual_max);
  const bool denies = AtMost(clear, minute_.bad(), minute_.total());
  if (window_.total() < limits_->min_volume) {
    if ((pane.firing || pending_) && denies && Calm(ring, clear)) {
      reading.verdict = Verdict::kClear;
      pending_ = false;
    }
    return reading;
  }
  if (!pane.firing) proven_ = false;
  const bool found = evidence.Found(limits_->above);
  const bool evident = proven_ || (pending_ ? evidence.Held(limits_->above) : found);
  const bool breaching = evident && IsAbove(above);
  proven_ = proven_ || breaching;
  if (breaching && !denies) {
    reading.verdict =
        found && Certain(ring, evidence, above) ? Verdict::kCertain : Verdict::kBreach;
  } else if (!pane.firing && !breaching) {
    reading.verdict = denies ? Verdict::kClear : Verdict::kBetween;
  } else if (denies && Calm(ring, clear)) {
    reading.verdict = Verdict::kClear;
  } else {
    reading.verdict = pane.firing ? Verdict::kBetween : Verdict::kUnknown;
  }
  // Once the level is calm, the next breach needs evidence of its own.
  pending_ = breaching && reading.verdict != Verdict::kClear;
  return reading;
}

void RatioLevel::Encode(ByteWriter* out) const {
  out->Bool(pending_);
  out->Bool(proven_);
}

void RatioLevel::Decode(const CountRing& ring, ByteReader* in) {
  if (in->format() < 6) {
    for (int i = 0; i < 5; ++i) in->Double();  // the CUSUM of each level in format 5
  }
  pending_ = in->Bool();
  proven_ = in->Bool();  // in format 5: whether it was firing
  for (WindowSum* sum : {&window_, &minute_}) sum->Recount(ring);
}

}  // namespace tocsin
