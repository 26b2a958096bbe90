#include <gtest/gtest.h>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("grafana");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

TEST(GrafanaDecoder, AlertsAreAlertmanagers) {
  const RecordCase cases[] = {
      {R"({"receiver": "tocsin", "status": "firing", "orgId": 1, "state": "alerting",
           "title": "[FIRING:1] Pool", "message": "**Firing**", "version": "1",
           "alerts": [{"status": "firing",
                       "labels": {"alertname": "Pool", "grafana_folder": "db", "service": "api"},
                       "annotations": {"summary": "full"},
                       "startsAt": "2026-03-01T21:05:00Z", "endsAt": "0001-01-01T00:00:00Z",
                       "fingerprint": "c0ffee", "values": {"B": 100}, "valueString": "[ B=100 ]",
                       "silenceURL": "https://g", "dashboardURL": "", "panelURL": ""}]})",
       "2026-03-01T21:05:00Z alarm alarm id=c0ffee:alarm:2026-03-01T21:05:00Z message=full "
       "name=Pool service=api labels.alertname=Pool labels.grafana_folder=db labels.service=api"},
      // That nothing is known of a rule is not that it fires.
      {R"({"alerts": [{"status": "firing", "startsAt": "2026-03-01T21:05:00Z",
                       "labels": {"alertname": "DatasourceNoData", "rulename": "Pool"}},
                      {"status": "firing", "startsAt": "2026-03-01T21:05:01Z",
                       "labels": {"alertname": "DatasourceError"}},
                      {"status": "resolved", "endsAt": "2026-03-01T21:05:02Z",
                       "labels": {"alertname": "DatasourceNoData", "rulename": "Pool"}}]})",
       "2026-03-01T21:05:00Z alarm unknown name=Pool labels.alertname=DatasourceNoData "
       "labels.rulename=Pool\n"
       "2026-03-01T21:05:01Z alarm unknown name=DatasourceError "
       "labels.alertname=DatasourceError\n"
       "2026-03-01T21:05:02Z alarm unknown name=Pool labels.alertname=DatasourceNoData "
       "labels.rulename=Pool"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test);
}

TEST(GrafanaDecoder, RulesOfDashboards) {
  const RecordCase cases[] = {
      {R"({"ruleId": 7, "ruleName": "Pool", "title": "[Alerting] Pool", "state": "alerting",
           "message": "full", "tags": {"service": "api", "id": "1"},
           "evalMatches": [{"value": 97.5, "metric": "used", "tags": {"host": "a"}},
                           {"value": 98, "metric": "used", "tags": null}]})",
       "2019-12-20T00:00:00Z alarm alarm value=97.5 message=full name=Pool service=api labels.id=1 "
       "labels.service=api"},
      {R"({"title": "[OK] Pool", "state": "ok", "evalMatches": null})",
       "2019-12-20T00:00:00Z alarm ok name=[OK] Pool"},
      {R"({"ruleName": "Pool", "state": "no_data", "evalMatches": []})",
       "2019-12-20T00:00:00Z alarm unknown name=Pool"},
      {R"({"ruleName": "Pool", "state": "paused"})", "skipped: rule state is paused or pending"},
      {R"({"ruleName": "Pool", "state": "pending"})", "skipped: rule state is paused or pending"},
      {R"({"ruleName": "Pool", "state": "on fire"})",
       "undecodable: neither alerts nor a known rule state"},
      {R"({"ruleName": "Pool"})", "undecodable: neither alerts nor a known rule state"},
      {R"({"ruleName": 1, "state": "ok"})", "undecodable: ruleName is not a string"},
      {R"({"state": "ok", "evalMatches": [{"value": "high"}]})",
       "undecodable: value is not a number in range"},
      {R"({"state": "ok", "evalMatches": [{"value": 1e30}]})",
       "undecodable: value is not a number in range"},
      {R"({"state": "ok", "evalMatches": [97]})",
       "undecodable: evalMatches has an element that is not an object"},
      {R"({"state": "ok", "tags": ["a"]})", "undecodable: tags is not an object"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
  ExpectDecoded(kInput, {R"({"state": "ok"})", "undecodable: no time"});
}

}  // namespace
}  // namespace tocsin
