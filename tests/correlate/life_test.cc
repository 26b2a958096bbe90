// What people do about an incident, what is muted, and what happens by itself over time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"
#include "correlate/lifecycle.h"
#include "tests/correlate/scenario.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Labels kApi = {{"service", "api"}};

OperatorAction ActOn(const Incident& incident, OperatorActionKind kind, std::string id,
                     std::string text = "") {
  return {.kind = kind,
          .id = std::move(id),
          .incident = incident.id,
          .author = "ana",
          .text = std::move(text),
          .until = kNoTime,
          .silence = {}};
}

OperatorAction SilenceAction(std::vector<std::string> matchers, TimeUs starts, TimeUs ends) {
  OperatorAction act;
  act.kind = OperatorActionKind::kSilence;
  act.id = "s";
  act.silence = {.name = "deploy-freeze",
                 .matchers = std::move(matchers),
                 .starts = starts,
                 .ends = ends,
                 .every = 0,
                 .author = "ana",
                 .comment = "we know"};
  return act;
}

class Life : public ::testing::Test {
 protected:
  void Do(const OperatorAction& act) { s.correlator->Apply(act, s.tick - s.config.pane, &s.out); }
  std::vector<std::string> Timeline() const {
    std::vector<std::string> what;
    for (const TimelineEntry& entry : s.Only().timeline) {
      what.push_back(entry.author + " " + entry.what + " " + entry.text);
    }
    return what;
  }
  // Takes the state through a snapshot.
  void Restart() {
    ByteWriter out;
    s.correlator->Encode(&out);
    s.correlator = std::make_unique<Correlator>(s.config);
    ByteReader in(out.view());
    s.correlator->Decode(&in);
    ASSERT_TRUE(in.Done());
  }

  Scenario s;
};

TEST_F(Life, AnAcknowledgementIsToldToWhomWasTriggeredOnce) {
  s.Fire({.labels = kApi, .level = 1});
  s.Tick();
  const OperatorAction act = ActOn(s.Only(), OperatorActionKind::kAcknowledge, "a1", "looking");
  Do(act);
  EXPECT_EQ(s.Told(), "acknowledge 1");
  ASSERT_THAT(s.out.lines, SizeIs(1));
  EXPECT_EQ(s.out.lines[0].state, IncidentState::kAcknowledged);
  EXPECT_EQ(s.out.lines[0].acknowledged_by, "ana");
  EXPECT_EQ(s.out.lines[0].acknowledged_at, s.tick - s.config.pane);
  EXPECT_EQ(s.out.lines[0].revision, 2);
  EXPECT_EQ(s.correlator->times().acknowledge.count, 1);
  Restart();
  Do(act);
  EXPECT_THAT(s.out.lines, IsEmpty()) << "a repetition";
  EXPECT_EQ(s.Told(), "");
  EXPECT_THAT(Timeline(), ElementsAre("ana acknowledged looking"));
}

TEST_F(Life, AnAcknowledgementLastsThroughMonitoringAndExpires) {
  const Hash128 id = s.Fire({.labels = kApi, .level = 1});
  s.Tick();
  OperatorAction act = ActOn(s.Only(), OperatorActionKind::kAcknowledge, "a1");
  act.until = s.tick + 10 * kMinuteUs;
  Do(act);
  s.Clear(id);
  s.Tick();
  EXPECT_EQ(s.Only().state, IncidentState::kMonitoring);
  s.Fire({.labels = kApi, .level = 1});
  s.Tick();
  EXPECT_EQ(s.Only().state, IncidentState::kAcknowledged);
  s.TickFor(11 * kMinuteUs);
  EXPECT_EQ(s.Only().state, IncidentState::kOpen);
  EXPECT_EQ(s.Only().acknowledged_at, kNoTime);
  EXPECT_THAT(Timeline(), ElementsAre("ana acknowledged ", "tocsin acknowledgement expired "));
}

