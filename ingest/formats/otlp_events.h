// Converts OpenTelemetry logs and metrics to events.
//
//   OtlpEvents events(input, &errors);
//   events.Begin(record, record_time, sink);
//   fault = ReadOtlpMetrics(record, events.budget(), &events);
//
// Attributes of records and resources fill event fields as JSON keys do: by the canonical names,
// the OpenTelemetry names, and the names in `map:`. A log record becomes the same event as with the
// preset `otel`. A metric point becomes one `metric` event, whose labels are the point's own
// attributes:
// - gauge, or cumulative sum that is not monotonic: `gauge`
// - cumulative monotonic sum: `counter`; sum with delta temporality: `delta`
// - histogram with delta temporality: `histogram`, whose value is the mean
// - cumulative histogram: `histogram` without a value, because a mean since the start of the
//   process says next to nothing, and two counters NAME_count and NAME_sum
// - summary: as a cumulative histogram, but `summary`, and one gauge NAME per quantile, with the
//   label `quantile`
// Not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "config/node.h"
#include "ingest/decoder.h"
#include "ingest/fields/event_builder.h"
#include "ingest/fields/field_map.h"
#include "ingest/fields/predicted_fields.h"
#include "ingest/formats/otlp_model.h"
#include "ingest/json/payload_budget.h"

namespace tocsin {

class OtlpEvents final : public OtlpVisitor {
 public:
  OtlpEvents(const InputConfig& input, ErrorList* errors);

  // Starts a payload. Faults quote the whole payload for parts whose own bytes are unknown.
  void Begin(std::string_view record, TimeUs record_time, EventSink* sink);
  // The budget of the current payload, for the parser.
  PayloadBudget* budget() { return &budget_; }

  void OnResource(const OtlpAttributes& resource) override;
  void OnPoint(const OtlpMetric& metric, const OtlpPoint& point) override;
  void OnLog(const OtlpLog& log) override;

 private:
  struct Known {
    const FieldEntry* entry;
    std::string_view text;
  };

  // False, after reporting why, if the point lacks the numbers that its kind requires.
  bool HasNumbers(const OtlpMetric& metric, const OtlpPoint& point);
  // Builds the point's event without its numbers. Further events of the point differ from it only
  // in their numbers, name and one label.
  EventFault BeginPoint(const OtlpMetric& metric, const OtlpPoint& point);
  void DeliverPoint(const OtlpMetric& metric, const OtlpPoint& point, MetricType type);
  void DeliverQuantiles(const OtlpPoint& point);
  void DeliverCounter(const OtlpMetric& metric, std::string_view suffix, double value);
  void DeliverNumber(MetricType type, double value);
  EventFault StoreAttributes(const OtlpAttributes& attributes, bool as_labels);
  void Refuse(EventFault fault) { sink_->OnUndecodable(bytes_, fault); }

  FieldMap fields_;
  EventBuilder builder_;
  PredictedFields predicted_{&fields_};
  PayloadBudget budget_;
  // The current resource: its known attributes, and the event that its logs start from.
  std::vector<Known> resource_;
  EventBuilder shared_;
  std::size_t resource_bytes_ = 0;
  EventFault resource_fault_;
  std::size_t point_bytes_ = 0;  // bytes of the strings in a point's event
  std::string name_, quantile_;
  // The current payload:
  std::string_view record_;
  std::string_view bytes_;  // the current part, for reporting
  TimeUs record_time_ = kNoTime;
  EventSink* sink_ = nullptr;
};

}  // namespace tocsin
