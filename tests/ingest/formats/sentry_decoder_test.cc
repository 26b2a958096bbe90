#include <gtest/gtest.h>

#include <string>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("sentry");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

constexpr std::string_view kError = R"({
  "event_id": "e4874d66", "project": 1, "level": "error", "title": "TypeError: no", "message": "",
  "datetime": "2026-03-01T21:06:17.677000Z", "timestamp": 1, "release": "1.2.0", "dist": null,
  "metadata": {"type": "TypeError", "value": "no", "filename": "/a.js"},
  "url": "https://sentry.io/api/0/projects/acme/front-end/events/e4874d66/",
  "issue_id": "1170820242", "tags": [["environment", "staging"], ["server_name", "web-1"],
                                     ["service", "other"], ["browser", null], []],
  "user": {"id": 42, "email": "a@example.com", "ip_address": "192.0.2.7"}})";
constexpr std::string_view kErrorText =
    "2026-03-01T21:06:17.677Z log client_ip=192.0.2.7 env=staging exception=TypeError host=web-1 "
    "id=e4874d66 level=error message=TypeError: no service=front-end user=42 version=1.2.0 "
    "labels.environment=staging labels.server_name=web-1 labels.service=other";

TEST(SentryDecoder, ErrorsAreLogLines) {
  const std::string error(kError);
  ExpectDecoded(kInput, {R"({"action": "triggered", "actor": {"type": "application"}, "data": {
                             "event": )" +
                             error + R"(, "triggered_rule": "any"},
                             "installation": {"uuid": "a8e5d37a"}})",
                         kErrorText});
  ExpectDecoded(kInput, {R"({"action": "created", "data": {"error": )" + error + "}}", kErrorText});
  const RecordCase cases[] = {
      {R"({"action": "created", "data": {"error": {"project": 7, "timestamp": 1772399177.5,
           "message": "m", "user": {"email": "a@example.com"}, "environment": "dev",
           "exception": {"values": [{"type": "KeyError"}, {"type": "ValueError"}]}}}})",
       "2026-03-01T21:06:17.500Z log env=dev exception=ValueError message=m service=7 "
       "user=a@example.com"},
      {R"({"data": {"event": {}}})", "2019-12-20T00:00:00Z log"},
      // The older plugin.
      {R"({"project_slug": "test", "level": "error", "message": "m", "culprit": "c",
           "event": {"event_id": "1", "timestamp": 1586430934.35, "metadata": [{}]}})",
       "2020-04-09T11:15:34.350Z log id=1 level=error message=m service=test"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

std::string Issue(const std::string& action) {
  return R"({"action": ")" + action + R"(", "data": {"issue": {
      "id": "1170820242", "shortId": "FRONT-END-9", "count": "3", "userCount": 1, "level": "error",
      "title": "ReferenceError: b", "metadata": {"type": "ReferenceError"}, "substatus": "new",
      "firstSeen": "2026-03-01T20:58:37.391000Z", "lastSeen": "2026-03-01T21:58:37.391000Z",
      "project": {"id": "1", "name": "Front", "slug": "front-end"}}}})";
}

TEST(SentryDecoder, IssuesThatBeginOrComeBackAreLogLines) {
  const std::string rest =
      "Z log exception=ReferenceError id=1170820242 level=error message=ReferenceError: b "
      "service=front-end labels.issue=FRONT-END-9";
  ExpectDecoded(kInput, {Issue("created"), "2026-03-01T20:58:37.391" + rest});
  ExpectDecoded(kInput, {Issue("unresolved"), "2026-03-01T21:58:37.391" + rest});
  for (const char* action : {"resolved", "assigned", "archived", "ignored"}) {
    ExpectDecoded(kInput, {Issue(action), "skipped: issue action is not created or unresolved"});
  }
}

std::string MetricAlert(const std::string& action) {
  return R"({"action": ")" + action + R"(", "data": {
      "description_text": "3000 events", "description_title": "Critical: Too many",
      "web_url": "https://sentry.io", "metric_alert": {
        "id": "4711", "identifier": "6", "title": "Too many", "status": 20, "projects": ["shop"],
        "date_started": "2026-03-01T21:00:00Z", "date_closed": "2026-03-01T21:10:00Z",
        "alert_rule": {"id": "7", "name": "Errors", "environment": "staging"}}}})";
}

TEST(SentryDecoder, MetricAlertsAreAlarms) {
  const std::string rest = " message=3000 events name=Errors service=shop";
  ExpectDecoded(kInput, {MetricAlert("critical"),
                         "2026-03-01T21:00:00Z alarm alarm env=staging "
                         "id=4711:critical:alarm:2026-03-01T21:00:00Z" +
                             rest + " severity=critical"});
  ExpectDecoded(kInput, {MetricAlert("warning"),
                         "2026-03-01T21:00:00Z alarm alarm env=staging "
                         "id=4711:warning:alarm:2026-03-01T21:00:00Z" +
                             rest + " severity=warning"});
  ExpectDecoded(kInput, {MetricAlert("resolved"),
                         "2026-03-01T21:10:00Z alarm ok env=staging "
                         "id=4711:resolved:ok:2026-03-01T21:10:00Z" +
                             rest});
  ExpectDecoded(kInput,
                {R"({"action": "critical", "data": {"metric_alert": {"title": "t",
                     "projects": ["a", "b"], "alert_rule": null}, "description_title": "d"}})",
                 "2019-12-20T00:00:00Z alarm alarm message=d name=t severity=critical"},
                kRecordTime);
}

TEST(SentryDecoder, WhatIsNeither) {
  const RecordCase cases[] = {
      {R"({"action": "created", "data": {"comment": "c", "comment_id": 1, "project_slug": "a"}})",
       "skipped: a comment"},
      {R"({"action": "created", "data": {"installation": {"status": "pending"}}})",
       "skipped: an installation"},
      {R"({"action": "created", "data": {}})", "undecodable: unsupported Sentry payload"},
      {R"({"action": "created", "data": []})", "undecodable: data is not an object"},
      {R"({"action": "open", "data": {"metric_alert": {}}})",
       "undecodable: action is not critical, warning or resolved"},
      {R"({"action": 1, "data": {"event": {}}})", "undecodable: action is not a string"},
      {R"({"data": {"event": []}})", "undecodable: event is not an object"},
      {R"({"data": {"event": {"level": 1}}})", "undecodable: level is not a string"},
      {R"({"data": {"event": {"tags": [1]}}})",
       "undecodable: tags has an element that is not a pair of strings"},
      {R"({"data": {"metric_alert": {"projects": [1]}}, "action": "warning"})",
       "undecodable: projects has an element that is not a string"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

}  // namespace
}  // namespace tocsin
