// Time in which nobody could read is nobody's fault, and a clock that is wrong for a moment closes
// nothing.
#include <string>

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include "tests/sim/board_simulation.h"
#include "tests/sim/seeds.h"

namespace tocsin {
namespace {

using testing::BoardBreakage;
using testing::BoardSimulation;
using testing::CountDiverged;
using testing::RunBlock;

// Each step of the clock is said in the log.
class BoardSimulationTest : public testing::SeedBlocks {
 protected:
  void SetUp() override { spdlog::set_level(spdlog::level::off); }
};

TEST_P(BoardSimulationTest, GivesWhatAnUndisturbedRunGives) {
  const auto block = RunBlock<BoardSimulation>(2'000, GetParam(), BoardBreakage::kNone);
  if (block.ran < 50) return;
  const auto& total = block.stats;
  const auto seeds = static_cast<std::int64_t>(block.ran);
  EXPECT_GT(total.clock_steps, seeds / 2);
  EXPECT_GT(total.pauses, seeds / 8);
  EXPECT_GT(total.outages, seeds / 8);
  EXPECT_GT(total.absences, seeds / 8);
  EXPECT_GT(total.idle_closes, seeds * 10);
  EXPECT_GT(block.decided, block.ran / 2);
}

INSTANTIATE_TEST_SUITE_P(Blocks, BoardSimulationTest,
                         ::testing::Range<std::uint64_t>(0, testing::kSeedBlocks),
                         testing::BlockName);

TEST(BoardSimulation, NoticesBrokenRules) {
  spdlog::set_level(spdlog::level::off);
  const auto diverged = [](const char* what, BoardBreakage breakage) {
    return CountDiverged<BoardSimulation>(what, 60, breakage);
  };
  EXPECT_GE(diverged("closes by the host's clock", BoardBreakage::kHostClock), 15);
  EXPECT_GE(diverged("closes what it cannot read", BoardBreakage::kCloseAway), 15);
  EXPECT_GE(diverged("takes who is away for one that stands still", BoardBreakage::kBlameAway), 5);
}

}  // namespace
}  // namespace tocsin