TEST_F(Life, APersonResolvesWhatStillFires) {
  const Hash128 id = s.Fire({.labels = kApi, .level = 2});
  s.TickFor(kMinuteUs);
  const Incident before = s.Only();
  Do(ActOn(before, OperatorActionKind::kResolve, "r1", "not ours"));
  EXPECT_EQ(s.Told(), "resolve 2");
  ASSERT_THAT(s.out.lines, SizeIs(1));
  EXPECT_EQ(s.out.lines[0].state, IncidentState::kResolved);
  EXPECT_EQ(s.OpenCount(), 0u);
  s.TickFor(5 * kMinuteUs);
  EXPECT_THAT(s.out.lines, IsEmpty()) << "it fires on, and nobody hears of it";
  // But news are news.
  s.Raise(id, 1);
  s.Tick();
  EXPECT_NE(s.Only().id, before.id);
  EXPECT_EQ(s.Told(), "trigger 1");
}

TEST_F(Life, NotesAndLinksAreKept) {
  s.Fire({.labels = kApi, .level = 1});
  s.Tick();
  const Incident incident = s.Only();
  Do(ActOn(incident, OperatorActionKind::kNote, "n1", "it is the disk"));
  Do(ActOn(incident, OperatorActionKind::kLink, "l1", "https://tracker.example/1"));
  EXPECT_EQ(s.Told(), "");
  EXPECT_THAT(Timeline(),
              ElementsAre("ana noted it is the disk", "ana linked https://tracker.example/1"));
  for (int i = 0; i < 200; ++i)
    Do(ActOn(incident, OperatorActionKind::kNote, "x" + std::to_string(i)));
  EXPECT_THAT(s.Only().timeline, SizeIs(limits::kIncidentTimelineMax));
  EXPECT_EQ(s.Only().timeline.back().id, "x199");
  Do(ActOn(Incident{}, OperatorActionKind::kNote, "n2", "of nothing"));
  EXPECT_THAT(s.out.lines, IsEmpty());
}

TEST_F(Life, AnActFindsItsIncidentAmongMany) {
  for (int i = 0; i < 40; ++i) {
    s.Fire({.labels = {{"service", "s" + std::to_string(i)}},
            .scope = i % 2 == 0 ? "prod" : "staging"});
  }
  s.Tick();
  std::vector<Incident> all;
  for (const Incident* incident : s.correlator->Open()) all.push_back(*incident);
  ASSERT_THAT(all, SizeIs(40));
  for (const bool restarted : {false, true}) {
    if (restarted) Restart();
    for (const Incident& incident : all) {
      Do(ActOn(incident, OperatorActionKind::kNote, restarted ? "n2" : "n1", "seen"));
      ASSERT_THAT(s.out.lines, SizeIs(1));
      EXPECT_EQ(s.out.lines[0].id, incident.id);
    }
  }
  Do(ActOn(all[7], OperatorActionKind::kResolve, "r1"));
  EXPECT_EQ(s.OpenCount(), 39u);
  Do(ActOn(all[7], OperatorActionKind::kNote, "n3"));
  EXPECT_THAT(s.out.lines, IsEmpty());
  Do(ActOn(all[8], OperatorActionKind::kNote, "n3"));
  EXPECT_THAT(s.out.lines, SizeIs(1));
}

TEST_F(Life, ASilencedIncidentIsTrackedAndTellsNobodyUntilTheSilenceEnds) {
  s.Tick();
  Do(SilenceAction({"service=api"}, s.tick, s.tick + 10 * kMinuteUs));
  EXPECT_THAT(s.correlator->Silences(), SizeIs(1));
  s.Fire({.labels = kApi, .level = 1});
  s.TickFor(5 * kMinuteUs);
  Restart();
  EXPECT_EQ(s.Told(), "");
  EXPECT_EQ(s.Only().muted_by, "deploy-freeze");
  EXPECT_EQ(s.Only().pages, 0);
  s.TickFor(6 * kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 1");
  EXPECT_EQ(s.Only().muted_by, "");
  EXPECT_THAT(s.correlator->Silences(), IsEmpty());
}

TEST_F(Life, WhatEndsWhileItIsSilencedNobodyHearsOf) {
  s.Tick();
  Do(SilenceAction({"service=api"}, s.tick, s.tick + 5 * kMinuteUs));
  const Hash128 id = s.Fire({.labels = kApi, .level = 1});
  s.TickFor(3 * kMinuteUs);
  s.Clear(id);
  s.TickFor(10 * kMinuteUs);
  EXPECT_EQ(s.Told(), "");
  EXPECT_EQ(s.OpenCount(), 0u);
}

TEST_F(Life, WhoGotTheTriggerGetsTheResolveInASilenceToo) {
  const Hash128 id = s.Fire({.labels = kApi, .level = 1});
  s.Tick();
  Do(SilenceAction({"service=api"}, s.tick, s.tick + kHourUs));
  s.Tick();
  EXPECT_EQ(s.Only().muted_by, "deploy-freeze");
  s.Clear(id);
  s.TickFor(5 * kMinuteUs);
  EXPECT_EQ(s.Told(), "resolve 1");
}

TEST_F(Life, ASignalThatIsNotSilencedPagesForAll) {
  s.Tick();
  Do(SilenceAction({"service=api", "endpoint=/export"}, s.tick, s.tick + kHourUs));
  s.Fire({.labels = {{"service", "api"}, {"endpoint", "/export"}}, .level = 2});
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Told(), "");
  // Of the same service, but without an endpoint: missing is not equal.
  s.Fire({.detector = "all", .labels = kApi, .level = 2});
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 2");
  EXPECT_EQ(s.OpenCount(), 1u);
}

