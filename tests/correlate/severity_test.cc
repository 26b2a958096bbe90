#include "correlate/severity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/correlate/scenario.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

const Labels kApi = {{"service", "api"}};

Scenario WithShares() {
  Scenario s;
  s.config.severity.users_share = {{0.05, 1}, {0.01, 2}, {0, 3}};
  s.config.severity.users_total = 1000;
  return s;
}

TEST(Severity, ShareOfUsersDecides) {
  struct Case {
    int users;
    int level;
  };
  for (const Case& c : {Case{0, 4}, Case{5, 3}, Case{20, 2}, Case{80, 1}}) {
    Scenario s = WithShares();
    const Hash128 id = s.Fire({.labels = kApi, .level = 4});
    s.Hurt(id, c.users);
    s.Tick();
    EXPECT_EQ(s.Only().severity_level, c.level) << c.users;
    EXPECT_NEAR(static_cast<double>(s.Only().impact.users_affected.value()), c.users, 3);
    EXPECT_EQ(s.Only().impact.users_total, 1000);
  }
}

TEST(Severity, ShareRaisesAnOpenIncidentAndSaysWhy) {
  Scenario s = WithShares();
  const Hash128 id = s.Fire({.detector = "pool", .labels = kApi, .level = 2});
  s.Hurt(id, 40);
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 2");
  EXPECT_EQ(s.Only().severity_rule, "pool gives level 2");
  s.Hurt(id, 40, 40);
  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 1, resolve 2 after 1");
  EXPECT_THAT(s.Only().severity_rule, HasSubstr("of users affected (above 5 %)"));
}

TEST(Severity, SlownessAloneIsNeverRaisedByUsers) {
  Scenario s = WithShares();
  const Hash128 slow = s.Fire({.detector = "slow", .labels = kApi, .degraded_only = true});
  s.Hurt(slow, 500);
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Only().severity_level, 2);
  EXPECT_GT(s.Only().impact.users_affected, 400);
}

TEST(Severity, APureSurgeKeepsTheLevelOfItsDetector) {
  Scenario s = WithShares();
  const Hash128 id = s.Fire({.labels = kApi, .level = 3, .classification = "surge"});
  s.Hurt(id, 500);
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Only().severity_level, 3);
}

TEST(Severity, WithoutATotalOrPastACapUsersDecideNothing) {
  Scenario s = WithShares();
  s.config.severity.users_total.reset();
  const Hash128 id = s.Fire({.labels = kApi, .level = 4});
  s.Hurt(id, 500);
  s.Tick();
  EXPECT_EQ(s.Only().severity_level, 4);
  EXPECT_EQ(s.Only().impact.users_total, std::nullopt);

  Scenario t = WithShares();
  const Hash128 capped = t.Fire({.labels = kApi, .level = 4});
  t.Hurt(capped, 500, 0, /*capped=*/true);
  t.Tick();
  EXPECT_EQ(t.Only().severity_level, 4);
  EXPECT_EQ(t.Only().impact.users_affected, std::nullopt);
  EXPECT_TRUE(t.Only().partial);
}

TEST(Severity, TheTotalIsTheMostThatTheHourSaw) {
  Scenario s = WithShares();
  s.config.severity.users_total.reset();
  s.Users(999.6);
  const Hash128 id = s.Fire({.labels = kApi, .level = 4});
  s.Hurt(id, 20);
  s.Tick();
  EXPECT_EQ(s.Only().severity_level, 2);
  s.Users(100);
  s.Tick();
  EXPECT_EQ(s.Only().impact.users_total, 1000);
  EXPECT_EQ(s.Only().severity_level, 2);
}

TEST(Severity, FailingAfterTheRollbackIsLevelOne) {
  for (const bool persists : {false, true}) {
    Scenario s;
    s.config.severity.level_1_after_rollback = 5 * kMinuteUs;
    s.Deploy("api", "v2", 5 * kMinuteUs);
    const Hash128 id = s.Fire({.labels = kApi, .level = 2});
    s.TickFor(10 * kMinuteUs);
    s.Deploy("api", "v1", 0, "rollback");
    s.TickFor(4 * kMinuteUs);
    EXPECT_EQ(s.Only().severity_level, 2);
    if (!persists) s.Clear(id);
    s.TickFor(2 * kMinuteUs);
    EXPECT_EQ(s.Only().severity_level, persists ? 1 : 2);
    EXPECT_EQ(s.Only().severity_rule,
              persists ? "still failing 5m after the rollback" : "errors gives level 2");
  }
}

}  // namespace
}  // namespace tocsin
