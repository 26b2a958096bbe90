#include "ingest/otlp_events.h"

#include <array>
#include <charconv>

#include "core/limits.h"
#include "ingest/field_presets.h"
#include "ingest/payload_fault.h"
#include "ingest/utf8.h"

namespace tocsin {
namespace {

using payload_fault::kNotUtf8;
using payload_fault::kNumberRange;
// Of a label that is a quantile.
constexpr std::string_view kQuantile = "quantile";

bool InRange(const std::optional<double>& number) {
  return !number ||
         (*number <= limits::kNumberMagnitudeMax && *number >= -limits::kNumberMagnitudeMax);
}

}  // namespace

OtlpEvents::OtlpEvents(const InputConfig& input, ErrorList* errors)
    : fields_(input.map, errors, FindPreset("otel")), builder_(&fields_, input) {}

void OtlpEvents::Begin(std::string_view record, TimeUs record_time, EventSink* sink) {
  record_ = record;
  record_time_ = record_time;
  sink_ = sink;
  resource_.clear();
  resource_fault_ = {};
}

void OtlpEvents::OnResource(const OtlpAttributes& resource) {
  resource_.clear();
  resource_fault_ = {};
  for (const auto& [name, text] : resource.pairs()) {
    const JsonEntry* const entry = foreseen_.Find(name);
    if (entry == nullptr) continue;
    if (!IsUtf8(text)) resource_fault_ = kNotUtf8;
    resource_.push_back({entry, text});
  }
}

EventFault OtlpEvents::StoreAttributes(const OtlpAttributes& attributes, bool as_labels) {
  std::size_t position = 0;
  bool may_repeat = fields_.maps_labels();
  for (const auto& [name, text] : attributes.pairs()) {
    const JsonEntry* const entry = foreseen_.Find(name, position++);
    if (entry == nullptr && !as_labels) continue;
    // What is stored as a label may be called as one that follows.
    may_repeat = may_repeat || (entry != nullptr && entry->only == JsonEntry::Only::kNone);
    const bool is_new = foreseen_.repeats() && !may_repeat;
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

EventFault OtlpEvents::BeginPoint(const OtlpMetric& metric, const OtlpPoint& point,
                                  std::string_view name) {
  builder_.Begin(record_time_);
  if (!resource_fault_.empty()) return resource_fault_;
  if (metric.name.empty()) return "a metric without a name";
  if (!IsUtf8(metric.name) || !IsUtf8(metric.unit)) return kNotUtf8;
  // The point's before the resource's: the first label of a name counts.
  if (const EventFault fault = StoreAttributes(point.attributes, true); !fault.empty())
    return fault;
  for (const Known& known : resource_) {
    if (const EventFault fault = builder_.Store(*known.entry, known.text); !fault.empty()) {
      return fault;
    }
  }
  // An attribute that is called like one of these is a label alone.
  Event& event = builder_.event();
  event.type = EventType::kMetric;
  event.time = point.time;
  event.Set(Field::kName, name);
  event.Set(Field::kUnit, metric.unit);
  event.value = event.count = event.sum = event.min = event.max = std::nullopt;
  return {};
}

void OtlpEvents::Finish(EventFault fault, std::string_view bytes) {
  if (fault.empty()) fault = builder_.Complete();
  if (!fault.empty()) return sink_->OnUndecodable(bytes.empty() ? record_ : bytes, fault);
  sink_->OnEvent(builder_.event());
}

void OtlpEvents::DeliverPoint(const OtlpMetric& metric, const OtlpPoint& point, MetricType type) {
  EventFault fault = BeginPoint(metric, point, metric.name);
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
    if (fault.empty() && !InRange(number)) fault = kNumberRange;
  }
  Finish(fault, point.bytes);
}

void OtlpEvents::DeliverNumber(const OtlpMetric& metric, const OtlpPoint& point, MetricType type,
                               std::string_view suffix, double value) {
  name_.assign(metric.name).append(suffix);
  EventFault fault = BeginPoint(metric, point, name_);
  if (fault.empty() && type == MetricType::kGauge) fault = builder_.AddLabel(kQuantile, quantile_);
  builder_.event().metric_type = type;
  builder_.event().value = value;
  if (fault.empty() && !InRange(value)) fault = kNumberRange;
  Finish(fault, point.bytes);
}

void OtlpEvents::OnPoint(const OtlpMetric& metric, const OtlpPoint& point) {
  const std::string_view bytes = point.bytes.empty() ? record_ : point.bytes;
  if (point.absent) return sink_->OnSkipped(bytes, "a point without a recorded value");
  switch (metric.kind) {
    case OtlpMetric::Kind::kNone:
      return sink_->OnSkipped(bytes, "a metric without points");
    case OtlpMetric::Kind::kGauge:
    case OtlpMetric::Kind::kSum: {
      if (!point.value) return sink_->OnUndecodable(bytes, "a point without a number");
      const bool counts = metric.kind == OtlpMetric::Kind::kSum;
      const MetricType sum = metric.cumulative ? MetricType::kCounter : MetricType::kDelta;
      const bool falls = metric.cumulative && !metric.monotonic;
      return DeliverPoint(metric, point, counts && !falls ? sum : MetricType::kGauge);
    }
    case OtlpMetric::Kind::kHistogram:
    case OtlpMetric::Kind::kSummary:
      break;
  }
  if (!point.count) return sink_->OnUndecodable(bytes, "a point without a count");
  DeliverPoint(
      metric, point,
      metric.kind == OtlpMetric::Kind::kSummary ? MetricType::kSummary : MetricType::kHistogram);
  for (const auto& [quantile, value] : point.quantiles) {
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), quantile).ptr;
    quantile_.assign(digits.data(), end);
    DeliverNumber(metric, point, MetricType::kGauge, {}, value);
  }
  if (!metric.cumulative) return;
  DeliverNumber(metric, point, MetricType::kCounter, "_count", *point.count);
  if (point.sum) DeliverNumber(metric, point, MetricType::kCounter, "_sum", *point.sum);
}

void OtlpEvents::OnLog(const OtlpLog& log) {
  builder_.Begin(record_time_);
  EventFault fault = resource_fault_;
  const auto store = [&](const JsonEntry& entry, std::string_view text) {
    if (fault.empty()) fault = builder_.Store(entry, text);
  };
  const auto set = [&](JsonTarget target, std::string_view text) {
    bool stored = false;
    if (fault.empty() && !IsUtf8(text)) fault = kNotUtf8;
    // What `map:` says counts more.
    if (!fault.empty() || !builder_.Counts(target, JsonAction::kMappedRank - 1)) return;
    fault = builder_.SetText(target, text, &stored);
    if (stored) builder_.Keep(target, JsonAction::kMappedRank - 1);
  };
  for (const Known& known : resource_) store(*known.entry, known.text);
  if (fault.empty()) fault = StoreAttributes(log.attributes, false);
  if (log.severity_number > 0) {
    std::array<char, 16> digits;
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), log.severity_number).ptr;
    set(JsonTarget::kSeverityNumber,
        {digits.data(), static_cast<std::size_t>(end - digits.data())});
  } else {
    set(JsonTarget::kLevelWord, log.severity_text);
  }
  set(static_cast<JsonTarget>(Field::kName), log.event_name);
  set(static_cast<JsonTarget>(Field::kMessage), log.message);
  if (log.has_trace_id) {
    set(static_cast<JsonTarget>(Field::kTraceId), {log.trace_id.data(), log.trace_id.size()});
  }
  if (log.time != kNoTime) builder_.event().time = log.time;
  Finish(fault, log.bytes);
}

}  // namespace tocsin
