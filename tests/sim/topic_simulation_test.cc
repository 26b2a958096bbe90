// A topic that is made anew goes on as if its records had followed in the old one.
#include <string>

#include <gtest/gtest.h>

#include "tests/sim/seeds.h"
#include "tests/sim/topic_simulation.h"

namespace tocsin {
namespace {

using testing::CountDiverged;
using testing::RunBlock;
using testing::TopicBreakage;
using testing::TopicSimulation;

class TopicSimulationTest : public testing::SeedBlocks {};

TEST_P(TopicSimulationTest, GivesWhatAnUndisturbedRunGives) {
  const auto block = RunBlock<TopicSimulation>(2'500, GetParam(), TopicBreakage::kNone);
  if (block.ran < 50) return;
  const auto& total = block.stats;
  const auto seeds = static_cast<std::int64_t>(block.ran);
  EXPECT_GT(total.recreated_running, seeds / 2);
  EXPECT_GT(total.recreated_down, seeds / 12);
  EXPECT_GT(total.noticed_by_record, seeds / 8);
  EXPECT_GT(total.noticed_by_offset, seeds / 8);
  EXPECT_GT(total.crashes, seeds);
  EXPECT_GT(total.decider_crashes, seeds / 2);
  EXPECT_GT(block.decided, block.ran / 2);
}

INSTANTIATE_TEST_SUITE_P(Blocks, TopicSimulationTest,
                         ::testing::Range<std::uint64_t>(0, testing::kSeedBlocks),
                         testing::BlockName);

TEST(TopicSimulation, NoticesBrokenRules) {
  const auto diverged = [](const char* what, TopicBreakage breakage) {
    return CountDiverged<TopicSimulation>(what, 60, breakage);
  };
  EXPECT_GE(diverged("does not reset when a topic begins anew", TopicBreakage::kKeepState), 40);
  EXPECT_GE(diverged("reads on where the new log has the offset", TopicBreakage::kTrustOffset), 10);
}

}  // namespace
}  // namespace tocsin
