// Makes events of OpenTelemetry's logs and metrics.
//
//   OtlpEvents events(input, &errors);
//   events.Begin(record, record_time, sink);
//   fault = ReadOtlpMetrics(record, &events);
//
// Attributes, of the resource too, are understood as JSON's fields are: the canonical names, those
// of OpenTelemetry, and those that `map:` names. A log record is an event as one of the preset
// `otel` is; a point of a metric is one `metric`, whose labels are the point's own attributes:
// - a gauge, and a sum that may fall: `gauge`; a sum that only grows: `counter` or, where it says
//   how much since the last one, `delta`
// - a histogram of a period: `histogram` with its mean as value; one since the start of the process
//   has none, as that would say next to nothing, and is two counters beside, NAME_count and NAME_sum
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
#include "ingest/event_builder.h"
#include "ingest/foreseen_fields.h"
#include "ingest/json_fields.h"
#include "ingest/otlp_model.h"

namespace tocsin {

class OtlpEvents final : public OtlpVisitor {
 public:
  OtlpEvents(const InputConfig& input, ErrorList* errors);

  // `record` is shown where a part of it has no bytes of its own.
  void Begin(std::string_view record, TimeUs record_time, EventSink* sink);

  void OnResource(const OtlpAttributes& resource) override;
  void OnPoint(const OtlpMetric& metric, const OtlpPoint& point) override;
  void OnLog(const OtlpLog& log) override;

 private:
  struct Known {
    const JsonEntry* entry;
    std::string_view text;
  };

  void DeliverPoint(const OtlpMetric& metric, const OtlpPoint& point, MetricType type);
  void DeliverNumber(const OtlpMetric& metric, const OtlpPoint& point, MetricType type,
                     std::string_view suffix, double value);
  // An event with all that is said about the metric but its numbers.
  EventFault BeginPoint(const OtlpMetric& metric, const OtlpPoint& point, std::string_view name);
  EventFault StoreAttributes(const OtlpAttributes& attributes, bool as_labels);
  void Finish(EventFault fault, std::string_view bytes);

  JsonFields fields_;
  EventBuilder builder_;
  ForeseenFields foreseen_{&fields_};
  std::vector<Known> resource_;
  EventFault resource_fault_;
  std::string name_, quantile_;
  // Of the record at hand:
  std::string_view record_;
  TimeUs record_time_ = kNoTime;
  EventSink* sink_ = nullptr;
};

}  // namespace tocsin
