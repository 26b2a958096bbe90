#include "sinks/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/incident.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

TEST(CutUtf8, CutsBetweenCodePoints) {
  EXPECT_EQ(CutUtf8("short", 5), "short");
  EXPECT_EQ(CutUtf8("longer", 5), "lo\u2026");
  EXPECT_EQ(CutUtf8("ab\u00e9\u00e9", 5), "ab\u2026");
  EXPECT_EQ(CutUtf8("\U0001F514\U0001F514", 7), "\U0001F514\u2026");
  EXPECT_EQ(CutUtf8("\U0001F514\U0001F514", 6), "\u2026");
  EXPECT_EQ(CutUtf8("abc", 2), "ab");
  EXPECT_EQ(CutUtf8("\u00e9\u00e9", 1), "");
  EXPECT_EQ(CutUtf8("", 0), "");
}

TEST(OneLine, LeavesNothingThatBreaksALine) {
  EXPECT_EQ(OneLine("disk full\r\n\tINC-2:  clear\n", 100), "disk full INC-2: clear");
  EXPECT_EQ(OneLine(" \x1b[31mred\x7f", 100), "[31mred");
  EXPECT_EQ(OneLine("a\u2028b\u2029c\u0085d\u202Ee\u2066f", 100), "a b c d e f");
  EXPECT_EQ(OneLine(std::string("a\0b", 3), 100), "a b");
  EXPECT_EQ(OneLine("\u00e9\u4e16\U0001F514", 100), "\u00e9\u4e16\U0001F514");
  EXPECT_EQ(OneLine("\n\n", 100), "");
}

TEST(OneLine, ReplacesWhatIsNoUtf8AndCuts) {
  EXPECT_EQ(OneLine("a\xff\xc3", 100), "a\uFFFD\uFFFD");
  EXPECT_EQ(OneLine("\"quoted\" \\ \xff", 100), "\"quoted\" \\ \uFFFD");
  EXPECT_EQ(OneLine(std::string(1 << 20, 'x'), 8), "xxxxx\u2026");
  EXPECT_EQ(OneLine(std::string(1 << 20, '\xff'), 8), "\uFFFD\u2026");
  EXPECT_EQ(OneLine("ab", 2), "ab");
}

TEST(ReadIncidentLine, ReadsWhatAnIncidentWrites) {
  Incident incident;
  incident.number = "INC-2026-001";
  incident.severity = "SEV1";
  incident.title = "two\nlines";
  AppendKeyPart("prod", &incident.scope);
  incident.component = "api";
  incident.category = Category::kSecurity;
  incident.classification = "attack";
  incident.onset = 1'772'399'100 * kSecondUs;
  incident.impact.users_affected = 42;
  incident.advice = {"Look at the last deploy"};
  incident.escalate_to = {"cto"};
  incident.runbook = "https://wiki.example/api";
  Suspect suspect;
  suspect.kind = "deploy";
  suspect.name = "v2";
  suspect.at = incident.onset;
  suspect.reason = "5 min before";
  incident.suspects = {suspect, {}};
  Signal signal;
  signal.detector = "api-errors";
  signal.series = {{"env", "prod"}, {"service", "api"}};
  signal.value = 0.5;
  signal.threshold = 0.015;
  incident.signals = {signal};
  TimelineEntry noted, joined;
  noted.what = "noted";
  noted.text = "the disk is fine";
  joined.what = kJoinedTogether;
  joined.text = "web began within 45s of api";
  incident.timeline = {noted, joined};
  incident.beside = {"INC-2025-099"};

  const std::optional<IncidentText> text = ReadIncidentLine(incident.ToJson());
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->number, "INC-2026-001");
  EXPECT_EQ(text->severity, "SEV1");
  EXPECT_EQ(text->title, "two lines");
  EXPECT_EQ(text->scope, "prod");
  EXPECT_EQ(text->component, "api");
  EXPECT_EQ(text->category, "security");
  EXPECT_EQ(text->classification, "attack");
  EXPECT_EQ(text->onset, "2026-03-01T21:05:00Z");
  EXPECT_EQ(text->users_affected, 42);
  EXPECT_EQ(text->runbook, "https://wiki.example/api");
  EXPECT_THAT(text->advice, ElementsAre("Look at the last deploy"));
  EXPECT_THAT(text->escalate_to, ElementsAre("cto"));
  EXPECT_THAT(text->suspects, ElementsAre("deploy v2 at 2026-03-01T21:05:00Z: 5 min before", ""));
  EXPECT_THAT(text->evidence, ElementsAre("api-errors env=prod service=api: 0.5, threshold 0.015"));
  EXPECT_THAT(text->together, ElementsAre("web began within 45s of api"));
  EXPECT_THAT(text->beside, ElementsAre("INC-2025-099"));
}

TEST(ReadIncidentLine, TakesTheFirstFewOfLongLists) {
  Incident incident;
  incident.advice.assign(100, std::string(10'000, 'x'));
  const std::optional<IncidentText> text = ReadIncidentLine(incident.ToJson());
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(text->advice, SizeIs(10));
  EXPECT_THAT(text->advice[0], SizeIs(500));
}

TEST(ReadIncidentLine, FindsWhatBeganTogetherAtTheEndOfALongTimeline) {
  Incident incident;
  TimelineEntry noted, joined;
  noted.what = "noted";
  joined.what = kJoinedTogether;
  joined.text = "web began within 45s of api";
  incident.timeline.assign(20, noted);
  incident.timeline.push_back(joined);
  const std::optional<IncidentText> text = ReadIncidentLine(incident.ToJson());
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(text->together, ElementsAre("web began within 45s of api"));
}

TEST(ReadIncidentLine, SurvivesLinesOfAnotherShape) {
  EXPECT_EQ(ReadIncidentLine(""), std::nullopt);
  EXPECT_EQ(ReadIncidentLine("[]"), std::nullopt);
  EXPECT_EQ(ReadIncidentLine("{\"title\":"), std::nullopt);
  const std::optional<IncidentText> text =
      ReadIncidentLine(R"({"title":7,"impact":[],"advice":{"a":1},"suspects":[3,"x"],)"
                       R"("signals":[null],"onset":null})");
  ASSERT_TRUE(text.has_value());
  EXPECT_EQ(text->title, "");
  EXPECT_EQ(text->onset, "");
  EXPECT_EQ(text->users_affected, std::nullopt);
}

}  // namespace
}  // namespace tocsin
