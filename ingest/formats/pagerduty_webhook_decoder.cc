// PagerDuty webhooks, version 3: incident events become alarms.
//
//   {"event": {"id": …, "event_type": "incident.triggered", "occurred_at": …,
//              "data": {"type": "incident", "id": …, "number": 2, "status": "triggered", …}}}
//
// https://developer.pagerduty.com/docs/webhooks-overview
//
// An incident is in alarm until it is resolved, whatever other events it has. A reopened incident
// begins when it is reopened: its creation is before the resolution that was already reported.

#include <memory>
#include <string>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

class PagerDutyWebhookDecoder final : public Decoder {
 public:
  PagerDutyWebhookDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink,
                    [this](const PayloadObject& payload) { Read(payload.Object<"event">()); });
  }

 private:
  void Read(const PayloadObject& webhook_event);

  PayloadReader reader_;
};

void PagerDutyWebhookDecoder::Read(const PayloadObject& webhook_event) {
  if (!webhook_event.present()) return reader_.Refuse("not a PagerDuty version 3 webhook");
  const PayloadObject incident = webhook_event.Object<"data">();
  if (incident.Text<"type">() != "incident") return reader_.Skip("event data is not an incident");
  Event& event = reader_.BeginEvent(EventType::kAlarm);
  const TimeUs occurred_at = webhook_event.Time<"occurred_at">();
  const TimeUs created_at = incident.Time<"created_at">();
  const std::string_view status = incident.Text<"status">();
  if (status == "resolved") {
    event.state = AlarmState::kOk;
    event.time = occurred_at;
  } else if (status == "triggered" || status == "acknowledged") {
    const bool reopened = webhook_event.Text<"event_type">() == "incident.reopened";
    event.state = AlarmState::kAlarm;
    event.time = reopened || created_at == kNoTime ? occurred_at : created_at;
  } else {
    return reader_.Refuse("status is not triggered, acknowledged or resolved");
  }
  const PayloadObject service = incident.Object<"service">();
  reader_.Set(Field::kService, service.Text<"summary">());
  reader_.Set(Field::kName, incident.Text<"title">());
  reader_.Set(Field::kSeverity,
              FirstOf(incident.Object<"priority">().Text<"summary">(), incident.Text<"urgency">()));
  const std::string number = incident.Id<"number">();
  reader_.AddLabel("number", number);
  const std::string_view id = incident.Text<"id">();
  reader_.AddLabel("incident", id);
  reader_.SetStateId(id);
  reader_.Deliver();
}

}  // namespace

std::unique_ptr<Decoder> NewPagerDutyWebhookDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<PagerDutyWebhookDecoder>(input, errors);
}

}  // namespace tocsin
