#include "correlate/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "tests/correlate/scenario.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using Needs = std::map<std::string, std::vector<std::string>>;

Component Service(const char* name) { return {.name = name, .dependency = false}; }
Component Dependency(const char* name) { return {.name = name, .dependency = true}; }

TEST(Topology, ReachesUpstreamOnly) {
  const Topology topology(Needs{{"web", {"api"}}, {"api", {"db", "cache"}}});
  EXPECT_TRUE(topology.Needs(Service("web"), Service("api")));
  EXPECT_FALSE(topology.Needs(Service("web"), Dependency("db")));
  EXPECT_TRUE(topology.Reaches(Service("web"), Dependency("db")));
  EXPECT_FALSE(topology.Reaches(Dependency("db"), Service("web")));
  EXPECT_FALSE(topology.Reaches(Service("web"), Service("web")));
  EXPECT_FALSE(topology.Reaches(Service("other"), Dependency("db")));
  EXPECT_THAT(topology.NeighboursOf(Service("api")).names,
              UnorderedElementsAre("web", "db", "cache"));
  EXPECT_THAT(topology.NeighboursOf(Service("other")).names, IsEmpty());
}

TEST(Topology, CallsThatWereSeenAreEdgesToo) {
  CallLog calls;
  EXPECT_TRUE(calls.Add({"api", "orders-db"}, kMinuteUs));
  EXPECT_FALSE(calls.Add({"api", "orders-db"}, 2 * kMinuteUs));
  EXPECT_TRUE(calls.Add({"*", "cache"}, kMinuteUs));
  EXPECT_FALSE(calls.Add({"api", "api"}, kMinuteUs));
  EXPECT_FALSE(calls.Add({"", "db"}, kMinuteUs));
  EXPECT_FALSE(calls.Add({"api", "(other)"}, kMinuteUs));
  const Topology topology(Needs{{"web", {"api"}}}, calls);
  EXPECT_TRUE(topology.Needs(Service("api"), Dependency("orders-db")));
  EXPECT_TRUE(topology.Reaches(Service("web"), Dependency("orders-db")));
  // A service of that name does not stand for all.
  EXPECT_FALSE(topology.Needs(Service("api"), Dependency("cache")));

  ByteWriter out;
  calls.Encode(&out);
  ByteReader in(out.view());
  const CallLog decoded = CallLog::Decode(&in);
  ASSERT_TRUE(in.Done());
  ASSERT_EQ(decoded.seen().size(), calls.seen().size());
  for (const auto& [call, seen] : calls.seen()) {
    EXPECT_EQ(decoded.seen().at(call).first, seen.first);
    EXPECT_EQ(decoded.seen().at(call).last, seen.last);
  }
  EXPECT_FALSE(calls.ForgetBefore(kMinuteUs));
  EXPECT_TRUE(calls.ForgetBefore(2 * kMinuteUs));
  EXPECT_THAT(calls.seen(), SizeIs(1));
}

TEST(Topology, NoMoreCallsAreLearnedThanTheLimit) {
  CallLog calls;
  for (std::size_t i = 0; i < limits::kCallsMax; ++i) {
    EXPECT_TRUE(calls.Add({"api", "db" + std::to_string(i)}, 0));
  }
  EXPECT_FALSE(calls.Add({"api", "one more"}, 0));
  EXPECT_FALSE(calls.Add({"api", "db0"}, kMinuteUs));
  EXPECT_EQ(calls.seen().at({"api", "db0"}).last, kMinuteUs);
  EXPECT_EQ(calls.seen().at({"api", "db0"}).first, 0);
}

TEST(Topology, Cycles) {
  const Topology topology(Needs{{"a", {"b"}}, {"b", {"a", "a", "b"}}});
  EXPECT_TRUE(topology.Reaches(Service("a"), Service("b")));
  EXPECT_TRUE(topology.Reaches(Service("b"), Service("a")));
  EXPECT_FALSE(topology.Reaches(Service("a"), Service("a")));
  EXPECT_THAT(topology.NeighboursOf(Service("b")).names, ElementsAre("a"));
}

TEST(Topology, StarsStandForEveryServiceAndEveryDependency) {
  const Topology named(Needs{{"*", {"db"}}});
  EXPECT_TRUE(named.Reaches(Service("anything"), Dependency("db")));
  EXPECT_FALSE(named.Reaches(Dependency("cache"), Dependency("db")));
  EXPECT_TRUE(named.NeighboursOf(Dependency("db")).every_service);
  EXPECT_FALSE(named.NeighboursOf(Dependency("cache")).every_service);
  EXPECT_THAT(named.NeighboursOf(Service("x")).names, ElementsAre("db"));

  const Topology all(Needs{{"*", {"*"}}, {"web", {"api"}}});
  EXPECT_TRUE(all.Reaches(Service("x"), Dependency("y")));
  EXPECT_FALSE(all.Reaches(Service("x"), Service("y")));
  EXPECT_TRUE(all.NeighboursOf(Service("x")).every_dependency);
  EXPECT_FALSE(all.NeighboursOf(Service("x")).every_service);
  EXPECT_TRUE(all.NeighboursOf(Dependency("y")).every_service);

  const Topology one(Needs{{"api", {"*"}}});
  EXPECT_TRUE(one.NeighboursOf(Service("api")).every_dependency);
  EXPECT_THAT(one.NeighboursOf(Dependency("y")).names, ElementsAre("api"));
  EXPECT_FALSE(one.Reaches(Service("web"), Dependency("y")));
}

