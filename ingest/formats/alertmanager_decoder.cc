// Alertmanager webhooks, version 4: one alarm per alert.
//
//   {"version": "4", "alerts": [{"status": "firing", "labels": {…}, "annotations": {…},
//    "startsAt": …, "endsAt": …, "fingerprint": …}], …}
//
// https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
//
// Alertmanager sends a group repeatedly while any of its alerts fires.

#include <memory>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/formats/prometheus_alerts.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

class AlertmanagerDecoder final : public Decoder {
 public:
  AlertmanagerDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink, [this](const PayloadObject& payload) {
      if (!DeliverAlerts(payload, &reader_)) reader_.Refuse("no alerts");
    });
  }

 private:
  PayloadReader reader_;
};

}  // namespace

std::unique_ptr<Decoder> NewAlertmanagerDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<AlertmanagerDecoder>(input, errors);
}

}  // namespace tocsin
