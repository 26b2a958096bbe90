// However a log is rotated and whoever is killed, each of its lines counts once.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/rotation_simulation.h"
#include "tests/sim/seeds.h"

namespace tocsin {
namespace {

using testing::CountDiverged;
using testing::RotationBreakage;
using testing::RotationSimulation;
using testing::RunBlock;

class RotationSimulationTest : public testing::SeedBlocks {};

TEST_P(RotationSimulationTest, GivesWhatAnUndisturbedRunGives) {
  const auto block = RunBlock<RotationSimulation>(1'000, GetParam(), RotationBreakage::kNone);
  if (block.ran < 30) return;
  const auto& total = block.stats;
  const auto seeds = static_cast<std::int64_t>(block.ran);
  EXPECT_GT(total.rotations, seeds * 4);
  EXPECT_GT(total.restarts, seeds);
  EXPECT_GT(block.decided, block.ran / 2);
}

INSTANTIATE_TEST_SUITE_P(Blocks, RotationSimulationTest,
                         ::testing::Range<std::uint64_t>(0, testing::kSeedBlocks),
                         testing::BlockName);

TEST(RotationSimulation, NoticesBrokenRules) {
  const auto diverged = [](const char* what, RotationBreakage breakage) {
    return CountDiverged<RotationSimulation>(what, 40, breakage);
  };
  EXPECT_GE(diverged("goes on at so many bytes of another file", RotationBreakage::kKnowBytes), 20);
  EXPECT_GE(diverged("commits before the batches", RotationBreakage::kCommitPosition), 20);
}

}  // namespace
}  // namespace tocsin