TEST_F(Life, AnExpiredSilenceIsOver) {
  s.Tick();
  Do(SilenceAction({"service=api"}, s.tick, s.tick + kHourUs));
  s.Fire({.labels = kApi, .level = 1});
  s.TickFor(kMinuteUs);
  OperatorAction expire;
  expire.kind = OperatorActionKind::kExpire;
  expire.text = "deploy-freeze";
  Do(expire);
  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 1");
}

TEST_F(Life, AMaintenanceWindowComesEveryWeek) {
  s.config.silences = {{.name = "backup",
                        .matchers = {"service=~a.*"},
                        .starts = s.tick - kWeekUs - kMinuteUs,
                        .ends = s.tick - kWeekUs + kHourUs,
                        .every = kWeekUs,
                        .author = "",
                        .comment = ""}};
  const Hash128 id = s.Fire({.labels = kApi, .level = 1});
  s.TickFor(5 * kMinuteUs);
  EXPECT_EQ(s.Told(), "");
  EXPECT_EQ(s.Only().muted_by, "backup");
  s.TickFor(kHourUs);
  EXPECT_EQ(s.Told(), "trigger 1");
  s.Clear(id);
  s.Tick();
}

TEST_F(Life, ASignalInhibitsOthersOfTheSameService) {
  s.config.inhibit = {{.name = "down-hides-slow",
                       .when = {*Matcher::Parse("detector=down")},
                       .mute = {*Matcher::Parse("detector=slow")},
                       .equal = {"service"}}};
  // Apart from each other in time, so that they are two incidents.
  const Hash128 down = s.Fire({.detector = "down", .labels = {{"service", "db"}}, .level = 2});
  s.Fire({.detector = "slow", .labels = kApi, .level = 2});
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 2u);
  EXPECT_THAT(s.out.notifications, SizeIs(2)) << "another service";
  Scenario t;
  t.config.inhibit = s.config.inhibit;
  t.config.correlate.join_window = 0;
  t.Fire({.detector = "slow", .labels = kApi, .level = 2});
  t.Fire({.detector = "down", .labels = {{"service", "api"}, {"host", "h"}}, .level = 3});
  t.TickFor(kMinuteUs);
  EXPECT_EQ(t.Told(), "trigger 2") << "the other one is not muted, and they are one";
  (void)down;
}

TEST_F(Life, AnIncidentOfInhibitedSignalsAloneIsMuted) {
  s.config.inhibit = {{.name = "down-hides-slow",
                       .when = {*Matcher::Parse("detector=down")},
                       .mute = {*Matcher::Parse("detector=slow")},
                       .equal = {"region"}}};
  const Hash128 down =
      s.Fire({.detector = "down", .labels = {{"service", "db"}, {"region", "eu"}}, .level = 2});
  s.Fire({.detector = "slow", .labels = {{"service", "api"}, {"region", "eu"}}, .level = 2});
  s.TickFor(kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 2u);
  EXPECT_EQ(s.Told(), "trigger 2") << "of the database alone";
  s.Clear(down);
  s.Tick();
  EXPECT_EQ(s.Told(), "trigger 2") << "now of the other";
}

