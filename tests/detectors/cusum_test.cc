#include "detectors/statistics/cusum.h"

#include <cmath>
#include <random>

#include <gtest/gtest.h>

#include "detectors/detector.h"

namespace tocsin {
namespace {

TEST(PoissonCusum, IsTheFormula) {
  const double factor = 33.0 / 7;
  PoissonCusum cusum;
  cusum.Update(60, {.from = 7, .factor = factor, .cap = 1000});
  EXPECT_NEAR(cusum.value(), 60 * std::log(factor) - 26, 1e-12);
  cusum.Update(0, {.from = 7, .factor = factor, .cap = 1000});
  EXPECT_NEAR(cusum.value(), 60 * std::log(factor) - 52, 1e-12);
  cusum.Update(0, {.from = 7'000, .factor = factor, .cap = 1000});
  EXPECT_EQ(cusum.value(), 0);
}

TEST(PoissonCusum, IsCappedAndDividedByTheDispersion) {
  PoissonCusum capped, clustered;
  capped.Update(1'000, {.from = 7, .factor = 2, .cap = 25});
  EXPECT_EQ(capped.value(), 25);
  clustered.Update(20, {.from = 7, .factor = 2, .dispersion = 4, .cap = 25});
  EXPECT_NEAR(clustered.value(), (20 * std::log(2.0) - 7) / 4, 1e-12);
}

TEST(PoissonCusum, TheLowerTheRateTheMoreEvidence) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    std::poisson_distribution<int> usual(5), storm(12);
    PoissonCusum low, high;
    for (int i = 0; i < 2'000; ++i) {
      const int count = i / 50 % 3 == 0 ? storm(random) : usual(random);
      low.Update(count, {.from = 5, .factor = 2, .cap = 25});
      high.Update(count, {.from = 5.001, .factor = 2, .cap = 25});
      ASSERT_GE(low.value(), high.value()) << "seed " << seed;
    }
  }
}

TEST(PoissonCusum, ReadsWhatTheLastReleaseWrote) {
  ByteWriter out;
  for (const double value : {12.5, 7.0, 33.0, 1.55, -26.0}) out.Double(value);
  PoissonCusum cusum;
  ByteReader in(out.view(), 5);
  cusum.Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_EQ(cusum.value(), 12.5);
}

TEST(EvidenceThreshold, IsTheBudget) {
  EXPECT_NEAR(DetectorEnvironment().EvidenceThreshold(), 17.918, 0.001);
  const DetectorEnvironment many = {.series_expected = 10'000};
  EXPECT_NEAR(many.EvidenceThreshold(), 27.128, 0.001);
  const DetectorEnvironment yearly = {.pane = kMinuteUs, .false_pages_per_series_week = 1.0 / 52};
  EXPECT_NEAR(yearly.EvidenceThreshold(), 13.2, 0.1);
  PaneContext pane;
  EXPECT_EQ(EnoughEvidence(17.9, pane), 17.9);
  pane.recent_deploy = true;
  EXPECT_NEAR(EnoughEvidence(17.9, pane), 17.9 - std::log(10), 1e-12);
  EXPECT_EQ(EnoughEvidence(1.5, pane), 1);
}

// At the usual rate the crossings of h stay within the budget e^-h a look; seen at a small h.
TEST(PoissonCusum, FalseCrossingsAreRarerThanTheBudget) {
  std::mt19937_64 random(11);
  std::poisson_distribution<int> counts(3);
  int crossings = 0;
  constexpr int kLooks = 1'000'000;
  PoissonCusum cusum;
  for (int i = 0; i < kLooks; ++i) {
    const double before = cusum.value();
    cusum.Update(counts(random), {.from = 3, .factor = 2, .cap = 20});
    crossings += cusum.value() >= 8 && before < 8 ? 1 : 0;
  }
  EXPECT_LT(crossings, kLooks * std::exp(-8.0));
}

}  // namespace
}  // namespace tocsin
