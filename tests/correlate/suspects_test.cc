#include "correlate/suspects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "correlate/evidence.h"
#include "tests/correlate/scenario.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

const Labels kApi = {{"service", "api"}};

TEST(Suspects, ADeployWithinTheWindowIsSuspected) {
  Scenario s;
  s.Deploy("api", "v1.2.0", 5 * kMinuteUs + 30 * kSecondUs);
  s.Fire({.labels = kApi});
  s.Tick();
  ASSERT_THAT(s.Only().suspects, SizeIs(1));
  const Suspect& suspect = s.Only().suspects[0];
  EXPECT_EQ(suspect.kind, "deploy");
  EXPECT_EQ(suspect.name, "api v1.2.0");
  EXPECT_EQ(suspect.reason, "deployed 5 min before the onset");
  EXPECT_THAT(s.Only().advice, ElementsAre("Roll back api to the version before v1.2.0"));
}

TEST(Suspects, WhichDeploysAreSuspected) {
  struct Case {
    const char* what;
    const char* deployed;
    DurationUs ago;
    Labels labels;
    bool suspected;
  };
  const Labels db = {{"dependency", "db"}};
  const Case cases[] = {
      {"at the edge of the window", "api", 30 * kMinuteUs, kApi, true},
      {"too long ago", "api", 30 * kMinuteUs + kSecondUs, kApi, false},
      {"within the pane of the onset", "api", -9 * kSecondUs, kApi, true},
      {"after the onset", "api", -11 * kSecondUs, kApi, false},
      {"another service", "web", kMinuteUs, kApi, false},
      {"upstream", "auth", kMinuteUs, kApi, true},
      {"far upstream", "ldap", kMinuteUs, kApi, true},
      {"downstream of a service", "web", kMinuteUs, kApi, false},
      {"a service that needs the failing dependency", "api", kMinuteUs, db, true},
      {"a service that does not", "web", kMinuteUs, db, false},
      {"no service named", "", kMinuteUs, kApi, true},
      {"a series over the whole scope", "web", kMinuteUs, {}, true},
      {"the app of a series", "mobile", kMinuteUs, {{"app", "mobile"}}, true},
      {"another app", "api", kMinuteUs, {{"app", "mobile"}}, false},
  };
  for (const Case& c : cases) {
    Scenario s;
    s.config.correlate.topology = {{"web", {"api"}}, {"api", {"auth", "db"}}, {"auth", {"ldap"}}};
    s.Deploy(c.deployed, "v2", c.ago);
    s.Fire({.labels = c.labels});
    s.Tick();
    const std::vector<Suspect>& suspects = s.Only().suspects;
    const bool suspected = std::any_of(suspects.begin(), suspects.end(),
                                       [](const Suspect& x) { return x.kind == "deploy"; });
    EXPECT_EQ(suspected, c.suspected) << c.what;
    EXPECT_EQ(!s.Only().advice.empty(), c.suspected) << c.what;
  }
}

TEST(Suspects, ARollbackIsNoSuspectButSaysWhen) {
  Scenario s;
  s.Deploy("api", "v1", 20 * kMinuteUs);
  s.Deploy("api", "v2", 5 * kMinuteUs);
  s.Fire({.labels = kApi});
  s.TickFor(kMinuteUs);
  s.Deploy("api", "v1", 0, "rollback");
  s.Tick();
  ASSERT_THAT(s.out.lines, SizeIs(1));  // the suspects changed
  const std::vector<Suspect>& suspects = s.Only().suspects;
  ASSERT_THAT(suspects, SizeIs(2));
  EXPECT_EQ(suspects[0].name, "api v2");
  EXPECT_THAT(suspects[0].reason, HasSubstr("before the onset, rolled back at 21:00:50"));
  ASSERT_THAT(s.Only().advice, Not(IsEmpty()));
  EXPECT_EQ(s.Only().advice[0],
            "Roll back of api to the version before v2 is done, at 21:00:50: see that it lasts");
  EXPECT_EQ(suspects[1].reason, "deployed 20 min before the onset");  // it went back to this one
}

