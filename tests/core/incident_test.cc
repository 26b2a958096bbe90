#include "core/incident.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/delivery.h"

namespace tocsin {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const TimeUs kAt = *ParseRfc3339("2026-03-01T21:05:00Z");

std::string Key(std::initializer_list<std::string_view> parts) {
  std::string key;
  for (const std::string_view part : parts) AppendKeyPart(part, &key);
  return key;
}

Signal MakeSignal() {
  Signal signal;
  signal.id = {.high = 1, .low = 2};
  signal.detector = "api-errors";
  signal.kind = "error_rate";
  signal.scope = Key({"prod"});
  signal.series = {{"env", "prod"}, {"service", "api"}};
  signal.category = Category::kPerformance;
  signal.classification = "surge";
  signal.level = 2;
  signal.degraded_only = true;
  signal.onset = kAt;
  signal.fired_at = kAt + 20 * kSecondUs;
  signal.value = 0.125;
  signal.threshold = 0.05;
  signal.evidence = {{.kind = "baseline", .name = "rate", .json = "0.002"},
                     {.kind = "top", .name = "user", .json = ""}};
  signal.began = {.earliest = kAt - kMinuteUs, .latest = kAt + 10 * kSecondUs};
  signal.breached_at = kAt + kMinuteUs;
  signal.drifts = true;
  return signal;
}

Incident MakeIncident() {
  Incident incident;
  incident.id = {.high = 3, .low = 4};
  incident.number = "INC-2026-001";
  incident.revision = 7;
  incident.state = IncidentState::kMonitoring;
  incident.severity = "P1";
  incident.severity_level = 2;
  incident.severity_rule = "api-errors gives level 2";
  incident.title = "API fails";
  incident.scope = Key({"prod", "eu"});
  incident.scope_labels = {{"env", "prod"}, {"region", "eu"}};
  incident.component = "api";
  incident.classification = "attack";
  incident.onset = kAt;
  incident.detected_at = kAt + kMinuteUs;
  incident.levels = {{.level = 3, .at = kAt + kMinuteUs, .paged_at = kNoTime},
                     {.level = 2, .at = kAt + kMinuteUs, .paged_at = kAt + 70 * kSecondUs}};
  incident.acknowledged_at = kAt + 2 * kMinuteUs;
  incident.acknowledged_by = "ana";
  incident.timeline = {{.at = kAt + 2 * kMinuteUs,
                        .id = "a1",
                        .author = "ana",
                        .what = "acknowledged",
                        .text = "looking"}};
  incident.resolved_at = kAt + 3 * kMinuteUs;
  incident.signals = {MakeSignal()};
  incident.suspects = {{.kind = "deploy", .name = "api v2", .at = kAt, .reason = "deployed"},
                       {.kind = "client", .name = "x", .at = kNoTime, .reason = "most"}};
  incident.impact = {.users_affected = 12,
                     .users_total = 100,
                     .failed = 30,
                     .failed_transactions = 5,
                     .revenue = 99.5};
  incident.advice = {"Roll back"};
  incident.runbook = "https://run";
  incident.escalate_to = {"sre", "dba"};
  incident.respond_within_s = 900;
  incident.next_update_at = kAt + 15 * kMinuteUs;
  incident.muted_by = "silence-1";
  incident.merged_into = "abc";
  incident.beside = {"INC-2026-007"};
  incident.partial = true;
  incident.pages = 2;
  return incident;
}

TEST(Signal, JsonHasTheDocumentedFields) {
  JsonWriter json;
  MakeSignal().WriteJson(/*with_state=*/true, &json);
  EXPECT_EQ(json.Take(), R"({"signal":"00000000000000010000000000000002","state":"firing",)"
                         R"("detector":"api-errors","kind":"error_rate",)"
                         R"("series":{"env":"prod","service":"api"},"level":2,)"
                         R"("onset":"2026-03-01T21:05:00Z","fired_at":"2026-03-01T21:05:20Z",)"
                         R"("cleared_at":null,"value":0.125,"threshold":0.05,)"
                         R"("evidence":[{"kind":"baseline","name":"rate","value":0.002},)"
                         R"({"kind":"top","name":"user","value":null}]})");
  Signal cleared = MakeSignal();
  cleared.cleared_at = kAt + kMinuteUs;
  cleared.WriteJson(/*with_state=*/true, &json);
  EXPECT_THAT(json.text(), HasSubstr(R"("state":"cleared")"));
  EXPECT_THAT(json.Take(), HasSubstr(R"("cleared_at":"2026-03-01T21:06:00Z")"));
  cleared.WriteJson(/*with_state=*/false, &json);
  EXPECT_THAT(json.Take(), Not(HasSubstr("state")));
}

TEST(Signal, RoundTrips) {
  Signal signal = MakeSignal();
  signal.cleared_at = kAt + kMinuteUs;
  ByteWriter out;
  signal.Encode(&out);
  ByteReader in(out.view());
  EXPECT_EQ(Signal::Decode(&in), signal);
  EXPECT_TRUE(in.Done());
}

TEST(Signal, IdDependsOnDetectorSeriesAndTick) {
  const Hash128 id = SignalId("a", "bc", 1);
  EXPECT_EQ(id, SignalId("a", "bc", 1));
  EXPECT_NE(id, SignalId("ab", "c", 1));
  EXPECT_NE(id, SignalId("a", "bc", 2));
  EXPECT_NE(IncidentId("prod", id), IncidentId("staging", id));
  EXPECT_NE(IncidentId("prod", id), id);
}

TEST(Signal, OrderIsByDetectorSeriesAndId) {
  Signal a = MakeSignal();
  Signal b = MakeSignal();
  EXPECT_FALSE(SignalBefore(a, b));
  b.id.low = 3;
  EXPECT_TRUE(SignalBefore(a, b));
  b.series[1].second = "aaa";
  EXPECT_TRUE(SignalBefore(b, a));
  a.detector = "aaa";
  EXPECT_TRUE(SignalBefore(a, b));
}

TEST(Incident, JsonOfAFullLine) {
  Incident incident = MakeIncident();
  incident.signals.clear();
  EXPECT_EQ(incident.ToJson(),
            R"({"incident":"00000000000000030000000000000004","number":"INC-2026-001",)"
            R"("revision":7,"state":"monitoring","severity":"P1","severity_level":2,)"
            R"("severity_rule":"api-errors gives level 2","category":"availability",)"
            R"("title":"API fails","scope":"prod/eu","component":"api",)"
            R"("classification":"attack","onset":"2026-03-01T21:05:00Z",)"
            R"("detected_at":"2026-03-01T21:06:00Z","paged_at":"2026-03-01T21:06:10Z",)"
            R"("acknowledged_at":"2026-03-01T21:07:00Z",)"
            R"("acknowledged_by":"ana","resolved_at":"2026-03-01T21:08:00Z",)"
            R"("muted_by":"silence-1","pages":2,"signals":[],)"
            R"("levels":[{"level":3,"at":"2026-03-01T21:06:00Z","paged_at":null},)"
            R"({"level":2,"at":"2026-03-01T21:06:00Z","paged_at":"2026-03-01T21:06:10Z"}],)"
            R"("suspects":[{"kind":"deploy","name":"api v2","at":"2026-03-01T21:05:00Z",)"
            R"("reason":"deployed"},{"kind":"client","name":"x","at":null,"reason":"most"}],)"
            R"("impact":{"users_affected":12,"users_total":100,"failed":30,)"
            R"("failed_transactions":5,"revenue":99.5},"advice":["Roll back"],)"
            R"("runbook":"https://run","escalate_to":["sre","dba"],"respond_within_s":900,)"
            R"("next_update_at":"2026-03-01T21:20:00Z",)"
            R"("timeline":[{"at":"2026-03-01T21:07:00Z",)"
            R"("act":"a1","author":"ana","what":"acknowledged","text":"looking"}],)"
            R"("merged_into":"abc","beside":["INC-2026-007"],"partial":true,)"
            R"("dedup_key":"00000000000000030000000000000004:2"})");
}

TEST(Incident, TheHeadOfALineEndsBeforeTheSignals) {
  Incident incident = MakeIncident();
  incident.title = R"(says ,"signals":[ itself)";
  const std::string line = incident.ToJson();
  const std::string_view head = IncidentLineHead(line);
  EXPECT_THAT(std::string(head), EndsWith(R"("pages":2)"));
  EXPECT_EQ(line.substr(head.size(), 11), R"(,"signals":)");
}

TEST(Incident, JsonOfWhatIsAbsent) {
  const std::string line = Incident().ToJson();
  for (const char* null : {"paged_at", "acknowledged_at", "resolved_at", "next_update_at",
                           "respond_within_s", "muted_by", "users_total", "revenue"}) {
    EXPECT_THAT(line, HasSubstr("\"" + std::string(null) + "\":null"));
  }
  for (const char* left_out :
       {"users_affected", "classification", "merged_into", "beside", "omitted"}) {
    EXPECT_THAT(line, Not(HasSubstr(left_out)));
  }
}

TEST(Incident, RoundTrips) {
  for (const Incident& incident : {MakeIncident(), Incident()}) {
    ByteWriter out;
    incident.Encode(&out);
    ByteReader in(out.view());
    const Incident decoded = Incident::Decode(&in);
    EXPECT_TRUE(in.Done());
    EXPECT_EQ(decoded.ToJson(), incident.ToJson());
    EXPECT_EQ(decoded.signals, incident.signals);
    EXPECT_EQ(decoded.scope_labels, incident.scope_labels);
    ByteWriter again;
    decoded.Encode(&again);
    EXPECT_EQ(again.view(), out.view());
  }
}

// Format 5 knew of no intervals.
TEST(Signal, OfFormat5HasAnOnsetOfWhichNothingMoreIsKnown) {
  Signal signal = MakeSignal();
  signal.began = {};
  signal.breached_at = kNoTime;
  signal.drifts = false;
  ByteWriter tail;
  tail.Bool(false);
  for (int i = 0; i < 3; ++i) tail.Signed(kNoTime);
  ByteWriter out;
  signal.Encode(&out);
  const std::string_view old = out.view().substr(0, out.size() - tail.size());
  ByteReader in(old, /*format=*/5);
  EXPECT_EQ(Signal::Decode(&in), signal);
  EXPECT_TRUE(in.Done());
  EXPECT_FALSE(signal.began.known());
}

TEST(Incident, WhatTheFormatBeforeDidNotKeepIsNotKnown) {
  Incident incident = MakeIncident();
  incident.signals.clear();  // which have readers of their own
  ByteWriter out;
  incident.Encode(&out);
  ByteWriter added;  // behind all that format 5 has
  added.Varint(incident.beside.size());
  for (const std::string& other : incident.beside) added.Bytes(other);
  added.Varint(incident.levels.size());
  for (const LevelTimes& level : incident.levels) {
    added.Signed(level.level);
    added.Signed(level.at);
    added.Signed(level.paged_at);
  }
  ByteReader in(out.view().substr(0, out.size() - added.size()), 5);
  Incident decoded = Incident::Decode(&in);
  EXPECT_TRUE(in.Done());
  EXPECT_EQ(decoded.pages, incident.pages);
  EXPECT_EQ(decoded.paged_at(), kNoTime);
  EXPECT_THAT(decoded.levels, ElementsAre(LevelTimes{.level = 2, .at = kNoTime}));
  // That it has this level is no news after the upgrade.
  decoded.NoteLevel(kAt + kHourUs);
  EXPECT_EQ(decoded.levels.size(), 1U);
}

TEST(Incident, KeepsWhenEachLevelWasReachedAndPaged) {
  Incident incident;
  incident.severity_level = 3;
  incident.NoteLevel(kAt);
  incident.NoteLevel(kAt + kMinuteUs);
  incident.severity_level = 2;
  incident.NoteLevel(kAt + 2 * kMinuteUs);
  incident.NotePage(kAt + 2 * kMinuteUs);
  incident.severity_level = 1;
  incident.NoteLevel(kAt + 3 * kMinuteUs);
  incident.NotePage(kAt + 4 * kMinuteUs);
  EXPECT_EQ(incident.pages, 2);
  EXPECT_EQ(incident.paged_at(), kAt + 2 * kMinuteUs) << "of the first page";
  EXPECT_THAT(
      incident.levels,
      ElementsAre(
          LevelTimes{.level = 3, .at = kAt, .paged_at = kNoTime},
          LevelTimes{.level = 2, .at = kAt + 2 * kMinuteUs, .paged_at = kAt + 2 * kMinuteUs},
          LevelTimes{.level = 1, .at = kAt + 3 * kMinuteUs, .paged_at = kAt + 4 * kMinuteUs}));
}

TEST(Incident, TruncatedBytesAreRejected) {
  ByteWriter out;
  MakeIncident().Encode(&out);
  for (std::size_t size = 0; size < out.size(); ++size) {
    ByteReader in(out.view().substr(0, size));
    Incident::Decode(&in);
    EXPECT_FALSE(in.ok()) << size;
  }
}

TEST(Delivery, RoundTripsAndRejectsNonsense) {
  Delivery delivery;
  delivery.id = {.high = 5, .low = 6};
  delivery.sequence = 9;
  delivery.sink = "oncall";
  delivery.incident = {.high = 7, .low = 8};
  delivery.level = 2;
  delivery.action = NotificationAction::kResolve;
  delivery.after_trigger_of_level = 1;
  delivery.dedup_key = "key";
  delivery.payload = "{}";
  delivery.tick = kAt;
  delivery.state = DeliveryState::kParked;
  delivery.receipt = "1347";
  delivery.attempts = 3;
  delivery.echoed = true;
  delivery.last_error = "503";
  ByteWriter out;
  delivery.Encode(&out);
  ByteReader in(out.view());
  const Delivery decoded = Delivery::Decode(&in);
  EXPECT_TRUE(in.Done());
  ByteWriter again;
  decoded.Encode(&again);
  EXPECT_EQ(again.view(), out.view());
  EXPECT_EQ(decoded.sink, "oncall");
  EXPECT_EQ(decoded.state, DeliveryState::kParked);
  EXPECT_EQ(decoded.receipt, "1347");
  for (std::size_t size = 0; size < out.size(); ++size) {
    ByteReader cut(out.view().substr(0, size));
    Delivery::Decode(&cut);
    EXPECT_FALSE(cut.ok()) << size;
  }
  delivery.level = 9;
  ByteWriter bad;
  delivery.Encode(&bad);
  ByteReader bad_in(bad.view());
  Delivery::Decode(&bad_in);
  EXPECT_FALSE(bad_in.ok());
}

TEST(Delivery, IdsDifferByEachPart) {
  const Hash128 incident{.high = 1, .low = 2};
  const Hash128 id = DeliveryId("a", incident, 2, NotificationAction::kTrigger);
  EXPECT_EQ(id, DeliveryId("a", incident, 2, NotificationAction::kTrigger));
  EXPECT_NE(id, DeliveryId("b", incident, 2, NotificationAction::kTrigger));
  EXPECT_NE(id, DeliveryId("a", {.high = 1, .low = 3}, 2, NotificationAction::kTrigger));
  EXPECT_NE(id, DeliveryId("a", incident, 1, NotificationAction::kTrigger));
  EXPECT_NE(id, DeliveryId("a", incident, 2, NotificationAction::kResolve));
}

TEST(Names, AreTheDocumentedOnes) {
  EXPECT_EQ(CategoryName(Category::kCapacity), "capacity");
  EXPECT_EQ(IncidentStateName(IncidentState::kAcknowledged), "acknowledged");
  EXPECT_EQ(NotificationActionName(NotificationAction::kTrigger), "trigger");
  EXPECT_EQ(DeliveryStateName(DeliveryState::kAbandoned), "abandoned");
}

}  // namespace
}  // namespace tocsin
