#include "correlate/correlator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "tests/correlate/scenario.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Labels kApi = {{"service", "api"}};
const Labels kWeb = {{"service", "web"}};
const Labels kDb = {{"dependency", "db"}};

TEST(Correlator, OneSignalMakesOneIncidentAndOneTriggerOneTickLater) {
  Scenario s;
  const TimeUs fired = s.tick;
  s.Fire({.labels = kApi, .onset_ago = 60 * kSecondUs, .title = "api is failing"});
  s.Tick();
  ASSERT_THAT(s.out.lines, SizeIs(1));
  const Incident& line = s.out.lines[0];
  EXPECT_EQ(line.number, "INC-2026-001");
  EXPECT_EQ(line.revision, 1);
  EXPECT_EQ(line.state, IncidentState::kOpen);
  EXPECT_EQ(line.severity, "SEV2");
  EXPECT_EQ(line.severity_level, 2);
  EXPECT_EQ(line.title, "api is failing");
  EXPECT_EQ(line.component, "api");
  EXPECT_EQ(line.detected_at, fired);
  EXPECT_EQ(line.onset, fired - 70 * kSecondUs);
  EXPECT_EQ(line.respond_within_s, 15 * 60);
  EXPECT_EQ(line.next_update_at, fired - 10 * kSecondUs + 30 * kMinuteUs);
  EXPECT_EQ(line.pages, 0);
  EXPECT_EQ(line.scope_labels, (Labels{{"env", "prod"}}));
  EXPECT_EQ(s.Told(), "");

  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 2");
  ASSERT_THAT(s.out.lines, SizeIs(1));
  EXPECT_EQ(s.out.lines[0].revision, 2);
  EXPECT_EQ(s.out.lines[0].pages, 1);
  EXPECT_EQ(s.out.notifications[0].incident.ToJson(), s.out.lines[0].ToJson());

  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Told(), "");
  EXPECT_THAT(s.out.lines, IsEmpty());
}

TEST(Correlator, CascadeThroughTheTopologyIsOneIncidentNamedAfterItsCause) {
  Scenario s;
  s.config.correlate.topology = {{"web", {"api"}}, {"api", {"db"}}};
  s.Fire({.detector = "web-errors", .labels = kWeb, .onset_ago = 20 * kSecondUs});
  s.Tick();
  s.Fire({.detector = "api-errors", .labels = kApi, .onset_ago = 30 * kSecondUs});
  s.Fire({.detector = "db-pool", .labels = kDb, .onset_ago = 30 * kSecondUs});
  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 2");
  const Incident& incident = s.Only();
  EXPECT_THAT(incident.signals, SizeIs(3));
  EXPECT_EQ(incident.component, "db");
  ASSERT_THAT(incident.suspects, SizeIs(2));
  EXPECT_EQ(incident.suspects[0].kind, "dependency");
  EXPECT_EQ(incident.suspects[0].name, "db");
  EXPECT_THAT(incident.suspects[0].reason, HasSubstr("shared dependency of api and 1 more"));
  EXPECT_EQ(incident.suspects[1].name, "api");
}

TEST(Correlator, ACallThatWasSeenConnects) {
  for (const bool seen : {false, true}) {
    Scenario s;
    if (seen) s.Call("api", "db");
    s.Tick();
    s.Fire({.detector = "api-errors", .labels = kApi});
    s.Fire({.detector = "db-pool", .labels = kDb});
    s.Tick();
    EXPECT_EQ(s.OpenCount(), seen ? 1u : 2u);
  }
}

TEST(Correlator, ACallThatIsMadeNoMoreIsForgottenAfterAWeek) {
  for (const bool again : {false, true}) {
    Scenario s;
    s.Call("api", "db");
    s.Tick();
    s.tick += kWeekUs - kHourUs;
    if (again) s.Call("api", "db");
    s.TickFor(2 * kHourUs);
    s.Fire({.detector = "api-errors", .labels = kApi});
    s.Fire({.detector = "db-pool", .labels = kDb});
    s.Tick();
    EXPECT_EQ(s.OpenCount(), again ? 1u : 2u);
  }
}

