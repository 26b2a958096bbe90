#include "ingest/json/json_event.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <system_error>
#include <type_traits>

#include "absl/base/attributes.h"
#include "core/ascii.h"
#include "core/time.h"
#include "ingest/json/json_fault.h"
#include "ingest/json/json_scanner.h"

namespace tocsin {
namespace {

namespace od = simdjson::ondemand;

constexpr EventFault kNotPlain = "not plain JSON";  // internal: read it again in full
constexpr EventFault kTrailing = "bytes after the event";

// simdjson's buffers start at this, so that most decoders never grow them.
constexpr std::size_t kParserBytesMin = 64 << 10;

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// A token of simdjson extends to the next one and includes white space.
std::string_view TrimRight(std::string_view token) {
  while (!token.empty() && IsSpace(token.back())) token.remove_suffix(1);
  return token;
}

// An RFC 8259 number. simdjson's own check rejects integers above 2^64, which string fields accept.
bool IsNumber(std::string_view text) {
  std::size_t at = 0;
  const auto digits = [&] {
    const std::size_t from = at;
    while (at < text.size() && IsDigit(text[at])) ++at;
    return at - from;
  };
  if (at < text.size() && text[at] == '-') ++at;
  const bool leading_zero = at < text.size() && text[at] == '0';
  const std::size_t count = digits();
  if (count == 0 || (leading_zero && count > 1)) return false;
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (digits() == 0) return false;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (digits() == 0) return false;
  }
  return at == text.size();
}

// Whether the target accepts a JSON string.
bool MayBeText(FieldTarget target) {
  return IsWord(target) || IsDerivedText(target) || target == FieldTarget::kStatus ||
         target == FieldTarget::kDuration || target == FieldTarget::kDurationS;
}

// Whether the fault only concerns one label, which a lenient mapping then leaves out.
bool IsLabelFault(EventFault fault) {
  return fault == json_fault::kLabelType || fault == EventBuilder::kLabelSize ||
         fault == EventBuilder::kLabelCount;
}

bool StartsNumber(std::string_view token) { return token[0] == '-' || IsDigit(token[0]); }

// The bytes of the key between its quotes. The end is found backwards from the value's token: only
// white space and a colon can be between the closing quote and the value.
std::string_view KeyBytes(const od::raw_json_string& key, std::string_view token) {
  const char* end = token.data() - 1;
  while (*end != ':') --end;
  --end;
  while (*end != '"') --end;
  return {key.raw(), static_cast<std::size_t>(end - key.raw())};
}

// Whether the token is a string without white space after it. REQUIRES: the text has no escapes.
bool IsPlainString(std::string_view token) {
  return token.size() >= 2 && token[0] == '"' && token.back() == '"';
}

}  // namespace

bool JsonEventReader::Iterate(std::string_view text, od::document* document,
                              simdjson::error_code* error) {
  // simdjson unescapes strings into a buffer without a bounds check. The buffer has room for every
  // string of a document of the given capacity once, but a value may be read reads_max() times.
  const std::size_t capacity = text.size() * fields_.reads_max();
  if (capacity > parser_.capacity()) {
    *error = parser_.allocate(std::max(kParserBytesMin, std::bit_ceil(capacity)));
    if (*error) return false;
  }
  end_ = text.data() + text.size();
  has_escapes_ = std::memchr(text.data(), '\\', text.size()) != nullptr;
  *error = parser_.iterate(text.data(), text.size(), text.size() + simdjson::SIMDJSON_PADDING)
               .get(*document);
  return *error == simdjson::SUCCESS;
}

EventFault JsonEventReader::Read(std::string_view text, TimeUs record_time) {
  od::document document;
  simdjson::error_code error;
  if (!Iterate(text, &document, &error)) return json_fault::Of(error);
  od::object object;
  if (error = document.get_object().get(object); error) return json_fault::Of(error);
  if (const EventFault fault = ReadEvent(object, record_time); !fault.empty()) return fault;
  return AtEnd(document) ? EventFault() : kTrailing;
}

std::size_t JsonEventReader::ReadPlain(std::string_view text, TimeUs record_time,
                                       EventFault* fault) {
  if (not_plain_pause_ > 0) {
    --not_plain_pause_;
    return 0;
  }
  Begin(record_time);
  has_escapes_ = false;
  const char* const end = ReadPlainFields(PlainJson(text.data()), fields_.root(), 1);
  if (end != nullptr && end <= text.data() + text.size()) {
    not_plain_run_ = 0;
    *fault = builder_.Complete();
    return static_cast<std::size_t>(end - text.data());
  }
  not_plain_run_ = std::min(2 * not_plain_run_ + 1, kNotPlainPauseMax);
  not_plain_pause_ = not_plain_run_;
  return 0;
}

