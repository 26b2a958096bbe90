#include <gtest/gtest.h>

#include <string>

#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("telegraf");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

TEST(TelegrafDecoder, AnEventAField) {
  const std::string cpu = R"({"fields": {"usage_idle": 80, "usage_user": 12.5}, "name": "cpu",)"
                          R"( "tags": {"host": "web-1", "cpu": "cpu0"}, "timestamp": 1767225600})";
  const std::string expected =
      "2026-01-01T00:00:00Z metric value=80 host=web-1 name=cpu_usage_idle labels.cpu=cpu0 "
      "labels.host=web-1\n"
      "2026-01-01T00:00:00Z metric value=12.5 host=web-1 name=cpu_usage_user labels.cpu=cpu0 "
      "labels.host=web-1";
  ExpectDecoded(kInput, {cpu, expected});
  ExpectDecoded(kInput, {R"({"metrics": [)" + cpu + "]}", expected});
  const RecordCase cases[] = {
      // A field that is called "value" is the measurement; booleans count, texts do not.
      {R"({"name": "queue_depth", "fields": {"value": 7}, "timestamp": 1767225600123})",
       "2026-01-01T00:00:00.123Z metric value=7 name=queue_depth"},
      {R"({"name": "ping", "fields": {"ok": true, "down": false, "text": "x", "none": null},)"
       R"( "tags": {"service": "shop", "env": "stage", "type": "request", "name": "x"}})",
       "2019-12-20T00:00:00Z metric value=1 env=stage name=ping_ok service=shop labels.env=stage "
       "labels.name=x labels.service=shop labels.type=request\n"
       "2019-12-20T00:00:00Z metric value=0 env=stage name=ping_down service=shop "
       "labels.env=stage labels.name=x labels.service=shop labels.type=request"},
      {R"({"metrics": []})", ""},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

TEST(TelegrafDecoder, WhatIsNoMeasurement) {
  const RecordCase cases[] = {
      {R"({"name": "a", "fields": {"text": "x"}})", "skipped: a measurement without a number"},
      {R"({"name": "a"})", "skipped: a measurement without a number"},
      {R"({"fields": {"value": 1}})", "undecodable: a measurement without a name"},
      {R"({"name": 1, "fields": {"value": 1}})", "undecodable: name is not a string"},
      {R"({"name": "a", "fields": {"value": 1e200}})", "undecodable: a number out of range"},
      {R"({"name": "a", "fields": {"value": [1]}})",
       "undecodable: a field that is not a number, boolean or string"},
      {R"({"name": "a", "fields": {"value": 1}, "timestamp": "soon"})",
       "undecodable: timestamp is neither an RFC 3339 time nor an epoch number"},
      {R"({"name": "a", "fields": {"value": 1}, "tags": {"host": 1}})",
       "undecodable: a label that is not a string"},
      {R"({"metrics": [{"name": "a", "fields": {"value": 1}}, 7]})",
       "2019-12-20T00:00:00Z metric value=1 name=a\n"
       "undecodable: metrics has an element that is not an object"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
  // Without a time, as many faults as there are measurements, not fields.
  ExpectDecoded(kInput, {R"({"name": "a", "fields": {"x": 1, "y": 2}})", "undecodable: no time"});
}

}  // namespace
}  // namespace tocsin
