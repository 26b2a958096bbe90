// Random numbers for simulations: fast, and the same from one seed on every run.
//
//   Rng rng(StreamSeed(seed, {case_index, series}));
//   std::int64_t requests = rng.NegativeBinomial(16.7, 1.5);
//
// xoshiro256++ (Blackman & Vigna 2019), seeded by splitmix64. The samplers are exact, those of
// large Poisson means by Hörmann's PTRS (1993). Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

namespace tocsin {

// A seed for one of many independent streams, named by numbers.
std::uint64_t StreamSeed(std::uint64_t seed, std::initializer_list<std::uint64_t> name);

class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  std::uint64_t Next();
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }  // [0, 1)
  double Between(double low, double high) { return low + (high - low) * Uniform(); }
  bool Chance(double p) { return Uniform() < p; }
  // REQUIRES: n ≥ 1.
  std::int64_t Below(std::int64_t n) {
    return static_cast<std::int64_t>(Uniform() * static_cast<double>(n));
  }
  double Normal();
  double LogNormal(double median, double sigma);
  double Gamma(double shape);  // of scale 1
  std::int64_t Poisson(double mean);
  std::int64_t Binomial(std::int64_t n, double p);
  // Poisson for a dispersion (variance ÷ mean) of 1.
  std::int64_t NegativeBinomial(double mean, double dispersion);

 private:
  std::int64_t LargePoisson(double mean);

  std::array<std::uint64_t, 4> state_;
};

}  // namespace tocsin
