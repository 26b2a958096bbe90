#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/simulation.h"

namespace tocsin {
namespace {

using testing::Breakage;
using testing::Difference;
using testing::EngineSetup;
using testing::SimStats;
using testing::Simulation;

// TOCSIN_SIM_SEEDS=20000 for a long run; TOCSIN_SIM_SEED=17 replays one.
std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? fallback : std::strtoull(text, nullptr, 10);
}

const EngineSetup& TheSetup() {
  static const std::unique_ptr<EngineSetup> setup = EngineSetup::From(testing::kSimYaml);
  return *setup;
}

// The seeds are cut into blocks, so that they can be run in shards (GTEST_TOTAL_SHARDS).
constexpr std::uint64_t kBlocks = 20;

class SimulationTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SimulationTest, GivesWhatAnUndisturbedRunGives) {
  const std::uint64_t one = FromEnvironment("TOCSIN_SIM_SEED", 0);
  if (one != 0 && one % kBlocks != GetParam()) GTEST_SKIP() << "another block's seed";
  const std::uint64_t seeds = FromEnvironment("TOCSIN_SIM_SEEDS", 2'000);
  SimStats total;
  std::uint64_t decided = 0, ran = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (one != 0 ? seed != 1 : seed % kBlocks != GetParam()) continue;
    const std::uint64_t drawn = one != 0 ? one : seed;
    Simulation simulation(&TheSetup(), drawn, Breakage::kNone);
    simulation.Run();
    ASSERT_EQ(Difference(simulation.expected(), simulation.actual()), "")
        << "replay with: TOCSIN_SIM_SEED=" << drawn
        << " sim_test --gtest_filter='*GivesWhatAnUndisturbedRunGives*'";
    total += simulation.stats();
    if (!simulation.actual().notifications.empty()) ++decided;
    ++ran;
  }
  if (ran < 20) return;
  // The seeds were not tame, and there was something to decide.
  EXPECT_GT(total.crashes, static_cast<std::int64_t>(ran));
  EXPECT_GT(total.zombies, static_cast<std::int64_t>(ran / 2));
  EXPECT_GT(total.idle_closes, static_cast<std::int64_t>(ran));
  EXPECT_GT(total.duplicates, static_cast<std::int64_t>(ran * 3));
  EXPECT_GT(total.decider_crashes, static_cast<std::int64_t>(ran));
  EXPECT_GT(total.restored_snapshots, static_cast<std::int64_t>(ran));
  EXPECT_GT(total.late, static_cast<std::int64_t>(ran * 5));
  EXPECT_GT(total.quarantined, static_cast<std::int64_t>(ran));
  EXPECT_GT(decided, ran * 3 / 4);
}

std::string BlockName(const ::testing::TestParamInfo<std::uint64_t>& block) {
  return "Seeds" + std::to_string(block.param);
}
INSTANTIATE_TEST_SUITE_P(Blocks, SimulationTest, ::testing::Range<std::uint64_t>(0, kBlocks),
                         BlockName);

TEST(Simulation, NoticesBrokenRules) {
  struct Case {
    std::string name;
    Breakage breakage;
    int diverged_min;
  };
  constexpr int kSeeds = 100;
  const Case cases[] = {
      {"commits only the next offset", Breakage::kCommitNextOffset, 90},
      {"forgets the close offset: late facts twice", Breakage::kForgetCloseOffset, 50},
      {"forgets the close offset: late facts never", Breakage::kAssumeFactsSent, 50},
      {"breaks nothing", Breakage::kNone, 0},
  };
  for (const Case& c : cases) {
    int diverged = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      Simulation simulation(&TheSetup(), seed, c.breakage);
      simulation.Run();
      if (!Difference(simulation.expected(), simulation.actual()).empty()) ++diverged;
    }
    std::cout << c.name << ": " << diverged << " of " << kSeeds << " seeds diverge\n";
    if (c.breakage == Breakage::kNone) {
      EXPECT_EQ(diverged, 0);
    } else {
      EXPECT_GE(diverged, c.diverged_min) << c.name;
    }
  }
}

TEST(Simulation, IsAFunctionOfItsSeed) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    Simulation one(&TheSetup(), seed, Breakage::kNone), again(&TheSetup(), seed, Breakage::kNone);
    one.Run();
    again.Run();
    EXPECT_EQ(Difference(one.actual(), again.actual()), "");
    EXPECT_EQ(one.stats().duplicates, again.stats().duplicates);
    EXPECT_EQ(one.stats().crashes, again.stats().crashes);
  }
}

}  // namespace
}  // namespace tocsin
