#include "detectors/cusum.h"

#include <algorithm>

#include "core/math.h"

namespace tocsin {
namespace {

bool Near(double now, double then) { return now < then * 1.01 && now > then * 0.99; }

}  // namespace

void Cusum::Encode(ByteWriter* out) const {
  for (const double value : {value_, from_, to_, weight_bad_, weight_other_}) out->Double(value);
}

void Cusum::Decode(ByteReader* in) {
  for (double* value : {&value_, &from_, &to_, &weight_bad_, &weight_other_}) *value = in->Double();
}

bool Cusum::Moved(const CusumRates& rates) {
  if (Near(rates.from, from_) && Near(rates.to, to_)) return false;
  from_ = rates.from;
  to_ = rates.to;
  return true;
}

void Cusum::Add(double evidence, const CusumRates& rates) {
  value_ = std::clamp(value_ + evidence / rates.dispersion, 0.0, rates.cap);
}

void BinomialCusum::Update(std::int64_t bad, std::int64_t total, const CusumRates& rates) {
  if (Moved(rates)) {
    weight_bad_ = Log(to_ / from_);
    weight_other_ = Log((1 - to_) / (1 - from_));
  }
  if (total == 0) return;
  Add(static_cast<double>(bad) * weight_bad_ + static_cast<double>(total - bad) * weight_other_,
      rates);
}

void PoissonCusum::Update(std::int64_t count, const CusumRates& rates) {
  if (Moved(rates)) {
    weight_bad_ = Log(to_ / from_);
    weight_other_ = from_ - to_;
  }
  Add(static_cast<double>(count) * weight_bad_ + weight_other_, rates);
}

double EvidenceFloor(double h, double p0, double p1) {
  const double divergence = BernoulliDivergence(p1, p0);
  return divergence > 0 ? h / divergence : 0;
}

}  // namespace tocsin
