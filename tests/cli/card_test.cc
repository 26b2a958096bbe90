#include "cli/card.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <sstream>

#include "core/number_text.h"
namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TimeUs At(const char* time) { return *ParseRfc3339(time); }

Signal ErrorRateSignal() {
  Signal signal;
  signal.detector = "api-errors";
  signal.kind = "error_rate";
  signal.series = {{"env", "prod"}, {"service", "api"}};
  signal.level = 1;
  signal.onset = At("2026-03-10T21:04:30Z");
  signal.fired_at = At("2026-03-10T21:05:20Z");
  signal.value = 0.7134;
  signal.threshold = 0.5;
  signal.evidence = {{"panes", "rate", "[0,0.002,null,0.1,0.4,0.72]"}};
  return signal;
}

Signal PoolSignal() {
  Signal signal;
  signal.detector = "db-pool";
  signal.kind = "saturation";
  signal.series = {{"env", "prod"}, {"dependency", "rupaya-db"}};
  signal.level = 2;
  signal.onset = At("2026-03-10T21:04:40Z");
  signal.fired_at = At("2026-03-10T21:05:00Z");
  signal.value = 0.97;
  signal.threshold = 0.95;
  signal.evidence = {{"baseline", "limit", "100"}, {"panes", "level", "[0.32,0.64,0.97]"}};
  return signal;
}

Incident PoolIncident() {
  Incident incident;
  incident.number = "INC-2026-001";
  incident.severity = "SEVERITY 1";
  incident.severity_level = 1;
  incident.severity_rule = "14 % of users affected (above 5 %)";
  incident.title = "Requests fail across the service: error rate of service=api is 71.3 %";
  incident.scope_labels = {{"env", "prod"}};
  incident.component = "rupaya-db";
  incident.onset = At("2026-03-10T21:04:30Z");
  incident.detected_at = At("2026-03-10T21:04:50Z");
  incident.signals = {PoolSignal(), ErrorRateSignal()};
  incident.suspects = {{.kind = "deploy",
                        .name = "api v1.2.0",
                        .at = At("2026-03-10T21:00:00Z"),
                        .reason = "deployed 4 min before the onset"},
                       {.kind = "dependency", .name = "rupaya-db", .reason = "fires itself"}};
  incident.impact.users_affected = 2104;
  incident.impact.users_total = 15012;
  incident.impact.failed = 2310;
  incident.impact.failed_transactions = 9;
  incident.advice = {"Roll back api to v1.1.9",
                     "List the sessions of the database by state and age, and end those idle in a "
                     "transaction, oldest first"};
  incident.escalate_to = {"on-call", "tech-lead"};
  incident.respond_within_s = 300;
  incident.next_update_at = At("2026-03-10T21:20:20Z");
  return incident;
}

TEST(CardTest, ShowsWhatTheEngineerNeeds) {
  EXPECT_EQ(RenderCard(PoolIncident(), {.width = 80}),
            R"(┏━ SEVERITY 1 ━━ INC-2026-001 ━━ open ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
┃ Requests fail across the service: error rate of service=api is 71.3 %
┃
┃ Since      2026-03-10 21:04:30 UTC, detected at 21:04:50 (20 s later)
┃ Where      prod, rupaya-db
┃ Users      2,104 of 15,012 affected (14 %)
┃ Failed     2,301 requests, 9 transactions
┃ Level      14 % of users affected (above 5 %)
┃
┃ Evidence   api-errors service=api: 71.3 % (above 50 %)
┃            ▁▁ ▂▅█  0 to 72 %, last 60 s
┃            db-pool dependency=rupaya-db: 97 % (above 95 %)
┃            ▃▆█  0 to 97 %, last 30 s
┃
┃ Suspects   deploy api v1.2.0 at 21:00:00: deployed 4 min before the onset
┃            dependency rupaya-db: fires itself
┃
┃ Do         1. Roll back api to v1.1.9
┃            2. List the sessions of the database by state and age, and end
┃            those idle in a transaction, oldest first
┃ Call       on-call, tech-lead
┃ Respond    within 5 min; next status update at 21:20:20
┗━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
)");
}

TEST(CardTest, OfAResolvedIncidentSaysWhenAndGivesNoAdvice) {
  Incident incident = PoolIncident();
  incident.state = IncidentState::kResolved;
  incident.resolved_at = At("2026-03-10T21:26:30Z");
  for (Signal& signal : incident.signals) signal.cleared_at = At("2026-03-10T21:23:00Z");
  const std::string card = RenderCard(incident, {});
  EXPECT_THAT(card, HasSubstr("Resolved   2026-03-10 21:26:30 UTC (22 min after it began)"));
  EXPECT_THAT(card, HasSubstr("71.3 % now (was above 50 %)"));
  EXPECT_THAT(card, Not(HasSubstr("Roll back")));
}

