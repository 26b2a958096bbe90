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
  s.config.severity.users_share = {
      {.above = 0.05, .level = 1}, {.above = 0.01, .level = 2}, {.above = 0, .level = 3}};
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

TEST(Severity, NumberOfUsersAndStateOfTheServiceAreAMatrix) {
  struct Case {
    int users;
    bool down;
    int level;
  };
  for (const Case& c : {Case{0, true, 4}, Case{40, false, 3}, Case{40, true, 3},
                        Case{400, false, 3}, Case{400, true, 2}, Case{2'000, true, 1}}) {
    Scenario s;
    s.config.severity.users_count = {{.above = 1'000, .level = 1, .down = true},
                                     {.above = 100, .level = 2, .down = true},
                                     {.above = 0, .level = 3}};
    const Hash128 id = s.Fire({.labels = kApi, .level = 4, .down = c.down});
    s.Hurt(id, c.users);
    s.Tick();
    EXPECT_EQ(s.Only().severity_level, c.level) << c.users << c.down;
    if (c.level < 3) {
      EXPECT_THAT(s.Only().severity_rule, HasSubstr(" users affected (above 1"));
      EXPECT_THAT(s.Only().severity_rule, HasSubstr(" while a service is down"));
    }
  }
}

TEST(Severity, TheHigherOfShareAndNumberWins) {
  for (const bool many : {false, true}) {
    Scenario s = WithShares();
    s.config.severity.users_count = {{.above = many ? 50.0 : 500.0, .level = 1}};
    const Hash128 id = s.Fire({.labels = kApi, .level = 4});
    s.Hurt(id, 48 + 20 * many);
    s.config.severity.users_total = 2'000;
    s.Tick();
    EXPECT_EQ(s.Only().severity_level, many ? 1 : 2);
  }
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
