// CloudWatch alarms, metric and composite ones, in each form in which they are delivered.
//
//   {"AlarmName": …, "NewStateValue": "ALARM", "StateChangeTime": …, "Trigger": {…}}  from SNS
//   {"Type": "Notification", "Message": "{\"AlarmName\": …}", …}                      SNS envelope
//   {"detail-type": "CloudWatch Alarm State Change", "detail": {…}, …}                EventBridge
//   {"source": "aws.cloudwatch", "alarmData": {…}, …}                                 Lambda
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
//
// The dimensions are those of the alarm's first metric. The id is EventBridge's event id; else it
// is made of the alarm, its state and the time of the change, so that a change that is delivered
// again is the same fact.

#include <memory>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/formats/aws_dimensions.h"
#include "ingest/formats/sns_envelope.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

// "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:NAME"
std::string_view RegionOf(std::string_view arn) {
  for (int colons = 0; colons < 3; ++colons) {
    const std::size_t colon = arn.find(':');
    if (colon == arn.npos) return {};
    arn.remove_prefix(colon + 1);
  }
  return arn.substr(0, arn.find(':'));
}

class CloudWatchAlarmDecoder final : public Decoder {
 public:
  CloudWatchAlarmDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink, [this](const PayloadObject& payload) {
      const auto visit = [this](const SnsMessage& message) { ReadMessage(message); };
      if (!envelopes_.ForEach(payload, &reader_, visit)) ReadPayload(payload);
    });
  }

 private:
  void ReadMessage(const SnsMessage& message);
  void ReadPayload(const PayloadObject& payload);
  void ReadNotification(const PayloadObject& alarm);
  // `change` is EventBridge's `detail` or Lambda's `alarmData`, and `event` the document around it.
  void ReadStateChange(const PayloadObject& event, std::string_view arn,
                       const PayloadObject& change);
  // False, after reporting it, if the state is unknown.
  bool SetState(std::string_view value);
  void TakeNotifiedMetric(const PayloadObject& metric);
  void TakeMetric(const PayloadObject& metric);

  PayloadReader reader_;
  SnsEnvelopes envelopes_;
  PayloadParser message_parser_;
};

void CloudWatchAlarmDecoder::ReadMessage(const SnsMessage& message) {
  PayloadObject payload;
  if (!message_parser_.Parse(message.text, reader_.fault(), &payload).empty()) {
    return reader_.Refuse("the message is not a CloudWatch alarm");
  }
  ReadPayload(payload);
}

void CloudWatchAlarmDecoder::ReadPayload(const PayloadObject& payload) {
  if (payload.Has<"AlarmName">()) return ReadNotification(payload);
  if (const PayloadObject change = payload.Object<"alarmData">(); change.present()) {
    return ReadStateChange(payload, payload.Text<"alarmArn">(), change);
  }
  const PayloadObject change = payload.Object<"detail">();
  if (!change.present()) return reader_.Refuse("not a CloudWatch alarm");
  if (payload.Text<"detail-type">() != "CloudWatch Alarm State Change") {
    return reader_.Skip("not an alarm state change");
  }
  std::string_view arn;
  payload.ForEachTextIn<"resources">([&](std::string_view resource) {
    if (arn.empty()) arn = resource;
  });
  ReadStateChange(payload, arn, change);
}

bool CloudWatchAlarmDecoder::SetState(std::string_view value) {
  if (value == "ALARM") {
    reader_.event().state = AlarmState::kAlarm;
  } else if (value == "OK") {
    reader_.event().state = AlarmState::kOk;
  } else if (value == "INSUFFICIENT_DATA") {
    reader_.event().state = AlarmState::kUnknown;
  } else {
    reader_.Refuse("alarm state is not ALARM, OK or INSUFFICIENT_DATA");
    return false;
  }
  return true;
}

void CloudWatchAlarmDecoder::ReadNotification(const PayloadObject& alarm) {
  Event& event = reader_.BeginEvent(EventType::kAlarm);
  event.time = alarm.Time<"StateChangeTime">();
  const std::string_view arn = alarm.Text<"AlarmArn">();
  reader_.AddLabel("account", alarm.Text<"AWSAccountId">());
  const PayloadObject trigger = alarm.Object<"Trigger">();
  if (trigger.Has<"Metrics">()) {
    bool found = false;
    trigger.ForEach<"Metrics">([&](const PayloadObject& metric) {
      const PayloadObject stat = metric.Object<"MetricStat">();
      if (stat.present() && !found) TakeNotifiedMetric(stat.Object<"Metric">());
      found |= stat.present();
    });
  } else {
    TakeNotifiedMetric(trigger);
  }
  if (!SetState(alarm.Text<"NewStateValue">())) return;
  const std::string_view name = alarm.Text<"AlarmName">();
  reader_.Set(Field::kName, name);
  // `Region` is a display name, such as "EU (Ireland)".
  reader_.Set(Field::kRegion, FirstOf(RegionOf(arn), alarm.Text<"Region">()));
  reader_.Set(Field::kMessage,
              FirstOf(alarm.Text<"NewStateReason">(), alarm.Text<"AlarmDescription">()));
  reader_.SetStateId(FirstOf(arn, name));
  reader_.Deliver();
}

void CloudWatchAlarmDecoder::TakeNotifiedMetric(const PayloadObject& metric) {
  reader_.AddLabel("namespace", metric.Text<"Namespace">());
  reader_.AddLabel("metric", metric.Text<"MetricName">());
  metric.ForEach<"Dimensions">([&](const PayloadObject& dimension) {
    TakeDimension(dimension.Text<"name">(), dimension.Text<"value">(), &reader_);
  });
}

void CloudWatchAlarmDecoder::ReadStateChange(const PayloadObject& event, std::string_view arn,
                                             const PayloadObject& change) {
  const PayloadObject state = change.Object<"state">();
  const PayloadObject configuration = change.Object<"configuration">();
  reader_.BeginEvent(EventType::kAlarm).time = state.Time<"timestamp">();
  if (reader_.event().time == kNoTime) reader_.event().time = event.Time<"time">();
  reader_.AddLabel("account", FirstOf(event.Text<"account">(), event.Text<"accountId">()));
  bool found = false;
  configuration.ForEach<"metrics">([&](const PayloadObject& metric) {
    const PayloadObject stat = metric.Object<"metricStat">();
    if (stat.present() && !found) TakeMetric(stat.Object<"metric">());
    found |= stat.present();
  });
  if (!SetState(state.Text<"value">())) return;
  const std::string_view name = change.Text<"alarmName">();
  reader_.Set(Field::kName, name);
  reader_.Set(Field::kRegion, FirstOf(event.Text<"region">(), RegionOf(arn)));
  reader_.Set(Field::kMessage,
              FirstOf(state.Text<"reason">(), configuration.Text<"description">()));
  reader_.SetStateId(FirstOf(arn, name));
  reader_.Set(Field::kId, event.Text<"id">());
  reader_.Deliver();
}

void CloudWatchAlarmDecoder::TakeMetric(const PayloadObject& metric) {
  reader_.AddLabel("namespace", metric.Text<"namespace">());
  reader_.AddLabel("metric", metric.Text<"name">());
  metric.Object<"dimensions">().ForEachText(
      [&](std::string_view name, std::string_view value) { TakeDimension(name, value, &reader_); });
}

}  // namespace

std::unique_ptr<Decoder> NewCloudWatchAlarmDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<CloudWatchAlarmDecoder>(input, errors);
}

}  // namespace tocsin
