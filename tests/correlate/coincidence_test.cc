// What begins together is one incident, and what the topology, the kind or the harm says against
// it.
#include "correlate/coincidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "tests/correlate/scenario.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr DurationUs kPane = 10 * kSecondUs;
const Labels kWeb = {{"service", "web"}};
const Labels kJobs = {{"service", "jobs"}};
const Labels kMail = {{"service", "mail"}};

// How many incidents two services make that began so far apart, each known to a pane.
std::size_t Incidents(Scenario* s, const FireOptions& first, const FireOptions& second) {
  s->Fire(first);
  s->Fire(second);
  s->TickFor(kMinuteUs);
  return s->OpenCount();
}

FireOptions Failing(const Labels& labels, DurationUs ago = 0, DurationUs width = kPane) {
  return {.labels = labels, .onset_ago = ago, .width = width};
}

std::vector<std::string> Timeline(const Incident& incident) {
  std::vector<std::string> texts;
  for (const TimelineEntry& entry : incident.timeline) {
    texts.push_back(entry.author + " " + entry.what + ": " + entry.text);
  }
  return texts;
}

TEST(Coincidence, TwoServicesThatFailTogetherAreOneIncidentAndOnePage) {
  Scenario s;
  s.Fire(Failing(kWeb, 20 * kSecondUs));
  s.Fire(Failing(kJobs, 40 * kSecondUs));
  s.TickFor(kMinuteUs);
  EXPECT_THAT(s.Only().signals, SizeIs(2));
  EXPECT_EQ(s.Told(), "trigger 2");
  EXPECT_THAT(Timeline(s.Only()),
              ElementsAre("tocsin joined: web began within 45s of jobs (20:59:30 to 20:59:40 and "
                          "20:59:10 to 20:59:20); nothing else connects them"));
}

TEST(Coincidence, TheOnsetsCountHoweverLateTheSecondIsDetected) {
  Scenario s;
  s.Fire(Failing(kWeb));
  s.TickFor(4 * kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 2");
  s.Fire(Failing(kJobs, 4 * kMinuteUs));
  s.TickFor(10 * kMinuteUs);
  EXPECT_THAT(s.Only().signals, SizeIs(2));
  EXPECT_EQ(s.Told(), "");
}

TEST(Coincidence, WhatWasShorterThanTheDetectionOfTheOtherIsOpenedAgain) {
  Scenario s;
  const Hash128 web = s.Fire(Failing(kWeb));
  s.TickFor(kMinuteUs);
  s.Clear(web);
  s.TickFor(2 * kMinuteUs);
  EXPECT_EQ(s.Only().state, IncidentState::kMonitoring);
  s.Fire(Failing(kJobs, 3 * kMinuteUs));
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Only().state, IncidentState::kOpen);
  EXPECT_EQ(s.Told(), "");
}

TEST(Coincidence, IntervalsMeetWithinWhatIsConfigured) {
  const struct {
    DurationUs first_ago, first_width, second_ago, second_width;
    std::size_t incidents;
  } cases[] = {
      // From the end of the one to the beginning of the other: 45 s, and a second more.
      {60 * kSecondUs, 15 * kSecondUs, 0, 15 * kSecondUs, 1},
      {60 * kSecondUs, 15 * kSecondUs, 0, 14 * kSecondUs, 2},
      {0, 15 * kSecondUs, 60 * kSecondUs, 15 * kSecondUs, 1},
      {0, 14 * kSecondUs, 60 * kSecondUs, 15 * kSecondUs, 2},
      // One that is known badly meets both.
      {4 * kMinuteUs, kPane, 0, 4 * kMinuteUs, 1},
      {6 * kMinuteUs, kPane, 0, 5 * kMinuteUs, 2},
      {10 * kMinuteUs, kPane, 0, kPane, 2},
  };
  for (const auto& c : cases) {
    Scenario s;
    EXPECT_EQ(Incidents(&s, Failing(kWeb, c.first_ago, c.first_width),
                        Failing(kJobs, c.second_ago, c.second_width)),
              c.incidents)
        << c.first_ago << " " << c.first_width << " " << c.second_ago << " " << c.second_width;
  }
  Scenario off;
  off.config.correlate.coincidence = 0;
  EXPECT_EQ(Incidents(&off, Failing(kWeb), Failing(kJobs)), 2u);
  Scenario longer;
  longer.config.correlate.coincidence = 2 * kMinuteUs;
  EXPECT_EQ(Incidents(&longer, Failing(kWeb, 2 * kMinuteUs), Failing(kJobs)), 1u);
}

