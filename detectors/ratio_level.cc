#include "detectors/ratio_level.h"

#include <algorithm>

#include "core/math.h"
#include "detectors/stanza.h"

namespace tocsin {
namespace {

// With this many bad events expected and none seen, calm is 98 % sure.
constexpr double kCalmExpected = 4;

bool AtMost(double rate, std::int64_t bad, std::int64_t total) {
  return static_cast<double>(bad) <= rate * static_cast<double>(total);
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
  double needed = above;
  if (pending_) {
    needed -= SquareRoot(needed * (1 - needed) / static_cast<double>(window_.total()));
  }
  return window_.Rate() >= needed;
}

bool RatioLevel::Certain(const CountRing& ring, const RatioEvidence& evidence, double above) const {
  // Counted only here: few series ever have so much evidence.
  const int quarter = std::max(1, limits_->cover / 4), rest = limits_->cover - quarter;
  WindowSum whole(0, limits_->cover), before(std::min(quarter, rest), limits_->cover),
      first(rest, limits_->cover);
  for (WindowSum* sum : {&whole, &before, &first}) sum->Recount(ring);
  if (whole.Rate() < above) return false;
  // Chance may put some bad ones into the first quarter, and a burst do the rest: not so where there
  // was evidence before the last quarter began.
  if (!evidence.SuspectedIn(before.bad(), before.total())) return false;
  if (first.Rate() >= above) return true;
  // Too few requests for one bad one to be expected in the quarter: it must have its part of the
  // bad ones.
  return static_cast<double>(first.total()) * above < 1 && first.bad() > 0 &&
         first.bad() * 12 >= whole.bad() - first.bad();
}

// Over the last minute or any longer stretch that has enough events to tell. That it may be any is
// what makes a lower threshold clear no sooner.
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
  // Once it is calm the next breach needs evidence of its own.
  pending_ = breaching && reading.verdict != Verdict::kClear;
  return reading;
}

void RatioLevel::Encode(ByteWriter* out) const {
  out->Bool(pending_);
  out->Bool(proven_);
}

void RatioLevel::Decode(const CountRing& ring, ByteReader* in) {
  if (in->format() < 6) {
    for (int i = 0; i < 5; ++i) in->Double();  // a CUSUM of its own
  }
  pending_ = in->Bool();
  proven_ = in->Bool();  // of format 5: whether it was firing
  for (WindowSum* sum : {&window_, &minute_}) sum->Recount(ring);
}

}  // namespace tocsin