TEST_F(Life, FlappingForTwoHoursIsOnePage) {
  // A minute on, then off: within the watch at first, and later, as it gets slower, watched longer.
  s.config.severity.update_every = {};
  int pages = 0;
  DurationUs quiet = 2 * kMinuteUs;
  for (const TimeUs end = s.tick + 2 * kHourUs; s.tick < end;) {
    const Hash128 id = s.Fire({.labels = kApi, .level = 1});
    s.TickFor(kMinuteUs);
    pages += s.Told().find("trigger") != std::string::npos ? 1 : 0;
    s.Clear(id);
    s.TickFor(quiet);
    quiet = std::min<DurationUs>(quiet * 13 / 10, 30 * kMinuteUs);
    EXPECT_EQ(s.Told().find("resolve"), std::string::npos);
  }
  EXPECT_EQ(pages, 1);
  EXPECT_EQ(s.Only().state, IncidentState::kMonitoring);
  s.TickFor(61 * kMinuteUs);
  EXPECT_EQ(s.Told(), "resolve 1");
}

TEST_F(Life, WithoutDampingEveryWatchIsTheSame) {
  s.config.correlate.flap_damping = false;
  for (int i = 0; i < 5; ++i) {
    const Hash128 id = s.Fire({.labels = kApi, .level = 1});
    s.TickFor(kMinuteUs);
    s.Clear(id);
    s.TickFor(kMinuteUs);
  }
  s.TickFor(3 * kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 0u);
}

TEST_F(Life, WhatFiresSoonAfterItsEndIsTheSameIncidentAndNoNewPage) {
  s.config.correlate.reopen_within = 10 * kMinuteUs;
  const Hash128 first = s.Fire({.labels = kApi, .level = 1});
  s.Tick();
  const Hash128 incident = s.Only().id;
  s.Clear(first);
  s.TickFor(5 * kMinuteUs);
  EXPECT_EQ(s.OpenCount(), 0u) << "resolved after three minutes";
  EXPECT_EQ(s.Told(), "") << "but the sinks do not hear of it yet";
  Restart();
  const Hash128 second = s.Fire({.labels = kApi, .level = 1});
  s.Tick();
  EXPECT_EQ(s.Only().id, incident);
  EXPECT_EQ(s.Only().state, IncidentState::kOpen);
  EXPECT_EQ(s.Only().resolved_at, kNoTime);
  EXPECT_EQ(s.Told(), "");
  EXPECT_EQ(s.Only().pages, 1);
  EXPECT_THAT(Timeline(), ElementsAre("tocsin reopened "));
  s.Clear(second);
  s.TickFor(20 * kMinuteUs);
  EXPECT_EQ(s.Told(), "resolve 1");
  EXPECT_EQ(s.OpenCount(), 0u);
  s.Fire({.labels = kApi, .level = 1});
  s.Tick();
  EXPECT_NE(s.Only().id, incident) << "the sinks have heard of the end";
}

