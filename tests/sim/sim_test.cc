#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/seeds.h"
#include "tests/sim/simulation.h"

namespace tocsin {
namespace {

using testing::Breakage;
using testing::CountDiverged;
using testing::Difference;
using testing::RunBlock;
using testing::SimSetup;
using testing::Simulation;

class SimulationTest : public testing::SeedBlocks {};

TEST_P(SimulationTest, GivesWhatAnUndisturbedRunGives) {
  const auto block = RunBlock<Simulation>(2'000, GetParam(), Breakage::kNone);
  if (block.ran < 20) return;
  const auto& total = block.stats;
  // The seeds were not tame, and there was something to decide.
  EXPECT_GT(total.crashes, static_cast<std::int64_t>(block.ran));
  EXPECT_GT(total.zombies, static_cast<std::int64_t>(block.ran / 2));
  EXPECT_GT(total.idle_closes, static_cast<std::int64_t>(block.ran));
  EXPECT_GT(total.duplicates, static_cast<std::int64_t>(block.ran * 3));
  EXPECT_GT(total.decider_crashes, static_cast<std::int64_t>(block.ran));
  EXPECT_GT(total.restored_snapshots, static_cast<std::int64_t>(block.ran));
  EXPECT_GT(total.late, static_cast<std::int64_t>(block.ran * 5));
  EXPECT_GT(total.quarantined, static_cast<std::int64_t>(block.ran));
  EXPECT_GT(block.decided, block.ran * 3 / 4);
}

INSTANTIATE_TEST_SUITE_P(Blocks, SimulationTest,
                         ::testing::Range<std::uint64_t>(0, testing::kSeedBlocks),
                         testing::BlockName);

TEST(Simulation, NoticesBrokenRules) {
  const auto diverged = [](const char* what, Breakage breakage) {
    return CountDiverged<Simulation>(what, 100, breakage);
  };
  EXPECT_GE(diverged("commits only the next offset", Breakage::kCommitNextOffset), 90);
  EXPECT_GE(diverged("forgets the close offset: late facts twice", Breakage::kForgetCloseOffset),
            50);
  EXPECT_GE(diverged("forgets the close offset: late facts never", Breakage::kAssumeFactsSent), 50);
}

TEST(Simulation, IsAFunctionOfItsSeed) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Simulation one(&SimSetup(), seed, Breakage::kNone), again(&SimSetup(), seed, Breakage::kNone);
    one.Run();
    again.Run();
    EXPECT_EQ(Difference(one.actual(), again.actual()), "");
    EXPECT_EQ(one.stats().duplicates, again.stats().duplicates);
    EXPECT_EQ(one.stats().crashes, again.stats().crashes);
  }
}

}  // namespace
}  // namespace tocsin
