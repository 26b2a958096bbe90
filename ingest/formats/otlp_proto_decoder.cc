// OpenTelemetry export requests in protobuf, as the collector's Kafka exporter and OTLP over HTTP
// send them: one per record. `signal:` says whether they contain logs or metrics, because the
// encoding does not.
//
// ingest/formats/otlp_events.h says what they become.

#include <memory>
#include <string_view>

#include "core/limits.h"
#include "ingest/decoder.h"
#include "ingest/formats/otlp_events.h"
#include "ingest/formats/otlp_proto.h"
#include "ingest/json/payload_fault.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

class OtlpProtoDecoder final : public Decoder {
 public:
  OtlpProtoDecoder(const InputConfig& input, ErrorList* errors)
      : reads_logs_(input.signal == "logs"), events_(input, errors) {
    if (!input.signal.empty()) return;
    errors->AddMissing(input.at, "input " + input.name +
                                     ": format otlp-proto needs signal: expected logs or metrics");
  }

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    if (record.size() > limits::kPayloadBytesMax) {
      return sink->OnUndecodable(record, payload_fault::kTooLarge);
    }
    events_.Begin(record, record_time, sink);
    const std::string_view fault = reads_logs_
                                       ? ReadOtlpLogs(record, events_.budget(), &events_)
                                       : ReadOtlpMetrics(record, events_.budget(), &events_);
    if (!fault.empty()) sink->OnUndecodable(record, fault);
  }

 private:
  const bool reads_logs_;
  OtlpEvents events_;
};

}  // namespace

std::unique_ptr<Decoder> NewOtlpProtoDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<OtlpProtoDecoder>(input, errors);
}

}  // namespace tocsin
