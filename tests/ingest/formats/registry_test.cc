// The table of formats: what is said in it, and that it is sound.

#include <set>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ingest/formats/format.h"

namespace tocsin {
namespace {

TEST(Formats, AreSortedAndFound) {
  std::string before;
  for (const Format& format : AllFormats()) {
    EXPECT_LT(before, format.name);
    EXPECT_EQ(FindFormat(format.name), &format);
    before = format.name;
  }
  EXPECT_EQ(FindFormat("auto"), nullptr);
  EXPECT_EQ(FindFormat(""), nullptr);
}

// Which of two is tried first must not depend on where they stand in the table.
TEST(Formats, AreRecognisedInOneOrder) {
  std::set<std::pair<bool, std::pair<FormatDetection::By, int>>> seen;
  for (const Format& format : AllFormats()) {
    const FormatDetection& detection = format.detection;
    if (detection.by == FormatDetection::By::kNothing) continue;
    const bool decodes = detection.decodes();
    const auto by = decodes ? FormatDetection::By::kDecoding : detection.by;
    EXPECT_TRUE(seen.insert({decodes, {by, detection.rank}}).second) << format.name;
    EXPECT_EQ(decodes, detection.keys.front().front().empty()) << format.name;
  }
}

TEST(Formats, SayHowLateTheirRecordsAre) {
  const auto delay = [](const std::string& format, DurationUs pane) {
    InputConfig input;
    input.format = format;
    return DelayOf(input, pane);
  };
  EXPECT_EQ(delay("json", 10 * kSecondUs), 10 * kSecondUs);
  EXPECT_EQ(delay("json", 30 * kSecondUs), 30 * kSecondUs) << "a whole number of panes";
  EXPECT_EQ(delay("auto", 10 * kSecondUs), 10 * kSecondUs);
  EXPECT_EQ(delay("cloudwatch-logs", 10 * kSecondUs), 5 * kMinuteUs);
  EXPECT_EQ(delay("cloudwatch-metric-stream", 10 * kSecondUs), 3 * kMinuteUs);
  InputConfig configured;
  configured.format = "cloudwatch-logs";
  configured.delay = 0;
  EXPECT_EQ(DelayOf(configured, kMinuteUs), 0);
}

TEST(Formats, ClearKeysThatGoWithOthers) {
  InputConfig input;
  input.preset = "pino";
  input.pattern = "x";
  input.signal = "logs";
  input.format = "regex";
  ClearKeysOfOtherFormats(&input);
  EXPECT_EQ(input.preset + input.pattern + input.signal, "x");
}

}  // namespace
}  // namespace tocsin
