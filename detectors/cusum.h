// Sequential tests: how much evidence has piled up that a rate is p1 and no longer p0.
//
//   BinomialCusum cusum;
//   cusum.Update(bad, total, {.from = p0, .to = p1, .cap = h + kCertainMargin});
//   if (cusum.value() >= h) …
//
// S ← max(0, S + log-likelihood ratio of the pane): Page 1954. Under p0 a false crossing of h
// happens about once in e^h looks, so h is the false-alarm budget
// (DetectorEnvironment::EvidenceThreshold). Evidence is divided by the overdispersion (Pearson
// χ²/df), as in quasi-likelihood. It is capped, so that a long incident is forgotten as quickly as
// a short one. The logarithms are kept until a rate has moved by 1 %, which leaves a multiply and
// an add per pane. Value types; not thread-safe.
#pragma once

#include <cstdint>

#include "core/wire.h"

namespace tocsin {

// S ≥ h + kCertainMargin: false a thousand times less often than h alone (e^7 ≈ 1,100).
inline constexpr double kCertainMargin = 7;
// Within 30 min of a deploy a fault is about ten times as likely: h is lower by ln 10.
inline constexpr double kRecentDeployMargin = 2.302585092994046;

struct CusumRates {
  double from = 0;        // assumed while all is well; of a binomial within (0, 1)
  double to = 0;          // to be detected; above `from`
  double dispersion = 1;  // ≥ 1
  double cap = 0;         // S never exceeds it
};

class Cusum {
 public:
  double value() const { return value_; }
  void Reset() { value_ = 0; }
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 protected:
  // True when the kept logarithms no longer fit; then remembers the rates.
  bool Moved(const CusumRates& rates);
  void Add(double evidence, const CusumRates& rates);

  double value_ = 0;
  double from_ = 0, to_ = 0;  // what the weights were computed for
  double weight_bad_ = 0;     // evidence of one bad event (binomial), of one event (Poisson)
  double weight_other_ = 0;   // of one good event, of one pane
};

// bad·ln(p1/p0) + good·ln((1−p1)/(1−p0)).
class BinomialCusum : public Cusum {
 public:
  void Update(std::int64_t bad, std::int64_t total, const CusumRates& rates);
};

// count·ln(λ1/λ0) − (λ1 − λ0), rates in events per pane.
class PoissonCusum : public Cusum {
 public:
  void Update(std::int64_t count, const CusumRates& rates);
};

// How many events it takes on average to be sure that a ratio is p1: h / KL(p1‖p0).
double EvidenceFloor(double h, double p0, double p1);

}  // namespace tocsin
