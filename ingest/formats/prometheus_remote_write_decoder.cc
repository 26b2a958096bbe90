// Prometheus remote write, version 1.0: a WriteRequest in protobuf, compressed as a snappy block.
//
// https://prometheus.io/docs/specs/prw/remote_write_spec
//
// ingest/formats/prometheus_samples.h says what a sample becomes. The request does not contain the
// type of a metric (metadata comes in separate requests now and then), so the type is derived from
// its name. The count and the sum of a native histogram become two counters. Exemplars are skipped.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <snappy.h>
#include <protozero/pbf_reader.hpp>

#include "core/limits.h"
#include "ingest/decoder.h"
#include "ingest/formats/prometheus_samples.h"
#include "ingest/formats/proto_pair.h"
#include "ingest/json/payload_fault.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

using protozero::data_view;
using protozero::pbf_reader;
using protozero::pbf_wire_type;
using protozero::tag_and_type;

// The best that snappy can do is an element of three bytes for 64 bytes of uncompressed data.
// https://github.com/google/snappy/blob/main/format_description.txt
constexpr std::size_t kSnappyRatioMax = 64 / 3 + 1;

std::string_view View(data_view view) { return {view.data(), view.size()}; }

// nullopt: out of range.
std::optional<TimeUs> TimeOf(std::int64_t milliseconds) {
  if (milliseconds < 0 || milliseconds > kMaxTime / kMillisecondUs) return std::nullopt;
  return milliseconds * kMillisecondUs;
}

class PrometheusRemoteWriteDecoder final : public Decoder {
 public:
  PrometheusRemoteWriteDecoder(const InputConfig& input, ErrorList* errors)
      : samples_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override;

 private:
  void ReadSeries(data_view series);
  void ReadSample(pbf_reader sample);
  void ReadHistogram(pbf_reader histogram);

  struct Value {
    data_view bytes;
    bool is_histogram;
  };

  PrometheusSamples samples_;
  std::string request_;
  std::vector<Value> values_;  // of the current series
};

void PrometheusRemoteWriteDecoder::Decode(std::string_view record, TimeUs record_time,
                                          EventSink* sink) {
  std::size_t size = 0;
  if (!snappy::GetUncompressedLength(record.data(), record.size(), &size)) {
    return sink->OnUndecodable(record, "not a snappy block");
  }
  if (size > limits::kPayloadBytesMax) {
    return sink->OnUndecodable(record, payload_fault::kTooLarge);
  }
  // A forged size would make us allocate 8 MiB for a few bytes.
  if (size / kSnappyRatioMax > record.size()) {
    return sink->OnUndecodable(record, "not a snappy block");
  }
  request_.resize(size);
  if (!snappy::RawUncompress(record.data(), record.size(), request_.data())) {
    return sink->OnUndecodable(record, "not a snappy block");
  }
  samples_.Begin(size, record_time, sink);
  try {
    pbf_reader request(request_);
    while (request.next(1, pbf_wire_type::length_delimited)) ReadSeries(request.get_view());
  } catch (const protozero::exception&) {
    sink->OnUndecodable(record, payload_fault::kProtobuf);
  }
}

void PrometheusRemoteWriteDecoder::ReadSeries(data_view series) {
  samples_.BeginSeries(View(series));
  ClearAndShrink(&values_);
  // All labels are read before the first value, because only convention puts them first.
  pbf_reader reader(series);
  while (reader.next()) {
    switch (reader.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::length_delimited): {
        std::string_view name, value;
        ReadProtoPair(View(reader.get_view()), &name, &value);
        samples_.AddLabel(name, value);
        break;
      }
      case tag_and_type(2, pbf_wire_type::length_delimited):
        values_.push_back({.bytes = reader.get_view(), .is_histogram = false});
        break;
      case tag_and_type(4, pbf_wire_type::length_delimited):
        values_.push_back({.bytes = reader.get_view(), .is_histogram = true});
        break;
      default:
        reader.skip();
    }
  }
  for (const Value& value : values_) {
    value.is_histogram ? ReadHistogram(pbf_reader(value.bytes))
                       : ReadSample(pbf_reader(value.bytes));
  }
}

void PrometheusRemoteWriteDecoder::ReadSample(pbf_reader sample) {
  double value = 0;
  std::int64_t milliseconds = 0;
  while (sample.next()) {
    switch (sample.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::fixed64):
        value = sample.get_double();
        break;
      case tag_and_type(2, pbf_wire_type::varint):
        milliseconds = sample.get_int64();
        break;
      default:
        sample.skip();
    }
  }
  const std::optional<TimeUs> time = TimeOf(milliseconds);
  if (!time) return samples_.Refuse("a time out of range");
  samples_.Deliver(value, *time, PrometheusSamples::TypeByName(samples_.name()));
}

void PrometheusRemoteWriteDecoder::ReadHistogram(pbf_reader histogram) {
  double count = 0;
  double sum = 0;
  std::int64_t milliseconds = 0;
  while (histogram.next()) {
    switch (histogram.tag_and_type()) {
      case tag_and_type(1, pbf_wire_type::varint):
        count = static_cast<double>(histogram.get_uint64());
        break;
      case tag_and_type(2, pbf_wire_type::fixed64):
        count = histogram.get_double();
        break;
      case tag_and_type(3, pbf_wire_type::fixed64):
        sum = histogram.get_double();
        break;
      case tag_and_type(15, pbf_wire_type::varint):
        milliseconds = histogram.get_int64();
        break;
      default:
        histogram.skip();
    }
  }
  const std::optional<TimeUs> time = TimeOf(milliseconds);
  if (!time) return samples_.Refuse("a time out of range");
  samples_.Deliver(count, *time, MetricType::kCounter, "_count");
  samples_.Deliver(sum, *time, MetricType::kCounter, "_sum");
}

}  // namespace

std::unique_ptr<Decoder> NewPrometheusRemoteWriteDecoder(const InputConfig& input,
                                                         ErrorList* errors) {
  return NewPayloadDecoder<PrometheusRemoteWriteDecoder>(input, errors);
}

}  // namespace tocsin
