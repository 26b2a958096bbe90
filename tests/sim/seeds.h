// Runs simulations seed by seed, and says how to run the one that failed again.
//
//   const auto block = RunBlock<TopicSimulation>(2'500, GetParam(), TopicBreakage::kNone);
//   EXPECT_GT(block.stats.crashes, block.ran);
//   EXPECT_GE(CountDiverged<TopicSimulation>("…", 60, TopicBreakage::kKeepState), 40);
//
// A simulation is made of (setup, seed, breakage), and has Run, expected, actual and stats.
//
// The seeds of a test are cut into blocks, each a test case of its own, so that they can be run in
// shards (GTEST_TOTAL_SHARDS). TOCSIN_SIM_SEEDS=20000 gives every test so many seeds;
// TOCSIN_SIM_SEED=17 runs that one alone.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>

#include <gtest/gtest.h>

#include "absl/functional/function_ref.h"
#include "tests/engine/setup.h"
#include "tests/sim/outcome.h"

namespace tocsin::testing {

inline constexpr std::uint64_t kSeedBlocks = 20;

// Of kSimYaml.
const EngineSetup& SimSetup();

// What is wrong with one seed; empty: nothing.
using SeedRun = absl::FunctionRef<std::string(std::uint64_t seed)>;

// Fails the running test at the first seed with which something is wrong. How many were run; 0 when
// it was a single one, which says nothing about their kind.
std::uint64_t RunSeeds(std::uint64_t seeds, std::uint64_t block, SeedRun run);
// With how many of so many seeds something is wrong, as it must be with a broken rule.
int CountDiverged(const std::string& what, int seeds, SeedRun run);

template <typename Simulation>
using StatsOf = std::decay_t<decltype(std::declval<const Simulation&>().stats())>;

template <typename Simulation>
struct BlockOfSeeds {
  std::uint64_t ran = 0;      // as RunSeeds says
  std::uint64_t decided = 0;  // of these, those in which somebody was told something
  StatsOf<Simulation> stats = {};
};

// The seeds of one block of a test, each of which must give what was expected.
template <typename Simulation, typename Breakage>
BlockOfSeeds<Simulation> RunBlock(std::uint64_t seeds, std::uint64_t block, Breakage none) {
  BlockOfSeeds<Simulation> all;
  all.ran = RunSeeds(seeds, block, [&](std::uint64_t seed) {
    Simulation simulation(&SimSetup(), seed, none);
    simulation.Run();
    all.stats += simulation.stats();
    if (!simulation.actual().notifications.empty()) ++all.decided;
    return Difference(simulation.expected(), simulation.actual());
  });
  return all;
}

template <typename Simulation, typename Breakage>
int CountDiverged(const std::string& what, int seeds, Breakage breakage) {
  return CountDiverged(what, seeds, [&](std::uint64_t seed) {
    Simulation simulation(&SimSetup(), seed, breakage);
    simulation.Run();
    return Difference(simulation.expected(), simulation.actual());
  });
}

class SeedBlocks : public ::testing::TestWithParam<std::uint64_t> {};

inline std::string BlockName(const ::testing::TestParamInfo<std::uint64_t>& block) {
  return "Seeds" + std::to_string(block.param);
}

}  // namespace tocsin::testing
