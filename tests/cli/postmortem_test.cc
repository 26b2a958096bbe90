#include "cli/postmortem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/node.h"
#include "sinks/incident_line.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TimeUs At(const char* time) { return *ParseRfc3339(time); }

Incident PoolIncident() {
  Incident incident;
  incident.id = {.high = 1, .low = 2};
  incident.number = "INC-2026-001";
  incident.revision = 5;
  incident.state = IncidentState::kResolved;
  incident.severity = "SEVERITY 1";
  incident.severity_level = 1;
  incident.severity_rule = "14 % of users affected (above 5 %)";
  incident.category = Category::kCapacity;
  incident.title = "Pool of rupaya-db is full";
  AppendKeyPart("prod", &incident.scope);
  incident.scope_labels = {{"scope", "prod"}};
  incident.component = "rupaya-db";
  incident.classification = "surge";
  incident.onset = At("2026-03-10T21:04:30Z");
  incident.detected_at = At("2026-03-10T21:04:50Z");
  incident.acknowledged_at = At("2026-03-10T21:06:50Z");
  incident.acknowledged_by = "ana";
  incident.resolved_at = At("2026-03-10T21:25:00Z");
  Signal signal;
  signal.detector = "db-pool";
  signal.kind = "saturation";
  signal.series = {{"dependency", "rupaya-db"}};
  signal.level = 2;
  signal.onset = At("2026-03-10T21:04:30Z");
  signal.fired_at = At("2026-03-10T21:04:50Z");
  signal.cleared_at = At("2026-03-10T21:22:00Z");
  signal.value = 0.97;
  signal.threshold = 0.95;
  signal.evidence = {{"baseline", "limit", "100"}, {"panes", "level", "[0.32,null,0.64,0.97]"}};
  incident.signals = {signal};
  incident.suspects = {{.kind = "deploy",
                        .name = "api v1.2.0",
                        .at = At("2026-03-10T21:00:00Z"),
                        .reason = "deployed 4 min before the onset"}};
  incident.impact = {.users_affected = 2104,
                     .users_total = 15012,
                     .failed = 2310,
                     .failed_transactions = 9,
                     .revenue = 120.5};
  incident.advice = {"Roll back api to v1.1.9"};
  incident.runbook = "https://run/pool";
  incident.escalate_to = {"on-call"};
  incident.respond_within_s = 300;
  incident.muted_by = "freeze";
  incident.timeline = {{.at = At("2026-03-10T21:06:50Z"),
                        .id = "a1",
                        .author = "ana",
                        .what = "acknowledged",
                        .text = "looking"}};
  incident.merged_into = "abc";
  incident.beside = {"INC-2026-007"};
  incident.partial = true;
  incident.pages = 1;
  return incident;
}

TEST(IncidentLine, ReadsBackWhatALineSays) {
  const std::string line = PoolIncident().ToJson();
  const absl::StatusOr<Incident> read = ReadIncident(line);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ToJson().size(), line.size()) << "but for the ids of its signals";
  Incident again = *read;
  for (Signal& signal : again.signals) signal.id = PoolIncident().signals[0].id;
  EXPECT_EQ(again.ToJson(), line);
}

TEST(IncidentLine, RefusesWhatIsNone) {
  for (const char* line :
       {"", "{", "[]", "7", "{}", R"({"incident": "x"})", R"({"incident": 7})"}) {
    EXPECT_EQ(ReadIncident(line).status().code(), absl::StatusCode::kInvalidArgument) << line;
  }
  // Of the wrong types, but with an id.
  EXPECT_TRUE(ReadIncident(R"({"incident":"00000000000000010000000000000002","signals":7,
                               "impact":[],"suspects":[7],"timeline":[null],"title":{}})")
                  .ok());
}

