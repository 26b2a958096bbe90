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
  }
  return "";
}

}  // namespace

std::string Measure::ToString() const {
  std::string text(KindName(kind));
  text += '(';
  if (kind == MeasureKind::kDistinct || kind == MeasureKind::kTopK) text += FieldName(field);
  if (kind == MeasureKind::kTopK) text += ' ' + std::to_string(k);
  if (kind == MeasureKind::kSum && amount) text += "amount";
  text += '|';
  text += FilterName(filter);
  if (filter == MeasureFilter::kDurationAbove) text += ' ' + std::to_string(threshold);
  text += ')';
  return text;
}

}  // namespace tocsin
