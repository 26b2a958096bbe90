// CloudWatch metric streams. In JSON, one metric per line:
//
//   {"metric_stream_name": …, "account_id": …, "region": …, "namespace": "AWS/RDS",
//    "metric_name": "DatabaseConnections", "dimensions": {"DBInstanceIdentifier": "orders-db"},
//    "timestamp": 1767225600000, "value": {"count": 4, "sum": 40, "min": 8, "max": 12}, "unit": …}
//
// Or as OpenTelemetry 1.0: protobuf requests, each preceded by its length. The first bytes of a
// record tell which of the two it is.
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-json.html
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-opentelemetry-100.html
//
// The value is the mean. Metrics keep Amazon's names, which the profiles know in addition to their
// own. The exception is AuroraReplicaLag, whose unit is not the one that the profiles expect: it is
// in milliseconds and becomes replication_lag, in seconds.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/formats/aws_dimensions.h"
#include "ingest/formats/otlp_proto.h"
#include "ingest/json/payload_fault.h"
#include "ingest/json/payload_reader.h"
#include "ingest/sources/file_source.h"
#include "ingest/text/utf8.h"

namespace tocsin {
namespace {

std::optional<double> Scaled(std::optional<double> number, double scale) {
  return number ? std::optional(*number * scale) : std::nullopt;
}

// A metric of either encoding.
struct Metric {
  std::string_view name, unit, metric_namespace = {}, account, region;
  TimeUs time = kNoTime;
  std::optional<double> count, sum, min = {}, max = {};
};

class CloudWatchMetricStreamDecoder final : public Decoder, private OtlpVisitor {
 public:
  CloudWatchMetricStreamDecoder(const InputConfig& input, ErrorList* errors)
      : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    if (BeginsAsJson(record)) {
      return reader_.ForEach(record, record_time, sink,
                             [this](const PayloadObject& metric) { Read(metric); });
    }
    reader_.Begin(record, record_time, sink);
    if (record.size() > limits::kPayloadBytesMax) return reader_.Refuse(payload_fault::kTooLarge);
    const std::string_view fault = ReadDelimitedOtlpMetrics(record, reader_.budget(), this);
    if (!fault.empty()) reader_.Refuse(fault);
  }

 private:
  void Read(const PayloadObject& metric);
  void OnResource(const OtlpAttributes& resource) override;
  void OnPoint(const OtlpMetric& metric, const OtlpPoint& point) override;
  void OnLog(const OtlpLog&) override {}
  // `add_dimensions()` is called to add the dimensions to the event that Deliver has begun.
  template <typename AddDimensions>
  void Deliver(Metric metric, AddDimensions add_dimensions);

