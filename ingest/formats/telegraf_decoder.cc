// Telegraf metrics in its JSON data format, single or as a batch of its HTTP output.
//
//   {"name": "cpu", "tags": {"host": "web-1", "cpu": "cpu0"}, "timestamp": 1767225600,
//    "fields": {"usage_user": 12.5, "usage_idle": 80}}
//   {"metrics": [{…}, {…}]}
//
// https://docs.influxdata.com/telegraf/v1/data_formats/output/json/
//
// ingest/formats/measurement.h says what a measurement becomes. Booleans become 0 and 1; string
// fields are ignored.

#include <memory>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/formats/measurement.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

class TelegrafDecoder final : public Decoder {
 public:
  TelegrafDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink, [this](const PayloadObject& document) {
      if (!document.Has<"metrics">()) return Read(document);
      document.ForEach<"metrics">([this](const PayloadObject& metric) { Read(metric); });
    });
  }

 private:
  void Read(const PayloadObject& metric) {
    measurement_.Begin(metric.Text<"name">(), metric.Time<"timestamp">());
    metric.Object<"tags">().ForEachText([this](std::string_view name, std::string_view value) {
      measurement_.AddTag(name, value);
    });
    metric.Object<"fields">().ForEachNumber(
        [this](std::string_view name, double value) { measurement_.AddField(name, value); });
    measurement_.Deliver();
  }

  PayloadReader reader_;
  Measurement measurement_{&reader_};
};

}  // namespace

std::unique_ptr<Decoder> NewTelegrafDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<TelegrafDecoder>(input, errors);
}

}  // namespace tocsin
