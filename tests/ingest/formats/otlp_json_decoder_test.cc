#include <gtest/gtest.h>

#include <string>

#include "core/limits.h"
#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("otlp-json");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

const std::string kResource =
    R"("resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]})";

std::string Metrics(const std::string& metrics) {
  return R"({"resourceMetrics": [{)" + kResource + R"(, "scopeMetrics": [{"metrics": [)" + metrics +
         "]}]}]}";
}

std::string Logs(const std::string& logs) {
  return R"({"resourceLogs": [{)" + kResource + R"(, "scopeLogs": [{"logRecords": [)" + logs +
         "]}]}]}";
}

TEST(OtlpJsonDecoder, EveryKindOfMetric) {
  const std::string stamp = R"("timeUnixNano": "1767225600000000000")";
  const std::string time = "2026-01-01T00:00:00Z metric ";
  const BuiltCase cases[] = {
      {R"({"name": "a", "unit": "By", "gauge": {"dataPoints": [{)" + stamp +
           R"(, "asInt": "-12", "attributes": [{"key": "zone", "value": {"stringValue": "a"}},)"
           R"({"key": "n", "value": {"intValue": "7"}}, {"key": "ok", "value": {"boolValue": true}},)"
           R"({"key": "m", "value": {"kvlistValue": {"values": [{"key": "x", "value":)"
           R"({"doubleValue": 0.5}}]}}}, {"key": "l", "value": {"arrayValue": {"values": []}}}]}]}})",
       "value=-12 name=a service=shop unit=By labels.m.x=0.5 labels.n=7 labels.ok=true "
       "labels.zone=a"},
      {R"({"name": "a", "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [{)" +
           stamp + R"(, "asDouble": 3.5}]}})",
       "counter value=3.5 name=a service=shop"},
      {R"({"name": "a", "sum": {"aggregationTemporality": 1, "isMonotonic": true, "dataPoints": [{)" +
           stamp + R"(, "asInt": 3}]}})",
       "delta value=3 name=a service=shop"},
      {R"({"name": "a", "histogram": {"aggregationTemporality": 1, "dataPoints": [{)" + stamp +
           R"(, "count": "4", "sum": 10, "min": 1, "max": 5, "bucketCounts": ["4"]}]}})",
       "histogram value=2.5 count=4 sum=10 min=1 max=5 name=a service=shop"},
  };
  for (const BuiltCase& test : cases) {
    ExpectDecoded(kInput, {Metrics(test.record), time + test.expected});
  }
  ExpectDecoded(kInput,
                {Metrics(R"({"name": "a", "exponentialHistogram": {"aggregationTemporality": 2,)"
                         R"("dataPoints": [{)" +
                         stamp + R"(, "count": 4, "sum": 10}]}})"),
                 time + "histogram count=4 sum=10 name=a service=shop\n" + time +
                     "counter value=4 name=a_count service=shop\n" + time +
                     "counter value=10 name=a_sum service=shop"});
  ExpectDecoded(kInput, {Metrics(R"({"name": "a", "summary": {"dataPoints": [{)" + stamp +
                                 R"(, "count": "1", "sum": 2, "quantileValues": [{"quantile": 0.5,)"
                                 R"("value": 2}]}]}})"),
                         time + "summary count=1 sum=2 name=a service=shop\n" + time +
                             "value=2 name=a service=shop labels.quantile=0.5\n" + time +
                             "counter value=1 name=a_count service=shop\n" + time +
                             "counter value=2 name=a_sum service=shop"});
}

TEST(OtlpJsonDecoder, Logs) {
  ExpectDecoded(
      kInput,
      {Logs(R"({"timeUnixNano": "1767225600000000000", "severityNumber": 13, "severityText": "W",)"
            R"("traceId": "5B8EFFF798038103D269B633813FC60C", "body": {"stringValue": "slow"},)"
            R"("attributes": [{"key": "user.id", "value": {"stringValue": "u1"}}]},)"
            R"({"observedTimeUnixNano": "1767225600000000000", "body": {"kvlistValue": {"values":)"
            R"([{"key": "message", "value": {"stringValue": "m"}}]}}}, {"body": {"intValue": 5}})"),
       "2026-01-01T00:00:00Z log level=warn message=slow service=shop "
       "trace_id=5b8efff798038103d269b633813fc60c user=u1\n"
       "2026-01-01T00:00:00Z log message=m service=shop\n"
       "2019-12-20T00:00:00Z log message=5 service=shop"},
      kRecordTime);
}

TEST(OtlpJsonDecoder, WhatIsNoRequest) {
  const RecordCase cases[] = {
      {"{}", "undecodable: neither resourceLogs nor resourceMetrics"},
      {R"({"resourceSpans": []})", "skipped: traces are not supported"},
      {R"({"resourceLogs": {}})", "undecodable: resourceLogs is not an array"},
      {"{\"resourceLogs\": [", "undecodable: cut short"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
  ExpectDecoded(kInput, {R"({"a":")" + std::string(limits::kPayloadBytesMax, 'x') + "\"}",
                         "undecodable: larger than 8 MiB"});
  // One point that is broken, and its neighbour.
  ExpectDecoded(kInput,
                {Metrics(R"({"name": "a", "gauge": {"dataPoints": [{"timeUnixNano": "soon",)"
                         R"("asInt": 1}, {"asInt": "1.5"}, {"asInt": 2}, {}]}})"),
                 "2019-12-20T00:00:00Z metric value=2 name=a service=shop\n"
                 "undecodable: timeUnixNano is not an integer\n"
                 "undecodable: asInt is not an integer\n"
                 "undecodable: a point without a number"},
                kRecordTime);
}

}  // namespace
}  // namespace tocsin
