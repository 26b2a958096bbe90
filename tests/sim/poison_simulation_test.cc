// What cannot be used, or lies, leaves no trace in what is decided.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/poison_simulation.h"
#include "tests/sim/seeds.h"

namespace tocsin {
namespace {

using testing::CountDiverged;
using testing::PoisonBreakage;
using testing::PoisonSimulation;
using testing::RunBlock;

class PoisonSimulationTest : public testing::SeedBlocks {};

TEST_P(PoisonSimulationTest, GivesWhatTheGoodRecordsAloneGive) {
  const auto block = RunBlock<PoisonSimulation>(1'500, GetParam(), PoisonBreakage::kNone);
  if (block.ran < 50) return;
  const auto& total = block.stats;
  const auto seeds = static_cast<std::int64_t>(block.ran);
  EXPECT_GT(total.poisoned, seeds * 20);
  EXPECT_GT(total.lying, seeds);
  EXPECT_GT(total.undecodable, seeds * 10);
  EXPECT_GT(total.quarantined, seeds);
  EXPECT_GT(total.crashes, seeds);
  EXPECT_GT(block.decided, block.ran / 3);
}

INSTANTIATE_TEST_SUITE_P(Blocks, PoisonSimulationTest,
                         ::testing::Range<std::uint64_t>(0, testing::kSeedBlocks),
                         testing::BlockName);

TEST(PoisonSimulation, NoticesBrokenRules) {
  const auto diverged = [](const char* what, PoisonBreakage breakage) {
    return CountDiverged<PoisonSimulation>(what, 60, breakage);
  };
  EXPECT_GE(diverged("drops the record behind one that is refused", PoisonBreakage::kDropNext), 40);
  EXPECT_GE(diverged("believes times that are far off", PoisonBreakage::kTrustTimes), 15);
}

}  // namespace
}  // namespace tocsin
