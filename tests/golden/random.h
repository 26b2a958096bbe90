// Reproducible randomness for simulated traffic: the same seed gives the same numbers everywhere.
//
//   Random random(7);
//   int failures = random.Poisson(0.4);  double ms = random.LogNormal(30, 0.5);
//
// SplitMix64 (Steele, Lea & Flood 2014); transcendental functions are the project's own, which do
// not differ between machines. For tests and benchmarks only. Not thread-safe.
#pragma once

#include <cstdint>

#include "core/math.h"

namespace tocsin {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }  // [0, 1)
  std::int64_t Below(std::int64_t n) {
    return static_cast<std::int64_t>(Next() % static_cast<std::uint64_t>(n));
  }
  bool Chance(double probability) { return Uniform() < probability; }

  // Knuth's way, in parts of at most 16 so that e^−mean stays a number.
  int Poisson(double mean) {
    int count = 0;
    for (; mean > 16; mean -= 16) count += SmallPoisson(16);
    return count + (mean > 0 ? SmallPoisson(mean) : 0);
  }
  // Mean 0, variance 1: twelve uniforms, which is close enough and the same everywhere.
  double Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Uniform();
    return sum;
  }
  double LogNormal(double median, double sigma) { return median * Exp(sigma * Normal()); }

 private:
  int SmallPoisson(double mean) {
    const double limit = Exp(-mean);
    int count = 0;
    for (double product = Uniform(); product > limit; product *= Uniform()) ++count;
    return count;
  }

  std::uint64_t state_;
};

}  // namespace tocsin
