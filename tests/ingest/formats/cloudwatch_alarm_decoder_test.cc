#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "core/json_writer.h"
#include "tests/ingest/event_text.h"

namespace tocsin {
namespace {

const InputConfig kInput = InputOf("cloudwatch-alarm");
constexpr TimeUs kRecordTime = 50 * 365 * kDayUs;

constexpr std::string_view kNotification = R"({
  "AlarmName": "orders-db connections", "AlarmDescription": "d", "AWSAccountId": "123456789012",
  "NewStateValue": "ALARM", "NewStateReason": "Threshold Crossed", "OldStateValue": "OK",
  "StateChangeTime": "2026-03-01T21:05:00.123+0000", "Region": "US East",
                           "AlarmArn"
    : "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders-db connections",
                           "Trigger" : {
  "MetricName" : "DatabaseConnections",
                 "Namespace" : "AWS/RDS",
                               "Unit" : null,
                                        "Dimensions"
      : [ {"value" : "orders-db", "name" : "DBInstanceIdentifier"} ],
        "Threshold" : 90.0
}
})";
constexpr std::string_view kNotified =
    "2026-03-01T21:05:00.123Z alarm alarm dependency=orders-db "
    "id=arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders-db connections:alarm:"
    "2026-03-01T21:05:00.123Z message=Threshold Crossed name=orders-db connections "
    "region=eu-west-1 labels.DBInstanceIdentifier=orders-db labels.account=123456789012 "
    "labels.metric=DatabaseConnections labels.namespace=AWS/RDS";

std::string Quoted(std::string_view text) { return JsonWriter().String(text).Take(); }

std::string Envelope(std::string_view message, std::string_view type = "Notification") {
  return R"({"Type": ")" + std::string(type) +
         R"(", "MessageId": "1", "TopicArn": "arn:aws:sns:eu-west-1:123456789012:alarms",
            "Timestamp": "2026-03-01T21:05:01.000Z", "SignatureVersion": "1", "Message": )" +
         Quoted(message) + "}";
}

TEST(CloudWatchAlarmDecoder, NotificationsAndTheirEnvelopes) {
  ExpectDecoded(kInput, {kNotification, kNotified});
  ExpectDecoded(kInput, {Envelope(kNotification), kNotified});
  const std::string lambda = R"({"Records": [{"EventSource": "aws:sns", "Sns": )" +
                             Envelope(kNotification) + R"(}, {"Sns": )" + Envelope(kNotification) +
                             "}]}";
  ExpectDecoded(kInput, {lambda, std::string(kNotified) + "\n" + std::string(kNotified)});
  const std::string queue = R"({"Records": [{"messageId": "1", "eventSource": "aws:sqs", "body": )";
  ExpectDecoded(kInput, {queue + Quoted(Envelope(kNotification)) + "}]}", kNotified});
  ExpectDecoded(kInput, {queue + Quoted(kNotification) + "}]}", kNotified});
}

