// Runs simulations seed by seed, and says how to run the one that failed again.
//
//   RunSeeds(2'000, block, [&](std::uint64_t seed) { …; return Difference(expected, actual); });
//   EXPECT_GE(CountDiverged(100, […](std::uint64_t seed) { … }), 90);
//
// The seeds of a test are cut into blocks, each a test case of its own, so that they can be run in
// shards (GTEST_TOTAL_SHARDS). TOCSIN_SIM_SEEDS=20000 gives every test so many seeds;
// TOCSIN_SIM_SEED=17 runs that one alone.
#pragma once

#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include "absl/functional/function_ref.h"
#include "tests/engine/setup.h"

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

class SeedBlocks : public ::testing::TestWithParam<std::uint64_t> {};

inline std::string BlockName(const ::testing::TestParamInfo<std::uint64_t>& block) {
  return "Seeds" + std::to_string(block.param);
}

}  // namespace tocsin::testing
