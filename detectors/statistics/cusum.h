// A sequential test of counts: how much evidence has accumulated that their rate is above `from`.
//
//   PoissonCusum cusum;
//   cusum.Update(count, {.from = usual, .factor = 2, .cap = h + kCertainMargin});
//   if (cusum.value() >= h) …
//
// S ← max(0, S + (count·ln factor − from·(factor − 1)) / dispersion): Page 1954, against `factor`
// times the rate. At `from` a false crossing of h happens about once in e^h looks, so h is the
// false-page budget (DetectorEnvironment::EvidenceThreshold). For the same counts a lower `from`
// never gives a smaller S. Evidence is divided by the overdispersion (variance ÷ mean), as in
// quasi-likelihood. It is capped, so that a long incident is forgotten as quickly as a short one.
// The same for ratios is in ratio_evidence.h. Value type; not thread-safe.
#pragma once

#include <cstdint>

#include "core/wire.h"

namespace tocsin {

// S ≥ h + kCertainMargin is false a thousand times less often than S ≥ h (e^7 ≈ 1,100).
inline constexpr double kCertainMargin = 7;

struct CusumRates {
  double from = 0;        // events per pane, assumed while all is well
  double factor = 2;      // multiple of `from` to detect; above 1
  double dispersion = 1;  // ≥ 1
  double cap = 0;         // S never exceeds it
};

class PoissonCusum {
 public:
  void Update(std::int64_t count, const CusumRates& rates);
  double value() const { return value_; }
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  double value_ = 0;
  double factor_ = 1, log_factor_ = 0;  // cached: a logarithm a pane is half of the work
};

}  // namespace tocsin