TEST(CloudWatchAlarmDecoder, StatesMetricsAndCompositeAlarms) {
  const RecordCase cases[] = {
      {R"({"AlarmName": "a", "NewStateValue": "OK", "StateChangeTime": "2026-03-01T21:05:00Z",
           "Region": "US East", "AlarmDescription": "d"})",
       "2026-03-01T21:05:00Z alarm ok id=a:ok:2026-03-01T21:05:00Z message=d name=a "
       "region=US East"},
      {R"({"AlarmName": "a", "NewStateValue": "INSUFFICIENT_DATA"})",
       "2019-12-20T00:00:00Z alarm unknown name=a"},
      // Of several metrics the first that is one: an expression has none of its own.
      {R"({"AlarmName": "a", "NewStateValue": "ALARM", "Trigger": {"Metrics": [
             {"Expression": "m1*2", "Id": "e1"},
             {"Id": "m1", "MetricStat": {"Metric": {"MetricName": "CPUUtilization",
               "Namespace": "AWS/ECS", "Dimensions": [{"name": "ServiceName", "value": "api"},
                                                      {"name": "ClusterName", "value": "main"}]}}},
             {"Id": "m2", "MetricStat": {"Metric": {"MetricName": "Other", "Dimensions": [
               {"name": "InstanceId", "value": "i-1"}]}}}]}})",
       "2019-12-20T00:00:00Z alarm alarm name=a service=api labels.ClusterName=main "
       "labels.ServiceName=api labels.metric=CPUUtilization labels.namespace=AWS/ECS"},
      {R"({"AlarmName": "all", "AlarmRule": "ALARM(a) OR FALSE", "NewStateValue": "ALARM",
           "StateChangeTime": "2026-03-01T21:05:00.123+0000", "NewStateReason": "a went to ALARM",
           "AlarmArn": "arn:aws:cloudwatch:eu-west-1:1:alarm:all",
           "TriggeringChildren": [{"Arn": "arn:aws:cloudwatch:eu-west-1:1:alarm:a"}]})",
       "2026-03-01T21:05:00.123Z alarm alarm "
       "id=arn:aws:cloudwatch:eu-west-1:1:alarm:all:alarm:2026-03-01T21:05:00.123Z "
       "message=a went to ALARM name=all region=eu-west-1"},
      // Dimensions that are named like fields, and those that AWS has.
      {R"({"AlarmName": "a", "NewStateValue": "ALARM", "Trigger": {"Dimensions": [
             {"name": "env", "value": "staging"}, {"name": "service", "value": "shop"},
             {"name": "TargetGroup", "value": "targetgroup/web/0123456789abcdef"},
             {"name": "InstanceId", "value": "i-1"}]}})",
       "2019-12-20T00:00:00Z alarm alarm env=staging host=i-1 name=a service=shop "
       "labels.InstanceId=i-1 labels.TargetGroup=targetgroup/web/0123456789abcdef "
       "labels.env=staging labels.service=shop"},
      {R"({"AlarmName": "a", "NewStateValue": "ALARM", "Trigger": {"Dimensions": [
             {"name": "TargetGroup", "value": "targetgroup/web/0123456789abcdef"}]}})",
       "2019-12-20T00:00:00Z alarm alarm name=a service=web "
       "labels.TargetGroup=targetgroup/web/0123456789abcdef"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

constexpr std::string_view kDetail = R"({"alarmName": "cpu",
  "state": {"value": "ALARM", "reason": "Threshold Crossed", "reasonData": "{\"version\":\"1.0\"}",
            "timestamp": "2026-03-01T21:05:00.123+0000"},
  "previousState": {"value": "OK", "timestamp": "2026-03-01T20:05:00.123+0000"},
  "configuration": {"description": "d", "metrics": [
    {"id": "e", "expression": "m", "returnData": true},
    {"id": "m", "metricStat": {"metric": {"namespace": "AWS/RDS", "name": "CPUUtilization",
       "dimensions": {"DBInstanceIdentifier": "orders-db"}}, "period": 60, "stat": "Average"}}]}})";

