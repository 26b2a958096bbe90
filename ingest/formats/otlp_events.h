// Makes events of OpenTelemetry's logs and metrics.
//
//   OtlpEvents events(input, &errors);
//   events.Begin(record, record_time, sink);
//   fault = ReadOtlpMetrics(record, events.budget(), &events);
//
// Attributes, of the resource too, are understood as JSON's fields are: the canonical names, those
// of OpenTelemetry, and those that `map:` names. A log record is an event as one of the preset
// `otel` is; a point of a metric is one `metric`, whose labels are the point's own attributes:
// - a gauge, and a sum that may fall: `gauge`; a sum that only grows: `counter` or, where it says
//   how much since the last one, `delta`
// - a histogram of a period: `histogram` with its mean as value; one since the start of the process
//   has no value, and becomes two counters as well, NAME_count and NAME_sum
// - a summary: the same, and a gauge NAME for each quantile, with it as a label
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

  // A payload; it is shown where a part of it has no bytes of its own.
  void Begin(std::string_view record, TimeUs record_time, EventSink* sink);
  // Of the payload, for whoever reads it.
  PayloadBudget* budget() { return &budget_; }

  void OnResource(const OtlpAttributes& resource) override;
  void OnPoint(const OtlpMetric& metric, const OtlpPoint& point) override;
  void OnLog(const OtlpLog& log) override;

 private:
  struct Known {
    const FieldEntry* entry;
    std::string_view text;
  };

  // Whether the point has the numbers that one of its kind has; if not, that is told.
  bool HasNumbers(const OtlpMetric& metric, const OtlpPoint& point);
  // The event with all that is said about the point but its numbers, of which any more events
  // differ in their numbers, name and one label.
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
  // Of the resource at hand: what is known of it, and the event that its logs begin as.
  std::vector<Known> resource_;
  EventBuilder shared_;
  std::size_t resource_bytes_ = 0;
  EventFault resource_fault_;
  std::size_t point_bytes_ = 0;  // texts of a point's event
  std::string name_, quantile_;
  // Of the payload at hand:
  std::string_view record_;
  std::string_view bytes_;  // of the part at hand, to be shown
  TimeUs record_time_ = kNoTime;
  EventSink* sink_ = nullptr;
};

}  // namespace tocsin
