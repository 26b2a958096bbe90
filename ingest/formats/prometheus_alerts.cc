#include "ingest/formats/prometheus_alerts.h"

#include <string_view>

namespace tocsin {
namespace {

void DeliverAlert(const PayloadObject& alert, std::string_view group_status,
                  PayloadReader* reader) {
  Event& event = reader->BeginEvent(EventType::kAlarm);
  const PayloadObject labels = alert.Object<"labels">();
  const PayloadObject annotations = alert.Object<"annotations">();
  reader->TakeLabels(labels);
  const std::string_view status = FirstOf(alert.Text<"status">(), group_status);
  if (status == "firing") {
    event.state = AlarmState::kAlarm;
    event.time = alert.Time<"startsAt">();
  } else if (status == "resolved") {
    event.state = AlarmState::kOk;
    event.time = alert.Time<"endsAt">();
  } else {
    return reader->Refuse("status is neither firing nor resolved");
  }
  std::string_view name = labels.Text<"alertname">();
  if (name == "DatasourceNoData" || name == "DatasourceError") {
    name = FirstOf(labels.Text<"rulename">(), name);
    event.state = AlarmState::kUnknown;
  }
  reader->Set(Field::kName, name);
  const std::string_view summary = annotations.Text<"summary">();
  const std::string_view description = annotations.Text<"description">();
  reader->Set(Field::kMessage,
              FirstOf(FirstOf(summary, description), annotations.Text<"message">()));
  reader->SetStateId(alert.Id<"fingerprint">());
  reader->Deliver();
}

}  // namespace

bool DeliverAlerts(const PayloadObject& payload, PayloadReader* reader) {
  if (!payload.Has<"alerts">()) return false;
  const std::string_view group_status = payload.Text<"status">();
  bool any = false;
  payload.ForEach<"alerts">([&](const PayloadObject& alert) {
    any = true;
    DeliverAlert(alert, group_status, reader);
  });
  if (!any) reader->Skip("a group without alerts");
  return true;
}

}  // namespace tocsin