TEST(Coincidence, AnOnsetThatNobodyKnowsCoincidesWithNothing) {
  Scenario s;
  EXPECT_EQ(Incidents(&s, Failing(kWeb), {.labels = kJobs}), 2u);
  Scenario vague;
  EXPECT_EQ(Incidents(&vague, Failing(kWeb), Failing(kJobs, 0, kOnsetWidthMax + kSecondUs)), 2u);
}

TEST(Coincidence, WhatDriftsCoincidesWithNothing) {
  for (const bool first : {false, true}) {
    Scenario s;
    FireOptions disk = Failing(kJobs);
    disk.drifts = true;
    EXPECT_EQ(Incidents(&s, first ? disk : Failing(kWeb), first ? Failing(kWeb) : disk), 2u);
  }
}

TEST(Coincidence, SecurityAndDataAreIncidentsOfTheirOwn) {
  constexpr Category kAll[] = {Category::kAvailability, Category::kPerformance, Category::kSecurity,
                               Category::kData, Category::kCapacity};
  const auto own = [](Category category) {
    return category == Category::kSecurity || category == Category::kData;
  };
  for (const Category one : kAll) {
    for (const Category other : kAll) {
      Scenario s;
      FireOptions web = Failing(kWeb), jobs = Failing(kJobs);
      web.category = one;
      jobs.category = other;
      const bool together = one == other || (!own(one) && !own(other));
      EXPECT_EQ(Incidents(&s, web, jobs), together ? 1u : 2u)
          << CategoryName(one) << " " << CategoryName(other);
    }
  }
}

TEST(Coincidence, ScopesNeverMix) {
  Scenario s;
  FireOptions staging = Failing(kJobs);
  staging.scope = "staging";
  EXPECT_EQ(Incidents(&s, Failing(kWeb), staging), 2u);
}

TEST(Coincidence, DeploysOfBothDoNotKeepThemApart) {
  Scenario s;
  s.Deploy("web", "v2", kMinuteUs);
  s.Deploy("jobs", "v7", 2 * kMinuteUs);
  EXPECT_EQ(Incidents(&s, Failing(kWeb), Failing(kJobs)), 1u);
}

TEST(Coincidence, TheTopologyKeepsApartWhatSharesNothing) {
  using Needs = std::map<std::string, std::vector<std::string>>;
  const struct {
    const char* what;
    Needs needs;
    std::size_t incidents;
  } cases[] = {
      {"nothing in common", {{"web", {"web-db"}}, {"jobs", {"jobs-db"}}}, 2},
      {"a database in common", {{"web", {"db"}}, {"jobs", {"db"}}}, 1},
      {"one far behind both", {{"web", {"a"}}, {"a", {"db"}}, {"jobs", {"b"}}, {"b", {"db"}}}, 1},
      {"a caller in common", {{"gateway", {"web", "jobs"}}, {"web", {"web-db"}}}, 1},
      {"one is not known", {{"web", {"web-db"}}, {"mail", {"mail-db"}}}, 1},
      {"every service needs the same", {{"web", {"web-db"}}, {"*", {"log"}}}, 1},
      {"everything needs everything", {{"*", {"*"}}}, 1},
  };
  for (const auto& c : cases) {
    Scenario s;
    s.config.correlate.topology = c.needs;
    EXPECT_EQ(Incidents(&s, Failing(kWeb), Failing(kJobs)), c.incidents) << c.what;
  }
}

TEST(Coincidence, WhatWasLearnedKeepsApartOnceItHasBeenLearned) {
  for (const DurationUs seen_for : {5 * kMinuteUs, 40 * kMinuteUs}) {
    Scenario s;
    s.Call("web", "web-db");
    s.Call("jobs", "jobs-db");
    s.TickFor(seen_for);
    // What is learned outlives a restart.
    ByteWriter out;
    s.correlator->Encode(&out);
    ByteReader in(out.view());
    s.correlator = std::make_unique<Correlator>(s.config);
    s.correlator->Decode(&in);
    ASSERT_TRUE(in.Done());
    EXPECT_EQ(Incidents(&s, Failing(kWeb), Failing(kJobs)), seen_for > 30 * kMinuteUs ? 2u : 1u);
  }
}

TEST(Coincidence, WhereCallsGoUnlearnedTheLearnedOnesKeepNothingApart) {
  Scenario s;
  s.Call("web", "web-db");
  s.Call("jobs", "jobs-db");
  for (std::size_t i = 2; i < limits::kCallsMax; ++i) s.Call("other", "db" + std::to_string(i));
  s.TickFor(40 * kMinuteUs);
  EXPECT_EQ(Incidents(&s, Failing(kWeb), Failing(kJobs)), 1u);
}

