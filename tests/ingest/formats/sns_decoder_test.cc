#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/json_writer.h"
#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

std::string Quoted(std::string_view text) { return JsonWriter().String(text).Take(); }

std::string Envelope(std::string_view message) {
  return R"({"Type": "Notification", "MessageId": "1", "Subject": "s",
             "TopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
             "Timestamp": "2026-03-01T21:05:01.000Z", "Message": )" +
         Quoted(message) + "}";
}

InputConfig SnsOf(std::string_view message_format) {
  InputConfig input = InputOf("sns");
  input.message_format = message_format;
  return input;
}

TEST(SnsDecoder, MessagesOfNoNamedFormat) {
  const RecordCase messages[] = {
      {R"({"AlarmName": "a", "NewStateValue": "ALARM"})",
       "2026-03-01T21:05:01Z alarm alarm name=a labels.topic=alarms"},
      {R"({"type": "deploy", "service": "api", "time": "2026-03-01T21:00:00Z"})",
       "2026-03-01T21:00:00Z deploy service=api labels.topic=alarms"},
      {R"( {"service": "api", "message": "m", "labels": {"a": "b"}})",
       "2026-03-01T21:05:01Z log message=m service=api labels.a=b labels.topic=alarms"},
      {"Hello from SNS!\n", "2026-03-01T21:05:01Z log message=Hello from SNS! labels.topic=alarms"},
      {"[1]", "2026-03-01T21:05:01Z log message=[1] labels.topic=alarms"},
      {" ", "skipped: an empty message"},
      {R"({"service": )", "undecodable: cut short"},
  };
  for (const RecordCase& test : messages) {
    ExpectDecoded(InputOf("sns"), {Envelope(test.record), test.expected});
  }
}

TEST(SnsDecoder, MessagesOfANamedFormat) {
  ExpectDecoded(SnsOf("alertmanager"),
                {Envelope(R"({"alerts": [{"status": "firing", "labels": {"service": "api"}}]})"),
                 "2026-03-01T21:05:01Z alarm alarm service=api labels.service=api "
                 "labels.topic=alarms"});
  ExpectDecoded(SnsOf("clf"),
                {Envelope("192.0.2.7 - - [01/Mar/2026:21:00:00 +0000] \"GET /a HTTP/1.1\" 200 -"),
                 "2026-03-01T21:00:00Z request 200 client_ip=192.0.2.7 endpoint=/a method=GET "
                 "labels.topic=alarms"});
  ExpectDecoded(SnsOf("alertmanager"),
                {Envelope("Hello from SNS!"), "undecodable: neither a JSON object nor an array"});
}

TEST(SnsDecoder, RecordsOfFunctionsAndQueues) {
  const std::string record = R"({"Records": [{"Sns": )" + Envelope("a") + R"(}, {"body": )" +
                             Quoted(Envelope("b")) + R"(}, {"body": "c"}]})";
  ExpectDecoded(InputOf("sns"),
                {record,
                 "2026-03-01T21:05:01Z log message=a labels.topic=alarms\n"
                 "2026-03-01T21:05:01Z log message=b labels.topic=alarms\n"
                 "2019-12-20T00:00:00Z log message=c"},
                kRecordTime);
  ExpectDecoded(InputOf("sns"), {R"({"Records": [{"body": "c"}]})", "undecodable: no time"});
}

TEST(SnsDecoder, WhatIsNoMessage) {
  const RecordCase cases[] = {
      {R"({"Type": "SubscriptionConfirmation", "TopicArn": "a", "Message": "b", "Token": "c"})",
       "skipped: the confirmation of a subscription"},
      {R"({"Type": "Notification", "Message": "b"})", "undecodable: not an SNS envelope"},
      {R"({"Type": "Notification", "TopicArn": "a", "Message": "b", "Timestamp": "c"})",
       "undecodable: Timestamp is neither an RFC 3339 time nor an epoch number"},
      {R"({"Type": "Notification", "TopicArn": 1, "Message": "b"})",
       "undecodable: TopicArn is not a string"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(InputOf("sns"), test, kRecordTime);
}

TEST(SnsDecoder, TheMapIsTheMessages) {
  InputConfig input = InputOf("sns");
  input.map = {{"service", "program", "", {}}, {"type", "", "session", {}}, {"env", "", "dev", {}}};
  ExpectDecoded(input, {Envelope(R"({"program": "shop"})"),
                        "2026-03-01T21:05:01Z session env=dev service=shop labels.topic=alarms"});
  ExpectDecoded(input, {Envelope("text"),
                        "2026-03-01T21:05:01Z log env=dev message=text labels.topic=alarms"});
  ExpectDecoded(input, {Envelope(R"({"AlarmName": "a", "NewStateValue": "OK"})"),
                        "2026-03-01T21:05:01Z alarm ok env=dev name=a "
                        "labels.topic=alarms"});
}

TEST(SnsDecoder, LabelsBeyondTheLimitAreNoEvent) {
  std::string labels;
  for (int i = 0; i < 64; ++i) labels += (i > 0 ? ",\"l" : "\"l") + std::to_string(i) + "\":\"v\"";
  ExpectDecoded(InputOf("sns"),
                {Envelope("{\"labels\":{" + labels + "}}"), "undecodable: more than 64 labels"});
}

TEST(SnsDecoder, FormatsThatThereAreNot) {
  const auto error = [](const InputConfig& input) {
    ErrorList errors;
    EXPECT_EQ(NewDecoder(input, &errors), nullptr);
    EXPECT_THAT(errors.Sorted(), SizeIs(1));
    return errors.empty() ? "" : errors.Sorted()[0].message;
  };
  EXPECT_THAT(error(SnsOf("grafna")), HasSubstr("did you mean \"grafana\"?"));
  EXPECT_THAT(error(SnsOf("auto")), HasSubstr("format auto detects the format of a file"));
  InputConfig grafana = InputOf("grafana");
  grafana.message_format = "json";
  EXPECT_THAT(error(grafana), HasSubstr("grafana does not"));
}

}  // namespace
}  // namespace tocsin
