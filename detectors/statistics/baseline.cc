#include "detectors/statistics/baseline.h"

#include <algorithm>
#include <array>

#include "core/math.h"

namespace tocsin {
namespace {

constexpr double kLn2 = 0.6931471805599453;
// A ratio is never taken to be below one in ten thousand: a single failure would prove a change.
constexpr double kRatioFloor = 1e-4;
// A new series starts as its prior and outgrows it within minutes of real traffic.
constexpr double kPriorEvents = 1000;
// What is left of the past when a baseline starts to relearn: enough to outweigh the prior, too
// little to outweigh an hour.
constexpr double kAnewShare = 1.0 / 64;
// A pane's χ² above this multiple of the usual is an incident, not dispersion.
constexpr double kChiMax = 16;
constexpr double kChiPanesMin = 180;
constexpr double kDispersionMax = 64;
// Decay factor per hour: one half is left after a week.
constexpr double kHourOfWeekLeft = 0.99588268;
// Above any valid sum, even of squares of hours with 2^32 bad events a pane.
constexpr double kSumMax = 1e38;
constexpr double kRateDispersionMax = 100;
constexpr std::uint32_t kVisitsMin = 3;
// An hour of the week is the mean of about its last four visits.
constexpr std::uint32_t kVisitsMax = 4;
constexpr std::size_t kHoursOfWeek = 168;

void AddDecayed(double left, double value, float* sum) {
  *sum = static_cast<float>(*sum * left + value);
}

}  // namespace

BaselinePace::BaselinePace(DurationUs pane_length)
    : pane(pane_length),
      week(Exp(-kLn2 * static_cast<double>(pane_length) / static_cast<double>(kWeekUs))),
      day(Exp(-kLn2 * static_cast<double>(pane_length) / static_cast<double>(kDayUs))),
      hour(Exp(-static_cast<double>(pane_length) / static_cast<double>(kHourUs))),
      hour_panes(PanesOf(kHourUs, pane_length)) {}

LearnGate::Step LearnGate::Pass(const LearnPolicy& policy, bool sample, DurationUs pane) {
  if (policy.partial) return Step::kSkip;
  anew_for_ = std::min(kDayUs, anew_for_ + pane);
  if (policy.frozen) {
    const bool was_long = frozen_for_ >= kDayUs;
    frozen_for_ += pane;
    if (frozen_for_ < kDayUs) return Step::kSkip;
    if (!was_long) {
      anew_for_ = 0;
      return Step::kStartAnew;
    }
  } else {
    frozen_for_ = 0;
  }
  if (sample) ++samples_;
  if (samples_ > 0) age_ += pane;
  return sample ? Step::kLearn : Step::kSkip;
}

void LearnGate::Encode(ByteWriter* out) const {
  out->Signed(samples_);
  out->Signed(age_);
  out->Signed(frozen_for_);
  out->Signed(anew_for_);
}

void LearnGate::Decode(ByteReader* in) {
  samples_ = in->Signed();
  age_ = in->Signed();
  frozen_for_ = in->Signed();
  if (in->format() >= 6) anew_for_ = in->Signed();
}

void RatioBaseline::Update(const LearnPolicy& policy, std::int64_t bad, std::int64_t total,
                           const BaselinePace& pace) {
  const LearnGate::Step step = gate_.Pass(policy, total > 0, pace.pane);
  if (step == LearnGate::Step::kSkip) return;
  if (step == LearnGate::Step::kStartAnew) {
    bad_ *= kAnewShare;
    total_ *= kAnewShare;
    excess_ = expected_ = panes_ = 0;
    hour_ = {};
    hours_ = {};
    return;
  }
  const double k = static_cast<double>(bad), n = static_cast<double>(total);
  if (total_ > 0) {
    const double p = Share();
    const double distance = k - n * p;
    const double chi =
        std::min(kChiMax * Dispersion(total), distance * distance / (n * p * (1 - p)));
    AddDecayed(pace.day, chi - 1, &excess_);
    AddDecayed(pace.day, n * p, &expected_);
    AddDecayed(pace.day, 1, &panes_);
    hour_.seen += static_cast<float>(k);
    hour_.expected += static_cast<float>(n * p);
    if (++hour_.panes >= pace.hour_panes) LearnSwing();
  }
  bad_ = bad_ * pace.week + k;
  total_ = total_ * pace.week + n;
}

void RatioBaseline::LearnSwing() {
  const double expected = hour_.expected;
  // Limits the effect of a burst: an hour counts at most twice the usual.
  const double beyond = std::clamp(hour_.seen - expected, -expected, expected);
  // On the first day of relearning the mean itself still moves.
  if (!gate_.relearning()) {
    AddDecayed(kHourOfWeekLeft, beyond * beyond - expected * Dispersion(), &hours_.beyond);
    AddDecayed(kHourOfWeekLeft, expected * expected, &hours_.expected);
  }
  hour_ = {};
}

double RatioBaseline::Swing() const {
  // The variance of an hour is `expected` times the dispersion; that of its square is twice the
  // square of that.
  const double error = Dispersion() * SquareRoot(2.0 * hours_.expected);
  if (hours_.beyond <= error) return 0;
  return std::min(1.0, SquareRoot(2 * (hours_.beyond - error) / hours_.expected));
}

double RatioBaseline::Mean(double prior) const {
  return (bad_ + prior * kPriorEvents) / (total_ + kPriorEvents);
}

double RatioBaseline::Upper(double prior) const {
  if (!warm()) return std::max(kRatioFloor, prior);
  const double mean = WilsonUpper90(bad_ + prior * kPriorEvents, total_ + kPriorEvents);
  return std::max(kRatioFloor, mean * (1 + Swing()));
}

double RatioBaseline::Share() const { return std::clamp(bad_ / total_, kRatioFloor, 0.5); }

double RatioBaseline::Dispersion() const {
  if (panes_ < kChiPanesMin) return 1;
  return std::clamp(1 + double{excess_} / panes_, 1.0, kDispersionMax);
}

double RatioBaseline::Dispersion(std::int64_t total) const {
  if (panes_ < kChiPanesMin) return 1;
  const double size = static_cast<double>(total) * Share() / expected_;
  return std::clamp(1 + excess_ * std::max(1 / double{panes_}, size), 1.0, kDispersionMax);
}

void RatioBaseline::Encode(ByteWriter* out) const {
  gate_.Encode(out);
  for (const double value : {bad_, total_}) out->Double(value);
  for (const float value :
       {excess_, expected_, panes_, hour_.seen, hour_.expected, hours_.beyond, hours_.expected}) {
    out->Double(value);
  }
  out->Varint(static_cast<std::uint64_t>(hour_.panes));
}

void RatioBaseline::Decode(ByteReader* in) {
  gate_.Decode(in);
  for (double* value : {&bad_, &total_}) *value = in->Double();
  if (in->format() < 6) {
    // Format 5: the sum of χ², and the panes; both are known again within half an hour.
    for (int i = 0; i < 2; ++i) in->Double();
    return;
  }
  for (float* value : {&excess_, &expected_, &panes_, &hour_.seen, &hour_.expected, &hours_.beyond,
                       &hours_.expected}) {
    const double read = in->Double();
    if (!(read > -kSumMax && read < kSumMax)) in->Fail();
    *value = in->ok() ? static_cast<float>(read) : 0;
  }
  const std::uint64_t panes = in->Varint();
  if (panes > static_cast<std::uint64_t>(kHourUs)) in->Fail();
  hour_.panes = in->ok() ? static_cast<std::int32_t>(panes) : 0;
}

void RateBaseline::Update(const LearnPolicy& policy, TimeUs time, double count,
                          const BaselinePace& pace) {
  const LearnGate::Step step = gate_.Pass(policy, true, pace.pane);
  if (step == LearnGate::Step::kSkip) return;
  if (step == LearnGate::Step::kStartAnew) {
    for (double* value : {&sum_, &weight_}) *value *= kAnewShare;
    spread_ = {};
    slots_.clear();
    hour_ = last_ = kNoTime;
    return;
  }
  if (warm()) {
    const double mean = Knows(time) ? Mean(time) : sum_ / weight_;
    Spread& spread = spread_[Knows(time) ? 1 : 0];
    spread.squares = spread.squares * pace.week + (count - mean) * (count - mean);
    spread.expected = spread.expected * pace.week + mean;
  }
  sum_ = sum_ * pace.week + count;
  weight_ = weight_ * pace.week + 1;
  // Samples of a gauge may be further apart than panes.
  const DurationUs since = last_ == kNoTime ? kWeekUs : time - last_;
  const double kept = since == pace.pane
                          ? pace.hour
                          : Exp(-static_cast<double>(since) / static_cast<double>(kHourUs));
  // Starts as the plain mean.
  recent_ += std::max(1 - kept, 1 / weight_) * (count - recent_);
  last_ = time;
  Visit(time, count);
}

void RateBaseline::Visit(TimeUs time, double count) {
  if (slots_.empty()) slots_.resize(kHoursOfWeek);
  Slot& slot = slots_[static_cast<std::size_t>(HourOfWeek(time))];
  const TimeUs hour = FloorTo(time, kHourUs);
  if (hour != hour_) {
    hour_ = hour;
    if (slot.visits >= kVisitsMax) {
      slot.panes = static_cast<std::uint16_t>(slot.panes / 4 * 3);
    } else {
      ++slot.visits;
    }
  }
  if (slot.panes < UINT16_MAX) ++slot.panes;
  slot.mean += static_cast<float>((count - slot.mean) / slot.panes);
}

bool RateBaseline::Knows(TimeUs time) const {
  if (slots_.empty()) return false;
  const Slot& slot = slots_[static_cast<std::size_t>(HourOfWeek(time))];
  return slot.visits >= kVisitsMin && slot.panes > 0;
}

double RateBaseline::Mean(TimeUs time) const {
  if (Knows(time)) return slots_[static_cast<std::size_t>(HourOfWeek(time))].mean;
  return weight_ > 0 ? std::max(sum_ / weight_, recent_) : 0;
}

double RateBaseline::Dispersion(TimeUs time) const {
  const Spread& spread = spread_[Knows(time) ? 1 : 0];
  if (spread.expected <= 0) return 1;
  return std::clamp(spread.squares / spread.expected, 1.0, kRateDispersionMax);
}

void RateBaseline::Encode(ByteWriter* out) const {
  gate_.Encode(out);
  for (const double value : {sum_, weight_, recent_}) out->Double(value);
  for (const Spread& spread : spread_) {
    out->Double(spread.squares);
    out->Double(spread.expected);
  }
  out->Signed(last_);
  out->Signed(hour_);
  out->Bool(!slots_.empty());
  for (const Slot& slot : slots_) {
    out->Double(slot.mean);
    out->Varint(slot.panes);
    out->Varint(slot.visits);
  }
}

void RateBaseline::Decode(ByteReader* in) {
  gate_.Decode(in);
  for (double* value : {&sum_, &weight_, &recent_}) *value = in->Double();
  for (Spread& spread : spread_) {
    spread.squares = in->Double();
    spread.expected = in->Double();
  }
  last_ = in->Signed();
  hour_ = in->Signed();
  slots_.clear();
  if (!in->Bool()) return;
  slots_.resize(kHoursOfWeek);
  for (Slot& slot : slots_) {
    slot.mean = static_cast<float>(in->Double());
    const std::uint64_t panes = in->Varint(), visits = in->Varint();
    if (panes > UINT16_MAX || visits > kVisitsMax) in->Fail();
    slot.panes = static_cast<std::uint16_t>(panes);
    slot.visits = static_cast<std::uint16_t>(visits);
  }
}

void QuantileBaseline::Update(const LearnPolicy& policy, const LogHistogram* pane_histogram,
                              const BaselinePace& pace) {
  const bool sample = pane_histogram != nullptr && pane_histogram->count() > 0;
  const LearnGate::Step step = gate_.Pass(policy, sample, pace.pane);
  if (step == LearnGate::Step::kStartAnew) {
    previous_.Clear();
    current_.Clear();
    current_age_ = 0;
  }
  if (step != LearnGate::Step::kLearn) return;
  LogHistogram current = current_.Unpacked({});
  current.Merge(pane_histogram->Thinned());
  current_.Pack(current);
  current_age_ += pace.pane;
  since_quantile_ += pace.pane;
  // Once a minute: the quantile of a day does not move faster.
  if (since_quantile_ >= kMinuteUs || p95_ == 0) {
    current.Merge(previous_.Unpacked({}));
    p95_ = current.Quantile(0.95);
    since_quantile_ = 0;
  }
  if (current_age_ >= kDayUs) {
    previous_ = std::move(current_);
    current_.Clear();
    current_age_ = 0;
  }
}

void QuantileBaseline::Encode(ByteWriter* out) const {
  gate_.Encode(out);
  current_.Encode({}, out);
  previous_.Encode({}, out);
  out->Signed(current_age_);
  out->Signed(since_quantile_);
  out->Signed(p95_);
}

void QuantileBaseline::Decode(ByteReader* in) {
  gate_.Decode(in);
  current_.Decode(in);
  previous_.Decode(in);
  current_age_ = in->Signed();
  since_quantile_ = in->Signed();
  p95_ = in->Signed();
}

}  // namespace tocsin