const char* JsonEventReader::ReadPlainFields(PlainJson json, const JsonNode& node, int depth) {
  if (depth > limits::kJsonDepthMax) return nullptr;
  // A local copy stays in a register: the compiler must assume that storing a field changes
  // members.
  const PredictedField* predicted = &predicted_[field_number_];
  const auto number = [&] { return static_cast<std::size_t>(predicted - predicted_.data()); };
  PlainJson::Stretch PredictedField::*before = &PredictedField::first;
  for (;; before = &PredictedField::next) {
    const FieldEntry* entry = nullptr;
    if (predicted->node == &node && json.Skip(predicted->*before)) {
      entry = (predicted++)->entry;
    } else {
      const bool first = before == &PredictedField::first;
      field_number_ = number();
      if (PlainJson end = json; (!first || end.Skip('{')) && end.Skip('}')) return end.position();
      const PlainKey key = ReadPlainKey(json, node, first);
      if (key.end == nullptr) return nullptr;
      json = PlainJson(key.end);
      entry = key.entry;
      predicted = &predicted_[field_number_];
    }
    std::string_view text;
    if (json.position()[-1] == '"' || json.Skip('"')) {
      if (!json.StringRest(&text)) return nullptr;
      if (entry == nullptr) continue;
      if (entry->only == FieldEntry::Only::kText) {
        StorePlainText(*entry, text);
        continue;
      }
      if (entry->only == FieldEntry::Only::kWord) {
        if (!StorePlainWord(*entry, text)) return nullptr;
        continue;
      }
      text = {text.data() - 1, text.size() + 2};
    } else if (json.SkipSpace(); *json.position() == '{') {
      if (entry == nullptr || entry->node < 0 || entry->action >= 0) return nullptr;
      field_number_ = number();
      const char* end = ReadPlainFields(json, fields_.node(entry->node), depth + 1);
      if (end == nullptr) return nullptr;
      predicted = &predicted_[field_number_];
      json = PlainJson(end);
      continue;
    } else if (entry != nullptr && entry->only == FieldEntry::Only::kNumber &&
               IsDigit(*json.position())) {
      PlainJson::Decimal decimal;
      if (!json.Number(&decimal) || !StorePlainNumber(*entry, decimal)) return nullptr;
      continue;
    } else if (!json.Scalar(&text)) {
      return nullptr;
    }
    if (entry != nullptr && !StoreAll(*entry, /*value=*/nullptr, text).empty()) return nullptr;
  }
}

ABSL_ATTRIBUTE_NOINLINE JsonEventReader::PlainKey JsonEventReader::ReadPlainKey(
    PlainJson json, const JsonNode& node, bool first) {
  const char* const begin = json.position();
  std::string_view key;
  if (!json.Skip(first ? '{' : ',') || !json.String(&key)) return {};
  const std::size_t number = field_number_;
  const FieldEntry* const entry = Find(node, key);
  if (!json.Skip(':')) return {};
  // The opening quote of a string is part of the predicted bytes.
  if (!json.Skip('"')) json.SkipSpace();
  if (number < kFieldsPredicted && predicted_[number].node == &node &&
      predicted_[number].key == JsonKeyWords::Of(key.data(), key.size())) {
    (first ? predicted_[number].first : predicted_[number].next) = {begin, json.position()};
  }
  return {.end = json.position(), .entry = entry};
}

bool JsonEventReader::StorePlainWord(const FieldEntry& entry, std::string_view text) {
  if (text.empty() || !builder_.Counts(entry.target, entry.rank)) return true;
  builder_.Keep(entry.target, entry.rank);
  return builder_.SetWord(entry.target, text).empty();
}

bool JsonEventReader::StorePlainNumber(const FieldEntry& entry, const PlainJson::Decimal& number) {
  if (!builder_.Counts(entry.target, entry.rank)) return true;
  builder_.Keep(entry.target, entry.rank);
  Event& event = builder_.event();
  const auto integer = static_cast<std::int64_t>(number.digits);
  if (entry.target == FieldTarget::kStatus && number.decimals == 0 &&
      integer <= EventBuilder::kStatusMax) {
    event.status = static_cast<std::int32_t>(integer);
    return true;
  }
  if (entry.target != FieldTarget::kTime) {
    return builder_.SetNumber(entry.target, number.ToDouble()).empty();
  }
  const std::optional<TimeUs> time =
      number.decimals == 0 ? TimeFromEpoch(integer) : TimeFromEpoch(number.ToDouble());
  if (time) event.time = *time;
  return time.has_value();
}