TEST(Coincidence, ItNeverEndsAPageAndSparesTheOneThatIsDue) {
  // Mail began between two that are too far apart for one another.
  for (const bool told : {false, true}) {
    Scenario s;
    s.Fire(Failing(kWeb, kMinuteUs + 50 * kSecondUs));
    s.TickFor(kMinuteUs);
    EXPECT_EQ(s.Told(), "trigger 2");
    s.Fire(Failing(kJobs, kMinuteUs + 20 * kSecondUs));
    s.Tick();
    ASSERT_EQ(s.OpenCount(), 2u);
    if (told) s.Tick();
    EXPECT_EQ(s.Told(), told ? "trigger 2" : "");
    s.Fire(Failing(kMail, 2 * kMinuteUs + (told ? 20 : 10) * kSecondUs));
    s.Tick();
    const std::vector<const Incident*> open = s.correlator->Open();
    EXPECT_THAT(open, SizeIs(told ? 2u : 1u));
    EXPECT_THAT(open[0]->signals, SizeIs(told ? 2u : 3u));
    EXPECT_EQ(s.Told(), "");
  }
}

TEST(Coincidence, AConnectionIsWorthMoreThanACoincidence) {
  Scenario s;
  s.Fire(Failing(kWeb));
  s.TickFor(2 * kMinuteUs);
  s.Fire(Failing(kJobs));
  s.TickFor(kMinuteUs);
  ASSERT_EQ(s.OpenCount(), 2u);
  // Of web, and it began together with jobs.
  FireOptions slow = Failing(kWeb, kMinuteUs);
  slow.detector = "slow";
  s.Fire(slow);
  s.Tick();
  const std::vector<const Incident*> open = s.correlator->Open();
  ASSERT_THAT(open, SizeIs(2));
  EXPECT_THAT(open[0]->signals, SizeIs(2));
  EXPECT_THAT(open[0]->timeline, IsEmpty());
}

TEST(Coincidence, AnOutageOfEverythingIsOneIncidentThatTellsAFewOfMany) {
  Scenario s;
  for (int i = 0; i < 300; ++i) {
    s.Fire(Failing({{"service", "s" + std::to_string(i)}}, (i % 4) * kPane));
    if (i % 50 == 49) s.Tick();
  }
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 1u);
  EXPECT_EQ(s.Only().pages, 1);
  EXPECT_THAT(s.Only().timeline, SizeIs(limits::kCoincidencesToldMax));
}

TEST(Coincidence, SurvivesARestartBetweenTheTwo) {
  Scenario s;
  s.Fire(Failing(kWeb));
  s.TickFor(kMinuteUs);
  ByteWriter out;
  s.correlator->Encode(&out);
  ByteReader in(out.view());
  s.correlator = std::make_unique<Correlator>(s.config);
  s.correlator->Decode(&in);
  ASSERT_TRUE(in.Done());
  s.Fire(Failing(kJobs, kMinuteUs));
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 1u);
}

TEST(Coincidence, AResolvedIncidentIsNotFoundAnyMore) {
  Scenario s;
  const Hash128 web = s.Fire(Failing(kWeb));
  s.TickFor(kMinuteUs);
  s.Clear(web);
  s.TickFor(4 * kMinuteUs);
  ASSERT_EQ(s.OpenCount(), 0u);
  s.Fire(Failing(kJobs, 5 * kMinuteUs));
  s.Tick();
  EXPECT_EQ(s.Only().number, "INC-2026-002");
}

TEST(OnsetIndex, ComparesNoMoreThanTheLimit) {
  const Topology topology;
  OnsetIndex index;
  const auto at = [](TimeUs time) {
    Signal signal;
    signal.began = {.earliest = time, .latest = time};
    return signal;
  };
  // Each of its own kind of harm, so that none is found; then one that would be.
  for (std::size_t i = 0; i < limits::kOnsetsComparedMax; ++i) {
    Signal signal = at(kHourUs);
    signal.category = Category::kData;
    index.Put(i, signal, Topology::kNoPart);
  }
  const Coincidence coincidence{.topology = topology, .now = 0, .within = 45 * kSecondUs};
  index.Put(limits::kOnsetsComparedMax, at(kHourUs + 1), Topology::kNoPart);
  EXPECT_THAT(index.Find(at(kHourUs), coincidence), IsEmpty());
  index.Put(limits::kOnsetsComparedMax + 1, at(kHourUs - 1), Topology::kNoPart);
  EXPECT_THAT(index.Find(at(kHourUs), coincidence), ElementsAre(limits::kOnsetsComparedMax + 1));
  index.Remove(limits::kOnsetsComparedMax + 1, at(kHourUs - 1));
  EXPECT_THAT(index.Find(at(kHourUs), coincidence), IsEmpty());
}

}  // namespace
}  // namespace tocsin
