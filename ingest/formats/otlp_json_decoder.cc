// OpenTelemetry export requests in JSON: {"resourceLogs": […]} or {"resourceMetrics": […]}, one or
// several per record.
//
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: 64-bit integers may be strings,
// ids are hexadecimal, enumerations are numbers. ingest/formats/otlp_events.h says what they
// become.

#include <algorithm>
#include <memory>
#include <string_view>

#include "core/ascii.h"
#include "ingest/decoder.h"
#include "ingest/formats/otlp_events.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

constexpr double kCumulative = 2;
constexpr std::uint64_t kNoRecordedValue = 1;
constexpr std::uint64_t kSeverityMax = 24;  // FATAL4

// Without `map:`, which OtlpEvents reads instead of the PayloadReader.
InputConfig WithoutMap(InputConfig input) {
  input.map.clear();
  return input;
}

class OtlpJsonDecoder final : public Decoder {
 public:
  OtlpJsonDecoder(const InputConfig& input, ErrorList* errors)
      : reader_(WithoutMap(input), errors, limits::kPayloadBytesMax), events_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    events_.Begin(record, record_time, sink);
    reader_.ForEach(record, record_time, sink,
                    [this](const PayloadObject& request) { Read(request); });
  }

 private:
  void Read(const PayloadObject& request);
  void ReadResource(const PayloadObject& list);
  void ReadMetric(const PayloadObject& metric);
  void ReadPoint(const PayloadObject& point);
  void ReadLog(const PayloadObject& log);
  void ReadAttributes(const PayloadObject& owner, OtlpAttributes* attributes);
  void ReadPair(const PayloadObject& pair, std::string_view prefix, OtlpAttributes* attributes);
  void ReadValue(const PayloadObject& value, std::string_view name, OtlpAttributes* attributes);
  // False, after reporting it, if the reader found a fault.
  bool IsValid() {
    if (reader_.fault()->empty()) return true;
    reader_.Refuse({});
    return false;
  }

  PayloadReader reader_;
  OtlpEvents events_;
  OtlpAttributes resource_{events_.budget()};
  OtlpMetric metric_;
  OtlpPoint point_{events_.budget()};
  OtlpLog log_{events_.budget()};
};

void OtlpJsonDecoder::Read(const PayloadObject& request) {
  if (request.Has<"resourceSpans">()) return reader_.Skip("traces are not supported");
  if (!request.Has<"resourceLogs">() && !request.Has<"resourceMetrics">()) {
    return reader_.Refuse("neither resourceLogs nor resourceMetrics");
  }
  request.ForEach<"resourceLogs">([this](const PayloadObject& list) {
    ReadResource(list);
    list.ForEach<"scopeLogs">([this](const PayloadObject& scope) {
      scope.ForEach<"logRecords">([this](const PayloadObject& log) { ReadLog(log); });
    });
  });
  request.ForEach<"resourceMetrics">([this](const PayloadObject& list) {
    ReadResource(list);
    list.ForEach<"scopeMetrics">([this](const PayloadObject& scope) {
      scope.ForEach<"metrics">([this](const PayloadObject& metric) { ReadMetric(metric); });
    });
  });
}

void OtlpJsonDecoder::ReadResource(const PayloadObject& list) {
  resource_.Clear();
  ReadAttributes(list.Object<"resource">(), &resource_);
  events_.OnResource(resource_);
}

void OtlpJsonDecoder::ReadAttributes(const PayloadObject& owner, OtlpAttributes* attributes) {
  owner.ForEach<"attributes">([&](const PayloadObject& pair) { ReadPair(pair, {}, attributes); });
}

void OtlpJsonDecoder::ReadPair(const PayloadObject& pair, std::string_view prefix,
                               OtlpAttributes* attributes) {
  if (!attributes->fault().empty()) return;
  std::string_view name = pair.Text<"key">();
  if (!prefix.empty()) name = attributes->Join(prefix, name);
  ReadValue(pair.Object<"value">(), name, attributes);
}

