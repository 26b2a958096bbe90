#include "bench/sampling.h"

#include <bit>
#include <cmath>

namespace tocsin {
namespace {

std::uint64_t SplitMix(std::uint64_t* state) {
  std::uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// Below it a Poisson number is found by counting, above it by rejection.
constexpr double kCountedMean = 10;

}  // namespace

std::uint64_t StreamSeed(std::uint64_t seed, std::initializer_list<std::uint64_t> name) {
  for (const std::uint64_t part : name) {
    seed ^= part + 0x632be59bd9b4e019u;
    seed = SplitMix(&seed);
  }
  return seed;
}

Rng::Rng(std::uint64_t seed) {
  for (std::uint64_t& word : state_) word = SplitMix(&seed);
}

std::uint64_t Rng::Next() {
  const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

double Rng::Normal() {
  // Marsaglia's polar method; its second number is not kept, so that a copy needs no more state.
  for (;;) {
    const double u = Between(-1, 1), v = Between(-1, 1), s = u * u + v * v;
    if (s > 0 && s < 1) return u * std::sqrt(-2 * std::log(s) / s);
  }
}

double Rng::LogNormal(double median, double sigma) { return median * std::exp(sigma * Normal()); }

double Rng::Gamma(double shape) {
  // Marsaglia & Tsang 2000; shapes below 1 by way of the next larger one.
  if (shape < 1) return Gamma(shape + 1) * std::pow(1 - Uniform(), 1 / shape);
  const double d = shape - 1.0 / 3, c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = Normal(), root = 1 + c * x;
    if (root <= 0) continue;
    const double v = root * root * root;
    if (std::log(1 - Uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

std::int64_t Rng::Poisson(double mean) {
  if (mean <= 0) return 0;
  if (mean >= kCountedMean) return LargePoisson(mean);
  const double limit = std::exp(-mean);
  std::int64_t n = 0;
  for (double product = 1 - Uniform(); product > limit; product *= 1 - Uniform()) ++n;
  return n;
}

std::int64_t Rng::LargePoisson(double mean) {
  const double root = std::sqrt(mean), log_mean = std::log(mean);
  const double b = 0.931 + 2.53 * root, a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const double u = Uniform() - 0.5, v = 1 - Uniform(), us = 0.5 - std::fabs(u);
    const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
    if (us >= 0.07 && v <= v_r) return static_cast<std::int64_t>(k);
    if (k < 0 || (us < 0.013 && v > us)) continue;
    if (std::log(v) + std::log(inverse_alpha) - std::log(a / (us * us) + b) <=
        -mean + k * log_mean - std::lgamma(k + 1)) {
      return static_cast<std::int64_t>(k);
    }
  }
}

std::int64_t Rng::Binomial(std::int64_t n, double p) {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - Binomial(n, 1 - p);
  std::int64_t successes = 0;
  if (p > 0.1) {
    for (std::int64_t i = 0; i < n; ++i) successes += Chance(p) ? 1 : 0;
    return successes;
  }
  // From success to success: the gaps are geometric.
  const double log_failure = std::log1p(-p);
  double at = 0;
  for (;;) {
    at += 1 + std::floor(std::log(1 - Uniform()) / log_failure);
    if (at > static_cast<double>(n)) return successes;
    ++successes;
  }
}

std::int64_t Rng::NegativeBinomial(double mean, double dispersion) {
  if (mean <= 0) return 0;
  if (dispersion <= 1) return Poisson(mean);
  return Poisson(Gamma(mean / (dispersion - 1)) * (dispersion - 1));
}

}  // namespace tocsin
