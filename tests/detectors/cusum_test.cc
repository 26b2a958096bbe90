#include "detectors/cusum.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "detectors/detector.h"

namespace tocsin {
namespace {

TEST(BinomialCusum, IsTheFormula) {
  const CusumRates rates = {.from = 0.002, .to = 0.015, .cap = 100};
  BinomialCusum cusum;
  cusum.Update(3, 100, rates);
  const double first = 3 * std::log(0.015 / 0.002) + 97 * std::log(0.985 / 0.998);
  EXPECT_NEAR(cusum.value(), first, 1e-12);
  cusum.Update(0, 50, rates);
  EXPECT_NEAR(cusum.value(), first + 50 * std::log(0.985 / 0.998), 1e-12);
  cusum.Update(0, 10'000, rates);
  EXPECT_EQ(cusum.value(), 0);
  cusum.Update(0, 0, rates);
  EXPECT_EQ(cusum.value(), 0);
}

TEST(BinomialCusum, IsCappedAndDividedByTheDispersion) {
  BinomialCusum capped, clustered;
  capped.Update(100, 100, {.from = 0.002, .to = 0.5, .cap = 25});
  EXPECT_EQ(capped.value(), 25);
  clustered.Update(2, 2, {.from = 0.002, .to = 0.5, .dispersion = 4, .cap = 25});
  EXPECT_NEAR(clustered.value(), 2 * std::log(250.0) / 4, 1e-12);
}

TEST(PoissonCusum, IsTheFormula) {
  PoissonCusum cusum;
  cusum.Update(60, {.from = 7, .to = 33, .cap = 1000});
  EXPECT_NEAR(cusum.value(), 60 * std::log(33.0 / 7) - 26, 1e-12);
  cusum.Update(0, {.from = 7, .to = 33, .cap = 1000});
  EXPECT_NEAR(cusum.value(), 60 * std::log(33.0 / 7) - 52, 1e-12);
}

TEST(EvidenceThreshold, IsTheBudget) {
  EXPECT_NEAR(DetectorEnvironment().EvidenceThreshold(), 17.918, 0.001);
  const DetectorEnvironment many = {.series_expected = 10'000};
  EXPECT_NEAR(many.EvidenceThreshold(), 27.128, 0.001);
  const DetectorEnvironment yearly = {.pane = kMinuteUs, .false_pages_per_series_week = 1.0 / 52};
  EXPECT_NEAR(yearly.EvidenceThreshold(), 13.2, 0.1);
}

TEST(EvidenceFloor, IsTheFigureOfTheNotes) {
  EXPECT_NEAR(EvidenceFloor(17.918, 0.002, 0.015), 1035, 5);
  EXPECT_NEAR(EvidenceFloor(13.2, 0.002, 0.015), 763, 5);
}

// Under p0 the crossings of h stay within the budget e^-h a look; seen at a small h.
TEST(BinomialCusum, FalseCrossingsAreRarerThanTheBudget) {
  std::mt19937_64 random(11);
  std::binomial_distribution<int> failures(100, 0.002);
  int crossings = 0;
  constexpr int kLooks = 2'000'000;
  BinomialCusum cusum;
  for (int i = 0; i < kLooks; ++i) {
    cusum.Update(failures(random), 100, {.from = 0.002, .to = 0.015, .cap = 20});
    if (cusum.value() < 9) continue;
    ++crossings;
    cusum.Reset();
  }
  EXPECT_LT(crossings, kLooks * std::exp(-9.0));
}

}  // namespace
}  // namespace tocsin