  PayloadReader reader_;
  // The current resource:
  std::string account_, region_;
  std::string_view resource_fault_;
};

void CloudWatchMetricStreamDecoder::Read(const PayloadObject& metric) {
  const PayloadObject value = metric.Object<"value">();
  const PayloadObject dimensions = metric.Object<"dimensions">();
  Deliver({.name = metric.Text<"metric_name">(),
           .unit = metric.Text<"unit">(),
           .metric_namespace = metric.Text<"namespace">(),
           .account = metric.Text<"account_id">(),
           .region = metric.Text<"region">(),
           .time = metric.Time<"timestamp">(),
           .count = value.Number<"count">(),
           .sum = value.Number<"sum">(),
           .min = value.Number<"min">(),
           .max = value.Number<"max">()},
          [&] {
            dimensions.ForEachText([this](std::string_view dimension, std::string_view text) {
              TakeDimension(dimension, text, &reader_);
            });
          });
}

void CloudWatchMetricStreamDecoder::OnResource(const OtlpAttributes& resource) {
  account_.clear();
  region_.clear();
  resource_fault_ = resource.fault();
  for (const auto& [name, text] : resource.pairs()) {
    if (name == "cloud.account.id") account_ = text;
    if (name == "cloud.region") region_ = text;
  }
}

void CloudWatchMetricStreamDecoder::OnPoint(const OtlpMetric& metric, const OtlpPoint& point) {
  constexpr std::string_view kDimensions = "Dimensions.";
  const std::size_t shared_bytes =
      account_.size() + region_.size() + metric.name.size() + metric.unit.size();
  std::string_view unsound = FirstOf(resource_fault_, point.attributes.fault());
  if (!reader_.budget()->TakeResources(shared_bytes)) unsound = budget_fault::kResources;
  if (!unsound.empty()) return reader_.Refuse(unsound);
  // "amazonaws.com/AWS/RDS/CPUUtilization", or only the name, without a slash.
  Metric read = {.name = metric.name.substr(metric.name.rfind('/') + 1),
                 .unit = metric.unit,
                 .account = account_,
                 .region = region_,
                 .time = point.time,
                 .count = point.count,
                 .sum = point.sum};
  for (const auto& [quantile, value] : point.quantiles) {
    if (quantile == 0) read.min = value;
    if (quantile == 1) read.max = value;
  }
  for (const auto& [name, text] : point.attributes.pairs()) {
    if (name == "MetricName") read.name = text;
    if (name == "Namespace") read.metric_namespace = text;
  }
  Deliver(read, [&] {
    for (const auto& [name, text] : point.attributes.pairs()) {
      if (!IsUtf8(name) || !IsUtf8(text)) *reader_.fault() = payload_fault::kNotUtf8;
      if (!name.starts_with(kDimensions)) continue;
      TakeDimension(name.substr(kDimensions.size()), text, &reader_);
    }
    if (!IsUtf8(read.name) || !IsUtf8(read.unit) || !IsUtf8(account_) || !IsUtf8(region_)) {
      *reader_.fault() = payload_fault::kNotUtf8;
    }
  });
}

template <typename AddDimensions>
void CloudWatchMetricStreamDecoder::Deliver(Metric metric, AddDimensions add_dimensions) {
  Event& event = reader_.BeginEvent(EventType::kMetric);
  if (metric.name.empty()) return reader_.Refuse("a metric without a name");
  if (!metric.count || !metric.sum) return reader_.Refuse("a value without count and sum");
  if (!(*metric.count > 0)) return reader_.Skip("a metric without samples");
  double scale = 1;
  if (metric.name == "AuroraReplicaLag") {
    metric.name = "replication_lag";
    metric.unit = "Seconds";
    scale = 1e-3;
  }
  event.metric_type = MetricType::kSummary;
  event.value = *metric.sum / *metric.count * scale;
  event.count = metric.count;
  event.sum = Scaled(metric.sum, scale);
  event.min = Scaled(metric.min, scale);
  event.max = Scaled(metric.max, scale);
  // In protobuf any of these numbers may be out of range. In JSON only the mean can be, if the
  // count is between 0 and 1, which only a broken source sends.
  for (const std::optional<double>& number :
       {event.value, event.count, event.sum, event.min, event.max}) {
    if (number &&
        !(*number <= limits::kNumberMagnitudeMax && *number >= -limits::kNumberMagnitudeMax)) {
      return reader_.Refuse(number == event.value ? "a mean that is out of range"
                                                  : payload_fault::kNumberRange);
    }
  }
  reader_.AddLabel("namespace", metric.metric_namespace);
  reader_.AddLabel("account", metric.account);
  add_dimensions();
  event.time = metric.time;
  event.Set(Field::kName, metric.name);
  reader_.Set(Field::kRegion, metric.region);
  reader_.Set(Field::kUnit, metric.unit);
  reader_.Deliver();
}

}  // namespace

std::unique_ptr<Decoder> NewCloudWatchMetricStreamDecoder(const InputConfig& input,
                                                          ErrorList* errors) {
  return NewPayloadDecoder<CloudWatchMetricStreamDecoder>(input, errors);
}

}  // namespace tocsin
