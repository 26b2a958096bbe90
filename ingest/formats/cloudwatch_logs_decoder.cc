// CloudWatch Logs, as a subscription delivers them: compressed log events of one stream.
//
//   {"messageType": "DATA_MESSAGE", "owner": …, "logGroup": …, "logStream": …,
//    "logEvents": [{"id": …, "timestamp": 1600110569039, "message": …}], …}
//
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
//
// The message is gzip (or zlib), optionally in base64, optionally as the data of a Lambda event
// ({"awslogs": {"data": …}}) or of its Kinesis records. It may also be plain JSON, if something on
// the way has decoded it. The log events are decoded as the input's `message_format`; without one,
// JSON is read as canonical events, and any other text is a log line.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/strings/escaping.h"
#include "core/string_hash.h"
#include "ingest/compression/inflate.h"
#include "ingest/decoder.h"
#include "ingest/json/message_decoder.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

// A subscription's batch is at most 6 MB compressed (Lambda's limit) and usually far less.
constexpr std::size_t kInflatedBytesMax = 8 << 20;

// Whether the text begins like the base64 of data that IsDeflated accepts.
bool LooksLikeBase64(std::string_view text) {
  return text.starts_with("H4sI") || text.starts_with("eJ") || text.starts_with("eN") ||
         text.starts_with("eA") || text.starts_with("eF");
}

class CloudWatchLogsDecoder final : public Decoder {
 public:
  CloudWatchLogsDecoder(const InputConfig& input, ErrorList* errors)
      : reader_(WithoutMessageMap(input), errors), messages_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    if (IsDeflated(record) || LooksLikeBase64(record)) {
      reader_.Begin(record, record_time, sink);
      if (IsDeflated(record)) {
        ReadDeflated(record);
      } else {
        ReadBase64(record);
      }
      reader_.End();
    } else {
      reader_.ForEach(record, record_time, sink,
                      [this](const PayloadObject& payload) { ReadPayload(payload); });
    }
  }
  void DecodeWithin(PayloadBudget* budget, std::string_view record, TimeUs record_time,
                    EventSink* sink) override {
    outer_budget_ = budget;
    Decode(record, record_time, sink);
    outer_budget_ = nullptr;
  }

 private:
  void ReadPayload(const PayloadObject& payload);
  void ReadBase64(std::string_view data);
  void ReadDeflated(std::string_view bytes);
  void ReadLogs(const PayloadObject& logs);

  PayloadReader reader_;
  MessageDecoder messages_;
  PayloadParser inflated_parser_{kInflatedBytesMax};
  PayloadBudget* outer_budget_ = nullptr;  // budget of the payload that contains the record
  std::string bytes_;
  std::string inflated_;
};

void CloudWatchLogsDecoder::ReadPayload(const PayloadObject& payload) {
  if (payload.Has<"awslogs">()) return ReadBase64(payload.Object<"awslogs">().Text<"data">());
  if (!payload.Has<"Records">()) return ReadLogs(payload);
  bool any = false;
  payload.ForEach<"Records">([&](const PayloadObject& record) {
    any = true;
    ReadBase64(record.Object<"kinesis">().Text<"data">());
  });
  if (!any) reader_.Skip("an event without records");
}

void CloudWatchLogsDecoder::ReadBase64(std::string_view data) {
  if (!absl::Base64Unescape(ToAbsl(data), &bytes_) || !IsDeflated(bytes_)) {
    return reader_.Refuse("data is not gzip or zlib in base64");
  }
  ReadDeflated(bytes_);
}

void CloudWatchLogsDecoder::ReadDeflated(std::string_view bytes) {
  PayloadBudget* const budget = outer_budget_ == nullptr ? reader_.budget() : outer_budget_;
  const std::size_t bytes_max = std::min(kInflatedBytesMax, budget->unpacked_left());
  JsonFault fault = Inflate(bytes, bytes_max, &inflated_);
  budget->TakeUnpacked(inflated_.size());
  if (!fault.empty()) {
    // The data is within its own limit, but the payload's budget is used up.
    const bool is_spent = inflated_.size() == bytes_max && bytes_max < kInflatedBytesMax;
    return reader_.Refuse(is_spent ? budget_fault::kUnpacked : fault);
  }
  PayloadObject logs;
  fault = inflated_parser_.Parse(inflated_, reader_.fault(), &logs);
  if (!fault.empty()) return reader_.Refuse(fault);
  ReadLogs(logs);
}

void CloudWatchLogsDecoder::ReadLogs(const PayloadObject& logs) {
  const std::string_view type = logs.Text<"messageType">();
  if (type == "CONTROL_MESSAGE") return reader_.Skip("a control message");
  if (type != "DATA_MESSAGE") {
    return reader_.Refuse("messageType is neither DATA_MESSAGE nor CONTROL_MESSAGE");
  }
  const LabelView group = {"log_group", logs.Text<"logGroup">()};
  const LabelView stream = {"log_stream", logs.Text<"logStream">()};
  bool any = false;
  logs.ForEach<"logEvents">([&](const PayloadObject& event) {
    any = true;
    const TimeUs time = event.Time<"timestamp">();
    const std::string_view message = event.Text<"message">();
    if (!reader_.fault()->empty()) return reader_.Refuse({});
    messages_.Decode(message, time == kNoTime ? reader_.record_time() : time, {group, stream},
                     &reader_);
  });
  if (!any) reader_.Skip("a message without log events");
}

}  // namespace

std::unique_ptr<Decoder> NewCloudWatchLogsDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<CloudWatchLogsDecoder>(input, errors);
}

}  // namespace tocsin
