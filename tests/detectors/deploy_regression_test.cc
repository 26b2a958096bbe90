#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/detectors/harness.h"

namespace tocsin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kStanza = R"(name: regression
kind: deploy_regression
by: [service]
warn: {error_ratio: 3, error_above: 1%, p95_ratio: 1.5, p95_above: 50ms, for: 2m, level: 3}
)";

// Panes of 100 requests: some fail, one in ten takes `slow_ms`, the others 20 ms.
void Requests(Harness* harness, int panes, int failed, int slow_ms = 40) {
  for (int i = 0; i < panes; ++i) {
    std::vector<Event> events;
    for (int k = 0; k < 100; ++k) {
      events.push_back(
          Request(k < failed, (k % 10 == 0 ? slow_ms : 20) * DurationUs{kMillisecondUs}));
      events.back().Set(Field::kVersion, k % 2 == 0 ? "v2" : "v1");
    }
    harness->Pane(std::move(events));
  }
}

// One failure in 400.
void Usual(Harness* harness, int panes) {
  for (int i = 0; i < panes; ++i) Requests(harness, 1, i % 4 == 0 ? 1 : 0);
}

void Deploy(Harness* harness) { harness->deployed_at = kStart + harness->now() * kPane + 1; }

TEST(DeployRegression, FailsMoreThanBefore) {
  Harness harness(kStanza);
  Usual(&harness, 90 * kMinute);
  Deploy(&harness);
  const int deployed = harness.now();
  Requests(&harness, 10 * kMinute, 4);
  ASSERT_EQ(harness.fired().size(), 1u);
  EXPECT_GE(harness.fired()[0], deployed + 2 * kMinute - 1);
  EXPECT_LE(harness.fired()[0], deployed + 4 * kMinute);
  EXPECT_NEAR(harness.changes()[0].value, 0.04, 1e-9);
  EXPECT_EQ(harness.EvidenceOf("baseline", "deployed_at"), "\"2026-03-02T01:30:00.000001Z\"");
  EXPECT_NEAR(std::stod(harness.EvidenceOf("baseline", "rate")), 0.0029, 0.0003);
  EXPECT_EQ(harness.EvidenceOf("threshold", "rate"), "0.01");
  EXPECT_THAT(harness.EvidenceOf("top", "version"), HasSubstr("v2"));
  Signal signal;
  signal.series = {{"service", "api"}};
  signal.value = 0.04;
  signal.threshold = 0.01;
  EXPECT_EQ(harness.detector().Title(signal),
            "error rate of service=api is 4 % since the deploy (above 1 %)");
  Usual(&harness, 10 * kMinute);
  EXPECT_TRUE(harness.ClearedAt().has_value());
}

TEST(DeployRegression, AnswersMoreSlowlyThanBefore) {
  Harness harness(kStanza);
  Usual(&harness, 90 * kMinute);
  Deploy(&harness);
  Requests(&harness, 10 * kMinute, 0, 90);
  ASSERT_EQ(harness.fired().size(), 1u);
  EXPECT_NEAR(harness.changes()[0].value, 90, 1);
  EXPECT_NEAR(std::stod(harness.EvidenceOf("threshold", "p95_ms")), 60, 1);
  Signal signal;
  signal.series = {{"service", "api"}};
  signal.evidence = harness.state().Explain();
  signal.value = 90;
  signal.threshold = 60;
  EXPECT_EQ(harness.detector().Title(signal),
            "p95 latency of service=api is 90 ms since the deploy (above 60 ms)");
}

TEST(DeployRegression, WithoutADeployOrWithACleanOneItIsSilent) {
  Harness harness(kStanza);
  Usual(&harness, 90 * kMinute);
  Requests(&harness, 20 * kMinute, 5);  // others' business
  Usual(&harness, 90 * kMinute);
  Deploy(&harness);
  Usual(&harness, 90 * kMinute);
  Requests(&harness, 20 * kMinute, 5, 90);  // more than an hour later
  EXPECT_THAT(harness.changes(), IsEmpty());
}

TEST(DeployRegression, NearMisses) {
  Harness little(kStanza);  // three times as many, but nothing that matters
  Usual(&little, 90 * kMinute);
  Deploy(&little);
  for (int i = 0; i < kHour / 4; ++i) {
    Requests(&little, 3, 1);
    Requests(&little, 1, 0);
  }
  EXPECT_THAT(little.changes(), IsEmpty());
  Harness as_before(kStanza);  // as bad as in the hour before
  Usual(&as_before, 90 * kMinute);
  Requests(&as_before, kHour, 4);
  Deploy(&as_before);
  Requests(&as_before, kHour, 5);
  EXPECT_THAT(as_before.changes(), IsEmpty());
  Harness brief(kStanza);  // a cold start of a minute
  Usual(&brief, 90 * kMinute);
  Deploy(&brief);
  Requests(&brief, kMinute, 5, 200);
  Usual(&brief, kHour);
  EXPECT_THAT(brief.changes(), IsEmpty());
  Harness unknown(kStanza);  // nothing to compare with
  Deploy(&unknown);
  Requests(&unknown, kHour, 50, 200);
  EXPECT_THAT(unknown.changes(), IsEmpty());
}

TEST(DeployRegression, WhatFiresIsComparedUntilItIsBackAndADayAtMost) {
  Harness harness(kStanza);
  harness.check_copy = false;
  Usual(&harness, 90 * kMinute);
  Deploy(&harness);
  Requests(&harness, 2 * kHour, 4);
  Deploy(&harness);  // another one changes nothing while the first one fires
  Requests(&harness, kHour, 4);
  EXPECT_FALSE(harness.ClearedAt().has_value());
  harness.deployed_at = kNoTime;
  Requests(&harness, 22 * kHour, 4);
  ASSERT_TRUE(harness.ClearedAt().has_value());
  EXPECT_NEAR(*harness.ClearedAt(), 90 * kMinute + 24 * kHour, 2 * kMinute);
  EXPECT_EQ(harness.fired().size(), 1u);
}

TEST(DeployRegression, NamesWhatIsWrong) {
  const std::string start = "name: x\nkind: deploy_regression\n";
  EXPECT_THAT(ErrorsOf(start + "warn: {window: 5m}\n"),
              ElementsAre(HasSubstr("needs 'error_ratio' or 'p95_ratio'")));
  EXPECT_THAT(ErrorsOf(start + "warn: {error_ratio: 3, p95_above: 1s}\n"),
              ElementsAre(HasSubstr("requires p95_ratio")));
  EXPECT_THAT(ErrorsOf(start + "warn: {p95_ratio: 3, error_above: 1%}\n"),
              ElementsAre(HasSubstr("requires error_ratio")));
}

}  // namespace
}  // namespace tocsin
