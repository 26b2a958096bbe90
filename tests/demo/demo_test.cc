// The whole of `tocsin demo`, faster than it is shown.
#include "demo/demo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "demo/demo_outcome.h"
#include "demo/demo_story.h"

namespace tocsin {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string ReadAll(std::FILE* file) {
  std::string text;
  char buffer[4096];
  std::rewind(file);
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, n);
  return text;
}

std::size_t Times(const std::string& text, const std::string& part) {
  std::size_t times = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++times;
  return times;
}

// It ends with 0 only if the pages at the stand-in and the incident are what is promised.
TEST(DemoTest, ComesOutAsPromised) {
  std::FILE* out = std::tmpfile();
  ASSERT_NE(out, nullptr);
  DemoOptions options;
  options.hurry = 3;
  options.out = out;
  ASSERT_EQ(RunDemo(options), 0);
  const std::string text = ReadAll(out);
  std::fclose(out);

  EXPECT_EQ(Times(text, "▲ DETECTED"), 1U) << text;
  EXPECT_EQ(Times(text, "✔ RESOLVED"), 1U);
  EXPECT_EQ(Times(text, "┏━ SEVERITY 1 ━━ INC-2026-001 ━━ open"), 1U);
  EXPECT_EQ(Times(text, "→ PagerDuty: trigger  SEVERITY 2"), 1U);
  EXPECT_EQ(Times(text, "→ PagerDuty: trigger  SEVERITY 1"), 1U);
  EXPECT_EQ(Times(text, "→ PagerDuty: resolve  SEVERITY 2"), 1U);
  EXPECT_EQ(Times(text, "→ PagerDuty: resolve  SEVERITY 1"), 1U);
  EXPECT_THAT(text, AllOf(HasSubstr("deploy api v1.2.0 at 21:00:00"), HasSubstr("As promised")));
  // No terminal, hence neither colour nor a line that is rewritten.
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\x1b")), Not(HasSubstr("\r"))));
}

TEST(DemoTest, WritesTheStoryForReplay) {
  const std::string path = ::testing::TempDir() + "/demo_story.jsonl";
  DemoOptions options;
  options.write_path = path;
  ASSERT_EQ(RunDemo(options), 0);
  std::ifstream file(path);
  DemoStory story;
  StoryRecord record;
  std::string line;
  while (story.Next(&record)) {
    ASSERT_TRUE(std::getline(file, line));
    ASSERT_EQ(line, record.json);
  }
  EXPECT_FALSE(std::getline(file, line));
  std::remove(path.c_str());
}

Incident Promised() {
  Incident incident;
  incident.number = "INC-2026-001";
  incident.id = Hash128{.high = 1, .low = 2};
  incident.severity = "SEVERITY 1";
  incident.severity_level = 1;
  incident.state = IncidentState::kResolved;
  incident.detected_at = story::At(21, 5);
  incident.resolved_at = story::At(21, 27);
  incident.suspects = {{.kind = "deploy", .name = "api v1.2.0", .reason = ""}};
  incident.advice = {"Roll it back"};
  incident.impact.users_affected = 14'800;
  incident.impact.failed_transactions = 250;
  incident.pages = 2;
  return incident;
}

std::vector<PagerDutyStandIn::Page> PromisedPages() {
  std::vector<PagerDutyStandIn::Page> pages(2);
  for (int level = 2; level >= 1; --level) {
    PagerDutyStandIn::Page& page = pages[static_cast<std::size_t>(2 - level)];
    page.dedup_key = Incident::DedupKey(Promised().id, level);
    page.triggers = 1;
    page.resolved = true;
  }
  return pages;
}

std::vector<std::string> ComplaintsOf(const Incident& incident) {
  Decision decision;
  decision.incidents = {incident};
  DemoOutcome outcome;
  outcome.Add(decision);
  return outcome.Complaints(PromisedPages(), {});
}

TEST(DemoOutcomeTest, HasNoComplaintsWhenAllIsAsPromised) {
  EXPECT_THAT(ComplaintsOf(Promised()), IsEmpty());
}

TEST(DemoOutcomeTest, ComplainsAboutWhatIsWrongWithTheIncident) {
  Incident incident = Promised();
  incident.severity_level = 2;
  EXPECT_THAT(ComplaintsOf(incident), Not(IsEmpty()));
  incident = Promised();
  incident.detected_at = story::At(21, 6, 10);
  EXPECT_THAT(ComplaintsOf(incident), ElementsAre(StartsWith("detected at")));
  incident = Promised();
  incident.resolved_at = story::At(21, 28);
  EXPECT_THAT(ComplaintsOf(incident), ElementsAre(StartsWith("resolved at")));
  incident = Promised();
  incident.state = IncidentState::kMonitoring;
  EXPECT_THAT(ComplaintsOf(incident), ElementsAre("it did not resolve"));
  incident = Promised();
  incident.suspects[0].name = "notifications v3.4.1";
  EXPECT_THAT(ComplaintsOf(incident), ElementsAre(StartsWith("the first suspect is")));
  incident = Promised();
  incident.advice = {"Wait and see"};
  EXPECT_THAT(ComplaintsOf(incident), ElementsAre("the first advice is not to roll back"));
  incident = Promised();
  incident.impact.users_affected = 900;
  EXPECT_THAT(ComplaintsOf(incident), ElementsAre(HasSubstr("users affected")));
  incident = Promised();
  incident.impact.failed_transactions = 0;
  EXPECT_THAT(ComplaintsOf(incident), ElementsAre(HasSubstr("failed transactions")));
}

TEST(DemoOutcomeTest, ComplainsAboutPages) {
  Decision decision;
  decision.incidents = {Promised()};
  DemoOutcome outcome;
  outcome.Add(decision);
  EXPECT_TRUE(outcome.Resolved());
  EXPECT_THAT(outcome.Complaints({}, {}), Not(IsEmpty())) << "nobody was paged";
  std::vector<PagerDutyStandIn::Page> pages = PromisedPages();
  pages[1].triggers = 2;
  EXPECT_THAT(outcome.Complaints(pages, {}), ElementsAre(HasSubstr("triggered 2 times")));
  pages = PromisedPages();
  pages[0].resolved = false;
  EXPECT_THAT(outcome.Complaints(pages, {}), ElementsAre(HasSubstr("is open")));
  pages = PromisedPages();
  pages[0].dedup_key = pages[1].dedup_key;
  pages.pop_back();
  EXPECT_THAT(outcome.Complaints(pages, {}), ElementsAre(HasSubstr("were opened")));
  EXPECT_THAT(outcome.Complaints(PromisedPages(), {"no key"}), ElementsAre(HasSubstr("no key")));
}

TEST(DemoOutcomeTest, ComplainsAboutASecondIncident) {
  Decision decision;
  decision.incidents = {Promised(), Promised()};
  decision.incidents[1].number = "INC-2026-002";
  DemoOutcome outcome;
  EXPECT_FALSE(outcome.Resolved());
  EXPECT_THAT(outcome.Complaints({}, {}), ElementsAre("0 incidents, expected one"));
  outcome.Add(decision);
  EXPECT_THAT(outcome.Complaints(PromisedPages(), {}), ElementsAre("2 incidents, expected one"));
}

}  // namespace
}  // namespace tocsin
