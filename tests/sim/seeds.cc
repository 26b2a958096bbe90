#include "tests/sim/seeds.h"

#include <cstdlib>
#include <iostream>
#include <memory>

#include "tests/sim/traffic.h"

namespace tocsin::testing {
namespace {

std::uint64_t FromEnvironment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == '\0' ? fallback : std::strtoull(text, nullptr, 10);
}

std::string ReplayCommand(std::uint64_t seed) {
  const ::testing::TestInfo* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  const std::string name = test->name();
  return "replay with: TOCSIN_SIM_SEED=" + std::to_string(seed) + " sim_test --gtest_filter='" +
         test->test_suite_name() + '.' + name.substr(0, name.find('/')) + "/*'";
}

}  // namespace

const EngineSetup& SimSetup() {
  static const std::unique_ptr<EngineSetup> setup = EngineSetup::From(kSimYaml);
  return *setup;
}

std::uint64_t RunSeeds(std::uint64_t seeds, std::uint64_t block, SeedRun run) {
  const std::uint64_t one = FromEnvironment("TOCSIN_SIM_SEED", 0);
  if (one != 0) {
    if (one % kSeedBlocks != block) return 0;
    const std::string wrong = run(one);
    EXPECT_EQ(wrong, "") << ReplayCommand(one);
    return 0;
  }
  std::uint64_t ran = 0;
  const std::uint64_t last = FromEnvironment("TOCSIN_SIM_SEEDS", seeds);
  for (std::uint64_t seed = 1; seed <= last; ++seed) {
    if (seed % kSeedBlocks != block) continue;
    const std::string wrong = run(seed);
    EXPECT_EQ(wrong, "") << ReplayCommand(seed);
    if (!wrong.empty()) return 0;
    ++ran;
  }
  return ran;
}

int CountDiverged(const std::string& what, int seeds, SeedRun run) {
  int diverged = 0;
  for (int seed = 1; seed <= seeds; ++seed) {
    if (!run(static_cast<std::uint64_t>(seed)).empty()) ++diverged;
  }
  std::cout << what << ": " << diverged << " of " << seeds << " seeds diverge\n";
  return diverged;
}

}  // namespace tocsin::testing
