#include <gtest/gtest.h>

#include <string>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("pagerduty-webhook");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

std::string Webhook(const std::string& event_type, const std::string& status,
                    const std::string& more = "") {
  return R"({"event": {"id": "01BWDWL3", "event_type": ")" + event_type + R"(",
      "resource_type": "incident", "occurred_at": "2026-03-01T21:10:00.458Z", "client": null,
      "data": {"id": "PGR0VU2", "type": "incident", "number": 2, "status": ")" +
         status + R"(", "title": "A bump", "incident_key": "k", "urgency": "high",
               "service": {"id": "PF9KMXH", "summary": "API", "type": "service_reference"})" +
         more + "}}}";
}

TEST(PagerDutyWebhookDecoder, AnIncidentIsInAlarmUntilItIsResolved) {
  const std::string created = R"(, "created_at": "2026-03-01T21:00:00Z")";
  const std::string rest =
      " name=A bump service=API severity=high labels.incident=PGR0VU2 labels.number=2";
  const std::string began =
      "2026-03-01T21:00:00Z alarm alarm id=PGR0VU2:alarm:2026-03-01T21:00:00Z" + rest;
  const std::string now =
      "2026-03-01T21:10:00.458Z alarm alarm id=PGR0VU2:alarm:2026-03-01T21:10:00.458Z" + rest;
  ExpectDecoded(kInput, {Webhook("incident.triggered", "triggered", created), began});
  ExpectDecoded(kInput, {Webhook("incident.acknowledged", "acknowledged", created), began});
  ExpectDecoded(kInput, {Webhook("incident.escalated", "triggered", created), began});
  ExpectDecoded(kInput, {Webhook("incident.triggered", "triggered"), now});
  ExpectDecoded(kInput, {Webhook("incident.reopened", "triggered", created), now});
  ExpectDecoded(
      kInput, {Webhook("incident.resolved", "resolved", created),
               "2026-03-01T21:10:00.458Z alarm ok id=PGR0VU2:ok:2026-03-01T21:10:00.458Z" + rest});
  ExpectDecoded(
      kInput,
      {Webhook("incident.priority_updated", "triggered", R"(, "priority": {"summary": "P1"})"),
       "2026-03-01T21:10:00.458Z alarm alarm id=PGR0VU2:alarm:2026-03-01T21:10:00.458Z "
       "name=A bump service=API severity=P1 labels.incident=PGR0VU2 labels.number=2"});
}

TEST(PagerDutyWebhookDecoder, WhatIsNoAlarm) {
  const RecordCase cases[] = {
      {R"({"event": {"event_type": "pagey.ping", "data": {"type": "ping", "message": "Hello"}}})",
       "skipped: event data is not an incident"},
      {R"({"event": {"event_type": "incident.annotated", "data": {"type": "incident_note"}}})",
       "skipped: event data is not an incident"},
      {R"({"event": {"event_type": "service.updated", "data": {"type": "service"}}})",
       "skipped: event data is not an incident"},
      {R"({"messages": [{"event": "incident.trigger"}]})",
       "undecodable: not a PagerDuty version 3 webhook"},
      {R"({"event": "incident.trigger"})", "undecodable: event is not an object"},
      {R"({"event": {"data": {"type": "incident"}}})",
       "undecodable: status is not triggered, acknowledged or resolved"},
      {R"({"event": {"data": {"type": "incident", "status": "resolved", "service": "api"}}})",
       "undecodable: service is not an object"},
      {R"({"event": {"occurred_at": [], "data": {"type": "incident", "status": "resolved"}}})",
       "undecodable: occurred_at is neither an RFC 3339 time nor an epoch number"},
      {R"({"event": {"data": {"type": "incident", "status": "resolved", "id": "P"}}})",
       "2019-12-20T00:00:00Z alarm ok labels.incident=P"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

}  // namespace
}  // namespace tocsin