EventFault JsonEventReader::ReadEvent(od::object& object, TimeUs record_time) {
  Begin(record_time);
  if (const EventFault fault = ReadFields(object, fields_.root(), 1); !fault.empty()) return fault;
  return builder_.Complete();
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline const FieldEntry* JsonEventReader::Find(const JsonNode& node,
                                                                            std::string_view key) {
  if (field_number_ < kFieldsPredicted) {
    const PredictedField& predicted = predicted_[field_number_++];
    // Kept in registers: writing parts and then reading the whole stalls on store forwarding.
    const JsonKeyWords words = JsonKeyWords::Of(key.data(), key.size());
    if (predicted.node == &node && predicted.key.length == words.length &&
        predicted.key.first == words.first && predicted.key.last == words.last) {
      return predicted.entry;
    }
  }
  return FindAnew(node, key);
}

ABSL_ATTRIBUTE_NOINLINE const FieldEntry* JsonEventReader::FindAnew(const JsonNode& node,
                                                                    std::string_view key) {
  const JsonKeyWords words = JsonKeyWords::Of(key.data(), key.size());
  const FieldEntry* entry = node.Find(key.data(), words);
  if (words.IsWholeKey() && field_number_ > 0 && !has_escapes_) {
    predicted_[field_number_ - 1] = {
        .node = &node, .key = words, .entry = entry, .first = {}, .next = {}};
  }
  return entry;
}

// The most common case; it cannot fail.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void JsonEventReader::StorePlainText(const FieldEntry& entry,
                                                                         std::string_view text) {
  if (text.empty() || !builder_.Counts(entry.target, entry.rank)) return;
  builder_.event().Set(static_cast<Field>(entry.target), text);
  builder_.Keep(entry.target, entry.rank);
}

EventFault JsonEventReader::ReadFields(od::object& object, const JsonNode& node, int depth) {
  for (auto result : object) {
    if (result.error()) return json_fault::Of(result.error());
    // By reference: copying a value that was just written in parts stalls on store forwarding.
    od::field&& field = std::move(result).value_unsafe();
    od::value& value = field.value();
    const std::string_view token = value.raw_json_token();
    const std::string_view key = KeyBytes(field.key(), token);
    const FieldEntry* entry = Find(node, key);
    if (entry == nullptr && has_escapes_ && key.find('\\') != key.npos) {
      std::string_view unescaped;
      if (field.unescaped_key().get(unescaped)) return json_fault::kBadEscape;
      entry = Find(node, unescaped);
    }
    if (entry == nullptr) {
      if (const EventFault fault = SkipField(token, depth); !fault.empty()) return fault;
      continue;
    }
    if (entry->only == FieldEntry::Only::kText && !has_escapes_ && IsPlainString(token)) {
      StorePlainText(*entry, token.substr(1, token.size() - 2));
      continue;
    }
    if (const EventFault fault = ReadField(*entry, value, token, depth); !fault.empty()) {
      return fault;
    }
  }
  return {};
}

EventFault JsonEventReader::SkipField(std::string_view token, int depth) const {
  if (token[0] != '{' && token[0] != '[') return {};
  JsonScanner scanner(JsonScanner::Layout::kAny);
  scanner.Feed({token.data(), static_cast<std::size_t>(end_ - token.data())});
  if (scanner.state() != JsonScanner::State::kComplete) return json_fault::kBroken;
  return depth + scanner.depth_max() > limits::kJsonDepthMax ? json_fault::kTooDeep : EventFault();
}

EventFault JsonEventReader::ReadField(const FieldEntry& entry, Value& value, std::string_view token,
                                      int depth) {
  const bool labels =
      entry.action >= 0 && fields_.action(entry.action).target == FieldTarget::kLabels;
  if (token[0] == '{' && (entry.node >= 0 || labels)) {
    od::object object;
    if (const simdjson::error_code error = value.get_object().get(object); error) {
      return json_fault::Of(error);
    }
    if (entry.node >= 0) {
      const EventFault fault = ReadFields(object, fields_.node(entry.node), depth + 1);
      if (!fault.empty() || !labels) return fault;
      if (object.reset().error()) return json_fault::kBroken;
    }
    return ReadLabels(object, fields_.action(entry.action).lenient);
  }
  const bool is_unread = entry.action < 0 || (fields_.action(entry.action).lenient &&
                                              (token[0] == '{' || token[0] == '['));
  if (is_unread) return SkipField(token, depth);
  return StoreAll(entry, &value, token);
}

EventFault JsonEventReader::StoreAll(const FieldEntry& entry, Value* value,
                                     std::string_view token) {
  if (TrimRight(token) == "null") return {};
  for (int index = entry.action; index >= 0;) {
    const FieldAction& action = fields_.action(index);
    if (const EventFault fault = Store(action, value, token); !fault.empty()) return fault;
    index = action.next;
  }
  return {};
}

EventFault JsonEventReader::ReadLabels(od::object& object, bool lenient) {
  for (auto result : object) {
    if (result.error()) return json_fault::Of(result.error());
    // By reference: copying a value that was just written in parts stalls on store forwarding.
    od::field&& field = std::move(result).value_unsafe();
    od::value& value = field.value();
    const std::string_view token = value.raw_json_token();
    std::string_view name = KeyBytes(field.key(), token);
    if (has_escapes_ && name.find('\\') != name.npos && field.unescaped_key().get(name)) {
      return json_fault::kBadEscape;
    }
    const EventFault fault = AddLabel(name, &value, token);
    if (!fault.empty() && !(lenient && IsLabelFault(fault))) return fault;
  }
  return {};
}

EventFault JsonEventReader::AddLabel(std::string_view name, Value* value, std::string_view token) {
  std::string_view text = TrimRight(token);
  if (token[0] == '"') {
    if (const EventFault fault = ReadString(value, token, &text); !fault.empty()) return fault;
  } else if (text == "null") {
    return {};
  } else if (text != "true" && text != "false" && !IsNumber(text)) {
    return json_fault::kLabelType;
  }
  return builder_.AddLabel(name, text);
}

EventFault JsonEventReader::Store(const FieldAction& action, Value* value, std::string_view token) {
  const FieldTarget target = action.target;
  if (target == FieldTarget::kLabel) {
    const EventFault fault = AddLabel(fields_.label_name(action.label), value, token);
    return action.lenient && IsLabelFault(fault) ? EventFault() : fault;
  }
  if (!builder_.Counts(target, action.rank)) return {};
  bool stored = true;
  const EventFault fault = StoreValue(target, value, token, &stored);
  if (!fault.empty()) {
    const bool misfit = fault == WrongType(target) || fault == OutOfRange(target);
    return action.lenient && misfit ? EventFault() : fault;
  }
  if (stored) builder_.Keep(target, action.rank);
  return {};
}

EventFault JsonEventReader::StoreValue(FieldTarget target, Value* value, std::string_view token,
                                       bool* stored) {
  if (target == FieldTarget::kTime) return StoreTime(value, token, stored);
  if (target == FieldTarget::kLabels) return WrongType(target);
  if (IsText(target)) return StoreText(target, value, token, stored);
  std::string_view text;
  if (token[0] == '"' && MayBeText(target)) {
    if (const EventFault fault = ReadString(value, token, &text); !fault.empty()) return fault;
    return builder_.SetText(target, text, stored);
  }
  if (IsWord(target)) return WrongType(target);
  if (IsDerivedText(target)) {
    text = TrimRight(token);
    return IsNumber(text) ? builder_.SetText(target, text, stored) : WrongType(target);
  }
  return StoreNumber(target, value, token);
}

EventFault JsonEventReader::ReadString(Value* value, std::string_view token,
                                       std::string_view* text) const {
  const std::string_view quoted = TrimRight(token);
  if (quoted.size() < 2 || quoted.back() != '"') return json_fault::kBroken;
  *text = quoted.substr(1, quoted.size() - 2);
  if (has_escapes_ && text->find('\\') != text->npos) {
    if (value->get_string().get(*text)) return json_fault::kBadEscape;
  }
  return {};
}

EventFault JsonEventReader::StoreText(FieldTarget target, Value* value, std::string_view token,
                                      bool* stored) {
  std::string_view text;
  if (token[0] == '"') {
    if (const EventFault fault = ReadString(value, token, &text); !fault.empty()) return fault;
  } else if (text = TrimRight(token); !IsNumber(text)) {
    return WrongType(target);
  }
  *stored = !text.empty();
  if (*stored) builder_.event().Set(static_cast<Field>(target), text);
  return {};
}

EventFault JsonEventReader::StoreTime(Value* value, std::string_view token, bool* stored) {
  std::optional<TimeUs> time;
  std::int64_t integer;
  double number;
  if (token[0] == '"') {
    std::string_view text;
    if (const EventFault fault = ReadString(value, token, &text); !fault.empty()) return fault;
    *stored = !text.empty();
    return *stored ? builder_.SetTime(text) : EventFault();
  }
  if (!StartsNumber(token)) return WrongType(FieldTarget::kTime);
  if (value == nullptr) return kNotPlain;
  if (value->get_int64().get(integer) == simdjson::SUCCESS) {
    time = TimeFromEpoch(integer);
  } else if (value->get_double().get(number) == simdjson::SUCCESS) {
    time = TimeFromEpoch(number);
  }
  if (!time) return WrongType(FieldTarget::kTime);
  builder_.event().time = *time;
  return {};
}

EventFault JsonEventReader::StoreNumber(FieldTarget target, Value* value, std::string_view token) {
  double number = 0;
  if (value == nullptr) return kNotPlain;
  if (!StartsNumber(token) || value->get_double().get(number)) return WrongType(target);
  return builder_.SetNumber(target, number);
}

}  // namespace tocsin
