// However a log is rotated and whoever is killed, each of its lines counts once.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/rotation_simulation.h"
#include "tests/sim/seeds.h"

namespace tocsin {
namespace {

using testing::Difference;
using testing::RotationBreakage;
using testing::RotationSimulation;
using testing::RotationStats;
using testing::SimSetup;

class RotationSimulationTest : public testing::SeedBlocks {};

TEST_P(RotationSimulationTest, GivesWhatAnUndisturbedRunGives) {
  RotationStats total;
  std::uint64_t decided = 0;
  const std::uint64_t ran = testing::RunSeeds(1'000, GetParam(), [&](std::uint64_t seed) {
    RotationSimulation simulation(&SimSetup(), seed, RotationBreakage::kNone);
    simulation.Run();
    total += simulation.stats();
    if (!simulation.actual().notifications.empty()) ++decided;
    return Difference(simulation.expected(), simulation.actual());
  });
  if (ran < 30) return;
  const auto seeds = static_cast<std::int64_t>(ran);
  EXPECT_GT(total.rotations, seeds * 4);
  EXPECT_GT(total.restarts, seeds);
  EXPECT_GT(decided, ran / 2);
}

INSTANTIATE_TEST_SUITE_P(Blocks, RotationSimulationTest,
                         ::testing::Range<std::uint64_t>(0, testing::kSeedBlocks),
                         testing::BlockName);

TEST(RotationSimulation, NoticesBrokenRules) {
  const auto diverged = [](const char* what, RotationBreakage breakage) {
    return testing::CountDiverged(what, 40, [&](std::uint64_t seed) {
      RotationSimulation simulation(&SimSetup(), seed, breakage);
      simulation.Run();
      return Difference(simulation.expected(), simulation.actual());
    });
  };
  EXPECT_GE(diverged("goes on at so many bytes of another file", RotationBreakage::kKnowBytes), 20);
  EXPECT_GE(diverged("commits before the batches", RotationBreakage::kCommitPosition), 20);
}

}  // namespace
}  // namespace tocsin
