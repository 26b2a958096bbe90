// Every configuration that is shipped loads without an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/config.h"
#include "tests/config/errors.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;

// Tests run in the root of the source tree.
std::vector<std::string> Files(const std::string& directory) {
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TEST(ShippedTest, EveryFileLoads) {
  for (const char* directory : {"config/runbooks", "config/examples"}) {
    const std::vector<std::string> files = Files(directory);
    ASSERT_THAT(files, Not(IsEmpty()));
    for (const std::string& file : files) {
      ErrorList errors(ErrorList::Secrets::kNotNeeded);
      EXPECT_TRUE(LoadConfig(file, &errors).has_value()) << file;
      EXPECT_THAT(Lines(errors), IsEmpty());
    }
  }
}

TEST(ShippedTest, EveryRunbookIsBuiltInAsItIs) {
  std::vector<std::string> names;
  for (const std::string& file : Files("config/runbooks")) {
    names.push_back(std::filesystem::path(file).stem().string());
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    EXPECT_EQ(ProfileText(names.back()), text.str()) << file;
    ErrorList errors;
    const std::optional<Config> config = LoadConfig("@" + names.back(), &errors);
    ASSERT_TRUE(config.has_value());
    EXPECT_EQ(config->source, "@" + names.back());
    // A page without advice wakes someone up to think.
    for (const auto& [detector, advice] : config->advice) {
      EXPECT_THAT(advice.advice, Not(IsEmpty())) << names.back() << " " << detector;
      EXPECT_THAT(advice.title, Not(IsEmpty())) << names.back() << " " << detector;
    }
  }
  EXPECT_EQ(ProfileNames(), names);
  EXPECT_EQ(ProfileText("nope"), "");
}

TEST(ShippedTest, Rupaya) {
  ErrorList errors;
  const std::optional<Config> config = LoadConfig("@rupaya", &errors);
  ASSERT_TRUE(config.has_value());
  const SeverityScheme& severity = config->severity;
  EXPECT_THAT(severity.names, ElementsAre("SEVERITY 1", "SEVERITY 2", "SEVERITY 3", "SEVERITY 4"));
  EXPECT_EQ(severity.respond_within[1], 15 * kMinuteUs);
  EXPECT_EQ(severity.respond_within[3], std::nullopt);
  EXPECT_EQ(severity.update_every[2], kDayUs);
  EXPECT_THAT(severity.pages, ElementsAre(true, true, false, false));
  EXPECT_THAT(severity.escalate_to[1], ElementsAre("tech-lead", "platform-lead"));
  const std::vector<SeverityScheme::UsersRule> shares = {
      {.above = 0.05, .level = 1}, {.above = 0.01, .level = 2}, {.above = 0, .level = 3}};
  EXPECT_EQ(severity.users_share, shares);
  std::vector<std::string> names;
  for (const DetectorConfig& detector : config->detectors) names.push_back(detector.name);
  // A detector or more for each row of the runbook.
  EXPECT_THAT(names,
              ElementsAre("db-pool", "db-pool-log", "api-errors", "endpoint-errors",
                          "transaction-errors", "api-latency", "endpoint-latency", "db-latency",
                          "connection-storm", "request-storm", "health", "healthy-targets",
                          "running-tasks", "connection-refused", "memory-leak", "out-of-memory",
                          "app-crashes", "dependency-errors", "dependency-timeouts",
                          "cloud-credentials", "cache-check", "cache-errors"));
}

TEST(ShippedTest, KafkaExampleChangesItsProfile) {
  ErrorList errors;
  const std::optional<Config> config = LoadConfig("config/examples/kafka.yaml", &errors);
  ASSERT_TRUE(config.has_value());
  std::vector<std::string> names;
  for (const DetectorConfig& detector : config->detectors) {
    names.push_back(detector.name);
    if (detector.name != "db-latency") continue;
    EXPECT_EQ(detector.node.Find("warn")->Find("p95_above")->scalar, "250ms");
    EXPECT_EQ(detector.node.Find("warn")->Find("window")->scalar, "5m");
  }
  std::vector<std::string> expected;
  const std::optional<Config> profile = LoadConfig("@rupaya", &errors);
  for (const DetectorConfig& detector : profile->detectors) {
    if (detector.name != "connection-storm") expected.push_back(detector.name);
  }
  expected.emplace_back("checkout-errors");
  EXPECT_EQ(names, expected);
}

}  // namespace
}  // namespace tocsin