TEST(Suspects, TheOneWhoseRollbackEndedItComesFirst) {
  Scenario s;
  s.config.correlate.topology = {{"api", {"web"}}};
  s.Deploy("api", "v2", 5 * kMinuteUs);
  s.Deploy("web", "v7", 2 * kMinuteUs);
  const Hash128 id = s.Fire({.labels = {{"service", "api"}}});
  s.TickFor(kMinuteUs);
  ASSERT_GE(s.Only().suspects.size(), 2u);
  EXPECT_EQ(s.Only().suspects[0].name, "web v7") << "the latest";
  s.Deploy("api", "v1", 0, "rollback");
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Only().suspects[0].name, "web v7") << "it still fires";
  s.Clear(id);
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Only().suspects[0].name, "api v2");
  EXPECT_THAT(s.Only().suspects[0].reason, HasSubstr(", which restored it by "));
  EXPECT_THAT(s.Only().suspects[1].reason, Not(HasSubstr("restored")));
}

TEST(Suspects, ALateDeployFactStillCounts) {
  Scenario s;
  s.Fire({.labels = kApi});
  s.TickFor(kMinuteUs);
  EXPECT_THAT(s.Only().suspects, IsEmpty());
  s.Deploy("api", "v2", 3 * kMinuteUs);
  s.Tick();
  EXPECT_THAT(s.Only().suspects, SizeIs(1));
  s.Deploy("api", "v2", 3 * kMinuteUs + 10 * kSecondUs);  // another host, same deploy
  s.Tick();
  EXPECT_THAT(s.Only().suspects, SizeIs(1));
}

TEST(Suspects, WhatClientsDoIsNotBlamedOnADeploy) {
  for (const char* classification : {"attack", "surge", "botnet", "client", "unknown", ""}) {
    Scenario s;
    s.Deploy("api", "v2", kMinuteUs);
    s.Fire({.labels = kApi, .classification = classification});
    s.Tick();
    const bool blamed = std::string(classification) == "client" ||
                        std::string(classification) == "unknown" || *classification == '\0';
    EXPECT_EQ(!s.Only().suspects.empty(), blamed) << classification;
  }
}

TEST(Suspects, ACalledDependencyIsSuspectedWithoutAnyTopology) {
  Scenario s;
  s.Fire({.detector = "calls", .labels = {{"service", "api"}, {"dependency", "sms.example"}}});
  s.Fire({.detector = "errors", .labels = kApi, .onset_ago = kMinuteUs});
  s.Tick();
  EXPECT_EQ(s.Only().component, "sms.example");
  ASSERT_THAT(s.Only().suspects, SizeIs(1));
  EXPECT_EQ(s.Only().suspects[0].kind, "dependency");
  EXPECT_THAT(s.Only().suspects[0].reason,
              HasSubstr("external; needed by api; the furthest upstream"));
}

TEST(Suspects, ADependencyThatOthersRunIsSaidToBeExternal) {
  struct Case {
    const char* name;
    bool external;
  };
  for (const Case& c :
       {Case{"stripe", true}, Case{"api.twilio.com", true}, Case{"orders-db", false},
        Case{"db.prod.internal", false}, Case{"x.rds.amazonaws.com", false},
        Case{"10.0.0.7", false}, Case{"redis.svc", false}, Case{".com", false}}) {
    Scenario s;
    s.config.correlate.external = {"stripe"};
    s.Fire({.labels = {{"service", "api"}, {"dependency", c.name}}});
    s.Tick();
    ASSERT_THAT(s.Only().suspects, SizeIs(1));
    EXPECT_EQ(s.Only().suspects[0].reason.starts_with("external; "), c.external) << c.name;
  }
}

TEST(Suspects, OfThoseEquallyFarUpstreamTheOneThatExplainsMostComesFirst) {
  Scenario s;
  s.config.correlate.topology = {{"api", {"a-db", "z-db"}}, {"web", {"z-db"}}};
  s.Fire({.labels = {{"dependency", "a-db"}}, .onset_ago = 2 * kMinuteUs});
  s.Fire({.labels = {{"dependency", "z-db"}}});
  s.Fire({.labels = {{"service", "api"}}});
  s.Fire({.labels = {{"service", "web"}}});
  s.Tick();
  ASSERT_THAT(s.Only().suspects, SizeIs(2));
  EXPECT_EQ(s.Only().suspects[0].name, "z-db");
  EXPECT_EQ(s.Only().component, "z-db");
}

