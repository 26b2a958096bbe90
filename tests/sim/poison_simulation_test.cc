// What cannot be used, or lies, leaves no trace in what is decided.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/poison_simulation.h"
#include "tests/sim/seeds.h"

namespace tocsin {
namespace {

using testing::Difference;
using testing::PoisonBreakage;
using testing::PoisonSimulation;
using testing::PoisonStats;
using testing::SimSetup;

class PoisonSimulationTest : public testing::SeedBlocks {};

TEST_P(PoisonSimulationTest, GivesWhatTheGoodRecordsAloneGive) {
  PoisonStats total;
  std::uint64_t decided = 0;
  const std::uint64_t ran = testing::RunSeeds(1'500, GetParam(), [&](std::uint64_t seed) {
    PoisonSimulation simulation(&SimSetup(), seed, PoisonBreakage::kNone);
    simulation.Run();
    total += simulation.stats();
    if (!simulation.actual().notifications.empty()) ++decided;
    return Difference(simulation.expected(), simulation.actual());
  });
  if (ran < 50) return;
  const auto seeds = static_cast<std::int64_t>(ran);
  EXPECT_GT(total.poisoned, seeds * 20);
  EXPECT_GT(total.lying, seeds);
  EXPECT_GT(total.undecodable, seeds * 10);
  EXPECT_GT(total.quarantined, seeds);
  EXPECT_GT(total.crashes, seeds);
  EXPECT_GT(decided, ran / 3);
}

INSTANTIATE_TEST_SUITE_P(Blocks, PoisonSimulationTest,
                         ::testing::Range<std::uint64_t>(0, testing::kSeedBlocks),
                         testing::BlockName);

TEST(PoisonSimulation, NoticesBrokenRules) {
  const auto diverged = [](const char* what, PoisonBreakage breakage) {
    return testing::CountDiverged(what, 60, [&](std::uint64_t seed) {
      PoisonSimulation simulation(&SimSetup(), seed, breakage);
      simulation.Run();
      return Difference(simulation.expected(), simulation.actual());
    });
  };
  EXPECT_GE(diverged("drops the record behind one that is refused", PoisonBreakage::kDropNext), 40);
  EXPECT_GE(diverged("believes times that are far off", PoisonBreakage::kTrustTimes), 15);
}

}  // namespace
}  // namespace tocsin
