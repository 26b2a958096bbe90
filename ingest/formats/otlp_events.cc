#include "ingest/formats/otlp_events.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/limits.h"
#include "ingest/fields/field_presets.h"
#include "ingest/json/payload_fault.h"
#include "ingest/text/utf8.h"

namespace tocsin {
namespace {

using payload_fault::kNotUtf8;
using payload_fault::kNumberRange;
// The name of the label with the quantile.
constexpr std::string_view kQuantile = "quantile";

bool InRange(const std::optional<double>& number) {
  return !number ||
         (*number <= limits::kNumberMagnitudeMax && *number >= -limits::kNumberMagnitudeMax);
}

}  // namespace

OtlpEvents::OtlpEvents(const InputConfig& input, ErrorList* errors)
    : fields_(input.map, errors, FindPreset("otel")),
      builder_(&fields_, input),
      shared_(&fields_, input) {}

void OtlpEvents::Begin(std::string_view record, TimeUs record_time, EventSink* sink) {
  budget_.Begin(record.size());
  record_ = record;
  record_time_ = record_time;
  sink_ = sink;
  resource_.clear();
  resource_bytes_ = 0;
  resource_fault_ = {};
  shared_.Begin(record_time_);
}

void OtlpEvents::OnResource(const OtlpAttributes& resource) {
  resource_.clear();
  resource_bytes_ = 0;
  resource_fault_ = resource.fault();
  for (const auto& [name, text] : resource.pairs()) {
    const FieldEntry* const entry = predicted_.Find(name);
    if (entry == nullptr || text.empty()) continue;
    if (!IsUtf8(text)) resource_fault_ = kNotUtf8;
    // The last attribute of a name wins. resource_ is bounded by the number of known names.
    const auto known = std::find_if(resource_.begin(), resource_.end(),
                                    [&](const Known& one) { return one.entry == entry; });
    if (known == resource_.end()) {
      resource_.push_back({entry, text});
    } else {
      known->text = text;
    }
  }
  shared_.Begin(record_time_);
  for (const Known& known : resource_) {
    resource_bytes_ += known.text.size();
    if (resource_fault_.empty()) resource_fault_ = shared_.Store(*known.entry, known.text);
  }
}

EventFault OtlpEvents::StoreAttributes(const OtlpAttributes& attributes, bool as_labels) {
  if (!attributes.fault().empty()) return attributes.fault();
  std::size_t position = 0;
  bool may_repeat = fields_.maps_labels();
  for (const auto& [name, text] : attributes.pairs()) {
    const FieldEntry* const entry = predicted_.Find(name, position++);
    if (entry == nullptr && !as_labels) continue;
    // An attribute that is stored as a label may have the name of a later one.
    may_repeat = may_repeat || (entry != nullptr && entry->only == FieldEntry::Only::kNone);
    const bool is_new = predicted_.repeats() && !may_repeat;
    if (!IsUtf8(text) || (!is_new && !IsUtf8(name))) return kNotUtf8;
    if (entry != nullptr) {
      if (const EventFault fault = builder_.Store(*entry, text); !fault.empty()) return fault;
    }
    if (!as_labels || name.empty() || text.empty()) continue;
    const EventFault fault =
        is_new ? builder_.AddNewLabel(name, text) : builder_.AddLabel(name, text);
    if (!fault.empty()) return fault;
  }
  return {};
}

EventFault OtlpEvents::BeginPoint(const OtlpMetric& metric, const OtlpPoint& point) {
  if (!resource_fault_.empty()) return resource_fault_;
  if (metric.name.empty()) return "a metric without a name";
  if (!budget_.TakeResources(resource_bytes_ + metric.name.size() + metric.unit.size())) {
    return budget_fault::kResources;
  }
  if (!IsUtf8(metric.name) || !IsUtf8(metric.unit)) return kNotUtf8;
  builder_.Begin(record_time_);
  // The point's attributes before the resource's: the first label of a name wins.
  if (const EventFault fault = StoreAttributes(point.attributes, true); !fault.empty())
    return fault;
  for (const Known& known : resource_) {
    if (const EventFault fault = builder_.Store(*known.entry, known.text); !fault.empty()) {
      return fault;
    }
  }
  // An attribute that is named like one of these fields is only a label.
  Event& event = builder_.event();
  event.type = EventType::kMetric;
  event.time = point.time;
  event.Set(Field::kName, metric.name);
  event.Set(Field::kUnit, metric.unit);
  event.value = event.count = event.sum = event.min = event.max = std::nullopt;
  return builder_.Complete();
}

void OtlpEvents::DeliverPoint(const OtlpMetric& metric, const OtlpPoint& point, MetricType type) {
  Event& event = builder_.event();
  event.metric_type = type;
  event.value = point.value;
  event.count = point.count;
  event.sum = point.sum;
  event.min = point.min;
  event.max = point.max;
  for (const auto& [quantile, value] : point.quantiles) {
    if (quantile == 0) event.min = value;
    if (quantile == 1) event.max = value;
  }
  const bool is_mean = type == MetricType::kHistogram || type == MetricType::kSummary;
  if (is_mean && !metric.cumulative && point.count && point.sum && *point.count > 0) {
    event.value = *point.sum / *point.count;
  }
  for (const std::optional<double>& number :
       {event.value, event.count, event.sum, event.min, event.max}) {
    if (!InRange(number)) return Refuse(kNumberRange);
  }
  sink_->OnEvent(event);
}

void OtlpEvents::DeliverNumber(MetricType type, double value) {
  if (!budget_.TakeSeries(point_bytes_)) return Refuse(budget_fault::kSeries);
  if (!InRange(value)) return Refuse(kNumberRange);
  Event& event = builder_.event();
  event.metric_type = type;
  event.value = value;
  event.count = event.sum = event.min = event.max = std::nullopt;
  sink_->OnEvent(event);
}

void OtlpEvents::DeliverQuantiles(const OtlpPoint& point) {
  const std::size_t labels = builder_.label_count();
  for (const auto& [quantile, value] : point.quantiles) {
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), quantile).ptr;
    quantile_.assign(digits.data(), end);
    const EventFault fault = builder_.AddLabel(kQuantile, quantile_);
    builder_.CompleteLabels();
    fault.empty() ? DeliverNumber(MetricType::kGauge, value) : Refuse(fault);
    builder_.CutLabels(labels);
  }
  builder_.CompleteLabels();
}

