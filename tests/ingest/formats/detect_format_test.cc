#include "ingest/formats/detect_format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <utility>

#include "core/string_hash.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;

std::string Write(const std::string& content) {
  const std::string path = testing::TempDir() + "detect_format";
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  std::fwrite(content.data(), 1, content.size(), file);
  std::fclose(file);
  return path;
}

// The format, or the error.
std::string Detect(const std::string& content) {
  InputConfig input;
  input.format = "auto";
  const absl::Status status = ResolveFormat(Write(content), &input);
  return status.ok() ? input.format : "error: " + std::string(FromAbsl(status.message()));
}

const std::string kClf = "192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 200 1\n";
const std::string kPlain = "2026-01-01 12:00:00 IST [17] LOG:  a\n";
const std::string kSyslog = "Feb 10 23:15:39 db-1 postgres[17]: [3-1] LOG:  a\n";

TEST(DetectFormat, MetricsAndDocuments) {
  EXPECT_EQ(Detect("# HELP a What\n# TYPE a counter\na 1\n"), "prometheus-text");
  EXPECT_EQ(Detect("cpu,host=web-1 user=1.5,idle=8i 1767225600000000000\n"), "influx");
  const std::pair<const char*, const char*> documents[] = {
      {"otlp-json", R"({"resourceLogs": [{"scopeLogs": []}]})"},
      {"otlp-json", "{\n  \"resourceMetrics\": [\n{\"scopeMetrics\": []}]}"},
      {"alertmanager", R"({"version": "4", "groupKey": "", "groupLabels": {}, "alerts": []})"},
      {"grafana", R"({"orgId": 1, "groupKey": "", "groupLabels": {}, "alerts": []})"},
      {"telegraf", R"({"name": "a", "tags": {}, "fields": {"x": 1}, "timestamp": 1})"},
      {"cloudwatch-metric-stream", R"({"metric_stream_name": "a", "metric_name": "b"})"},
      {"cloudwatch-logs", R"({"messageType": "", "logGroup": "a", "logEvents": []})"},
      {"cloudwatch-logs", R"({"awslogs": {"data": "H4s="}})"},
      {"cloudwatch-alarm", R"({"TopicArn": "a", "MessageId": "b", "Message":)"
                           R"( "{\"AlarmName\": \"c\", \"NewStateValue\": \"OK\"}"})"},
      {"cloudwatch-alarm",
       R"({"detail-type": "CloudWatch Alarm State Change", "detail": {"alarmName": "a"}})"},
      {"sns", R"({"TopicArn": "a", "MessageId": "b", "Message": "c"})"},
      {"github-deploy", R"({"deployment_status": {}, "repository": {}})"},
      {"gitlab-deploy", R"({"object_kind": "deployment", "deployment_id": 1})"},
      {"kubernetes-events", R"({"involvedObject": {}, "reason": "a"})"},
      {"pagerduty-webhook",
       R"({"event": {"event_type": "a", "resource_type": "b", "occurred_at": "c"}})"},
      {"sentry", R"({"action": "a", "installation": {}, "data": {}, "actor": {}})"},
  };
  for (const auto& [format, text] : documents) EXPECT_EQ(Detect(text), format) << text;
}

TEST(DetectFormat, FirstLines) {
  EXPECT_EQ(Detect(kClf), "clf");
  EXPECT_EQ(Detect("\n" + kClf + "noise\n" + kClf), "clf");
  EXPECT_EQ(Detect(kPlain + "\tFROM a\n\tWHERE b\n"), "postgres");
  EXPECT_EQ(Detect("Feb 10 23:15:39 db-1 systemd[1]: x\n" + kSyslog), "postgres");
  EXPECT_EQ(
      Detect("Feb 10 23:15:39 db-1 systemd[1]: x\nFeb 10 23:15:39 db-1 cron[1]: x\n" + kSyslog),
      "syslog");
  EXPECT_EQ(Detect("<13>1 2026-01-01T12:00:00Z a b c d - level=info time=2026-01-01T12:00:00Z\n"),
            "syslog");
  EXPECT_EQ(
      Detect(R"({"timestamp":"2026-01-01 12:00:00 UTC","error_severity":"LOG","message":"a"})"),
      "postgres");
  EXPECT_EQ(Detect(R"({"time":1,"type":"request"})"), "json");
  EXPECT_EQ(Detect("\xEF\xBB\xBF \n[\n  {\n    \"time\": 1\n  }\n]\n"), "json");
  EXPECT_EQ(Detect("goroutine 1:\nts=2026-01-01T12:00:00Z level=info msg=a\n"), "logfmt");
  EXPECT_EQ(Detect(R"({"level":30,"time":1,"pid":1,"hostname":"h","msg":"a"})"), "pino");
  EXPECT_EQ(Detect(R"({"name":"a","hostname":"h","pid":1,"level":30,"msg":"a","time":"","v":0})"),
            "bunyan");
  EXPECT_EQ(Detect(R"({"msec":"1.5","remote_addr":"::1","status":"200","request_time":"0.1"})"),
            "nginx-json");
  EXPECT_EQ(Detect("h2 2026-01-01T12:00:00Z e 192.0.2.7:1 - 0 0 0 200 200 1 2 \"GET / X\" \"-\"\n"),
            "alb");
  EXPECT_EQ(Detect("2026-01-01 12:00:00 UTC [17] LOG stats: 12 xacts/s, 15 queries/s\n"),
            "pgbouncer");
  EXPECT_EQ(Detect(R"({"log":"a\n","stream":"stdout","time":"2026-01-01T12:00:00Z"})"), "docker");
  EXPECT_EQ(Detect(R"({"@timestamp":"2026-01-01T12:00:00Z","ecs.version":"1.2.0"})"), "ecs");
  // A file with broken lines still has its format; the broken lines are counted.
  EXPECT_EQ(Detect("{\"time\":"), "json");
}

TEST(DetectFormat, WhatCannotBeTold) {
  EXPECT_THAT(Detect(""), HasSubstr("cannot detect the format"));
  EXPECT_THAT(Detect("some text\n" + kClf), HasSubstr("cannot detect the format"));
  EXPECT_THAT(Detect("\tFROM a\n"), HasSubstr("cannot detect the format"));
  EXPECT_THAT(Detect("a=1 b=2\n"), HasSubstr("cannot detect the format"));
  InputConfig input;
  input.format = "auto";
  EXPECT_TRUE(absl::IsInvalidArgument(ResolveFormat("-", &input)));
  EXPECT_FALSE(ResolveFormat("/nowhere", &input).ok());
}

TEST(DetectFormat, OnlyTheBeginningCounts) {
  std::string content;
  for (int i = 0; i < 100; ++i) content += kClf;
  for (int i = 0; i < 1'000; ++i) content += kPlain;
  EXPECT_EQ(Detect(content), "clf");
}

TEST(DetectFormat, ANamedFormatStays) {
  InputConfig input;
  input.format = "clf";
  EXPECT_TRUE(ResolveFormat("/nowhere", &input).ok());
  EXPECT_EQ(input.format, "clf");
}

TEST(DetectFormat, ATopicHasNoFirstLines) {
  InputConfig input;
  input.format = "auto";
  input.kafka = KafkaInputConfig{};
  ErrorList errors;
  EXPECT_EQ(NewDecoder(input, &errors), nullptr);
  EXPECT_THAT(errors.Sorted().at(0).message, HasSubstr("format auto detects the format of a file"));
}

}  // namespace
}  // namespace tocsin
