#include "ingest/json/json_decoder.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/str_join.h"
#include "core/limits.h"
#include "ingest/fields/field_map.h"
#include "ingest/fields/field_presets.h"
#include "ingest/json/json_event.h"
#include "ingest/json/json_fault.h"
#include "ingest/json/json_scanner.h"

namespace tocsin {
namespace {

constexpr std::string_view kSpace = " \t\r\n";
static_assert(kDecodePadding >= simdjson::SIMDJSON_PADDING);
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::string_view Trim(std::string_view text) {
  // A cheap check first: a space or control character at either end.
  const auto may_be_space = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
  if (text.empty() || !(may_be_space(text.front()) || may_be_space(text.back()))) return text;
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
  return text.substr(0, text.find_last_not_of(kSpace) + 1);
}

// Whether a text that contains line feeds is a single value spread over several lines.
bool IsOneValue(std::string_view text, std::size_t line_feed) {
  // A line that ends in a brace before one that starts with a brace ends a value: no valid JSON has
  // the two in a row. This spares the scan for almost all newline-separated records.
  if (line_feed > 0 && text[line_feed - 1] == '}' && text[line_feed + 1] == '{') return false;
  if (text[0] != '{' && text[0] != '[') return false;
  JsonScanner scanner(JsonScanner::Layout::kStrict);
  const std::size_t used = scanner.Feed(text);
  return scanner.state() == JsonScanner::State::kComplete && used == text.size();
}

// The end of the string, number or literal that begins at `at` inside an array.
std::size_t ScalarEnd(std::string_view text, std::size_t at) {
  bool in_string = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '"') {
      in_string = !in_string;
    } else if (in_string && text[at] == '\\') {
      ++at;
    } else if (!in_string && (text[at] == ',' || text[at] == ']')) {
      break;
    }
  }
  return std::min(at, text.size());
}

class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(const InputConfig& input, const FieldPreset* preset, ErrorList* errors)
      : fields_(input.map, errors, preset), reader_(&fields_, input) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    DecodeRecord(record, /*padded=*/false, record_time, sink);
  }
  void DecodePadded(std::string_view record, TimeUs record_time, EventSink* sink) override {
    DecodeRecord(record, /*padded=*/true, record_time, sink);
  }

 private:
  void DecodeRecord(std::string_view record, bool padded, TimeUs record_time, EventSink* sink);
  // If the first line is a plain object, decodes all of `text` and returns true.
  bool DecodePlain(std::string_view text);
  void DecodeLines(std::string_view text);
  void DecodeValue(std::string_view text);
  void DecodeObject(std::string_view text);
  void DecodeInFull(std::string_view padded);
  void Deliver(std::string_view text, EventFault fault);
  void DecodeArray(std::string_view text);
  void DecodeElements(std::string_view text, std::size_t at, bool skip_first);
  // Copies to the padded buffer; the copy is valid until the next call.
  std::string_view Padded(std::string_view text);

  FieldMap fields_;
  JsonEventReader reader_;
  std::vector<char> buffer_;
  // Of the current call:
  bool is_padded_ = false;  // the whole record is in padded memory
  TimeUs record_time_ = kNoTime;
  EventSink* sink_ = nullptr;
};

void JsonDecoder::DecodeRecord(std::string_view record, bool padded, TimeUs record_time,
                               EventSink* sink) {
  record_time_ = record_time;
  sink_ = sink;
  std::string_view text = record;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  text = Trim(text);
  if (text.empty()) {
    sink->OnUndecodable(record, "empty");
    return;
  }
  is_padded_ = text.size() <= limits::kEventBytesMax;
  if (is_padded_) {
    if (!padded) text = Padded(text);
    if (text[0] == '{' && DecodePlain(text)) return;
  }
  const std::size_t line_feed = text.find('\n');
  if (line_feed != text.npos && !IsOneValue(text, line_feed)) {
    DecodeLines(text);
  } else if (is_padded_ && text[0] == '{') {
    DecodeInFull(text);
  } else {
    DecodeValue(text);
  }
}

bool JsonDecoder::DecodePlain(std::string_view text) {
  EventFault fault;
  const std::size_t length = reader_.ReadPlain(text, record_time_, &fault);
  if (length == 0 || (length < text.size() && text[length] != '\n')) return false;
  Deliver(text.substr(0, length), fault);
  // A complete object ends before the line feed, so the record consists of lines.
  text.remove_prefix(std::min(length + 1, text.size()));
  DecodeLines(text);
  return true;
}

