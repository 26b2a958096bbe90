#include "detectors/ratio_level.h"

#include <algorithm>

#include "core/math.h"
#include "detectors/stanza.h"

namespace tocsin {
namespace {

// Evidence of one bad event is ln(p1/p0): beyond a factor of 100 three unlucky requests would page.
constexpr double kOddsMax = 100;
// With this many bad events expected and none seen, calm is 98 % sure.
constexpr double kCalmExpected = 4;

}  // namespace

RatioLimits::RatioLimits(const LevelConfig& level, double above_ratio, double clear_ratio,
                         std::int64_t volume_min, const DetectorEnvironment& environment)
    : above(above_ratio),
      clear(clear_ratio),
      h(environment.EvidenceThreshold()),
      window(PanesOf(level.window, environment.pane)),
      minute(std::min(window, PanesOf(kMinuteUs, environment.pane))),
      cover(PanesOf(std::max(level.window, std::min(level.hold, kWindowMax)), environment.pane)),
      min_volume(volume_min) {}

int RatioLimits::RingCapacity() const { return std::max(kPlotPanes, std::max(window, cover)) + 1; }

double RatioLimits::ClampP0(double p0) const { return std::clamp(p0, above / kOddsMax, above / 2); }

RatioLevel::RatioLevel(const RatioLimits* limits)
    : limits_(limits), window_(0, limits->window), minute_(0, limits->minute) {}

bool RatioLevel::Certain(double h, const CountRing& ring) const {
  if (cusum_.value() < h + kCertainMargin) return false;
  // The last three quarters of the cover, and the quarter before. Counted only here: few series
  // ever have so much evidence.
  WindowSum newer(0, limits_->cover - std::max(1, limits_->cover / 4));
  WindowSum older(newer.panes(), limits_->cover);
  newer.Recount(ring);
  older.Recount(ring);
  const double whole = static_cast<double>(newer.bad() + older.bad());
  if (whole < limits_->above * static_cast<double>(newer.total() + older.total())) return false;
  if (static_cast<double>(older.total()) * limits_->above >= 1) {
    return older.Rate() >= limits_->above;
  }
  // Too few requests for one bad one to be expected in the quarter: it must have its part of the
  // bad ones, or there are too few to say.
  return newer.bad() <= 2 || older.bad() * 12 >= newer.bad();
}

bool RatioLevel::Calm(const CountRing& ring) const {
  std::int64_t bad = minute_.bad(), total = minute_.total();
  const std::int64_t rest = window_.total() - total;
  const double rest_rate =
      rest > 0 ? static_cast<double>(window_.bad() - bad) / static_cast<double>(rest) : 0;
  const double expected_rate = std::max(limits_->above, rest_rate);
  const auto tells = [&] { return static_cast<double>(total) * expected_rate >= kCalmExpected; };
  const int exact = std::min(limits_->window, CountRing::kExactPanes);
  for (int age = limits_->minute; age < exact && !tells(); ++age) {
    bad += ring.At(age).bad;
    total += ring.At(age).total;
  }
  if (exact < limits_->window && !tells()) {
    bad = window_.bad();
    total = window_.total();
  }
  return total > 0 && static_cast<double>(bad) < limits_->clear * static_cast<double>(total);
}

LevelReading RatioLevel::Update(const PaneContext& pane, const CountRing& ring, double p0,
                                double dispersion) {
  for (WindowSum* sum : {&window_, &minute_}) sum->Slide(ring);
  if (was_firing_ && !pane.firing) {
    // What was evidence has been told; the next incident needs its own.
    cusum_.Reset();
    pending_ = false;
  }
  was_firing_ = pane.firing;
  LevelReading reading = {.value = window_.Rate(), .threshold = limits_->above};
  if (pane.partial) return reading;

  const PaneCount now = ring.At(0);
  cusum_.Update(now.bad, now.total,
                {.from = limits_->ClampP0(p0),
                 .to = limits_->above,
                 .dispersion = dispersion,
                 .cap = limits_->h + kCertainMargin});
  const double h = std::max(1.0, limits_->h - (pane.recent_deploy ? kRecentDeployMargin : 0));
  if (window_.total() < std::max<std::int64_t>(1, limits_->min_volume)) return reading;
  double needed = limits_->above;
  if (pending_) {
    needed -= SquareRoot(needed * (1 - needed) / static_cast<double>(window_.total()));
  }
  const bool breaching = cusum_.value() >= h && reading.value >= needed;
  const bool minute_denies = minute_.total() == 0 || minute_.Rate() < limits_->clear;
  pending_ = breaching;
  if (breaching && !minute_denies) {
    reading.verdict = Certain(h, ring) ? Verdict::kCertain : Verdict::kBreach;
  } else if (minute_.total() == 0 || (breaching && !pane.firing)) {
    reading.verdict = Verdict::kUnknown;
  } else if (pane.firing ? Calm(ring) : minute_denies) {
    reading.verdict = Verdict::kClear;
  } else {
    reading.verdict = Verdict::kBetween;
  }
  return reading;
}

void RatioLevel::Encode(ByteWriter* out) const {
  cusum_.Encode(out);
  out->Bool(pending_);
  out->Bool(was_firing_);
}

void RatioLevel::Decode(const CountRing& ring, ByteReader* in) {
  cusum_.Decode(in);
  pending_ = in->Bool();
  was_firing_ = in->Bool();
  for (WindowSum* sum : {&window_, &minute_}) sum->Recount(ring);
}

}  // namespace tocsin