TEST(Correlator, UnrelatedSignalsStayApart) {
  Scenario s;
  s.Fire({.labels = kApi});
  s.Fire({.labels = kWeb});
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 2u);
  ASSERT_THAT(s.out.lines, SizeIs(2));
  EXPECT_EQ(s.out.lines[0].number, "INC-2026-001");
  EXPECT_EQ(s.out.lines[1].number, "INC-2026-002");
}

TEST(Correlator, TwoFaultsAMinuteApartAreOneIncidentOnlyIfTheyAreConnected) {
  for (const bool connected : {false, true}) {
    Scenario s;
    if (connected) s.config.correlate.topology = {{"web", {"api"}}};
    s.Fire({.labels = kApi});
    s.TickFor(kMinuteUs);
    s.Fire({.labels = kWeb});
    s.Tick();
    EXPECT_EQ(s.OpenCount(), connected ? 1u : 2u);
  }
}

TEST(Correlator, ABreakerADatabaseAndThirtyEndpointsAreOneIncidentOfTheDatabase) {
  Scenario s;
  s.config.correlate.topology = {{"api", {"db"}}};
  s.Fire({.detector = "breaker", .labels = kApi, .level = 2});
  for (int i = 0; i < 30; ++i) {
    s.Fire({.detector = "endpoint-errors",
            .labels = {{"service", "api"}, {"endpoint", "/e" + std::to_string(i)}},
            .level = 3});
    if (i % 10 == 9) s.Tick();
  }
  s.Fire({.detector = "db-down", .labels = kDb, .level = 1});
  s.TickFor(kMinuteUs);
  EXPECT_THAT(s.Only().signals, SizeIs(32));
  EXPECT_EQ(s.Only().component, "db");
  EXPECT_EQ(s.Only().suspects[0].name, "db");
  EXPECT_EQ(s.Only().severity_level, 1);
}

TEST(Correlator, ASlowBurnThatEndsInAnOutageIsRaisedAndPagesOnceMore) {
  Scenario s;
  s.config.correlate.topology = {{"api", {"db"}}};
  s.Fire({.detector = "pool", .labels = kDb, .level = 2});
  s.TickFor(20 * kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 2");
  s.Fire({.detector = "outage", .labels = kApi, .level = 1});
  s.TickFor(10 * kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 1, resolve 2 after 1");
  EXPECT_EQ(s.OpenCount(), 1u);
}

TEST(Correlator, MissingIsNotEqual) {
  Scenario s;
  s.Fire({.detector = "a"});
  s.Fire({.detector = "b"});
  s.Fire({.detector = "c", .labels = {{"service", "(other)"}}});
  s.Fire({.detector = "d", .labels = {{"service", "(other)"}}});
  s.Fire({.detector = "e", .labels = kDb});
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 5u);
}

TEST(Correlator, AServiceIsAnotherOnesDependency) {
  Scenario s;
  s.Fire({.detector = "a", .labels = {{"service", "payments"}}});
  s.Fire({.detector = "b", .labels = {{"service", "api"}, {"dependency", "payments"}}});
  s.Tick();
  EXPECT_EQ(s.Only().component, "payments");
}

TEST(Correlator, ScopesNeverMixAndCountApart) {
  Scenario s;
  s.Fire({.labels = kApi, .scope = "prod"});
  s.Fire({.labels = kApi, .scope = "staging"});
  s.Tick();
  const std::vector<const Incident*> open = s.correlator->Open();
  ASSERT_THAT(open, SizeIs(2));
  EXPECT_EQ(open[0]->number, "INC-2026-001");
  EXPECT_EQ(open[1]->number, "INC-2026-001");
  EXPECT_NE(open[0]->id, open[1]->id);
}

TEST(Correlator, NumbersCountPerYearOfOnset) {
  Scenario s;
  s.tick = *ParseRfc3339("2026-12-31T23:59:50Z");
  s.Fire({.labels = kApi});
  s.Fire({.labels = kWeb});
  s.Tick();
  s.tick = *ParseRfc3339("2027-01-01T00:00:20Z");
  s.Fire({.labels = kDb});
  s.Tick();
  std::vector<std::string> numbers;
  for (const Incident* incident : s.correlator->Open()) numbers.push_back(incident->number);
  EXPECT_THAT(numbers, ElementsAre("INC-2026-001", "INC-2026-002", "INC-2027-001"));
}

TEST(Correlator, LaterThanTheWindowJoinsOnlyWhileSomethingFires) {
  Scenario s;
  const Hash128 first = s.Fire({.detector = "a", .labels = kApi});
  s.TickFor(20 * kMinuteUs);
  s.Fire({.detector = "b", .labels = kApi});
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 1u);

  Scenario t;
  t.config.correlate.watch = kHourUs;
  const Hash128 only = t.Fire({.detector = "a", .labels = kApi});
  t.TickFor(kMinuteUs);
  t.Clear(only);
  t.TickFor(10 * kMinuteUs);
  t.Fire({.detector = "b", .labels = kApi, .onset_ago = kMinuteUs});
  t.Tick();
  EXPECT_EQ(t.OpenCount(), 2u);
  // A slow detector that reports what began while the first one fired belongs to it.
  t.Fire({.detector = "c", .labels = kApi, .onset_ago = 11 * kMinuteUs});
  t.Tick();
  EXPECT_EQ(t.OpenCount(), 1u);
  EXPECT_EQ(first, only);
}