TEST(CloudWatchAlarmDecoder, StateChanges) {
  const std::string labels =
      " labels.DBInstanceIdentifier=orders-db labels.account=123456789012 "
      "labels.metric=CPUUtilization labels.namespace=AWS/RDS";
  ExpectDecoded(kInput, {R"({"version": "0", "id": "c4c1c1c9", "source": "aws.cloudwatch",
                     "detail-type": "CloudWatch Alarm State Change", "account": "123456789012",
                     "time": "2026-03-01T21:05:01Z", "region": "eu-west-1",
                     "resources": ["arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu"],
                     "detail": )" +
                             std::string(kDetail) + "}",
                         "2026-03-01T21:05:00.123Z alarm alarm dependency=orders-db id=c4c1c1c9 "
                         "message=Threshold Crossed name=cpu region=eu-west-1" +
                             labels});
  ExpectDecoded(kInput,
                {R"({"source": "aws.cloudwatch", "accountId": "123456789012",
                     "alarmArn": "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu",
                     "time": "2026-03-01T21:05:01.000+0000", "region": "eu-west-1",
                     "alarmData": )" +
                     std::string(kDetail) + "}",
                 "2026-03-01T21:05:00.123Z alarm alarm dependency=orders-db "
                 "id=arn:aws:cloudwatch:eu-west-1:123456789012:alarm:cpu:alarm:"
                 "2026-03-01T21:05:00.123Z message=Threshold Crossed name=cpu region=eu-west-1" +
                     labels});
  ExpectDecoded(
      kInput,
      {
          R"({"detail-type": "CloudWatch Alarm State Change", "time": "2026-03-01T21:05:01Z",
                     "resources": ["arn:aws:cloudwatch:eu-west-1:1:alarm:all"],
                     "detail": {"alarmName": "all", "state": {"value": "INSUFFICIENT_DATA"},
                                "configuration": {"alarmRule": "ALARM(a) OR FALSE",
        "description" : "d"}
}
})",
          "2026-03-01T21:05:01Z alarm unknown "
          "id=arn:aws:cloudwatch:eu-west-1:1:alarm:all:unknown:2026-03-01T21:05:01Z "
          "message=d name=all region=eu-west-1"});
}

TEST(CloudWatchAlarmDecoder, WhatIsNoAlarm) {
  const std::string confirmation = Envelope("You have chosen", "SubscriptionConfirmation");
  const std::string unsubscribed = Envelope("You have chosen", "UnsubscribeConfirmation");
  const std::string unknown = Envelope("a", "Other");
  const std::string hello = Envelope("Hello from SNS!");
  const std::string number = Envelope("[1]");
  const std::string scaling = Envelope(R"({"Event": "autoscaling:EC2_INSTANCE_LAUNCH"})");
  const std::string deep = Envelope(std::string(5000, '['));
  const RecordCase cases[] = {
      {confirmation, "skipped: the confirmation of a subscription"},
      {unsubscribed, "skipped: the confirmation of a subscription"},
      {unknown, "undecodable: unknown SNS message type"},
      {hello, "undecodable: the message is not a CloudWatch alarm"},
      {number, "undecodable: the message is not a CloudWatch alarm"},
      {scaling, "undecodable: not a CloudWatch alarm"},
      {deep, "undecodable: the message is not a CloudWatch alarm"},
      {R"({"Records": []})", "skipped: an event without records"},
      {R"({"Records": {}})", "undecodable: Records is not an array"},
      {R"({"Records": [{"ses": {}}]})", "undecodable: a record of neither SNS nor SQS"},
      {R"({"Records": [1]})", "undecodable: Records has an element that is not an object"},
      {R"({"TopicArn": "a", "Message": {}, "Type": "Notification"})",
       "undecodable: Message is not a string"},
      {R"({"detail-type": "CloudWatch Alarm Configuration Change", "detail": {}})",
       "skipped: not an alarm state change"},
      {R"({"detail-type": "CloudWatch Alarm State Change", "detail": {}})",
       "undecodable: alarm state is not ALARM, OK or INSUFFICIENT_DATA"},
      {R"({"AlarmName": "a"})", "undecodable: alarm state is not ALARM, OK or INSUFFICIENT_DATA"},
      {R"({"AlarmName": "a", "NewStateValue": "FINE"})",
       "undecodable: alarm state is not ALARM, OK or INSUFFICIENT_DATA"},
      {R"({"AlarmName": 1, "NewStateValue": "OK"})", "undecodable: AlarmName is not a string"},
      {R"({"AlarmName": "a", "NewStateValue": "OK", "StateChangeTime": "yesterday"})",
       "undecodable: StateChangeTime is neither an RFC 3339 time nor an epoch number"},
      {R"({"AlarmName": "a", "NewStateValue": "OK", "Trigger": {"Dimensions": {"a": "b"}}})",
       "undecodable: Dimensions is not an array"},
      {"{}", "undecodable: not a CloudWatch alarm"},
  };
  for (const RecordCase& test : cases) ExpectDecoded(kInput, test, kRecordTime);
}

}  // namespace
}  // namespace tocsin