TEST_F(Life, EscalatesStepByStepUntilSomebodyAcknowledges) {
  s.config.severity.update_every = {};
  s.config.severity.escalation[0] = {{.after = 5 * kMinuteUs, .to = {"lead"}},
                                     {.after = 10 * kMinuteUs, .to = {"cto", "lead"}},
                                     {.after = 15 * kMinuteUs, .to = {"board"}}};
  s.Fire({.labels = kApi, .level = 1});
  s.TickFor(4 * kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 1");
  s.TickFor(8 * kMinuteUs);
  EXPECT_EQ(s.Told(), "update 1, escalate 1, update 1, escalate 1");
  EXPECT_THAT(s.Only().escalate_to, ElementsAre("lead", "cto"));
  EXPECT_THAT(Timeline(), ElementsAre("tocsin escalated to lead: not acknowledged for 5m",
                                      "tocsin escalated to cto, lead: not acknowledged for 10m"));
  Restart();
  Do(ActOn(s.Only(), OperatorActionKind::kAcknowledge, "a"));
  s.TickFor(kHourUs);
  EXPECT_EQ(s.Told(), "");
}

TEST_F(Life, RemindsWhenAStatusUpdateIsDue) {
  s.config.severity.update_every = {15 * kMinuteUs, std::nullopt, std::nullopt, std::nullopt};
  const Hash128 id = s.Fire({.labels = kApi, .level = 1});
  s.TickFor(50 * kMinuteUs);
  EXPECT_EQ(s.Told(), "trigger 1, update 1, update 1, update 1");
  EXPECT_THAT(s.out.lines, SizeIs(1)) << "nothing about it has changed";
  s.Clear(id);
  s.TickFor(5 * kMinuteUs);
  EXPECT_EQ(s.Told(), "resolve 1");
}

// That something has been firing for hours stands in its incident, and is no reason to tell anybody
// later what is due now.
TEST_F(Life, ASignalThatContinuesChangesItsTextAlone) {
  s.config.severity.update_every = {std::nullopt, 15 * kMinuteUs, std::nullopt, std::nullopt};
  const Hash128 id = s.Fire({.labels = kApi, .level = 2, .title = "errors of api"});
  s.TickFor(10 * kMinuteUs);
  const TimeUs due = s.Only().next_update_at;
  s.Continue(id, "errors of api, firing for 6h");
  s.Tick();
  ASSERT_THAT(s.out.lines, SizeIs(1));
  EXPECT_EQ(s.out.lines[0].title, "errors of api, firing for 6h");
  EXPECT_THAT(s.out.lines[0].signals[0].evidence, SizeIs(1));
  EXPECT_EQ(s.out.lines[0].next_update_at, due);
  EXPECT_EQ(s.Told(), "");
  s.TickFor(6 * kMinuteUs);
  EXPECT_EQ(s.Told(), "update 2");
  // In the very tick in which the next one is due.
  while (s.pane_end() < s.Only().next_update_at) s.Tick();
  s.Continue(id, "errors of api, firing for 7h");
  s.Tick();
  EXPECT_EQ(s.Told(), "update 2");
  EXPECT_EQ(s.out.notifications[0].incident.title, "errors of api, firing for 7h");
  // Nor does it bring back what a person has resolved.
  Do(ActOn(s.Only(), OperatorActionKind::kResolve, "a"));
  s.Continue(id, "errors of api, firing for 8h");
  s.Tick();
  EXPECT_EQ(s.OpenCount(), 0u);
}

TEST_F(Life, StagingNeverPages) {
  s.Fire({.labels = kApi, .level = 1, .scope = "staging"});
  s.Tick();
  ASSERT_THAT(s.out.notifications, SizeIs(1));
  EXPECT_FALSE(s.out.notifications[0].pages);
  EXPECT_EQ(s.Only().pages, 0);
  Scenario t;
  t.config.severity.quiet_environments = {};
  t.Fire({.labels = kApi, .level = 1, .scope = "staging"});
  t.Tick();
  EXPECT_TRUE(t.out.notifications.at(0).pages);
}

TEST_F(Life, TheCategoryCanDecide) {
  s.config.severity.category_level[static_cast<std::size_t>(Category::kData)] = 1;
  s.Fire({.labels = kApi, .level = 3, .category = Category::kData});
  s.Tick();
  EXPECT_EQ(s.Only().severity_level, 1);
  EXPECT_EQ(s.Only().severity_rule, "category data is at least level 1");
}

TEST_F(Life, MeasuresHowLongItTook) {
  const Hash128 id = s.Fire({.labels = kApi, .level = 1, .onset_ago = 50 * kSecondUs});
  s.Tick();
  s.Tick();
  Do(ActOn(s.Only(), OperatorActionKind::kAcknowledge, "a"));
  s.Clear(id);
  s.TickFor(5 * kMinuteUs);
  Restart();
  const LifeTimes& times = s.correlator->times();
  EXPECT_EQ(times.detect.count, 1);
  EXPECT_EQ(times.detect.total, 60 * kSecondUs);
  EXPECT_EQ(times.page.count, 1);
  EXPECT_EQ(times.page.total, 60 * kSecondUs);
  EXPECT_EQ(times.acknowledge.count, 1);
  EXPECT_EQ(times.acknowledge.total, 10 * kSecondUs);
  EXPECT_EQ(times.resolve.count, 1);
  EXPECT_EQ(times.resolve.total, 20 * kSecondUs + s.config.correlate.watch);
}

}  // namespace
}  // namespace tocsin