TEST(Correlator, SignalThatConnectsTwoMergesTheYoungerIntoTheOlder) {
  Scenario s;
  s.config.correlate.topology = {{"web", {"db"}}, {"api", {"db"}}};
  s.Fire({.labels = kWeb, .level = 3});
  s.Tick();
  s.Fire({.labels = kApi, .level = 2});
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 2u);
  EXPECT_EQ(s.Told(), "trigger 3, trigger 2");
  const Hash128 older = s.correlator->Open()[0]->id;
  const Hash128 younger = s.correlator->Open()[1]->id;

  s.Fire({.detector = "db-down", .labels = kDb, .level = 2});
  s.Tick();
  ASSERT_THAT(s.out.lines, SizeIs(2));
  EXPECT_EQ(s.out.lines[0].id, older);
  EXPECT_THAT(s.out.lines[0].signals, SizeIs(3));
  EXPECT_EQ(s.out.lines[0].severity_level, 2);
  EXPECT_EQ(s.out.lines[1].id, younger);
  EXPECT_EQ(s.out.lines[1].state, IncidentState::kResolved);
  EXPECT_EQ(s.out.lines[1].merged_into, older.Hex());
  EXPECT_THAT(s.out.lines[1].ToJson(), HasSubstr("\"merged_into\":\"" + older.Hex()));
  EXPECT_EQ(s.Told(), "trigger 2, resolve 3 after 2, resolve 2");
  EXPECT_EQ(s.out.notifications[2].incident.id, younger);
  EXPECT_EQ(s.Only().id, older);
}

TEST(Correlator, IncidentsOfOneTickThatTurnOutConnectedWereNeverTwo) {
  Scenario s;
  s.config.correlate.topology = {{"web", {"db"}}, {"api", {"db"}}};
  s.Fire({.detector = "a", .labels = kWeb});
  s.Fire({.detector = "b", .labels = kApi});
  s.Fire({.detector = "c", .labels = kDb});
  s.Tick();
  ASSERT_THAT(s.out.lines, SizeIs(1));
  EXPECT_EQ(s.out.lines[0].number, "INC-2026-001");
  EXPECT_THAT(s.out.lines[0].signals, SizeIs(3));
}

TEST(Correlator, ASharedAttackerConnects) {
  const auto top = [](const char* json) {
    return std::vector<Evidence>{{.kind = "top", .name = "client_ip", .json = json}};
  };
  Scenario s;
  s.Fire({.detector = "storm",
          .labels = kWeb,
          .classification = "attack",
          .evidence = top(R"([{"key":"10.0.0.9","count":900},{"key":"10.0.0.7","count":5}])")});
  s.Fire({.detector = "auth",
          .labels = kApi,
          .category = Category::kSecurity,
          .evidence = top(R"(["10.0.0.9"])")});
  s.Fire({.detector = "surge", .classification = "surge", .evidence = top(R"(["10.0.0.9"])")});
  s.Tick();
  const std::vector<const Incident*> open = s.correlator->Open();
  ASSERT_THAT(open, SizeIs(2));
  EXPECT_THAT(open[0]->signals, SizeIs(2));
  EXPECT_EQ(open[0]->classification, "attack");
  std::vector<std::string> addresses;
  for (const Suspect& suspect : open[0]->suspects) addresses.push_back(suspect.name);
  EXPECT_THAT(addresses, ElementsAre("10.0.0.9", "10.0.0.7"));
  EXPECT_EQ(open[1]->classification, "surge");
}

