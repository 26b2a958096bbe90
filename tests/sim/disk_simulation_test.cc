// A disk that fails, and kills in between, change nothing of what is decided.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/disk_simulation.h"
#include "tests/sim/seeds.h"

namespace tocsin {
namespace {

using testing::CountDiverged;
using testing::Difference;
using testing::DiskBreakage;
using testing::DiskSimulation;
using testing::RunBlock;
using testing::SimSetup;

class DiskSimulationTest : public testing::SeedBlocks {};

TEST_P(DiskSimulationTest, GivesWhatAnUndisturbedRunGives) {
  const auto block = RunBlock<DiskSimulation>(2'500, GetParam(), DiskBreakage::kNone);
  if (block.ran < 50) return;
  const auto& total = block.stats;
  const auto seeds = static_cast<std::int64_t>(block.ran);
  EXPECT_GT(total.on_disk, seeds / 3);
  EXPECT_LT(total.on_disk, seeds * 2 / 3);
  EXPECT_GT(total.failed_writes, seeds);
  EXPECT_GT(total.failed_snapshots, seeds / 4);
  EXPECT_GT(total.decided_undurable, seeds * 2);
  EXPECT_GT(total.kills, seeds);
  EXPECT_GT(total.restored_snapshots, seeds / 2);
  EXPECT_GT(total.unacknowledged, 0);
  EXPECT_GT(block.decided, block.ran / 2);
}

INSTANTIATE_TEST_SUITE_P(Blocks, DiskSimulationTest,
                         ::testing::Range<std::uint64_t>(0, testing::kSeedBlocks),
                         testing::BlockName);

TEST(DiskSimulation, NoticesBrokenRules) {
  const auto diverged = [](const char* what, DiskBreakage breakage) {
    return CountDiverged<DiskSimulation>(what, 60, breakage);
  };
  EXPECT_GE(diverged("commits before the disk has it", DiskBreakage::kCommitAtOnce), 30);
  EXPECT_GE(diverged("takes a failed write for a durable one", DiskBreakage::kTrustFailedWrite),
            10);
}

TEST(DiskSimulation, IsAFunctionOfItsSeed) {
  const auto run = [](std::uint64_t seed) {
    DiskSimulation simulation(&SimSetup(), seed, DiskBreakage::kNone);
    simulation.Run();
    return std::make_pair(simulation.actual(), simulation.stats().failed_writes);
  };
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    const auto one = run(seed), again = run(seed);
    EXPECT_EQ(Difference(one.first, again.first), "");
    EXPECT_EQ(one.second, again.second);
  }
}

}  // namespace
}  // namespace tocsin
