// What a detector wants measured: which events, by which labels, which measures.
//
//   SeriesSpec spec;
//   spec.where.Require(*FieldRef::Parse("type"), {"request"});
//   spec.by = {*FieldRef::Parse("service")};
//   spec.measures = {Measure::Count(), Measure::CountFailed()};
//
// The Plan compiles the specs of all detectors and computes each distinct (inputs, where, by) once,
// with the union of the measures. Value types.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/predicate.h"
#include "core/event.h"

namespace tocsin {

// How a measure is kept; decides which column of a PaneTable it lives in.
enum class MeasureKind : std::uint8_t {
  kCount,      // int64: events (by weight) that pass the filter
  kSum,        // FixedSum of a number
  kGauge,      // GaugeValue of `value`, with its `limit`
  kCounter,    // CounterSet of `value`: cumulative, resets detected, each source by itself
  kHistogram,  // LogHistogram of `duration` in µs
  kDistinct,   // HyperLogLog of a text field
  kTopK,       // SpaceSaving of a text field
};

// Which of the aggregation's events a measure counts.
enum class MeasureFilter : std::uint8_t {
  kAll,
  kFailed,         // event.failed
  kSucceeded,      // not failed
  kDurationAbove,  // duration > threshold (µs)
  kHasDuration,
  kFailedTransaction,  // failed and of type transaction
  kFieldIs,            // the field `ref` has the value `text`
  kHasField,           // the measure's text field is there
};

// Which number of an event is summed or sampled.
enum class MeasureValue : std::uint8_t {
  kValue,
  kAmount,
  kCvss,
  kCondition,  // 1: alarm or failed, 0: ok or succeeded; none where the event does not say
};
std::optional<double> NumberOf(const Event& event, MeasureValue value);

struct Measure {
  MeasureKind kind = MeasureKind::kCount;
  MeasureFilter filter = MeasureFilter::kAll;
  std::int64_t threshold = 0;                 // for kDurationAbove, µs
  Field field = Field::kUser;                 // of kDistinct and kTopK
  std::uint32_t k = 64;                       // of kTopK
  MeasureValue value = MeasureValue::kValue;  // of kSum and kGauge
  FieldRef ref = {};                          // for kFieldIs
  std::string text = {};
  bool network = false;  // of kDistinct and kTopK: the ClientNetwork of an address

  static Measure Count() { return {}; }
  static Measure CountFailed() { return {.filter = MeasureFilter::kFailed}; }
  static Measure CountAbove(DurationUs threshold_us) {
    return {.filter = MeasureFilter::kDurationAbove, .threshold = threshold_us};
  }
  static Measure CountWithDuration() { return {.filter = MeasureFilter::kHasDuration}; }
  static Measure CountWith(Field field) {
    return {.filter = MeasureFilter::kHasField, .field = field};
  }
  static Measure FailedAmount() {
    return {.kind = MeasureKind::kSum,
            .filter = MeasureFilter::kFailed,
            .value = MeasureValue::kAmount};
  }
  static Measure Gauge() { return {.kind = MeasureKind::kGauge}; }
  static Measure Condition() {
    return {.kind = MeasureKind::kGauge, .value = MeasureValue::kCondition};
  }
  static Measure Cvss() { return {.kind = MeasureKind::kGauge, .value = MeasureValue::kCvss}; }
  static Measure Counters() { return {.kind = MeasureKind::kCounter}; }
  static Measure Histogram() {
    return {.kind = MeasureKind::kHistogram, .filter = MeasureFilter::kHasDuration};
  }
  static Measure Distinct(Field field, MeasureFilter filter = MeasureFilter::kAll) {
    return {.kind = MeasureKind::kDistinct, .filter = filter, .field = field};
  }
  static Measure TopK(Field field, std::uint32_t k, MeasureFilter filter = MeasureFilter::kAll) {
    return {.kind = MeasureKind::kTopK, .filter = filter, .field = field, .k = k};
  }

  // Client addresses, of which an IPv6 one counts as its /64 (core/client_network.h).
  static Measure DistinctNetworks() {
    return {.kind = MeasureKind::kDistinct, .field = Field::kClientIp, .network = true};
  }
  static Measure TopNetworks(std::uint32_t k) {
    return {.kind = MeasureKind::kTopK, .field = Field::kClientIp, .k = k, .network = true};
  }

  // The same measure of the events whose field has this value.
  Measure Where(FieldRef by_field, std::string by_value) && {
    filter = MeasureFilter::kFieldIs;
    ref = std::move(by_field);
    text = std::move(by_value);
    return std::move(*this);
  }

  bool operator==(const Measure&) const = default;
  std::string ToString() const;  // canonical
};

struct SeriesSpec {
  std::vector<std::string> inputs;  // names; empty: all
  Predicate where;
  std::vector<FieldRef> by;  // scope fields are put in front by the Plan
  std::vector<Measure> measures;
};

}  // namespace tocsin
