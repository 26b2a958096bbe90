// What people are told, and when.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "correlate/lifecycle.h"
#include "tests/correlate/scenario.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;

const Labels kApi = {{"service", "api"}};

TEST(Pages, LevelOneIsToldAtOnce) {
  Scenario s;
  s.Fire({.labels = kApi, .level = 1});
  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 1");
  EXPECT_EQ(s.out.lines.size(), 1u);
  EXPECT_EQ(s.Only().pages, 1);
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Told(), "");
}

TEST(Pages, ADeployIsToldOnceAndIsNoPage) {
  Scenario s;
  s.Deploy("api", "v2", kMinuteUs);
  s.Tick();
  EXPECT_EQ(s.Told(), "change 4");
  const Incident& change = s.out.notifications[0].incident;
  EXPECT_EQ(change.title, "release of api, v2");
  EXPECT_EQ(change.component, "api");
  EXPECT_EQ(LabelValue(change.scope_labels, "env"), "prod");
  s.Deploy("api", "v2", kMinuteUs + 10 * kSecondUs);  // a tick later, the same time
  s.Tick();
  EXPECT_EQ(s.Told(), "");
  s.Deploy("api", "v1", 0, "rollback");
  s.Tick();
  ASSERT_EQ(s.Told(), "change 4");
  EXPECT_EQ(s.out.notifications[0].incident.title, "rollback of api to v1");
}

TEST(Pages, ARaiseBeforeTheFirstTriggerSkipsTheLowerLevel) {
  Scenario s;
  const Hash128 id = s.Fire({.labels = kApi, .level = 2});
  s.Tick();
  s.Raise(id, 1);
  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 1");
  EXPECT_EQ(s.Only().pages, 1);
}

TEST(Pages, ARaiseTriggersTheHigherKeyAndResolvesTheLowerOneAfterIt) {
  Scenario s;
  const Hash128 id = s.Fire({.labels = kApi, .level = 2});
  s.TickFor(kMinuteUs);
  s.Raise(id, 1);
  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 1, resolve 2 after 1");
  EXPECT_EQ(s.Only().pages, 2);
  EXPECT_EQ(s.Only().severity, "SEV1");
  s.Clear(id);
  s.TickFor(5 * kMinuteUs);
  EXPECT_EQ(s.Told(), "resolve 1");
}

TEST(Pages, AFallTellsNobody) {
  Scenario s;
  const Hash128 severe = s.Fire({.detector = "down", .labels = kApi, .level = 1});
  s.Fire({.detector = "slow", .labels = kApi, .level = 3});
  s.Tick();
  s.Clear(severe);
  s.TickFor(10 * kMinuteUs);
  EXPECT_EQ(s.Told(), "");
  EXPECT_EQ(s.Only().severity_level, 1);
}

TEST(Pages, LevelsThatDoNotPageAreToldButNotCounted) {
  Scenario s;
  const Hash128 id = s.Fire({.labels = kApi, .level = 3});
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 3");
  EXPECT_FALSE(s.out.notifications[0].pages);
  EXPECT_EQ(s.Only().pages, 0);
  s.Raise(id, 2);
  s.Tick();
  EXPECT_TRUE(s.out.notifications[0].pages);
  EXPECT_FALSE(s.out.notifications[1].pages);
  EXPECT_EQ(s.Only().pages, 1);
}

TEST(Pages, TheLineSaysWhenEachLevelWasReachedAndPaged) {
  Scenario s;
  const TimeUs opened = s.tick;
  const Hash128 id = s.Fire({.labels = kApi, .level = 3, .onset_ago = 20 * kSecondUs});
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 3");
  EXPECT_EQ(s.Only().paged_at(), kNoTime) << "a ticket is no page";
  EXPECT_THAT(s.Only().levels,
              ElementsAre(LevelTimes{.level = 3, .at = opened, .paged_at = kNoTime}));
  const TimeUs raised = s.tick;
  s.Raise(id, 2);
  s.Tick();
  EXPECT_THAT(s.Only().levels,
              ElementsAre(LevelTimes{.level = 3, .at = opened, .paged_at = kNoTime},
                          LevelTimes{.level = 2, .at = raised, .paged_at = raised}));
  EXPECT_EQ(s.Only().paged_at(), raised);
  EXPECT_EQ(s.out.notifications[0].incident.paged_at(), raised) << "the page itself says it, too";
  EXPECT_EQ(s.correlator->times().page.count, 1);
  EXPECT_EQ(s.correlator->times().page.total, raised - s.Only().onset);
  s.Raise(id, 1);
  s.Tick();
  EXPECT_EQ(s.Only().paged_at(), raised) << "that of the first page";
  EXPECT_EQ(s.Only().levels.back().paged_at, raised + s.config.pane);
  EXPECT_EQ(s.correlator->times().page.count, 1);
}

TEST(Pages, OneThatIsMutedIsPagedWhenItIsNoMore) {
  Scenario s;
  s.config.silences = {{.name = "s",
                        .matchers = {"service=api"},
                        .starts = s.tick - kHourUs,
                        .ends = s.tick + kMinuteUs,
                        .every = 0,
                        .author = "",
                        .comment = ""}};
  const TimeUs opened = s.tick;
  s.Fire({.labels = kApi, .level = 1});
  s.TickFor(2 * kMinuteUs);
  ASSERT_EQ(s.Only().levels.size(), 1U);
  EXPECT_EQ(s.Only().levels[0].at, opened);
  EXPECT_EQ(s.Only().levels[0].paged_at, opened + kMinuteUs);
}

TEST(Pages, OverBeforeTheFirstTriggerMeansNone) {
  Scenario s;
  s.config.correlate.watch = 0;
  const Hash128 id = s.Fire({.labels = kApi});
  s.Clear(id);
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 0u);
  EXPECT_EQ(s.Told(), "");
  EXPECT_EQ(s.out.lines.back().pages, 0);
}

TEST(Pages, MergedAwayBeforeTheFirstTriggerMeansNone) {
  Scenario s;
  s.config.correlate.topology = {{"web", {"db"}}, {"api", {"db"}}};
  s.Fire({.labels = {{"service", "web"}}});
  s.TickFor(kMinuteUs);
  s.Fire({.labels = kApi});
  s.Tick();
  s.Fire({.labels = {{"dependency", "db"}}});
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 1u);
  EXPECT_EQ(s.Told(), "");
}

TEST(Pages, TheWorstNewsComesFirst) {
  Scenario s;
  s.Fire({.labels = kApi, .level = 2});
  s.Tick();
  s.Fire({.labels = {{"service", "web"}}, .level = 1});
  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 1, trigger 2");
}

TEST(IncidentNumber, HasAtLeastThreeDigits) {
  EXPECT_EQ(IncidentNumber(2024, 1), "INC-2024-001");
  EXPECT_EQ(IncidentNumber(2024, 12345), "INC-2024-12345");
}

TEST(NextUpdate, FollowsTheCadenceOfTheLevel) {
  Config config;
  Incident incident;
  incident.severity_level = 1;
  EXPECT_EQ(NextUpdate(config.severity, 0, incident), 15 * kMinuteUs);
  incident.severity_level = 4;
  EXPECT_EQ(NextUpdate(config.severity, 0, incident), kNoTime);
  incident.severity_level = 1;
  incident.state = IncidentState::kResolved;
  EXPECT_EQ(NextUpdate(config.severity, 0, incident), kNoTime);
}

}  // namespace
}  // namespace tocsin
