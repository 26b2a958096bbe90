#include "ingest/formats/prometheus_samples.h"

#include <cmath>

#include "core/limits.h"
#include "ingest/fields/field_presets.h"
#include "ingest/json/payload_fault.h"
#include "ingest/text/utf8.h"

namespace tocsin {
namespace {

constexpr std::string_view kName = "__name__";

}  // namespace

PrometheusSamples::PrometheusSamples(const InputConfig& input, ErrorList* errors)
    : fields_(input.map, errors, FindPreset("prometheus")), builder_(&fields_, input) {}

MetricType PrometheusSamples::TypeByName(std::string_view name) {
  for (const std::string_view suffix : {"_total", "_count", "_sum", "_bucket"}) {
    if (name.ends_with(suffix)) return MetricType::kCounter;
  }
  return MetricType::kGauge;
}

void PrometheusSamples::Begin(std::size_t payload_bytes, TimeUs record_time, EventSink* sink) {
  budget_.Begin(payload_bytes);
  record_time_ = record_time;
  sink_ = sink;
}

void PrometheusSamples::BeginSeries(std::string_view bytes) {
  bytes_ = bytes;
  name_ = {};
  ClearAndShrink(&labels_);
  samples_ = 0;
}

void PrometheusSamples::AddLabel(std::string_view name, std::string_view value) {
  if (name == kName) {
    name_ = value;
  } else {
    labels_.emplace_back(name, value);
  }
}

EventFault PrometheusSamples::Fill() {
  if (name_.empty()) return "a sample without a name";
  if (!IsUtf8(name_)) return payload_fault::kNotUtf8;
  builder_.Begin(record_time_);
  std::size_t position = 0;
  for (const auto& [name, text] : labels_) {
    const FieldEntry* const entry = predicted_.Find(name, position++);
    const bool is_new = predicted_.repeats() && !fields_.maps_labels();
    if (!IsUtf8(text) || (!is_new && !IsUtf8(name))) return payload_fault::kNotUtf8;
    if (entry != nullptr) {
      if (const EventFault fault = builder_.Store(*entry, text); !fault.empty()) return fault;
    }
    if (name.empty() || text.empty()) continue;
    const EventFault fault =
        is_new ? builder_.AddNewLabel(name, text) : builder_.AddLabel(name, text);
    if (!fault.empty()) return fault;
  }
  // A label that is named like one of these fields is only a label.
  Event& event = builder_.event();
  event.type = EventType::kMetric;
  event.time = 0;  // each sample's own
  event.value = event.count = event.sum = event.min = event.max = std::nullopt;
  event.Set(Field::kName, name_);
  return builder_.Complete();
}

EventFault PrometheusSamples::Draw() {
  if (samples_++ == 0) {
    fault_ = Fill();
  } else if (fault_.empty()) {
    if (samples_ == 2) sample_bytes_ = TextBytesOf(builder_.event());
    if (!budget_.TakeSeries(sample_bytes_)) return budget_fault::kSeries;
  }
  return fault_;
}

void PrometheusSamples::Deliver(double value, TimeUs time, MetricType type,
                                std::string_view suffix) {
  if (!std::isfinite(value)) return Skip("sample value is not a finite number");
  // Go programs, Prometheus among them, report "no limit" as a limit of 2^63 or 2^64 bytes.
  if (std::fabs(value) > limits::kNumberMagnitudeMax) return Skip(payload_fault::kNumberRange);
  if (const EventFault fault = Draw(); !fault.empty()) return Refuse(fault);
  Event& event = builder_.event();
  event.metric_type = type;
  event.time = time == kNoTime ? record_time_ : time;
  if (event.time == kNoTime) return Refuse(payload_fault::kNoTime);
  event.value = value;
  event.Set(Field::kName, name_);
  if (!suffix.empty()) {
    joined_.assign(name_).append(suffix);
    event.Set(Field::kName, joined_);
  }
  sink_->OnEvent(event);
}

}  // namespace tocsin