TEST(Suspects, WhatBeganFirstIsSaid) {
  Scenario s;
  s.config.correlate.topology = {{"web", {"api"}}, {"api", {"db"}}};
  s.Fire({.labels = {{"service", "api"}}, .onset_ago = kMinuteUs});
  s.Fire({.labels = {{"dependency", "db"}}, .onset_ago = 2 * kMinuteUs});
  s.Fire({.labels = {{"service", "web"}}});
  s.Tick();
  ASSERT_THAT(s.Only().suspects, SizeIs(2));
  EXPECT_THAT(s.Only().suspects[0].reason, HasSubstr("fires; began first (errors since"));
  EXPECT_THAT(s.Only().suspects[1].reason, Not(HasSubstr("began first")));
}

TEST(Suspects, TheOnlyEndpointAndTheClientAreNamed) {
  Scenario s;
  s.Fire({.labels = {{"service", "api"}, {"endpoint", "/export"}}});
  s.Tick();
  ASSERT_THAT(s.Only().suspects, SizeIs(1));
  EXPECT_EQ(s.Only().suspects[0].kind, "endpoint");
  EXPECT_EQ(s.Only().suspects[0].name, "/export");
  s.Fire({.labels = {{"service", "api"}, {"endpoint", "/import"}}});
  s.Tick();
  EXPECT_THAT(s.Only().suspects, IsEmpty());

  Scenario t;
  t.Fire({.classification = "client",
          .evidence = {{.kind = "top", .name = "user_agent", .json = R"(["MobileApp/1.0.0"])"}}});
  t.Tick();
  ASSERT_THAT(t.Only().suspects, SizeIs(1));
  EXPECT_EQ(t.Only().suspects[0].name, "MobileApp/1.0.0");
}

TEST(Suspects, AreBounded) {
  Scenario s;
  for (int i = 0; i < 40; ++i) s.Deploy("api", "v" + std::to_string(i), i * kSecondUs);
  for (int i = 0; i < 100; ++i) {
    s.Fire({.labels = {{"service", "api"}, {"dependency", "db" + std::to_string(i)}}});
  }
  s.Tick();
  EXPECT_THAT(s.Only().suspects, SizeIs(limits::kIncidentSuspectsMax));
  EXPECT_EQ(s.Only().suspects[0].name, "api v0");  // the last one before the onset
  EXPECT_EQ(s.Only().suspects.back().kind, "dependency");
}

TEST(Deploys, AreThoseOfTheScopeAndTime) {
  Scenario s;
  const TimeUs deployed = s.pane_end();
  s.Deploy("api", "v2", 0);
  s.Deploy("api", "v1", 0, "rollback", "staging");
  s.Tick();
  const std::string prod = Scenario::ScopeKey("prod");
  const auto deploys = [&](const std::string& scope, TimeUs from, TimeUs to) {
    return s.correlator->Deploys(scope, from, to).size();
  };
  EXPECT_EQ(deploys(prod, deployed - kHourUs, deployed), 1u);
  EXPECT_EQ(deploys(prod, deployed, deployed + kHourUs), 1u);
  EXPECT_EQ(deploys(prod, deployed + 1, deployed + kHourUs), 0u);
  EXPECT_EQ(deploys(prod, deployed - kHourUs, deployed - 1), 0u);
  EXPECT_TRUE(s.correlator->Deploys(Scenario::ScopeKey("staging"), deployed, deployed)[0].rollback);
  EXPECT_EQ(deploys("nowhere", deployed, deployed), 0u);
}

TEST(TopNames, ReadsTheShapesThatDetectorsWrite) {
  const auto names = [](std::string json) {
    Signal signal;
    signal.evidence = {{.kind = "top", .name = "user_agent", .json = std::move(json)}};
    return TopNames(signal, "user_agent");
  };
  EXPECT_THAT(names(R"(["a","b"])"), ElementsAre("a", "b"));
  EXPECT_THAT(names(R"([["a",3],["b",2]])"), ElementsAre("a", "b"));
  EXPECT_THAT(names(R"([{"count":3,"key":"a","note":"x"},{"key":"b \"c\\"}])"),
              ElementsAre("a", "b \"c\\"));
  EXPECT_THAT(names("[]"), IsEmpty());
  EXPECT_THAT(names("7"), IsEmpty());
  EXPECT_THAT(names("[\"open"), ElementsAre("open"));
  EXPECT_THAT(TopNames(Signal{}, "user_agent"), IsEmpty());
}

}  // namespace
}  // namespace tocsin
