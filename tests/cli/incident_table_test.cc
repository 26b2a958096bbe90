#include "cli/incident_table.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/card.h"
#include "core/limits.h"

namespace tocsin {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const TimeUs kOnset = *ParseRfc3339("2026-03-10T21:03:50Z");

Incident Opened(std::uint64_t id, const std::string& title, const std::string& scope = "prod") {
  Incident incident;
  incident.id = {.high = 1, .low = id};
  incident.number = absl::StrCat("INC-2026-", id);
  incident.revision = 1;
  incident.severity = "SEV2";
  incident.severity_level = 2;
  incident.title = title;
  AppendKeyPart(scope, &incident.scope);
  incident.onset = kOnset;
  incident.detected_at = kOnset + kMinuteUs;
  return incident;
}

std::vector<std::string> LinesOf(const IncidentTable& table, const TerminalStyle& terminal = {}) {
  return absl::StrSplit(table.Text(terminal), '\n');
}

TEST(IncidentTable, SaysWhatPeopleWantToKnowOfEach) {
  IncidentTable table;
  table.Put(Opened(1, "Requests fail"));
  Incident incident = Opened(2, "Slow");
  incident.severity = "SEV1";
  incident.severity_level = 1;
  incident.levels = {{.level = 1, .at = kOnset + kMinuteUs, .paged_at = kOnset + 70 * kSecondUs}};
  incident.pages = 2;
  incident.state = IncidentState::kResolved;
  incident.resolved_at = kOnset + 23 * kMinuteUs;
  table.Put(incident);
  Incident merged = Opened(3, "Slower");
  merged.state = IncidentState::kResolved;
  merged.resolved_at = kOnset + kHourUs;
  merged.merged_into = "abc";
  table.Put(merged);
  EXPECT_EQ(table.Text({}),
            "NUMBER     LEVEL ONSET (UTC)         DETECTED PAGED RESOLVED PAGES TITLE\n"
            "INC-2026-1 SEV2  2026-03-10 21:03:50 +60 s    -     open     0     Requests fail\n"
            "INC-2026-2 SEV1  2026-03-10 21:03:50 +60 s    +70 s +23 min  2     Slow\n"
            "INC-2026-3 SEV2  2026-03-10 21:03:50 +60 s    -     merged   0     Slower\n"
            "3 incidents, 2 pages\n");
}

TEST(IncidentTable, TheNewestStateCounts) {
  IncidentTable table;
  Incident incident = Opened(1, "Requests fail");
  table.Put(incident);
  table.Put(Opened(2, "Slow"));
  incident.title = "Requests fail across the service";
  incident.pages = 1;
  table.Put(incident);
  const std::vector<std::string> lines = LinesOf(table);
  ASSERT_EQ(lines.size(), 5U);
  EXPECT_THAT(lines[1], EndsWith(" 1     Requests fail across the service"));
  EXPECT_EQ(lines[3], "2 incidents, 1 page");
}

TEST(IncidentTable, NothingIsSaidToo) {
  EXPECT_EQ(IncidentTable().Text({}), "No incidents.\n");
  EXPECT_EQ(IncidentTable().Json(), "[]");
}

TEST(IncidentTable, ScopesAreNamedWhereThereAreSeveral) {
  IncidentTable table;
  table.Put(Opened(1, "a", "prod"));
  table.Put(Opened(1001, "b", "staging"));
  const std::vector<std::string> lines = LinesOf(table);
  EXPECT_THAT(lines[0], StartsWith("NUMBER        SCOPE   LEVEL"));
  EXPECT_THAT(lines[2], StartsWith("INC-2026-1001 staging SEV2"));
}

TEST(IncidentTable, OnlyATerminalCutsTitlesAndHasColours) {
  IncidentTable table;
  const std::string title(1'500, 'x');
  table.Put(Opened(1, title));
  EXPECT_THAT(table.Text({}), HasSubstr(title));
  EXPECT_THAT(table.Text({}), Not(HasSubstr("\x1b")));
  for (const std::size_t width : {80U, 100U, 200U}) {
    for (const std::string& line : LinesOf(table, {.width = width, .colour = false})) {
      EXPECT_LE(CodePoints(line), width);
    }
  }
  EXPECT_THAT(table.Text({.width = 80, .colour = false}), HasSubstr("x…\n"));
  const std::string painted = table.Text({.width = 80, .colour = true});
  EXPECT_THAT(painted, HasSubstr("\x1b[1;33mSEV2\x1b[0m"));
}

TEST(IncidentTable, NoTitlePaintsOnTheTerminal) {
  IncidentTable table;
  table.Put(Opened(1, "a\x1b[2Jb\nINC-2026-2 SEV1"));
  EXPECT_THAT(table.Text({}), Not(HasSubstr("\x1b")));
  EXPECT_EQ(LinesOf(table).size(), 4U);
}

TEST(IncidentTable, ManyPrintFineAndTooManyAreCounted) {
  IncidentTable table;
  constexpr int kMore = 5;
  const int many = static_cast<int>(limits::kOpenIncidentsMax) + kMore;
  for (int i = 0; i < many; ++i) table.Put(Opened(static_cast<std::uint64_t>(i), "x"));
  table.Put(Opened(0, "the first one again"));
  const std::vector<std::string> lines = LinesOf(table, {.width = 100, .colour = false});
  ASSERT_EQ(lines.size(), limits::kOpenIncidentsMax + 4);
  EXPECT_THAT(lines[1], EndsWith("the first one again"));
  EXPECT_THAT(lines[lines.size() - 3], StartsWith("and 5 more: `--incidents FILE`"));
  EXPECT_EQ(lines[lines.size() - 2], "100,005 incidents, 0 pages of those above");
}

TEST(IncidentTable, JsonSaysTheSame) {
  IncidentTable table;
  Incident incident = Opened(1, "say \"no\"");
  incident.resolved_at = kOnset + 90'500 * kMillisecondUs;
  incident.pages = 1;
  table.Put(incident);
  simdjson::dom::parser parser;
  simdjson::dom::array rows;
  ASSERT_EQ(parser.parse(table.Json()).get(rows), simdjson::SUCCESS);
  simdjson::dom::element row;
  ASSERT_EQ(rows.at(0).get(row), simdjson::SUCCESS);
  EXPECT_EQ(simdjson::minify(row),
            R"({"incident":"00000000000000010000000000000001","number":"INC-2026-1",)"
            R"("scope":"prod","severity":"SEV2","severity_level":2,"state":"open",)"
            R"("onset":"2026-03-10T21:03:50Z","detected_at":"2026-03-10T21:04:50Z",)"
            R"("paged_at":null,"resolved_at":"2026-03-10T21:05:20.500Z","detected_after_s":60,)"
            R"("paged_after_s":null,"resolved_after_s":90.5,"pages":1,"merged":false,)"
            R"("title":"say \"no\""})");
}

}  // namespace
}  // namespace tocsin
