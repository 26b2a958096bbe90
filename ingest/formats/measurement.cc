#include "ingest/formats/measurement.h"

#include "core/limits.h"
#include "ingest/json/payload_budget.h"

namespace tocsin {

void Measurement::Begin(std::string_view name, TimeUs time) {
  name_ = name;
  time_ = time;
  ClearAndShrink(&tags_);
  ClearAndShrink(&fields_);
}

void Measurement::Deliver() {
  if (name_.empty()) return reader_.Refuse("a measurement without a name");
  if (!reader_.fault()->empty()) return reader_.Refuse({});
  if (fields_.empty()) return reader_.Skip("a measurement without a number");
  for (const auto& [field, value] : fields_) {
    if (!(value <= limits::kNumberMagnitudeMax && value >= -limits::kNumberMagnitudeMax)) {
      return reader_.Refuse("a number out of range");
    }
  }
  Event& event = reader_.BeginEvent(EventType::kMetric);
  for (const auto& [name, text] : tags_) reader_.TakeLabel(name, text);
  event.time = time_;
  event.metric_type = MetricType::kGauge;
  event.Set(Field::kName, name_);
  // A fault in the tags or the time makes the whole measurement undecodable.
  const bool is_valid =
      reader_.fault()->empty() && (time_ != kNoTime || reader_.record_time() != kNoTime);
  if (!is_valid) return reader_.Deliver();
  std::size_t bytes = 0;  // of the strings of one event
  for (const auto& [field, value] : fields_) {
    if (bytes > 0 && !reader_.budget()->TakeSeries(bytes)) {
      reader_.Refuse(budget_fault::kSeries);
      continue;
    }
    event.value = value;
    joined_ = name_;
    if (field != "value") joined_.append(1, '_').append(field);
    event.Set(Field::kName, joined_);
    reader_.Deliver();
    if (bytes == 0) bytes = TextBytesOf(event);
  }
}

}  // namespace tocsin
