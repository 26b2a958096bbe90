// Amazon SNS: extracts messages of any format from their envelopes.
//
// The messages' format is the input's `message_format`. Without one, a CloudWatch alarm is read as
// such, other JSON as canonical events, and any other text is a log line. The topic's name is a
// label; a message without a time has the envelope's. Signatures are not verified here: the
// receiver of a message over the network has to do that.

#include <memory>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/formats/sns_envelope.h"
#include "ingest/json/message_decoder.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

bool LooksLikeAnAlarm(std::string_view message) {
  return message.starts_with('{') &&
         (message.find("\"NewStateValue\"") != message.npos ||
          message.find("\"CloudWatch Alarm State Change\"") != message.npos);
}

class SnsDecoder final : public Decoder {
 public:
  SnsDecoder(const InputConfig& input, ErrorList* errors)
      : reader_(WithoutMessageMap(input), errors), messages_(input, errors) {
    if (!input.message_format.empty()) return;
    InputConfig alarms = WithoutMessageMap(input);
    alarms.message_format = "cloudwatch-alarm";
    alarms_ = std::make_unique<MessageDecoder>(alarms, errors);
  }

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink, [this](const PayloadObject& payload) {
      const auto visit = [this](const SnsMessage& message) { ReadMessage(message); };
      if (!envelopes_.ForEach(payload, &reader_, visit)) reader_.Refuse("not an SNS envelope");
    });
  }

 private:
  void ReadMessage(const SnsMessage& message) {
    const std::string_view arn = message.topic_arn;
    const LabelView topic = {"topic", arn.substr(arn.rfind(':') + 1)};
    const TimeUs time = message.time == kNoTime ? reader_.record_time() : message.time;
    const bool is_alarm = alarms_ != nullptr && LooksLikeAnAlarm(message.text);
    MessageDecoder& decoder = is_alarm ? *alarms_ : messages_;
    decoder.Decode(message.text, time, {topic}, &reader_);
  }

  PayloadReader reader_;
  SnsEnvelopes envelopes_;
  MessageDecoder messages_;
  std::unique_ptr<MessageDecoder> alarms_;  // only if there is no message_format
};

}  // namespace

std::unique_ptr<Decoder> NewSnsDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<SnsDecoder>(input, errors);
}

}  // namespace tocsin
