// Converts Prometheus samples to events, one `metric` per sample.
//
//   PrometheusSamples samples(input, &errors);
//   samples.Begin(record.size(), record_time, sink);
//   samples.BeginSeries(bytes);
//   samples.AddLabel("__name__", "http_requests_total");
//   samples.AddLabel("job", "shop");
//   samples.Deliver(1027, time, PrometheusSamples::TypeByName("http_requests_total"));
//
// All labels except the name become labels of the event, and fill event fields as JSON keys do:
// `job` fills the service and `instance` the host, unless a label has the field's own name. Skipped
// are values that are not finite, such as the NaN of a series that ended, and values beyond
// limits::kNumberMagnitudeMax. Labels are read once per series. Views must live until the next
// BeginSeries. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/node.h"
#include "ingest/decoder.h"
#include "ingest/fields/event_builder.h"
#include "ingest/fields/field_map.h"
#include "ingest/fields/predicted_fields.h"
#include "ingest/json/payload_budget.h"

namespace tocsin {

class PrometheusSamples {
 public:
  PrometheusSamples(const InputConfig& input, ErrorList* errors);

  // The type of a sample without a declared type: kCounter if its name ends like that of a counter
  // or of a part of a histogram or summary (_total, _count, _sum, _bucket), else kGauge.
  // https://prometheus.io/docs/practices/naming
  static MetricType TypeByName(std::string_view name);

  void Begin(std::size_t payload_bytes, TimeUs record_time, EventSink* sink);
  // `bytes`: the encoded series, which is reported if something in it is invalid.
  void BeginSeries(std::string_view bytes);
  void AddLabel(std::string_view name, std::string_view value);
  std::string_view name() const { return name_; }
  // A `time` of kNoTime means the record's time. `suffix` is appended to the name.
  void Deliver(double value, TimeUs time, MetricType type, std::string_view suffix = {});
  void Refuse(std::string_view reason) { sink_->OnUndecodable(bytes_, reason); }
  void Skip(std::string_view reason) { sink_->OnSkipped(bytes_, reason); }

 private:
  // Fills the part of the event that all samples of the series share.
  EventFault Fill();
  // Prepares the event for the next sample of the series; a fault if it may not be delivered.
  EventFault Draw();

  FieldMap fields_;
  EventBuilder builder_;
  PredictedFields predicted_{&fields_};
  PayloadBudget budget_;
  // The current series:
  std::string_view bytes_;
  std::string_view name_;
  std::vector<LabelView> labels_;
  std::size_t samples_ = 0;       // calls of Draw
  std::size_t sample_bytes_ = 0;  // bytes of the strings of one sample's event
  EventFault fault_;
  std::string joined_;
  // The current payload:
  TimeUs record_time_ = kNoTime;
  EventSink* sink_ = nullptr;
};

}  // namespace tocsin