// The recursion is bounded: a document has a maximum depth.
void OtlpJsonDecoder::ReadValue(const PayloadObject& value, std::string_view name,
                                OtlpAttributes* attributes) {
  if (value.Has<"stringValue">()) {
    attributes->Add(name, value.Text<"stringValue">());
  } else if (value.Has<"intValue">()) {
    attributes->Add(name, attributes->Keep(value.Id<"intValue">()));
  } else if (value.Has<"doubleValue">()) {
    if (const std::optional<double> number = value.Number<"doubleValue">()) {
      attributes->Add(name, *number);
    }
  } else if (value.Has<"boolValue">()) {
    attributes->Add(name, value.Boolean<"boolValue">());
  } else {
    value.Object<"kvlistValue">().ForEach<"values">(
        [&](const PayloadObject& pair) { ReadPair(pair, name, attributes); });
  }
}

void OtlpJsonDecoder::ReadMetric(const PayloadObject& metric) {
  metric_ = {};
  metric_.name = metric.Text<"name">();
  metric_.unit = metric.Text<"unit">();
  const auto read = [this](OtlpMetric::Kind kind, const PayloadObject& data) {
    if (!data.present()) return;
    metric_.kind = kind;
    metric_.cumulative = kind == OtlpMetric::Kind::kSummary ||
                         data.Number<"aggregationTemporality">() == kCumulative;
    metric_.monotonic = data.Boolean<"isMonotonic">();
    data.ForEach<"dataPoints">([this](const PayloadObject& point) { ReadPoint(point); });
  };
  read(OtlpMetric::Kind::kGauge, metric.Object<"gauge">());
  read(OtlpMetric::Kind::kSum, metric.Object<"sum">());
  read(OtlpMetric::Kind::kHistogram, metric.Object<"histogram">());
  read(OtlpMetric::Kind::kHistogram, metric.Object<"exponentialHistogram">());
  read(OtlpMetric::Kind::kSummary, metric.Object<"summary">());
}

void OtlpJsonDecoder::ReadPoint(const PayloadObject& point) {
  point_.Clear();
  point_.time = OtlpTime(point.Unsigned<"timeUnixNano">().value_or(0));
  point_.absent = (point.Unsigned<"flags">().value_or(0) & kNoRecordedValue) != 0;
  point_.value = point.Has<"asInt">() ? point.Integer<"asInt">() : point.Number<"asDouble">();
  if (const std::optional<std::uint64_t> count = point.Unsigned<"count">()) {
    point_.count = static_cast<double>(*count);
  }
  point_.sum = point.Number<"sum">();
  point_.min = point.Number<"min">();
  point_.max = point.Number<"max">();
  point.ForEach<"quantileValues">([this](const PayloadObject& quantile) {
    point_.quantiles.emplace_back(quantile.Number<"quantile">().value_or(0),
                                  quantile.Number<"value">().value_or(0));
  });
  ReadAttributes(point, &point_.attributes);
  if (IsValid()) events_.OnPoint(metric_, point_);
}

void OtlpJsonDecoder::ReadLog(const PayloadObject& log) {
  log_.Clear();
  log_.time = OtlpTime(log.Unsigned<"timeUnixNano">().value_or(0));
  if (log_.time == kNoTime) {
    log_.time = OtlpTime(log.Unsigned<"observedTimeUnixNano">().value_or(0));
  }
  log_.severity_number = static_cast<int>(
      std::min<std::uint64_t>(log.Unsigned<"severityNumber">().value_or(0), kSeverityMax));
  log_.severity_text = log.Text<"severityText">();
  log_.event_name = log.Text<"eventName">();
  ReadAttributes(log, &log_.attributes);
  const std::size_t before = log_.attributes.pairs().size();
  ReadValue(log.Object<"body">(), {}, &log_.attributes);
  log_.TakeMessage(before);
  const std::string_view trace_id = log.Text<"traceId">();
  log_.has_trace_id =
      trace_id.size() == log_.trace_id.size() && trace_id.find_first_not_of('0') != trace_id.npos;
  if (log_.has_trace_id) {
    std::transform(trace_id.begin(), trace_id.end(), log_.trace_id.begin(),
                   [](char c) { return IsUpper(c) ? static_cast<char>(c | 0x20) : c; });
  }
  if (IsValid()) events_.OnLog(log_);
}

}  // namespace

std::unique_ptr<Decoder> NewOtlpJsonDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<OtlpJsonDecoder>(input, errors);
}

}  // namespace tocsin
