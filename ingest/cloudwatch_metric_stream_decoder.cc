// CloudWatch's metric streams in their JSON form: one metric a line.
//
//   {"metric_stream_name": …, "account_id": …, "region": …, "namespace": "AWS/RDS",
//    "metric_name": "DatabaseConnections", "dimensions": {"DBInstanceIdentifier": "orders-db"},
//    "timestamp": 1767225600000, "value": {"count": 4, "sum": 40, "min": 8, "max": 12}, "unit": …}
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-json.html
//
// The value is the mean. Metrics keep Amazon's names, which the profiles know beside their own, but
// for one whose unit is not what they expect: AuroraReplicaLag, in milliseconds, becomes
// replication_lag, in seconds.

#include <memory>
#include <optional>
#include <string_view>

#include "ingest/aws_dimensions.h"
#include "ingest/decoder.h"
#include "ingest/payload_reader.h"

namespace tocsin {
namespace {

std::optional<double> Scaled(std::optional<double> number, double scale) {
  return number ? std::optional(*number * scale) : std::nullopt;
}

class CloudWatchMetricStreamDecoder final : public Decoder {
 public:
  CloudWatchMetricStreamDecoder(const InputConfig& input, ErrorList* errors)
      : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink,
                    [this](const PayloadObject& metric) { Read(metric); });
  }

 private:
  void Read(const PayloadObject& metric);

  PayloadReader reader_;
};

void CloudWatchMetricStreamDecoder::Read(const PayloadObject& metric) {
  Event& event = reader_.BeginEvent(EventType::kMetric);
  std::string_view name = metric.Text<"metric_name">();
  std::string_view unit = metric.Text<"unit">();
  const PayloadObject value = metric.Object<"value">();
  const std::optional<double> count = value.Number<"count">();
  const std::optional<double> sum = value.Number<"sum">();
  if (name.empty()) return reader_.Refuse("a metric without a name");
  if (!count || !sum) return reader_.Refuse("a value without count and sum");
  if (!(*count > 0)) return reader_.Skip("a metric without samples");
  double scale = 1;
  if (name == "AuroraReplicaLag") {
    name = "replication_lag";
    unit = "Seconds";
    scale = 1e-3;
  }
  event.metric_type = MetricType::kSummary;
  event.value = *sum / *count * scale;
  event.count = count;
  event.sum = Scaled(sum, scale);
  event.min = Scaled(value.Number<"min">(), scale);
  event.max = Scaled(value.Number<"max">(), scale);
  // A mean of a count between 0 and 1, which only a broken source has, may be beyond all numbers.
  if (!(*event.value <= limits::kNumberMagnitudeMax &&
        *event.value >= -limits::kNumberMagnitudeMax)) {
    return reader_.Refuse("a mean that is out of range");
  }
  reader_.AddLabel("namespace", metric.Text<"namespace">());
  reader_.AddLabel("account", metric.Text<"account_id">());
  metric.Object<"dimensions">().ForEachText(
      [this](std::string_view dimension, std::string_view text) {
        TakeDimension(dimension, text, &reader_);
      });
  event.time = metric.Time<"timestamp">();
  event.Set(Field::kName, name);
  reader_.Set(Field::kRegion, metric.Text<"region">());
  reader_.Set(Field::kUnit, unit);
  reader_.Deliver();
}

}  // namespace

std::unique_ptr<Decoder> NewCloudWatchMetricStreamDecoder(const InputConfig& input,
                                                          ErrorList* errors) {
  return NewPayloadDecoder<CloudWatchMetricStreamDecoder>(input, errors);
}

}  // namespace tocsin
