#include "detectors/statistics/cusum.h"

#include <algorithm>

#include "core/math.h"

namespace tocsin {

void PoissonCusum::Update(std::int64_t count, const CusumRates& rates) {
  if (rates.factor != factor_) {
    factor_ = rates.factor;
    log_factor_ = Log(factor_);
  }
  const double gained = static_cast<double>(count) * log_factor_ - rates.from * (factor_ - 1);
  value_ = std::clamp(value_ + gained / rates.dispersion, 0.0, rates.cap);
}

void PoissonCusum::Encode(ByteWriter* out) const { out->Double(value_); }

void PoissonCusum::Decode(ByteReader* in) {
  value_ = in->Double();
  if (in->format() >= 6) return;
  for (int i = 0; i < 4; ++i) in->Double();  // format 5: rates and their logarithms
}

}  // namespace tocsin
