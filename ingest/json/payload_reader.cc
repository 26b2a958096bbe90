#include "ingest/json/payload_reader.h"

#include <algorithm>

#include "ingest/fields/field_map.h"
#include "ingest/json/json_scanner.h"
#include "ingest/json/payload_fault.h"

namespace tocsin {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
// simdjson's buffers start at this, so that most decoders never grow them.
constexpr std::size_t kParserBytesMin = 64 << 10;

std::string_view TrimLeft(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kSpace), text.size()));
}

// The size of the value at the beginning of `text`; if it is malformed, the size to skip.
std::size_t ValueBytes(std::string_view text, bool* cut_short) {
  *cut_short = false;
  const auto through_line = [&](std::size_t from) {
    return std::min(text.find('\n', from), text.size());
  };
  if (text[0] != '{' && text[0] != '[') return through_line(0);
  JsonScanner scanner(JsonScanner::Layout::kStrict);
  const std::size_t used = scanner.Feed(text);
  if (scanner.state() == JsonScanner::State::kComplete) return used;
  *cut_short = scanner.state() == JsonScanner::State::kOpen;
  if (*cut_short) return text.size();
  // If the fault is at the beginning of a line, the value was truncated on the lines before.
  const std::size_t line_feed = text.substr(0, used).rfind('\n');
  if (line_feed != text.npos && text.find_first_not_of(kSpace, line_feed) >= used) {
    *cut_short = true;
    return line_feed;
  }
  return through_line(used);
}

}  // namespace

JsonFault PayloadParser::Parse(std::string_view text, simdjson::dom::element* value) {
  if (text.size() > bytes_max_) {
    return bytes_max_ > limits::kEventBytesMax ? payload_fault::kTooLarge : json_fault::kTooLarge;
  }
  if (parser_.capacity() == 0) {
    const simdjson::error_code error = parser_.allocate(kParserBytesMin, limits::kJsonDepthMax);
    if (error) return json_fault::Of(error);
  }
  const simdjson::error_code error = parser_.parse(text.data(), text.size()).get(*value);
  return error ? json_fault::Of(error) : JsonFault();
}

JsonFault PayloadParser::Parse(std::string_view text, JsonFault* fault, PayloadObject* object) {
  simdjson::dom::element value;
  if (const JsonFault own = Parse(text, &value); !own.empty()) return own;
  simdjson::dom::object found;
  if (value.get(found)) return "not a JSON object";
  *object = {found, fault};
  return {};
}

PayloadReader::PayloadReader(const InputConfig& input, ErrorList* errors, std::size_t bytes_max)
    : constants_(input, errors), parser_(bytes_max) {}

void PayloadReader::Begin(std::string_view record, TimeUs record_time, EventSink* sink) {
  budget_.Begin(record.size());
  bytes_ = record;
  record_time_ = record_time;
  sink_ = sink;
  fault_ = {};
}

void PayloadReader::ForEach(std::string_view record, TimeUs record_time, EventSink* sink,
                            Visit visit) {
  Begin(record, record_time, sink);
  std::string_view text = record;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  text = TrimLeft(text);
  if (text.empty()) sink->OnUndecodable(record, "empty");
  while (!text.empty()) {
    bool cut_short = false;
    const std::size_t size = ValueBytes(text, &cut_short);
    bytes_ = text.substr(0, size);
    fault_ = cut_short ? json_fault::kCutShort : JsonFault();
    if (!cut_short) VisitValue(bytes_, visit);
    End();
    text = TrimLeft(text.substr(size));
  }
}

void PayloadReader::VisitValue(std::string_view text, Visit visit) {
  simdjson::dom::element value;
  if (text[0] != '{' && text[0] != '[') {
    fault_ = "neither a JSON object nor an array";
    return;
  }
  if (fault_ = parser_.Parse(text, &value); !fault_.empty()) return;
  simdjson::dom::object object;
  simdjson::dom::array array;
  if (!value.get(object)) {
    visit({object, &fault_});
  } else if (value.get(array) || array.begin() == array.end()) {
    Skip("an empty array");
  } else {
    for (const simdjson::dom::element element : array) {
      if (element.get(object)) {
        Refuse("an array element that is not an object");
      } else {
        visit({object, &fault_});
      }
      End();
    }
  }
}

Event& PayloadReader::BeginEvent(EventType type) {
  event_ = constants_.base();
  event_.type = type;
  label_count_ = constants_.labels().size();
  std::copy(constants_.labels().begin(), constants_.labels().end(), labels_.begin());
  return event_;
}

void PayloadReader::AddLabel(std::string_view name, std::string_view text) {
  if (text.empty()) return;
  if (name.size() > limits::kLabelValueBytesMax || text.size() > limits::kLabelValueBytesMax) {
    if (fault_.empty()) fault_ = json_fault::kLabelSize;
  } else if (label_count_ == labels_.size()) {
    if (fault_.empty()) fault_ = json_fault::kLabelCount;
  } else {
    labels_[label_count_++] = {name, text};
  }
}

void PayloadReader::TakeLabel(std::string_view name, std::string_view text) {
  AddLabel(name, text);
  const EventType type = event_.type;
  SetField(name, text, &event_);
  event_.type = type;
}

void PayloadReader::TakeLabels(const PayloadObject& labels) {
  labels.ForEachText(
      [this](std::string_view name, std::string_view text) { TakeLabel(name, text); });
}

void PayloadReader::SetStateId(std::string_view source) {
  id_.clear();
  if (!source.empty() && event_.time != kNoTime) {
    id_.append(source).append(":").append(AlarmStateName(event_.state)).append(":");
    id_.append(FormatTime(event_.time));
  }
  event_.Set(Field::kId, id_);
}

void PayloadReader::Deliver() {
  if (event_.time == kNoTime) event_.time = record_time_;
  if (event_.time == kNoTime && fault_.empty()) fault_ = json_fault::kNoTime;
  if (!fault_.empty()) return Refuse({});
  event_.labels = {labels_.data(), label_count_};
  constants_.Apply(&event_);
  event_.Normalize();
  sink_->OnEvent(event_);
}

void PayloadReader::Skip(std::string_view reason) {
  if (!fault_.empty()) return Refuse({});
  sink_->OnSkipped(bytes_, reason);
}

void PayloadReader::Refuse(JsonFault fault) {
  sink_->OnUndecodable(bytes_, fault_.empty() ? fault : fault_);
  fault_ = {};
}

}  // namespace tocsin