std::string_view JsonDecoder::Padded(std::string_view text) {
  const std::size_t needed = text.size() + simdjson::SIMDJSON_PADDING;
  if (buffer_.size() < needed) buffer_.resize(std::max(needed, 2 * buffer_.size()));
  std::memcpy(buffer_.data(), text.data(), text.size());
  // The padding must not look like the continuation of a truncated text.
  std::memset(buffer_.data() + text.size(), 0, simdjson::SIMDJSON_PADDING);
  return {buffer_.data(), text.size()};
}

void JsonDecoder::DecodeLines(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (const std::string_view line = Trim(text.substr(0, end)); !line.empty()) DecodeValue(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void JsonDecoder::DecodeValue(std::string_view text) {
  if (text[0] == '{') {
    DecodeObject(text);
  } else if (text[0] == '[') {
    DecodeArray(text);
  } else {
    sink_->OnUndecodable(text, "neither a JSON object nor an array");
  }
}

void JsonDecoder::DecodeObject(std::string_view text) {
  if (text.size() > limits::kEventBytesMax) {
    sink_->OnUndecodable(text, json_fault::kTooLarge);
    return;
  }
  const std::string_view padded = is_padded_ ? text : Padded(text);
  EventFault fault;
  if (reader_.ReadPlain(padded, record_time_, &fault) == padded.size()) {
    Deliver(text, fault);
  } else {
    DecodeInFull(padded);
  }
}

void JsonDecoder::DecodeInFull(std::string_view padded) {
  Deliver(padded, reader_.Read(padded, record_time_));
}

void JsonDecoder::Deliver(std::string_view text, EventFault fault) {
  if (fault.empty()) {
    sink_->OnEvent(reader_.event());
  } else {
    sink_->OnUndecodable(text, fault);
  }
}

void JsonDecoder::DecodeArray(std::string_view text) {
  if (!is_padded_) {
    DecodeElements(text, 1, /*skip_first=*/false);
    return;
  }
  // At full speed up to the first fault, which may be anywhere in the text because UTF-8 is checked
  // for all of it at once; element by element from there on.
  const JsonEventReader::ArrayEnd end =
      reader_.ReadArray(text, record_time_, [this](const Event& event) { sink_->OnEvent(event); });
  if (end.complete) return;
  DecodeElements(text, std::max<std::size_t>(end.element, 1), end.delivered);
}

void JsonDecoder::DecodeElements(std::string_view text, std::size_t at, bool skip_first) {
  const auto space = [&] { at = std::min(text.find_first_not_of(kSpace, at), text.size()); };
  const auto rest = [&](std::string_view fault) { sink_->OnUndecodable(text.substr(at), fault); };
  const bool is_first = at == 1;
  space();
  // A closing bracket ends the array, but after a comma it means a missing element.
  bool more = at == text.size() || text[at] != ']' || !is_first;
  for (; more; space()) {
    if (at == text.size()) return rest("a truncated array");
    const std::size_t begin = at;
    if (text[at] == '{' || text[at] == '[') {
      JsonScanner scanner(JsonScanner::Layout::kAny);
      at += scanner.Feed(text.substr(at));
      if (scanner.state() != JsonScanner::State::kComplete) {
        at = begin;
        return rest("a truncated or malformed array");
      }
    } else {
      at = ScalarEnd(text, at);
    }
    const std::string_view element = text.substr(begin, at - begin);
    if (skip_first) {
      skip_first = false;
    } else if (element.starts_with('{')) {
      DecodeObject(element);
    } else {
      sink_->OnUndecodable(element, "an array element that is not an object");
    }
    space();
    if (at == text.size()) return rest("a truncated array");
    more = text[at] == ',';
    if (!more && text[at] != ']') return rest("a malformed array");
    if (more) ++at;
  }
  ++at;  // the closing bracket
  space();
  if (at < text.size()) rest("bytes after the array");
}

}  // namespace

std::unique_ptr<Decoder> NewJsonDecoder(const InputConfig& input, ErrorList* errors) {
  ErrorList own;
  const FieldPreset* const preset = FindPreset(input.preset.empty() ? input.format : input.preset);
  if (!input.preset.empty() && (preset == nullptr || !preset->is_json)) {
    const std::vector<std::string> names = JsonPresetNames();
    const std::string nearest = Nearest(input.preset, names);
    own.Add(input.preset_at,
            "input " + input.name + ": unknown preset \"" + input.preset + "\"" +
                (nearest.empty() ? ": expected one of " + absl::StrJoin(names, ", ")
                                 : "; did you mean \"" + nearest + "\"?"));
  }
  auto decoder = std::make_unique<JsonDecoder>(input, preset, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin
