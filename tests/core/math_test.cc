#include "core/math.h"

#include <bit>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

constexpr double kMax = std::numeric_limits<double>::max();
constexpr double kLeast = std::numeric_limits<double>::denorm_min();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// How many doubles lie between two of the same sign.
std::int64_t Ulps(double a, double b) {
  return std::abs(std::bit_cast<std::int64_t>(a) - std::bit_cast<std::int64_t>(b));
}

// Deterministic doubles in [0, 1).
class Uniform {
 public:
  double operator()() {
    state_ = state_ * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u;
    return static_cast<double>(state_ >> 11) / 0x1p53;
  }

 private:
  std::uint64_t state_ = 1;
};

TEST(Log, IsWithinTwoUlpOfLibm) {
  Uniform uniform;
  for (int i = 0; i < 100'000; ++i) {
    const double x = std::ldexp(1 + uniform(), static_cast<int>(uniform() * 2'098) - 1'074);
    ASSERT_LE(Ulps(Log(x), std::log(x)), 2) << x;
    const double near_one = 1 + (uniform() - 0.5) * 1e-3;
    ASSERT_LE(Ulps(Log(near_one), std::log(near_one)), 2) << near_one;
  }
}

TEST(Log, HasExactAndExtremeValues) {
  EXPECT_EQ(Log(1), 0);
  EXPECT_LE(Ulps(Log(2), 0.693147180559945309), 1);
  EXPECT_LE(Ulps(Log(kLeast), -744.4400719213812), 1);
  EXPECT_LE(Ulps(Log(kMax), 709.782712893384), 1);
  for (const double x : {0.0, -0.0, -1.0, -kInfinity, std::nan("")}) EXPECT_EQ(Log(x), -745.2);
}

TEST(Exp, IsWithinTwoUlpOfLibm) {
  Uniform uniform;
  for (int i = 0; i < 100'000; ++i) {
    const double x = uniform() * 1'454.7 - 745;
    ASSERT_LE(Ulps(Exp(x), std::exp(x)), 2) << x;
    const double small = (uniform() - 0.5) * 1e-2;
    ASSERT_LE(Ulps(Exp(small), std::exp(small)), 2) << small;
  }
}

TEST(Exp, HasExactAndExtremeValues) {
  EXPECT_EQ(Exp(0), 1);
  EXPECT_LE(Ulps(Exp(1), 2.718281828459045235), 1);
  EXPECT_EQ(Exp(709.79), kMax);
  EXPECT_EQ(Exp(kInfinity), kMax);
  EXPECT_LT(Exp(709.78), kMax);
  EXPECT_EQ(Exp(-745), kLeast);
  EXPECT_EQ(Exp(-745.01), 0);
  EXPECT_EQ(Exp(-kInfinity), 0);
  EXPECT_EQ(Exp(Log(0)), 0);
  EXPECT_TRUE(std::isnan(Exp(std::nan(""))));
}

// Two hosts, two compilers or two optimisation levels that differ in one last digit fail here.
TEST(LogAndExp, HaveTheSameBitsEverywhere) {
  Uniform uniform;
  std::uint64_t digest = 0;
  const auto add = [&digest](double value) {
    digest = (std::rotl(digest, 5) ^ std::bit_cast<std::uint64_t>(value)) * 0x9e3779b97f4a7c15;
  };
  for (int i = 0; i < 20'000; ++i) {
    // Drawn one by one: compilers differ in the order in which they evaluate arguments.
    const double x = uniform();
    const double y = uniform();
    add(Log(x * 1e6 + 1e-9));
    add(Exp((x - 0.5) * 1'400));
    add(Pow(x + 0.01, y * 8 - 4));
    add(BernoulliDivergence(x * 0.9 + 0.05, y * 0.9 + 0.05));
    add(WilsonUpper90(x * 100, y * 100 + 100));
  }
  EXPECT_EQ(digest, 18'001'930'475'577'129'473u);
}

TEST(Pow, AgreesWithLibm) {
  for (const double x : {1e-6, 0.5, 0.99, 1.0, 1.1, 2.0, 1e6}) {
    for (const double y : {-3.0, -0.5, 0.0, 0.25, 1.0, 2.0, 7.5}) {
      EXPECT_NEAR(Pow(x, y) / std::pow(x, y), 1, 1e-13) << x << " " << y;
    }
  }
}

TEST(SquareRoot, IsCorrectlyRounded) {
  Uniform uniform;
  for (int i = 0; i < 10'000; ++i) {
    const double x = std::ldexp(uniform(), static_cast<int>(uniform() * 2'000) - 1'000);
    ASSERT_EQ(SquareRoot(x), std::sqrt(x));
  }
  EXPECT_EQ(SquareRoot(0), 0);
  EXPECT_EQ(SquareRoot(9), 3);
}

TEST(BernoulliDivergence, HasKnownValuesAndIsNeverNegative) {
  EXPECT_NEAR(BernoulliDivergence(0.5, 0.25), 0.5 * std::log(4.0 / 3.0), 1e-15);
  EXPECT_NEAR(BernoulliDivergence(0.015, 0.002), 0.0173085846958495044, 1e-16);
  EXPECT_EQ(BernoulliDivergence(0.3, 0.3), 0);
  EXPECT_GT(BernoulliDivergence(0.25, 0.5), 0);
  EXPECT_NE(BernoulliDivergence(0.25, 0.5), BernoulliDivergence(0.5, 0.25));
  EXPECT_NEAR(BernoulliDivergence(0, 0.25), std::log(4.0 / 3.0), 1e-15);
  EXPECT_NEAR(BernoulliDivergence(1, 0.25), std::log(4.0), 1e-15);
  Uniform uniform;
  for (int i = 0; i < 10'000; ++i) {
    const double p = uniform() * 0.998 + 0.001;
    ASSERT_GE(BernoulliDivergence(p, p + (uniform() - 0.5) * 1e-12), 0);
  }
}

TEST(WilsonUpper90, HasKnownValues) {
  // z² / (n + z²) for no bad ones.
  EXPECT_NEAR(WilsonUpper90(0, 100), 1.2816 * 1.2816 / (100 + 1.2816 * 1.2816), 1e-15);
  EXPECT_NEAR(WilsonUpper90(5, 100), 0.0859154505400416299, 1e-16);
  EXPECT_DOUBLE_EQ(WilsonUpper90(100, 100), 1);
  EXPECT_EQ(WilsonUpper90(0, 0), 1);
  EXPECT_EQ(WilsonUpper90(0, -1), 1);
  EXPECT_LE(WilsonUpper90(120, 100), 1);
  EXPECT_GT(WilsonUpper90(5, 100), WilsonUpper90(50, 1'000));
}

TEST(SaturatingAdd, StopsAtTheLargestInteger) {
  EXPECT_EQ(SaturatingAdd(2, 3), 5);
  EXPECT_EQ(SaturatingAdd(INT64_MAX - 1, 1), INT64_MAX);
  EXPECT_EQ(SaturatingAdd(INT64_MAX, INT64_MAX), INT64_MAX);
}

}  // namespace
}  // namespace tocsin
