// Storms told apart in worlds that no rule was fitted to: 200 of each kind, of families that the
// rules were made with and of others. docs/quality.md has the confusion table of more.
#include <string>

#include <gtest/gtest.h>

#include "tests/golden/storm_labels.h"

namespace tocsin {
namespace {

constexpr int kWorlds = 100;  // of each kind in each half
constexpr double kRightMin = 0.95;

class StormWorlds : public testing::TestWithParam<bool> {};

TEST_P(StormWorlds, AreLabelledRight) {
  const StormResults results = RunStorms({.held_out = GetParam(), .worlds = kWorlds, .seed = 1});
  for (int k = 0; k < kStormKinds; ++k) {
    EXPECT_GE(results.Right(static_cast<StormKind>(k)), kRightMin)
        << kStormNames[static_cast<std::size_t>(k)];
  }
  if (!HasFailure()) return;
  std::string wrong;
  for (const StormOutcome& outcome : results.wrong()) {
    wrong += kStormNames[static_cast<std::size_t>(outcome.kind)] + (" as '" + outcome.label) +
             "': " + outcome.world + ": " + outcome.what + '\n';
  }
  ADD_FAILURE() << '\n' << results.Table() << wrong;
}

INSTANTIATE_TEST_SUITE_P(Families, StormWorlds, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& held_out) {
                           return std::string(held_out.param ? "HeldOut" : "Known");
                         });

}  // namespace
}  // namespace tocsin
