#include "panes/series_spec.h"

namespace tocsin {
namespace {

std::string_view KindName(MeasureKind kind) {
  switch (kind) {
    case MeasureKind::kCount:
      return "count";
    case MeasureKind::kSum:
      return "sum";
    case MeasureKind::kGauge:
      return "gauge";
    case MeasureKind::kCounter:
      return "counter";
    case MeasureKind::kHistogram:
      return "histogram";
    case MeasureKind::kDistinct:
      return "distinct";
    case MeasureKind::kTopK:
      return "top";
  }
  return "";
}

std::string_view FilterName(MeasureFilter filter) {
  switch (filter) {
    case MeasureFilter::kAll:
      return "all";
    case MeasureFilter::kFailed:
      return "failed";
    case MeasureFilter::kSucceeded:
      return "succeeded";
    case MeasureFilter::kDurationAbove:
      return "above";
    case MeasureFilter::kHasDuration:
      return "timed";
    case MeasureFilter::kFailedTransaction:
      return "failed_transaction";
    case MeasureFilter::kFieldIs:
      return "where";
    case MeasureFilter::kHasField:
      return "with";
  }
  return "";
}

std::string_view ValueName(MeasureValue value) {
  switch (value) {
    case MeasureValue::kValue:
      return "value";
    case MeasureValue::kAmount:
      return "amount";
    case MeasureValue::kCvss:
      return "cvss";
    case MeasureValue::kCondition:
      return "condition";
  }
  return "";
}

std::optional<double> ConditionOf(const Event& event) {
  if (event.type == EventType::kAlarm) {
    if (event.state == AlarmState::kUnknown) return std::nullopt;
    return event.state == AlarmState::kOk ? 0 : 1;
  }
  if (event.outcome == Outcome::kUnknown && event.status == 0) return std::nullopt;
  return event.failed ? 1 : 0;
}

}  // namespace

std::optional<double> NumberOf(const Event& event, MeasureValue value) {
  switch (value) {
    case MeasureValue::kValue:
      return event.value;
    case MeasureValue::kAmount:
      return event.amount;
    case MeasureValue::kCvss:
      return event.cvss;
    case MeasureValue::kCondition:
      return ConditionOf(event);
  }
  return std::nullopt;
}

std::string Measure::ToString() const {
  std::string out(KindName(kind));
  out += '(';
  if (kind == MeasureKind::kDistinct || kind == MeasureKind::kTopK) out += FieldName(field);
  if (kind == MeasureKind::kTopK) out += ' ' + std::to_string(k);
  if (network) out += " network";
  if (value != MeasureValue::kValue) out += ValueName(value);
  out += '|';
  out += FilterName(filter);
  if (filter == MeasureFilter::kDurationAbove) out += ' ' + std::to_string(threshold);
  if (filter == MeasureFilter::kHasField) {
    out += ' ';
    out += FieldName(field);
  }
  if (filter == MeasureFilter::kFieldIs) {
    // The length first, because a value may hold anything.
    out += ' ' + ref.Name() + ' ' + std::to_string(text.size()) + ' ' + text;
  }
  out += ')';
  return out;
}

}  // namespace tocsin
