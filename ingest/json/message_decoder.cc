#include "ingest/json/message_decoder.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <vector>

#include "core/limits.h"
#include "ingest/json/json_fault.h"

namespace tocsin {
namespace {

// Passes events on with the labels of the enclosing document.
class LabellingSink final : public EventSink {
 public:
  LabellingSink(std::string_view message, std::initializer_list<LabelView> labels, EventSink* sink)
      : message_(message), own_(labels), sink_(sink) {}

  void OnEvent(const Event& event) override {
    std::size_t count = event.labels.size();
    std::copy(event.labels.begin(), event.labels.end(), labels_.begin());
    for (const LabelView& label : own_) {
      if (label.second.empty()) continue;
      if (label.second.size() > limits::kLabelValueBytesMax) {
        return sink_->OnUndecodable(message_, json_fault::kLabelSize);
      }
      if (count == labels_.size()) {
        return sink_->OnUndecodable(message_, json_fault::kLabelCount);
      }
      labels_[count++] = label;
    }
    Event labelled = event;
    labelled.labels = {labels_.data(), count};
    if (labelled.type == EventType::kUnknown) labelled.type = EventType::kLog;
    sink_->OnEvent(labelled);
  }
  void OnUndecodable(std::string_view bytes, std::string_view reason) override {
    sink_->OnUndecodable(bytes, reason);
  }
  void OnSkipped(std::string_view bytes, std::string_view reason) override {
    sink_->OnSkipped(bytes, reason);
  }

 private:
  std::string_view message_;
  std::initializer_list<LabelView> own_;
  EventSink* sink_;
  std::array<LabelView, limits::kLabelsMax> labels_;
};

}  // namespace

MessageDecoder::MessageDecoder(const InputConfig& input, ErrorList* errors)
    : lines_(input.message_format.empty()) {
  InputConfig inner = input;
  inner.format = lines_ ? "json" : input.message_format;
  inner.format_at = input.message_format_at;
  inner.message_format.clear();
  inner.enrichment = nullptr;  // applied once, by the decoder of the whole input
  decoder_ = NewDecoder(inner, errors);
}

void MessageDecoder::Decode(std::string_view message, TimeUs time,
                            std::initializer_list<LabelView> labels, PayloadReader* reader) {
  const std::size_t begin = message.find_first_not_of(" \t\r\n");
  if (begin == message.npos) return reader->Skip("an empty message");
  if (!lines_ || message[begin] == '{') {
    LabellingSink sink(message, labels, reader->sink());
    return decoder_->DecodeWithin(reader->budget(), message, time, &sink);
  }
  reader->BeginEvent(EventType::kLog).time = time;
  for (const auto& [name, value] : labels) reader->AddLabel(name, value);
  reader->Set(Field::kMessage, message.substr(0, message.find_last_not_of(" \t\r\n") + 1));
  reader->Deliver();
}

InputConfig WithoutMessageMap(const InputConfig& input) {
  InputConfig outer = input;
  std::erase_if(outer.map, [](const FieldMapping& mapping) {
    return !mapping.path.empty() || !(mapping.target.starts_with("labels.") ||
                                      mapping.target == "weight" || FieldFromName(mapping.target));
  });
  return outer;
}

}  // namespace tocsin