TEST(Correlator, ASharedDeployConnects) {
  Scenario s;
  s.config.correlate.topology = {{"web", {"auth"}}, {"api", {"auth"}}};
  s.Fire({.detector = "before", .labels = kWeb});
  s.Fire({.detector = "before", .labels = kApi});
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 2u);

  Scenario t;
  t.config.correlate.topology = s.config.correlate.topology;
  t.Deploy("auth", "v2", 5 * kMinuteUs);
  t.Fire({.detector = "after", .labels = kWeb});
  t.Fire({.detector = "after", .labels = kApi});
  t.Tick();
  EXPECT_THAT(t.Only().signals, SizeIs(2));
}

TEST(Correlator, ADeployReportedLateConnectsWhatComesAfterIt) {
  Scenario s;
  s.config.correlate.topology = {{"web", {"auth"}}, {"api", {"auth"}}};
  s.Fire({.labels = kWeb});
  s.TickFor(kMinuteUs);
  s.Deploy("auth", "v2", 3 * kMinuteUs);
  s.Tick();
  s.Fire({.labels = kApi});
  s.Tick();
  EXPECT_THAT(s.Only().signals, SizeIs(2));
}

TEST(Correlator, ClearMeansMonitoringThenResolved) {
  Scenario s;
  const Hash128 id = s.Fire({.labels = kApi});
  s.TickFor(kMinuteUs);
  s.Clear(id);
  s.Tick();
  ASSERT_THAT(s.out.lines, SizeIs(1));
  EXPECT_EQ(s.out.lines[0].state, IncidentState::kMonitoring);
  EXPECT_NE(s.out.lines[0].signals[0].cleared_at, kNoTime);
  s.TickFor(3 * kMinuteUs - 10 * kSecondUs);
  EXPECT_THAT(s.out.lines, IsEmpty());
  const TimeUs resolved = s.tick;
  s.Tick();
  ASSERT_THAT(s.out.lines, SizeIs(1));
  EXPECT_EQ(s.out.lines[0].state, IncidentState::kResolved);
  EXPECT_EQ(s.out.lines[0].resolved_at, resolved);
  EXPECT_EQ(s.out.lines[0].next_update_at, kNoTime);
  EXPECT_EQ(s.Told(), "resolve 2");
  EXPECT_EQ(s.OpenCount(), 0u);

  // Afterwards it is a new incident.
  s.Fire({.labels = kApi});
  s.Tick();
  EXPECT_EQ(s.Only().number, "INC-2026-002");
}

TEST(Correlator, FiringAgainWhileMonitoringReopensWithoutAnotherPage) {
  Scenario s;
  s.config.correlate.watch = 30 * kMinuteUs;
  const Hash128 id = s.Fire({.labels = kApi});
  s.TickFor(kMinuteUs);
  s.Clear(id);
  s.TickFor(20 * kMinuteUs);
  EXPECT_EQ(s.Only().state, IncidentState::kMonitoring);
  const Hash128 again = s.Fire({.labels = kApi});
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Only().state, IncidentState::kOpen);
  EXPECT_EQ(s.Only().number, "INC-2026-001");
  EXPECT_THAT(s.Only().signals, SizeIs(2));
  EXPECT_EQ(s.Told(), "");
  s.Clear(again);
  s.TickFor(30 * kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 1u);  // the watch began anew
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 0u);
}

TEST(Correlator, NothingResolvesOnAPartialTick) {
  Scenario s;
  const Hash128 id = s.Fire({.labels = kApi});
  s.TickFor(kMinuteUs);
  s.Clear(id);
  s.TickFor(3 * kMinuteUs);
  s.Tick(/*partial=*/true);
  ASSERT_EQ(s.OpenCount(), 1u);
  EXPECT_TRUE(s.Only().partial);
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 0u);
  EXPECT_TRUE(s.out.lines[0].partial);
}

