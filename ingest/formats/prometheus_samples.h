// Makes events of Prometheus' samples: a `metric` each.
//
//   PrometheusSamples samples(input, &errors);
//   samples.Begin(record.size(), record_time, sink);
//   samples.BeginSeries(bytes);
//   samples.AddLabel("__name__", "http_requests_total");
//   samples.AddLabel("job", "shop");
//   samples.Deliver(1027, time, PrometheusSamples::TypeByName("http_requests_total"));
//
// All labels but the name are labels, and fill fields as those of JSON do: `job` the service and
// `instance` the host, where no label is called so. What is no number, as a series that ended has
// it, and what is beyond limits::kNumberMagnitudeMax is skipped. Labels are read once for a series.
// Views live until the next BeginSeries. Not thread-safe.
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

  // Of a sample whose type nobody told: a counter where its name ends as counters', and the parts
  // of histograms and summaries, do by convention.
  // https://prometheus.io/docs/practices/naming
  static MetricType TypeByName(std::string_view name);

  void Begin(std::size_t payload_bytes, TimeUs record_time, EventSink* sink);
  // `bytes` are shown where something in them is wrong.
  void BeginSeries(std::string_view bytes);
  void AddLabel(std::string_view name, std::string_view value);
  std::string_view name() const { return name_; }
  // A time of kNoTime is the record's. `suffix` goes behind the name.
  void Deliver(double value, TimeUs time, MetricType type, std::string_view suffix = {});
  void Refuse(std::string_view reason) { sink_->OnUndecodable(bytes_, reason); }
  void Skip(std::string_view reason) { sink_->OnSkipped(bytes_, reason); }

 private:
  // The event of a sample, without what differs from one to the next.
  EventFault Fill();
  // Whether one more sample of the series may be delivered.
  EventFault Draw();

  FieldMap fields_;
  EventBuilder builder_;
  PredictedFields predicted_{&fields_};
  PayloadBudget budget_;
  // Of the series at hand:
  std::string_view bytes_;
  std::string_view name_;
  std::vector<LabelView> labels_;
  std::size_t samples_ = 0;       // that were asked for
  std::size_t sample_bytes_ = 0;  // texts of one
  EventFault fault_;
  std::string joined_;
  // Of the payload at hand:
  TimeUs record_time_ = kNoTime;
  EventSink* sink_ = nullptr;
};

}  // namespace tocsin
