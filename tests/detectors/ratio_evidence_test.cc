#include "detectors/statistics/ratio_evidence.h"

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "detectors/detector.h"

namespace tocsin {
namespace {

const double kH = DetectorEnvironment().EvidenceThreshold();

RatioEvidence::Usual Wanted(double p0, double dispersion = 1) {
  return {.p0 = p0, .dispersion = dispersion, .h = kH, .enough = kH};
}

// How many requests of which every `nth` is bad it takes until there is evidence.
int RequestsUntilFound(int nth, double above, const RatioEvidence::Usual& usual) {
  RatioEvidence evidence;
  int requests = 0;
  while (!evidence.Found(above) && requests < 100'000) {
    ++requests;
    evidence.Update(requests % nth == 0 ? 1 : 0, 1, usual);
  }
  return requests;
}

// Σ over the requests of k·j·ln 2 − n·ln(1 + p0·(2^j − 1)), by the j that is best.
TEST(RatioEvidence, IsTheFormula) {
  // All bad: j = 7, 4.852 − 0.226 a request.
  EXPECT_EQ(RequestsUntilFound(1, 0.5, Wanted(0.002)), 4);
  // One of ten: j = 6, 4.159 − 10·0.1187 in ten requests.
  EXPECT_EQ(RequestsUntilFound(10, 0.015, Wanted(0.002)), 60);
  // Twice the dispersion is twice as many.
  EXPECT_EQ(RequestsUntilFound(10, 0.015, Wanted(0.002, 2)), 120);
}

TEST(RatioEvidence, TheFloorIsTheFigureOfTheNotes) {
  EXPECT_NEAR(EvidenceFloor(17.918, 0.002, 0.015), 1035, 5);
  EXPECT_NEAR(EvidenceFloor(13.2, 0.002, 0.015), 763, 5);
  // What is not above the usual is told from it no sooner than four times its odds.
  EXPECT_NEAR(EvidenceFloor(kH, 0.02, 0.001), EvidenceFloor(kH, 0.02, 0.08 / 1.06), 1e-6);
}

// The promise of the budget, seen at a small h: at p0 it is found less than once in e^h looks.
TEST(RatioEvidence, FalseEvidenceIsRarerThanTheBudget) {
  constexpr double kSmall = 6;
  constexpr int kLooks = 300'000;
  for (const double p0 : {0.0002, 0.002, 0.02, 0.2}) {
    for (const int per_look : {1, 20, 400}) {
      std::mt19937_64 random(7);
      std::binomial_distribution<int> bad(per_look, p0);
      RatioEvidence evidence;
      int times = 0;
      for (int i = 0; i < kLooks; ++i) {
        const bool was = evidence.Held(p0);
        evidence.Update(bad(random), per_look, {.p0 = p0, .h = kSmall, .enough = kSmall});
        times += evidence.Found(p0) && !was ? 1 : 0;
      }
      EXPECT_LT(times, kLooks * std::exp(-kSmall)) << p0 << ", " << per_look << " a look";
    }
  }
}

TEST(RatioEvidence, ALowerThresholdHasNoLessOfIt) {
  const std::vector<double> thresholds = {1e-5, 0.0004, 0.001, 0.0029, 0.003, 0.02,
                                          0.13, 0.3,    0.51,  0.9,    0.999};
  for (unsigned seed = 1; seed <= 20; ++seed) {
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> unit(0, 1);
    const double p0 = std::exp(std::log(1e-4) + unit(random) * std::log(2000));
    const int total = static_cast<int>(std::exp(unit(random) * 7));
    RatioEvidence evidence;
    double share = p0;
    for (int pane = 0; pane < 2'000; ++pane) {
      if (random() % 100 == 0) share = unit(random) < 0.5 ? p0 : std::pow(unit(random), 4);
      std::binomial_distribution<int> bad(total, share);
      evidence.Update(bad(random), total, Wanted(p0));
      for (std::size_t i = 1; i < thresholds.size(); ++i) {
        const double low = thresholds[i - 1], high = thresholds[i];
        ASSERT_GE(evidence.Found(low), evidence.Found(high)) << "seed " << seed << ", " << high;
        ASSERT_GE(evidence.Held(low), evidence.Held(high)) << "seed " << seed << ", " << high;
        ASSERT_GE(evidence.Suspected(low), evidence.Suspected(high)) << "seed " << seed;
      }
    }
  }
}

TEST(RatioEvidence, IsHeldUntilSomethingSpeaksAgainstIt) {
  RatioEvidence evidence;
  for (int i = 0; i < 4; ++i) evidence.Update(1, 1, Wanted(0.002));
  ASSERT_TRUE(evidence.Found(0.5));
  for (int i = 0; i < 5; ++i) evidence.Update(0, 1, Wanted(0.002));
  EXPECT_FALSE(evidence.Found(0.5));
  EXPECT_TRUE(evidence.Held(0.5));
  // From 18.5 to 13.9, 0.226 a request.
  for (int i = 0; i < 18; ++i) evidence.Update(0, 1, Wanted(0.002));
  EXPECT_FALSE(evidence.Held(0.5));
  // However long it was bad before.
  evidence.Update(100'000, 100'000, Wanted(0.002));
  EXPECT_TRUE(evidence.Held(0.02));
  evidence.Update(0, 400, Wanted(0.002));
  EXPECT_FALSE(evidence.Held(0.02));
  evidence.Update(4, 4, Wanted(0.002));
  ASSERT_TRUE(evidence.HeldOfAny());
  evidence.Forget();
  EXPECT_FALSE(evidence.HeldOfAny());
  EXPECT_FALSE(evidence.Any(0.002));
}

TEST(RatioEvidence, SaysWhatThereIsInSomeEventsAndWithoutThem) {
  for (const double dispersion : {1.0, 2.0}) {
    RatioEvidence evidence;
    for (int i = 0; i < 4; ++i) evidence.Update(1, 1, Wanted(0.002, dispersion));
    // ln of (1 ÷ 0.002)^4; 4·(4.852 − 0.226) without 4.852.
    EXPECT_NEAR(evidence.In(4, 4), 24.86 / dispersion / kH, 0.001);
    EXPECT_NEAR(evidence.Without(1), 13.65 / dispersion / kH, 0.001);
    EXPECT_EQ(evidence.Without(4), 0);
    EXPECT_EQ(evidence.In(2, 1'000), 0);
    EXPECT_GT(evidence.In(3, 1'000), 0);
  }
}

TEST(RatioEvidence, SaysWhatIsNotToBeLearned) {
  RatioEvidence evidence;
  evidence.Update(400, 100'000, Wanted(0.002));  // not much more than usual
  EXPECT_FALSE(evidence.Unusual());
  EXPECT_NEAR(evidence.UsualMax(), 0.00432, 1e-5);
  evidence.Update(2'000, 100'000, Wanted(0.002));  // ten times as usual
  EXPECT_TRUE(evidence.Unusual());
  EXPECT_FALSE(evidence.Outage());
  evidence.Update(40'000, 100'000, Wanted(0.002));
  EXPECT_TRUE(evidence.Outage());
}

TEST(RatioEvidence, GoesThroughBytes) {
  RatioEvidence evidence;
  evidence.Update(5, 40, Wanted(0.003));
  ByteWriter out;
  evidence.Encode(&out);
  ByteReader in(out.view());
  RatioEvidence copy;
  copy.Decode(&in);
  EXPECT_TRUE(in.Done());
  ByteWriter again;
  copy.Encode(&again);
  EXPECT_EQ(out.view(), again.view());
  copy.Update(1, 1, Wanted(0.003));
  evidence.Update(1, 1, Wanted(0.003));
  EXPECT_EQ(copy.Found(0.1), evidence.Found(0.1));
  // A NaN among the sums, and an impossible p0.
  for (const std::size_t at : {std::size_t{0}, std::size_t{56}}) {
    std::string bytes(out.view());
    bytes.replace(at, 8, std::string(8, '\xff'));
    ByteReader broken(bytes);
    RatioEvidence().Decode(&broken);
    EXPECT_FALSE(broken.ok()) << at;
  }
}

}  // namespace
}  // namespace tocsin
