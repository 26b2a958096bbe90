// Grafana webhooks: one alarm per alert, or the alarm of a dashboard rule from Grafana 8 and older.
//
//   {"alerts": […as Alertmanager's…], "title": …, "state": "alerting", "orgId": 1, …}
//   {"ruleId": 7, "ruleName": …, "state": "alerting|ok|no_data", "tags": {…}, "message": …,
//    "evalMatches": [{"value": 97.0, "metric": …, "tags": {…}}], …}
//
// https://grafana.com/docs/grafana/latest/alerting/configure-notifications/
//
// The older form has no time, so the record's time is used. Its tags become labels; the value is
// that of the first match.

#include <memory>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/formats/prometheus_alerts.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

class GrafanaDecoder final : public Decoder {
 public:
  GrafanaDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink, [this](const PayloadObject& payload) {
      if (!DeliverAlerts(payload, &reader_)) DeliverRule(payload);
    });
  }

 private:
  void DeliverRule(const PayloadObject& rule);

  PayloadReader reader_;
};

void GrafanaDecoder::DeliverRule(const PayloadObject& rule) {
  Event& event = reader_.BeginEvent(EventType::kAlarm);
  const std::string_view state = rule.Text<"state">();
  if (state == "paused" || state == "pending") {
    return reader_.Skip("rule state is paused or pending");
  }
  reader_.TakeLabels(rule.Object<"tags">());
  if (state == "alerting") {
    event.state = AlarmState::kAlarm;
  } else if (state == "ok") {
    event.state = AlarmState::kOk;
  } else if (state == "no_data") {
    event.state = AlarmState::kUnknown;
  } else {
    return reader_.Refuse("neither alerts nor a known rule state");
  }
  reader_.Set(Field::kName, FirstOf(rule.Text<"ruleName">(), rule.Text<"title">()));
  reader_.Set(Field::kMessage, rule.Text<"message">());
  bool first = true;
  rule.ForEach<"evalMatches">([&](const PayloadObject& match) {
    if (first) event.value = match.Number<"value">();
    first = false;
  });
  reader_.SetStateId({});
  reader_.Deliver();
}

}  // namespace

std::unique_ptr<Decoder> NewGrafanaDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<GrafanaDecoder>(input, errors);
}

}  // namespace tocsin
