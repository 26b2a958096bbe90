// log, exp and friends that give the same bits on every CPU.
//
//   double h = Log(looks * series / budget);
//
// libm picks FMA variants at run time, so its results differ between machines in the last digit;
// that would break "live equals replay" between two hosts. These are built from + − × ÷ alone
// (argument reduction by exact powers of two, then a short series), and the build sets
// -ffp-contract=off. They are accurate to about 2 ulp, which detectors do not notice. Stages 1 and
// 2 may use nothing else; the build checks their archives for libm symbols. Thread-safe: pure
// functions.
#pragma once

#include <cstdint>

namespace tocsin {

// The sum of two counts, or the largest integer where it would overflow; associative, unlike
// wrapping or failing, so merged sketches stay independent of order. REQUIRES: a ≥ 0 and b ≥ 0.
constexpr std::int64_t SaturatingAdd(std::int64_t a, std::int64_t b) {
  return a > INT64_MAX - b ? INT64_MAX : a + b;
}

// Natural logarithm. REQUIRES: x > 0 and finite; returns -745.2 for anything else, which is
// below the log of the least double, so that Exp of it is 0.
double Log(double x);

// e^x; 0 below -745, the largest finite double above 709.78, NaN for NaN.
double Exp(double x);

// x^y as Exp(y·Log(x)). REQUIRES: x > 0.
double Pow(double x, double y);

// Correctly rounded by IEEE 754 on every CPU, hence allowed; here so that callers need not include
// <cmath>. REQUIRES: x ≥ 0.
double SquareRoot(double x);

// Kullback–Leibler divergence in nats of two Bernoulli rates, p against q, both within (0, 1): how
// much evidence one request carries when the true rate is p and the assumed one is q. Never
// negative.
double BernoulliDivergence(double p, double q);

// The upper one-sided 90 % confidence bound of a rate from `bad` of `total` (Wilson score, z
// = 1.2816), within [0, 1]. Without data (total ≤ 0) nothing is excluded: 1.
double WilsonUpper90(double bad, double total);

}  // namespace tocsin
