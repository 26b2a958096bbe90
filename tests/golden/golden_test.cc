// Every row of the runbooks: its incident, its near miss, and the quiet run of its profile. One
// seed; `./dev bench golden` runs more.
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "tests/golden/row.h"

namespace tocsin {
namespace {

constexpr std::uint64_t kSeed = 1;

std::string NameOf(const testing::TestParamInfo<std::string>& info) {
  return absl::StrReplaceAll(std::filesystem::path(info.param).stem().string(), {{"-", "_"}});
}

class RowTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ErrorList errors;
    row_ = ReadRow(GetParam(), &errors);
    for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
    ASSERT_TRUE(row_.has_value());
  }
  std::optional<Row> row_;
};

TEST_P(RowTest, Incident) {
  const RunResult result = RunCase(row_->profile, row_->incident, kSeed);
  EXPECT_TRUE(result.problems.empty()) << absl::StrJoin(result.problems, "\n");
}

TEST_P(RowTest, NearMiss) {
  const RunResult result = RunCase(row_->profile, row_->near_miss, kSeed);
  EXPECT_TRUE(result.problems.empty()) << absl::StrJoin(result.problems, "\n");
}

INSTANTIATE_TEST_SUITE_P(Golden, RowTest, testing::ValuesIn(YamlFiles(kRowsFolder)), NameOf);

class WorldTest : public testing::TestWithParam<std::string> {};

TEST_P(WorldTest, Quiet) {
  ErrorList errors;
  const std::optional<World> world = ReadWorld(GetParam(), &errors);
  for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
  ASSERT_TRUE(world.has_value());
  const std::string profile = std::filesystem::path(GetParam()).stem().string();
  const RunResult result = RunCase(profile, QuietCase(*world), kSeed);
  EXPECT_TRUE(result.problems.empty()) << absl::StrJoin(result.problems, "\n");
  EXPECT_GT(result.events, 100'000);
}

INSTANTIATE_TEST_SUITE_P(Golden, WorldTest, testing::ValuesIn(YamlFiles(kWorldsFolder)), NameOf);

}  // namespace
}  // namespace tocsin
