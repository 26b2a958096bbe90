// How much evidence there is that a ratio is above the usual, for every threshold at once.
//
//   RatioEvidence evidence;
//   evidence.Update(bad, total, {.p0 = p0, .dispersion = 1.5, .h = h, .enough = h});
//   if (evidence.Found(0.05)) …   // in this pane there is enough of a ratio of about 5 % or more
//   if (evidence.Held(0.05)) …    // there was, and nothing has contradicted it since
//
// Six binomial CUSUMs (Page 1954) side by side; number j, from 2 to 7, tests whether the odds of a
// bad event are 2^j times the usual ones, p0 / (1 − p0):
//
//   S_j ← min(h + 1, max(0, S_j + (bad·j·ln 2 − total·ln(1 + p0·(2^j − 1))) / dispersion))
//
// A threshold uses the CUSUM whose ratio is nearest and all higher ones. So no S depends on a
// threshold, and a lower threshold has at least the evidence of a higher one: lowering a threshold
// never delays a signal. At p0 any of the six reaches h less than once in e^h looks
// (ratio_evidence_test measures it), so h is the false-page budget
// (DetectorEnvironment::EvidenceThreshold). A ratio of up to UsualMax(), 2.2 times p0 if that is
// small, is no evidence: a share may rise and fall by that much with the hour. Odds above 128 times
// the usual are not tested separately, so that four unlucky requests are needed, not three.
//
// Evidence that was found is held until S has fallen to h − 4, so that a good request or two do not
// revoke it. Callers who know sooner that the ratio is usual again call Forget. Evidence is divided
// by the overdispersion, as in quasi-likelihood. 68 bytes; value type; not thread-safe.
#pragma once

#include <array>
#include <cstdint>

#include "core/wire.h"

namespace tocsin {

class RatioEvidence {
 public:
  static constexpr int kFirstTilt = 2, kTilts = 6;

  struct Usual {
    double p0 = 0;          // within (0, 1)
    double dispersion = 1;  // ≥ 1
    double h = 0;           // evidence required
    double enough = 0;      // evidence required in this pane: h, or less after a deploy
  };

  // A pane's counts. The logarithms are kept until p0 has moved by 1 %.
  void Update(std::int64_t bad, std::int64_t total, const Usual& usual);
  // Drops all evidence, because what caused it is over; the next fault needs its own.
  void Forget();

  // Evidence of a ratio of about `above` or more, as of the last Update. Found: enough in this
  // pane. Held: enough once, and still held. Suspected: more than half.
  bool Found(double above) const { return (found_ & From(above)) != 0; }
  bool Held(double above) const { return (held_ & From(above)) != 0; }
  bool Suspected(double above) const { return (half_ & From(above)) != 0; }
  bool HeldOfAny() const { return (held_ & kAll) != 0; }
  // There is any evidence.
  bool Any(double above) const;
  // As fractions of h. In: the evidence of these events alone that their ratio is above the usual.
  // Without: a lower bound of the evidence if this many bad events had not occurred.
  double In(std::int64_t bad, std::int64_t total) const;
  double Without(std::int64_t bad) const;

  // More than half the evidence that the ratio is above the usual: do not learn it as usual.
  bool Unusual() const { return (half_ & kAll) != 0; }
  // More than half the evidence that more than a quarter is bad, whatever is usual.
  bool Outage() const { return (half_ & kOutage) != 0; }
  // The highest ratio that is no evidence; 0 before the first Update.
  double UsualMax() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  static constexpr std::uint8_t kAll = (1 << kTilts) - 1;
  static constexpr std::uint8_t kOutage = 1 << kTilts;

  void SetUsual(double p0);
  // A bit for each CUSUM that a threshold uses.
  std::uint8_t From(double above) const;

  std::array<float, kTilts + 1> s_{};  // the last one tests for an outage
  std::array<float, kTilts> cost_{};   // subtracted for each event, good or bad
  float p0_ = 0;                       // that `cost_` was computed for
  float h_ = 0, dispersion_ = 1;       // of the last Update
  std::uint8_t found_ = 0, held_ = 0, half_ = 0;
};

// The average number of events, of which a share p1 is bad, until there is evidence of h. If p1 is
// below the lowest ratio that can be distinguished from p0, that ratio is used.
double EvidenceFloor(double h, double p0, double p1);

}  // namespace tocsin