void OtlpEvents::DeliverCounter(const OtlpMetric& metric, std::string_view suffix, double value) {
  name_.assign(metric.name).append(suffix);
  builder_.event().Set(Field::kName, name_);
  DeliverNumber(MetricType::kCounter, value);
}

bool OtlpEvents::HasNumbers(const OtlpMetric& metric, const OtlpPoint& point) {
  EventFault fault;
  if (point.absent) {
    sink_->OnSkipped(bytes_, "a point without a recorded value");
    return false;
  }
  switch (metric.kind) {
    case OtlpMetric::Kind::kNone:
      sink_->OnSkipped(bytes_, "a metric without points");
      return false;
    case OtlpMetric::Kind::kGauge:
    case OtlpMetric::Kind::kSum:
      if (!point.value) fault = "a point without a number";
      break;
    case OtlpMetric::Kind::kHistogram:
    case OtlpMetric::Kind::kSummary:
      if (!point.count) fault = "a point without a count";
      break;
  }
  if (!fault.empty()) Refuse(fault);
  return fault.empty();
}

void OtlpEvents::OnPoint(const OtlpMetric& metric, const OtlpPoint& point) {
  bytes_ = point.bytes.empty() ? record_ : point.bytes;
  if (!HasNumbers(metric, point)) return;
  if (const EventFault fault = BeginPoint(metric, point); !fault.empty()) return Refuse(fault);
  if (metric.kind == OtlpMetric::Kind::kGauge || metric.kind == OtlpMetric::Kind::kSum) {
    const bool counts = metric.kind == OtlpMetric::Kind::kSum;
    const MetricType sum = metric.cumulative ? MetricType::kCounter : MetricType::kDelta;
    const bool falls = metric.cumulative && !metric.monotonic;
    return DeliverPoint(metric, point, counts && !falls ? sum : MetricType::kGauge);
  }
  const bool is_summary = metric.kind == OtlpMetric::Kind::kSummary;
  DeliverPoint(metric, point, is_summary ? MetricType::kSummary : MetricType::kHistogram);
  if (point.quantiles.empty() && !metric.cumulative) return;
  point_bytes_ = TextBytesOf(builder_.event());
  DeliverQuantiles(point);
  if (!metric.cumulative) return;
  DeliverCounter(metric, "_count", *point.count);
  if (point.sum) DeliverCounter(metric, "_sum", *point.sum);
}

void OtlpEvents::OnLog(const OtlpLog& log) {
  bytes_ = log.bytes.empty() ? record_ : log.bytes;
  if (!resource_fault_.empty()) return Refuse(resource_fault_);
  if (!budget_.TakeResources(resource_bytes_)) return Refuse(budget_fault::kResources);
  builder_.BeginAs(shared_);
  EventFault fault = StoreAttributes(log.attributes, false);
  const auto set = [&](FieldTarget target, std::string_view text) {
    bool stored = false;
    if (fault.empty() && !IsUtf8(text)) fault = kNotUtf8;
    // Fields that `map:` filled take precedence.
    if (!fault.empty() || !builder_.Counts(target, FieldAction::kMappedRank - 1)) return;
    fault = builder_.SetText(target, text, &stored);
    if (stored) builder_.Keep(target, FieldAction::kMappedRank - 1);
  };
  if (log.severity_number > 0) {
    std::array<char, 16> digits;
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), log.severity_number).ptr;
    set(FieldTarget::kSeverityNumber,
        {digits.data(), static_cast<std::size_t>(end - digits.data())});
  } else {
    set(FieldTarget::kLevelWord, log.severity_text);
  }
  set(static_cast<FieldTarget>(Field::kName), log.event_name);
  set(static_cast<FieldTarget>(Field::kMessage), log.message);
  if (log.has_trace_id) {
    set(static_cast<FieldTarget>(Field::kTraceId), {log.trace_id.data(), log.trace_id.size()});
  }
  if (log.time != kNoTime) builder_.event().time = log.time;
  if (fault.empty()) fault = builder_.Complete();
  if (!fault.empty()) return Refuse(fault);
  sink_->OnEvent(builder_.event());
}

}  // namespace tocsin