TEST(Postmortem, HasEverythingThatIsKnownAndRoomForTheRest) {
  const Postmortem draft = DraftPostmortem(PoolIncident());
  EXPECT_EQ(draft.markdown, R"(# INC-2026-001: Pool of rupaya-db is full

## Summary

| | |
|---|---|
| Severity | SEVERITY 1 (14 % of users affected (above 5 %)) |
| Where | prod, rupaya-db |
| Began | 2026-03-10 21:04:30 UTC |
| Detected | 2026-03-10 21:04:50 UTC |
| Resolved | 2026-03-10 21:25:00 UTC |
| Time to detect | 20 s |
| Time to page | not yet |
| Time to acknowledge | 2 min |
| Time to resolve | 20 min |

## Impact

- Users: 2,104 of 15,012 affected (14 %)
- Failed: 2,301 requests, 9 transactions worth 121
- Counted in part: a limit was reached, or a source was away.

## Timeline (UTC)

- 21:00:00 Deploy of api v1.2.0
- 21:04:30 It began
- 21:04:50 db-pool (dependency=rupaya-db) fired, threshold 95 %
- 21:04:50 Detected: INC-2026-001 opened
- 21:06:50 ana: acknowledged, looking
- 21:22:00 db-pool (dependency=rupaya-db) cleared
- 21:25:00 Resolved

## Root cause

Suspected, the likeliest first:

1. deploy api v1.2.0: deployed 4 min before the onset

## Resolution

Advised:

- Roll back api to v1.1.9

## What went well

-

## What did not

-

## Action items

- [ ]

## Plots

![db-pool](INC-2026-001-1.svg)

)");
  ASSERT_THAT(draft.plots, SizeIs(1));
  EXPECT_EQ(draft.plots[0].first, "INC-2026-001-1.svg");
  EXPECT_THAT(draft.plots[0].second, HasSubstr("M0 "));
}

TEST(Postmortem, NothingBreaksOutOfMarkdownYamlOrSvg) {
  Incident incident = PoolIncident();
  const std::string evil = "<script>alert(1)</script> [x](javascript:y)\n# boo {a: b} \"q\" | z";
  incident.title = incident.suspects[0].name = incident.timeline[0].text = evil;
  incident.signals[0].detector = evil;
  const Postmortem draft = DraftPostmortem(incident);
  EXPECT_THAT(draft.markdown, Not(HasSubstr("<script>")));
  EXPECT_THAT(draft.markdown, Not(HasSubstr("\n# boo")));
  EXPECT_THAT(draft.markdown, Not(HasSubstr("[x](")));
  EXPECT_THAT(draft.plots.at(0).second, Not(HasSubstr("<script>")));
  ErrorList errors;
  const ConfigNode yaml = ParseYaml(RecordYaml(incident), "record.yaml", &errors);
  EXPECT_TRUE(errors.empty());
  ASSERT_NE(yaml.Find("title"), nullptr);
  EXPECT_THAT(yaml.Find("title")->scalar, HasSubstr("<script>"));
}

TEST(RecordYaml, IsTheIncidentRecord) {
  ErrorList errors;
  const ConfigNode yaml = ParseYaml(RecordYaml(PoolIncident()), "record.yaml", &errors);
  for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
  const auto value = [&](const char* key) {
    const ConfigNode* node = yaml.Find(key);
    return node == nullptr ? "missing" : node->scalar;
  };
  EXPECT_EQ(value("id"), "INC-2026-001");
  EXPECT_EQ(value("severity"), "SEVERITY 1");
  EXPECT_EQ(value("started"), "2026-03-10T21:04:30Z");
  EXPECT_EQ(value("detected_by"), "db-pool");
  EXPECT_EQ(value("time_to_detect_s"), "20");
  EXPECT_EQ(value("time_to_acknowledge_s"), "120");
  EXPECT_EQ(value("time_to_resolve_s"), "1210");
  ASSERT_NE(yaml.Find("impact"), nullptr);
  EXPECT_EQ(yaml.Find("impact")->Find("minutes")->scalar, "21");
  EXPECT_THAT(yaml.Find("timeline")->list, SizeIs(7));
}

}  // namespace
}  // namespace tocsin