TEST(Topology, StarsGroupSignalsInEitherOrder) {
  for (const bool dependency_first : {false, true}) {
    Scenario s;
    s.config.correlate.topology = {{"*", {"*"}}};
    const Labels api = {{"service", "api"}};
    const Labels db = {{"dependency", "db"}};
    s.Fire({.labels = dependency_first ? db : api});
    s.Tick();
    s.Fire({.labels = dependency_first ? api : db});
    s.Tick();
    EXPECT_EQ(s.Only().component, "db");
  }
  Scenario apart;
  apart.config.correlate.topology = {{"*", {"*"}}};
  apart.Fire({.labels = {{"service", "api"}}});
  apart.Fire({.labels = {{"service", "web"}}});
  apart.Tick();
  EXPECT_EQ(apart.OpenCount(), 2u);
}

Signal On(const char* service, const char* dependency = nullptr) {
  Signal signal;
  signal.series = {{"env", "prod"}};
  if (service != nullptr) signal.series.emplace_back("service", service);
  if (dependency != nullptr) signal.series.emplace_back("dependency", dependency);
  return signal;
}

bool Apart(const Topology& topology, const Signal& a, const Signal& b, TimeUs now = 0) {
  const bool apart = topology.KnownApart(topology.PartOf(a), topology.PartOf(b), now);
  EXPECT_EQ(topology.KnownApart(topology.PartOf(b), topology.PartOf(a), now), apart);
  return apart;
}

TEST(Topology, PartsShareNothing) {
  const Topology topology(
      Needs{{"web", {"api"}}, {"api", {"db"}}, {"jobs", {"queue"}}, {"cron", {"queue", "disk"}}});
  EXPECT_FALSE(Apart(topology, On("web"), On("api")));
  EXPECT_FALSE(Apart(topology, On("web"), On(nullptr, "db")));
  EXPECT_FALSE(Apart(topology, On("jobs"), On(nullptr, "disk")));  // by way of cron
  EXPECT_TRUE(Apart(topology, On("web"), On("jobs")));
  EXPECT_TRUE(Apart(topology, On(nullptr, "db"), On("cron", "disk")));
  // Of these nothing is known.
  EXPECT_FALSE(Apart(topology, On("web"), On("new")));
  EXPECT_FALSE(Apart(topology, On("web"), On("jobs", "new")));
  EXPECT_FALSE(Apart(topology, On("web"), On(nullptr)));
  EXPECT_FALSE(Apart(topology, On("web"), On("(other)")));
  EXPECT_FALSE(Apart(Topology(), On("web"), On("jobs")));
}

TEST(Topology, StarsMakeOnePartOfWhatTheyStandFor) {
  const Topology services(Needs{{"*", {"log"}}, {"web", {"web-db"}}, {"jobs", {"jobs-db"}}});
  EXPECT_FALSE(Apart(services, On("web"), On("jobs")));
  EXPECT_FALSE(Apart(services, On("new"), On(nullptr, "jobs-db")));
  EXPECT_FALSE(Apart(services, On("web"), On(nullptr, "new")));

  const Topology dependencies(Needs{{"admin", {"*"}}, {"web", {"web-db"}}, {"jobs", {"queue"}}});
  EXPECT_FALSE(Apart(dependencies, On("web"), On("jobs")));
  EXPECT_FALSE(Apart(dependencies, On("web"), On(nullptr, "new")));
  EXPECT_FALSE(Apart(dependencies, On("web"), On("new")));
}

TEST(Topology, WhatIsLearnedIsBelievedAfterAWhile) {
  CallLog calls;
  calls.Add({"web", "web-db"}, 0);
  calls.Add({"jobs", "jobs-db"}, 10 * kMinuteUs);
  calls.Add({"jobs", "queue"}, kHourUs);
  const TimeUs known = 10 * kMinuteUs + Topology::kCallsKnownAfter;
  const Topology topology(Needs{{"mail", {"mail-db"}}}, calls);
  EXPECT_FALSE(Apart(topology, On("web"), On("jobs"), known - 1));
  EXPECT_TRUE(Apart(topology, On("web"), On("jobs"), known));
  EXPECT_TRUE(Apart(topology, On("web"), On("mail"), Topology::kCallsKnownAfter));
  EXPECT_FALSE(Apart(topology, On("web"), On("mail"), Topology::kCallsKnownAfter - 1));

  // What is configured connects what was learned, and the other way round.
  const Topology shared(Needs{{"web", {"cache"}}, {"jobs", {"cache"}}}, calls);
  EXPECT_FALSE(Apart(shared, On("web"), On("jobs"), kWeekUs));
}

}  // namespace
}  // namespace tocsin