TEST(Correlator, SignalsPastTheCapCountButAreNotListed) {
  Scenario s;
  std::vector<Hash128> ids;
  for (std::size_t i = 0; i < limits::kIncidentSignalsMax + 20; ++i) {
    ids.push_back(s.Fire(
        {.labels = {{"service", "api"}, {"endpoint", "/e" + std::to_string(i)}}, .level = 3}));
  }
  s.TickFor(kMinuteUs);
  EXPECT_THAT(s.Only().signals, SizeIs(limits::kIncidentSignalsMax));
  EXPECT_TRUE(s.Only().partial);
  for (const Signal& signal : std::vector<Signal>(s.Only().signals)) s.Clear(signal.id);
  s.TickFor(10 * kMinuteUs);
  EXPECT_EQ(s.Only().state, IncidentState::kOpen);
  std::vector<Hash128> unlisted;
  for (const Hash128& id : ids) {
    const std::vector<Signal>& listed = s.Only().signals;
    if (std::none_of(listed.begin(), listed.end(), [&](const Signal& l) { return l.id == id; })) {
      unlisted.push_back(id);
    }
  }
  ASSERT_THAT(unlisted, SizeIs(20));
  s.Raise(unlisted.front(), 1);
  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 1, resolve 3 after 1");
  for (const Hash128& id : unlisted) s.Clear(id);
  s.TickFor(4 * kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 0u);
}

TEST(Correlator, StrangersAreIgnored) {
  Scenario s;
  const Hash128 id = s.Fire({.labels = kApi});
  s.Clear(id);  // fired and cleared within one tick
  s.Tick();
  EXPECT_EQ(s.Only().state, IncidentState::kMonitoring);
  s.Hurt(id, 5);
  s.Hurt(HashBytes("nobody"), 5);
  s.Tick();
  EXPECT_EQ(s.Only().impact.failed, 0);
}

TEST(Correlator, AdviceFitsTheClassification) {
  const auto advice = [](const std::string& classification) {
    Scenario s;
    DetectorAdvice& storm = s.config.advice["storm"];
    storm.advice = {"watch"};
    storm.advice_if = {{"attack", {"block"}}, {"surge", {"scale out", "tell"}}};
    s.Fire({.detector = "storm", .labels = kApi, .classification = classification});
    s.Tick();
    return s.Only().advice;
  };
  EXPECT_THAT(advice("attack"), ElementsAre("block", "watch"));
  EXPECT_THAT(advice("botnet"), ElementsAre("block", "watch"));
  EXPECT_THAT(advice("surge"), ElementsAre("scale out", "tell", "watch"));
  EXPECT_THAT(advice("client"), ElementsAre("watch"));
  EXPECT_THAT(advice("unknown"),
              ElementsAre("If it is an attack: block", "If it is a surge: scale out",
                          "If it is a surge: tell", "watch"));
}

TEST(Correlator, LinesCarryTheAdviceOfAllMembersOnce) {
  Scenario s;
  DetectorAdvice& errors = s.config.advice["errors"];
  errors.advice = {"look", "think"};
  errors.title = "API fails";
  DetectorAdvice& pool = s.config.advice["pool"];
  pool.advice = {"think", "act"};
  pool.runbook = "https://run/pool";
  pool.escalate_to = {"dba"};
  s.config.correlate.runbook = "https://run";
  s.config.severity.escalate_to[0] = {"cto"};
  s.config.severity.escalate_to[1] = {"sre", "dba"};
  s.Fire({.detector = "pool", .labels = kApi, .level = 3, .onset_ago = kMinuteUs});
  s.Fire({.detector = "errors", .labels = kApi, .level = 2, .title = "12 % of api"});
  s.Tick();
  const Incident& incident = s.Only();
  EXPECT_THAT(incident.advice, ElementsAre("look", "think", "act"));
  EXPECT_THAT(incident.escalate_to, ElementsAre("sre", "dba"));
  EXPECT_EQ(incident.runbook, "https://run/pool");
  EXPECT_EQ(incident.title, "API fails: 12 % of api");
}

TEST(Correlator, DecodeRejectsNonsenseAndIsEmptyThen) {
  Scenario s;
  s.Fire({.labels = kApi});
  s.Tick();
  ByteWriter out;
  s.correlator->Encode(&out);
  const std::string whole(out.view());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ByteReader in(std::string_view(whole).substr(0, size));
    s.correlator->Decode(&in);
    EXPECT_FALSE(in.ok()) << size;
    EXPECT_EQ(s.OpenCount(), 0u);
  }
  ByteReader in(whole);
  s.correlator->Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_EQ(s.OpenCount(), 1u);
}

}  // namespace
}  // namespace tocsin
