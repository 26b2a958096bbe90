#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("alertmanager");

// A document of one alert, of the members given.
std::string Alert(std::string_view members) {
  return R"({"version":"4","status":"firing","alerts":[{)" + std::string(members) + "}]}";
}

TEST(AlertmanagerDecoder, OneAlarmAnAlert) {
  ExpectDecoded(
      kInput,
      {R"({
        "version": "4", "groupKey": "{}:{alertname=\"PoolFull\"}", "truncatedAlerts": 0,
        "status": "firing", "receiver": "tocsin",
        "groupLabels": {"alertname": "PoolFull"}, "commonLabels": {}, "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": [
          {"status": "firing",
           "labels": {"alertname": "PoolFull", "service": "api", "resource": "orders-db",
                      "severity": "critical", "instance": "api-1:9090"},
           "annotations": {"summary": "100 of 100 connections", "description": "longer"},
           "startsAt": "2026-03-01T21:05:00.5Z", "endsAt": "0001-01-01T00:00:00Z",
           "generatorURL": "http://prometheus:9090/graph", "fingerprint": "c0ffee"},
          {"status": "resolved",
           "labels": {"alertname": "Slow", "env": "staging"},
           "annotations": {"description": "p95 above 1 s"},
           "startsAt": "2026-03-01T21:00:00Z", "endsAt": "2026-03-01T22:07:00+01:00",
           "generatorURL": "", "fingerprint": "beef"}]
      })",
       "2026-03-01T21:05:00.500Z alarm alarm dependency=orders-db "
       "id=c0ffee:alarm:2026-03-01T21:05:00.500Z message=100 of 100 connections name=PoolFull "
       "service=api severity=critical labels.alertname=PoolFull labels.instance=api-1:9090 "
       "labels.resource=orders-db labels.service=api labels.severity=critical\n"
       "2026-03-01T21:07:00Z alarm ok env=staging id=beef:ok:2026-03-01T21:07:00Z "
       "message=p95 above 1 s name=Slow labels.alertname=Slow labels.env=staging"});
}

TEST(AlertmanagerDecoder, LabelsFillTheFieldsThatTheyAreNamedLike) {
  const RecordCase cases[] = {
      {R"("labels":{"alertname":"Cve","cvss":"9.8","value":"1.5","host":"a","region":"b"})",
       "2026-01-01T00:00:00Z alarm alarm value=1.5 cvss=9.8 host=a name=Cve region=b "
       "labels.alertname=Cve labels.cvss=9.8 labels.host=a labels.region=b labels.value=1.5"},
      // Labels that are invalid for their field, and labels that the alert itself overrides.
      {R"("labels":{"alertname":"A","status":"5xx","cvss":"high","type":"log","state":"ok",)"
       R"("time":"1","name":"b","id":"7"},"annotations":{"summary":"c"})",
       "2026-01-01T00:00:00Z alarm alarm message=c name=A labels.alertname=A labels.cvss=high "
       "labels.id=7 labels.name=b labels.state=ok labels.status=5xx labels.time=1 "
       "labels.type=log"},
      {R"("labels":{"name":"b"})", "2026-01-01T00:00:00Z alarm alarm name=b labels.name=b"},
      {R"("labels":{"alertname":"A","team":null,"zone":""})",
       "2026-01-01T00:00:00Z alarm alarm name=A labels.alertname=A"},
  };
  for (const RecordCase& test : cases) {
    const std::string record =
        Alert(std::string(test.record) + R"(,"startsAt":"2026-01-01T00:00:00Z")");
    ExpectDecoded(kInput, {record, test.expected});
  }
}

TEST(AlertmanagerDecoder, TimesThatAreMissing) {
  constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;
  ExpectDecoded(kInput, {Alert(R"("fingerprint":"a")"), "undecodable: no time"});
  ExpectDecoded(kInput, {Alert(R"("fingerprint":"a")"), "2019-12-20T00:00:00Z alarm alarm"},
                kRecordTime);
  ExpectDecoded(kInput,
                {Alert(R"("status":"resolved","startsAt":"2019-01-01T00:00:00Z",)"
                       R"("endsAt":"0001-01-01T00:00:00Z")"),
                 "2019-12-20T00:00:00Z alarm ok"},
                kRecordTime);
}

TEST(AlertmanagerDecoder, WhatIsNoAlarm) {
  const RecordCase cases[] = {
      {R"({"version":"4","alerts":[]})", "skipped: a group without alerts"},
      {R"({"version":"4","alerts":null})", "undecodable: no alerts"},
      {R"({"version":"4"})", "undecodable: no alerts"},
      {R"({"alerts":{}})", "undecodable: alerts is not an array"},
      {R"({"alerts":[1]})", "undecodable: alerts has an element that is not an object"},
      {R"({"alerts":[{"status":"pending"}]})",
       "undecodable: status is neither firing nor resolved"},
      {R"({"alerts":[{"status":1}]})", "undecodable: status is not a string"},
      {R"({"alerts":[{"status":"firing","startsAt":"soon"}]})",
       "undecodable: startsAt is neither an RFC 3339 time nor an epoch number"},
      {R"({"alerts":[{"status":"firing","startsAt":{}}]})",
       "undecodable: startsAt is neither an RFC 3339 time nor an epoch number"},
      {R"({"alerts":[{"status":"firing","labels":[]}]})", "undecodable: labels is not an object"},
      {R"({"alerts":[{"status":"firing","labels":{"a":1}}]})",
       "undecodable: a label that is not a string"},
      {R"({"alerts":[{"status":"firing","annotations":{"summary":1}}]})",
       "undecodable: summary is not a string"},
      {R"({"alerts":[{"status":"firing","fingerprint":1.5}]})",
       "undecodable: fingerprint is neither a string nor an integer"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test);
}

TEST(AlertmanagerDecoder, ABadAlertLeavesItsNeighboursAlone) {
  ExpectDecoded(kInput, {R"({"status":"firing","alerts":[
                     {"startsAt":"2026-01-01T00:00:00Z","labels":{"alertname":"a"}},
                     {"startsAt":7e30},
                     {"startsAt":"2026-01-01T00:00:02Z","labels":{"alertname":"b"}}]})",
                         "2026-01-01T00:00:00Z alarm alarm name=a labels.alertname=a\n"
                         "2026-01-01T00:00:02Z alarm alarm name=b labels.alertname=b\n"
                         "undecodable: startsAt is neither an RFC 3339 time nor an epoch number"});
}

TEST(AlertmanagerDecoder, ConstantsWin) {
  InputConfig input = kInput;
  input.map = {{"service", "", "shop", {}}, {"labels.team", "", "web", {}}};
  ExpectDecoded(input, {Alert(R"("startsAt":"2026-01-01T00:00:00Z","labels":{"service":"api"})"),
                        "2026-01-01T00:00:00Z alarm alarm service=shop labels.service=api "
                        "labels.team=web"});
}

}  // namespace
}  // namespace tocsin