TEST(CardTest, SaysWhatJoinedItAndWhatItIsBeside) {
  Incident incident = PoolIncident();
  TimelineEntry joined;
  joined.what = kJoinedTogether;
  joined.text = "web began within 45s of api";
  incident.timeline = {joined, {}, joined};
  incident.beside = {"INC-2026-007"};
  EXPECT_THAT(RenderCard(incident, {}),
              HasSubstr("┃ Together   web began within 45s of api\n"
                        "┃            web began within 45s of api\n"
                        "┃ Beside     INC-2026-007: began long after that last got worse\n"));
}

TEST(CardTest, WithoutNumbersSaysSo) {
  Incident incident = PoolIncident();
  incident.impact = {};
  incident.respond_within_s.reset();
  incident.next_update_at = kNoTime;
  const std::string card = RenderCard(incident, {});
  EXPECT_THAT(card, HasSubstr("Users      unknown\n"));
  EXPECT_THAT(card, HasSubstr("Respond    the next business day\n"));
}

TEST(CardTest, EveryLineFitsAndColourIsNotCounted) {
  Incident incident = PoolIncident();
  incident.title = std::string(500, 'x') + " and a tail";
  std::string panes = "[0";
  for (int i = 0; i < 80; ++i) panes += ",12345.6";
  incident.signals[0].evidence = {{"panes", "p95_ms", panes + "]"}};
  for (const int width : {40, 72, 100}) {
    std::istringstream lines(RenderCard(incident, {.width = width}));
    for (std::string line; std::getline(lines, line);) {
      const auto columns = std::count_if(line.begin(), line.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
      });
      EXPECT_LE(columns, width) << line;
    }
  }
  const std::string painted = RenderCard(PoolIncident(), {.colour = true});
  std::string plain;
  for (std::size_t i = 0; i < painted.size(); ++i) {
    if (painted[i] == '\x1b') {
      i = painted.find('m', i);
    } else {
      plain += painted[i];
    }
  }
  EXPECT_NE(painted, plain);
  EXPECT_EQ(plain, RenderCard(PoolIncident(), {}));
}

TEST(CardTest, TextFromEventsCannotPaintOnTheTerminal) {
  Incident incident = PoolIncident();
  const std::string evil =
      "a\x1b[2J\r\nb\xE2\x80\xAE\x07"
      "c\xFF";
  incident.title = incident.component = incident.severity_rule = incident.number = evil;
  incident.scope_labels[0].second = incident.classification = incident.runbook = evil;
  incident.advice = incident.escalate_to = {evil};
  incident.suspects = {{.kind = evil, .name = evil, .reason = evil}};
  incident.signals[0].detector = incident.signals[0].series[1].second = evil;
  incident.signals[0].evidence[1].json = "[" + evil + "]";
  const std::string card = RenderCard(incident, {});
  for (const char* bad : {"\x1b", "\r", "\x07", "\xE2\x80\xAE", "\xFF"}) {
    EXPECT_THAT(card, Not(HasSubstr(bad)));
  }
  EXPECT_THAT(card, HasSubstr("a [2J b c"));
}

TEST(CardTest, ListsOnlyTheWorstOfManySignals) {
  Incident incident = PoolIncident();
  for (int i = 0; i < 7; ++i) incident.signals.push_back(PoolSignal());
  EXPECT_THAT(RenderCard(incident, {}), HasSubstr("and 5 more signals"));
}

TEST(SparklineTest, ScalesFromZeroToTheLargest) {
  const std::vector<std::optional<double>> values = {0.0, 0.5, std::nullopt, 1.0, 0.99, -1.0};
  EXPECT_EQ(Sparkline(values), "▁▅ ██▁");
  EXPECT_EQ(Sparkline({}), "");
  const std::vector<std::optional<double>> zeros = {0.0, 0.0};
  EXPECT_EQ(Sparkline(zeros), "▁▁");
}

TEST(WrapTextTest, BreaksAtSpacesAndCutsLongWords) {
  EXPECT_THAT(WrapText("one two three", 7), ElementsAre("one two", "three"));
  EXPECT_THAT(WrapText("abcdefgh ij", 3), ElementsAre("abc", "def", "gh", "ij"));
  EXPECT_THAT(WrapText("ü€ä x", 2), ElementsAre("ü€", "ä", "x"));
  EXPECT_THAT(WrapText("", 5), ElementsAre(""));
}

TEST(ColourTest, IsOffWithoutATerminalOrWhenNotWanted) {
  EXPECT_EQ(Painted("x", "1;31", false), "x");
  EXPECT_EQ(Painted("x", "1;31", true), "\x1b[1;31mx\x1b[0m");
  EXPECT_FALSE(WantsColour(-1));
}

}  // namespace
}  // namespace tocsin
