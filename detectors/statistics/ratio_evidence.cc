#include "detectors/statistics/ratio_evidence.h"

#include <algorithm>

#include "core/math.h"

namespace tocsin {
namespace {

constexpr double kLn2 = 0.6931471805599453;
constexpr double kSqrt2 = 1.4142135623730951;
// Evidence is held until it has fallen this far below h; while the ratio persists that happens by
// chance once in e^4 ≈ 55 times.
constexpr double kDoubt = 4;
// S may exceed h by this much, so that a pane without bad events next to one with many still has
// evidence.
constexpr double kSlack = 1;
// Evidence of an outage tests for twice the odds of one in five: ln(1 + 0.2·(2 − 1)).
constexpr double kOutageCost = 0.1823215567939546;

double Factor(int tilt) { return static_cast<double>(1 << tilt); }

// Index of the first CUSUM that a threshold uses: the nearest in log odds.
int FirstLookedAt(double p0, double above) {
  int first = 0;
  // The midpoint in log odds to the next one, multiplied by both complements.
  double edge = Factor(RatioEvidence::kFirstTilt) * kSqrt2 * p0 * (1 - above);
  for (; first + 1 < RatioEvidence::kTilts && above * (1 - p0) >= edge; edge *= 2) ++first;
  return first;
}

}  // namespace

void RatioEvidence::SetUsual(double p0) {
  if (p0 < p0_ * 1.01 && p0 > p0_ * 0.99) return;
  p0_ = static_cast<float>(p0);
  for (int i = 0; i < kTilts; ++i) {
    cost_[static_cast<std::size_t>(i)] =
        static_cast<float>(Log(1 + p0_ * (Factor(kFirstTilt + i) - 1)));
  }
}

void RatioEvidence::Update(std::int64_t bad, std::int64_t total, const Usual& usual) {
  SetUsual(usual.p0);
  h_ = static_cast<float>(usual.h);
  dispersion_ = static_cast<float>(usual.dispersion);
  const double gain = static_cast<double>(bad) * kLn2 / usual.dispersion;
  const double loss = static_cast<double>(total) / usual.dispersion;
  const auto enough = static_cast<float>(usual.enough), half = static_cast<float>(usual.h / 2);
  const auto release = static_cast<float>(std::max(usual.h - kDoubt, usual.h / 2));
  found_ = half_ = 0;
  const auto add = [&](std::size_t i, double tilt, double cost) {
    const double sum = double{s_[i]} + gain * tilt - loss * cost;
    s_[i] = static_cast<float>(std::clamp(sum, 0.0, usual.h + kSlack));
    const auto bit = static_cast<std::uint8_t>(1U << i);
    if (s_[i] >= enough) {
      found_ |= bit;
      held_ |= bit;
    } else if (s_[i] < release) {
      held_ = static_cast<std::uint8_t>(held_ & ~bit);
    }
    if (s_[i] > half) half_ |= bit;
  };
  for (std::size_t i = 0; i < kTilts; ++i) add(i, static_cast<double>(kFirstTilt + i), cost_[i]);
  add(kTilts, 1, kOutageCost);
}

void RatioEvidence::Forget() {
  s_.fill(0);
  found_ = held_ = half_ = 0;
}

std::uint8_t RatioEvidence::From(double above) const {
  return static_cast<std::uint8_t>((kAll << FirstLookedAt(p0_, above)) & kAll);
}

bool RatioEvidence::Any(double above) const {
  const std::uint8_t from = From(above);
  for (std::size_t i = 0; i < kTilts; ++i) {
    if (((from >> i) & 1U) != 0 && s_[i] > 0) return true;
  }
  return false;
}

double RatioEvidence::In(std::int64_t bad, std::int64_t total) const {
  const auto k = static_cast<double>(bad), n = static_cast<double>(total);
  const double expected = n * p0_;
  if (k <= expected) return 0;
  double likelier = k * Log(k / expected);  // log-likelihood ratio of their own ratio to p0
  if (k < n) likelier += (n - k) * Log((n - k) / (n - expected));
  return likelier / dispersion_ / h_;
}

double RatioEvidence::Without(std::int64_t bad) const {
  const double gain = static_cast<double>(bad) * kLn2 / dispersion_;
  double most = 0;
  for (std::size_t i = 0; i < kTilts; ++i) {
    most = std::max(most, double{s_[i]} - gain * static_cast<double>(kFirstTilt + i));
  }
  return most / h_;
}

double RatioEvidence::UsualMax() const { return double{cost_[0]} / (kFirstTilt * kLn2); }

void RatioEvidence::Encode(ByteWriter* out) const {
  for (const float s : s_) out->Double(s);
  out->Double(p0_);
  for (const std::uint8_t found : {found_, held_, half_}) out->Byte(found);
}

void RatioEvidence::Decode(ByteReader* in) {
  for (float& s : s_) {
    const double value = in->Double();
    if (!(value >= 0 && value <= 1e6)) in->Fail();
    s = in->ok() ? static_cast<float>(value) : 0;
  }
  const double p0 = in->Double();
  for (std::uint8_t* found : {&found_, &held_, &half_}) *found = in->Byte();
  if (!(p0 >= 0 && p0 < 1)) in->Fail();
  p0_ = 0;
  if (in->ok() && p0 > 0) SetUsual(p0);
}

double EvidenceFloor(double h, double p0, double p1) {
  const double odds = Factor(RatioEvidence::kFirstTilt) * p0 / (1 - p0);
  const double rate = std::max(p1, odds / (1 + odds));
  double gain = 0;
  for (int i = FirstLookedAt(p0, p1); i < RatioEvidence::kTilts; ++i) {
    const int tilt = RatioEvidence::kFirstTilt + i;
    gain = std::max(gain, rate * tilt * kLn2 - Log(1 + p0 * (Factor(tilt) - 1)));
  }
  return gain > 0 ? h / gain : 0;
}

}  // namespace tocsin
