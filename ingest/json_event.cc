#include "ingest/json_event.h"

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
#include "ingest/json_scanner.h"

namespace tocsin {
namespace {

namespace od = simdjson::ondemand;

constexpr JsonFault kNotPlain = "to be read in full";
constexpr JsonFault kBroken = "not valid JSON";
constexpr JsonFault kNoTimeFault = "no time";
constexpr JsonFault kTooDeep = "deeper than 32 levels";
constexpr JsonFault kBadEscape = "a string with a bad escape";
constexpr JsonFault kTrailing = "bytes after the event";
constexpr JsonFault kLabelCount = "more than 64 labels";
constexpr JsonFault kLabelSize = "a label of more than 1 KiB";
constexpr JsonFault kLabelType = "a label that is not a text";
static_assert(limits::kJsonDepthMax == 32 && limits::kLabelsMax == 64 &&
              limits::kLabelValueBytesMax == 1024);

// Sampling weights; more would overflow 64-bit counts after a few million events.
constexpr std::int64_t kWeightMax = std::int64_t{1} << 32;
constexpr std::int64_t kStatusMax = 99'999;
// simdjson's buffers start at this, so that most decoders never grow them.
constexpr std::size_t kParserBytesMin = 64 << 10;

JsonFault FaultOf(simdjson::error_code error) {
  switch (error) {
    case simdjson::UTF8_ERROR:
      return "not valid UTF-8";
    case simdjson::UNCLOSED_STRING:
      return "cut short inside a string";
    case simdjson::UNESCAPED_CHARS:
      return "a control character inside a string";
    case simdjson::INCOMPLETE_ARRAY_OR_OBJECT:
      return "cut short";
    default:
      return kBroken;
  }
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Targets that fill the same field share a rank.
JsonTarget SlotOf(JsonTarget target) {
  return target == JsonTarget::kDurationNs ? JsonTarget::kDurationMs : target;
}

// A token reaches to the next one, white space included.
std::string_view TrimRight(std::string_view token) {
  while (!token.empty() && IsSpace(token.back())) token.remove_suffix(1);
  return token;
}

// RFC 8259's number. simdjson's own check refuses integers above 2^64, which are fine as a text.
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

bool StartsNumber(std::string_view token) { return token[0] == '-' || IsDigit(token[0]); }

// The key's bytes between its quotes. The value's token gives the end without a search: between the
// closing quote and the value there can only be white space and a colon.
std::string_view KeyBytes(const od::raw_json_string& key, std::string_view token) {
  const char* end = token.data() - 1;
  while (*end != ':') --end;
  --end;
  while (*end != '"') --end;
  return {key.raw(), static_cast<std::size_t>(end - key.raw())};
}

// No white space behind it. REQUIRES: the text holds no escapes.
bool IsPlainString(std::string_view token) {
  return token.size() >= 2 && token[0] == '"' && token.back() == '"';
}

// Truncation to an integer, without the call that std::trunc may be. REQUIRES: a number within
// limits::kNumberMagnitudeMax.
double Truncated(double number) { return static_cast<double>(static_cast<std::int64_t>(number)); }

// REQUIRES: not negative.
DurationUs ToMicroseconds(double duration) { return static_cast<DurationUs>(duration + 0.5); }

// *to = from, in pieces that compilers copy with moves: for the whole of it they take `rep movs`,
// which needs longer to start than this does.
void CopyEvent(const Event& from, Event* to) {
  static_assert(std::is_trivially_copyable_v<Event>);
  constexpr std::size_t kPiece = 64;
  const char* in = reinterpret_cast<const char*>(&from);
  char* out = reinterpret_cast<char*>(to);
  std::size_t left = sizeof(Event);
  for (; left >= kPiece; left -= kPiece, in += kPiece, out += kPiece) std::memcpy(out, in, kPiece);
  std::memcpy(out, in, sizeof(Event) % kPiece);
}

}  // namespace

bool JsonEventReader::Iterate(std::string_view text, od::document* document,
                              simdjson::error_code* error) {
  if (text.size() > parser_.capacity()) {
    *error = parser_.allocate(std::max(kParserBytesMin, std::bit_ceil(text.size())));
    if (*error) return false;
  }
  end_ = text.data() + text.size();
  has_escapes_ = std::memchr(text.data(), '\\', text.size()) != nullptr;
  *error = parser_.iterate(text.data(), text.size(), text.size() + simdjson::SIMDJSON_PADDING)
               .get(*document);
  return *error == simdjson::SUCCESS;
}

JsonFault JsonEventReader::Read(std::string_view text, TimeUs record_time) {
  od::document document;
  simdjson::error_code error;
  if (!Iterate(text, &document, &error)) return FaultOf(error);
  od::object object;
  if (error = document.get_object().get(object); error) return FaultOf(error);
  if (const JsonFault fault = ReadEvent(object, record_time); !fault.empty()) return fault;
  return AtEnd(document) ? JsonFault() : kTrailing;
}

std::size_t JsonEventReader::ReadPlain(std::string_view text, TimeUs record_time,
                                       JsonFault* fault) {
  if (not_plain_pause_ > 0) {
    --not_plain_pause_;
    return 0;
  }
  Begin();
  has_escapes_ = false;
  const char* const end = ReadPlainFields(PlainJson(text.data()), fields_.root(), 1);
  if (end != nullptr && end <= text.data() + text.size()) {
    not_plain_run_ = 0;
    *fault = Complete(record_time);
    return static_cast<std::size_t>(end - text.data());
  }
  not_plain_run_ = std::min(2 * not_plain_run_ + 1, kNotPlainPauseMax);
  not_plain_pause_ = not_plain_run_;
  return 0;
}

const char* JsonEventReader::ReadPlainFields(PlainJson json, const JsonNode& node, int depth) {
  if (depth > limits::kJsonDepthMax || !json.Skip('{')) return nullptr;
  if (json.Skip('}')) return json.position();
  // In a register: for all the compiler knows, storing a field might change a member.
  std::size_t number = field_number_;
  do {
    json.SkipSpace();
    const JsonEntry* entry = nullptr;
    if (number < kFieldsForeseen && foreseen_[number].node == &node &&
        json.Skip(foreseen_[number].plain_key)) {
      entry = foreseen_[number++].entry;
    } else {
      std::string_view key;
      if (!json.String(&key)) return nullptr;
      field_number_ = number;
      entry = Find(node, key);
      number = field_number_;
      if (!json.Skip(':')) return nullptr;
    }
    json.SkipSpace();
    const char* const begin = json.position();
    std::string_view text;
    if (*begin == '"') {
      if (!json.String(&text)) return nullptr;
      if (entry == nullptr) continue;
      if (entry->only == JsonEntry::Only::kText) {
        StorePlainText(*entry, text);
        continue;
      }
      if (entry->only == JsonEntry::Only::kWord) {
        if (!StorePlainWord(*entry, text)) return nullptr;
        continue;
      }
      text = {begin, text.size() + 2};
    } else if (*begin == '{') {
      if (entry == nullptr || entry->node < 0 || entry->action >= 0) return nullptr;
      field_number_ = number;
      const char* end = ReadPlainFields(json, fields_.node(entry->node), depth + 1);
      if (end == nullptr) return nullptr;
      number = field_number_;
      json = PlainJson(end);
      continue;
    } else if (entry != nullptr && entry->only == JsonEntry::Only::kNumber && IsDigit(*begin)) {
      PlainJson::Decimal decimal;
      if (!json.Number(&decimal) || !StorePlainNumber(*entry, decimal)) return nullptr;
      continue;
    } else if (!json.Scalar(&text)) {
      return nullptr;
    }
    if (entry != nullptr && !StoreAll(*entry, /*value=*/nullptr, text).empty()) return nullptr;
  } while (json.Skip(','));
  field_number_ = number;
  return json.Skip('}') ? json.position() : nullptr;
}

bool JsonEventReader::StorePlainWord(const JsonEntry& entry, std::string_view text) {
  std::uint8_t& rank = ranks_[static_cast<std::size_t>(entry.target)];
  if (text.empty() || entry.rank < rank) return true;
  rank = entry.rank;
  return StoreWord(entry.target, text).empty();
}

bool JsonEventReader::StorePlainNumber(const JsonEntry& entry, const PlainJson::Decimal& number) {
  std::uint8_t& rank = ranks_[static_cast<std::size_t>(SlotOf(entry.target))];
  if (entry.rank < rank) return true;
  rank = entry.rank;
  const auto integer = static_cast<std::int64_t>(number.digits);
  if (entry.target == JsonTarget::kStatus && number.decimals == 0 && integer <= kStatusMax) {
    event_.status = static_cast<std::int32_t>(integer);
    return true;
  }
  if (entry.target != JsonTarget::kTime) {
    return SetNumber(entry.target, number.ToDouble()).empty();
  }
  const std::optional<TimeUs> time =
      number.decimals == 0 ? TimeFromEpoch(integer) : TimeFromEpoch(number.ToDouble());
  if (time) event_.time = *time;
  return time.has_value();
}

void JsonEventReader::Begin() {
  CopyEvent(fields_.base(), &event_);
  ranks_.fill(0);
  field_number_ = 0;
  if (has_unknown_words_) unknown_words_.fill(false);
  has_unknown_words_ = false;
  const std::vector<LabelView>& constants = fields_.constant_labels();
  std::copy(constants.begin(), constants.end(), labels_.begin());
  label_count_ = constants.size();
}

JsonFault JsonEventReader::ReadEvent(od::object& object, TimeUs record_time) {
  Begin();
  if (const JsonFault fault = ReadFields(object, fields_.root(), 1); !fault.empty()) return fault;
  return Complete(record_time);
}

ABSL_ATTRIBUTE_ALWAYS_INLINE inline const JsonEntry* JsonEventReader::Find(const JsonNode& node,
                                                                           std::string_view key) {
  if (field_number_ < kFieldsForeseen) {
    const ForeseenField& foreseen = foreseen_[field_number_++];
    // Kept in registers: what is written in parts and read as a whole stalls on store forwarding.
    const JsonKeyWords words = JsonKeyWords::Of(key.data(), key.size());
    if (foreseen.node == &node && foreseen.key.length == words.length &&
        foreseen.key.first == words.first && foreseen.key.last == words.last) {
      return foreseen.entry;
    }
  }
  return FindAnew(node, key);
}

ABSL_ATTRIBUTE_NOINLINE const JsonEntry* JsonEventReader::FindAnew(const JsonNode& node,
                                                                   std::string_view key) {
  const JsonKeyWords words = JsonKeyWords::Of(key.data(), key.size());
  const JsonEntry* entry = node.Find(key.data(), words);
  if (words.IsWholeKey() && field_number_ > 0 && !has_escapes_) {
    foreseen_[field_number_ - 1] = {
        .node = &node, .key = words, .plain_key = PlainJson::Key(key), .entry = entry};
  }
  return entry;
}

// What most fields are, and nothing that could go wrong.
ABSL_ATTRIBUTE_ALWAYS_INLINE inline void JsonEventReader::StorePlainText(const JsonEntry& entry,
                                                                         std::string_view text) {
  const auto field = static_cast<std::size_t>(entry.target);
  if (text.empty() || entry.rank < ranks_[field]) return;
  event_.text[field] = text;
  ranks_[field] = entry.rank;
}

JsonFault JsonEventReader::ReadFields(od::object& object, const JsonNode& node, int depth) {
  for (auto result : object) {
    if (result.error()) return FaultOf(result.error());
    // By reference: copying what was just written in parts stalls on store forwarding.
    od::field&& field = std::move(result).value_unsafe();
    od::value& value = field.value();
    const std::string_view token = value.raw_json_token();
    const std::string_view key = KeyBytes(field.key(), token);
    const JsonEntry* entry = Find(node, key);
    if (entry == nullptr && has_escapes_ && key.find('\\') != key.npos) {
      std::string_view unescaped;
      if (field.unescaped_key().get(unescaped)) return kBadEscape;
      entry = Find(node, unescaped);
    }
    if (entry == nullptr) {
      if (const JsonFault fault = SkipField(token, depth); !fault.empty()) return fault;
      continue;
    }
    if (entry->only == JsonEntry::Only::kText && !has_escapes_ && IsPlainString(token)) {
      StorePlainText(*entry, token.substr(1, token.size() - 2));
      continue;
    }
    if (const JsonFault fault = ReadField(*entry, value, token, depth); !fault.empty()) {
      return fault;
    }
  }
  return {};
}

JsonFault JsonEventReader::SkipField(std::string_view token, int depth) const {
  if (token[0] != '{' && token[0] != '[') return {};
  JsonScanner scanner(JsonScanner::Layout::kAny);
  scanner.Feed({token.data(), static_cast<std::size_t>(end_ - token.data())});
  if (scanner.state() != JsonScanner::State::kComplete) return kBroken;
  return depth + scanner.depth_max() > limits::kJsonDepthMax ? kTooDeep : JsonFault();
}

JsonFault JsonEventReader::ReadField(const JsonEntry& entry, Value& value, std::string_view token,
                                     int depth) {
  const bool labels =
      entry.action >= 0 && fields_.action(entry.action).target == JsonTarget::kLabels;
  if (token[0] == '{' && (entry.node >= 0 || labels)) {
    od::object object;
    if (const simdjson::error_code error = value.get_object().get(object); error) {
      return FaultOf(error);
    }
    if (entry.node >= 0) {
      const JsonFault fault = ReadFields(object, fields_.node(entry.node), depth + 1);
      if (!fault.empty() || !labels) return fault;
      if (object.reset().error()) return kBroken;
    }
    return ReadLabels(object);
  }
  if (entry.action < 0) return SkipField(token, depth);
  return StoreAll(entry, &value, token);
}

JsonFault JsonEventReader::StoreAll(const JsonEntry& entry, Value* value, std::string_view token) {
  if (TrimRight(token) == "null") return {};
  for (int index = entry.action; index >= 0;) {
    const JsonAction& action = fields_.action(index);
    if (const JsonFault fault = Store(action, value, token); !fault.empty()) return fault;
    index = action.next;
  }
  return {};
}

JsonFault JsonEventReader::ReadLabels(od::object& object) {
  for (auto result : object) {
    if (result.error()) return FaultOf(result.error());
    // By reference: copying what was just written in parts stalls on store forwarding.
    od::field&& field = std::move(result).value_unsafe();
    od::value& value = field.value();
    const std::string_view token = value.raw_json_token();
    std::string_view name = KeyBytes(field.key(), token);
    if (has_escapes_ && name.find('\\') != name.npos && field.unescaped_key().get(name)) {
      return kBadEscape;
    }
    if (const JsonFault fault = AddLabel(name, &value, token); !fault.empty()) return fault;
  }
  return {};
}

JsonFault JsonEventReader::AddLabel(std::string_view name, Value* value, std::string_view token) {
  std::string_view text = TrimRight(token);
  if (token[0] == '"') {
    if (const JsonFault fault = ReadString(value, token, &text); !fault.empty()) return fault;
  } else if (text == "null") {
    return {};
  } else if (text != "true" && text != "false" && !IsNumber(text)) {
    return kLabelType;
  }
  if (name.size() > limits::kLabelValueBytesMax || text.size() > limits::kLabelValueBytesMax) {
    return kLabelSize;
  }
  if (label_count_ == labels_.size()) return kLabelCount;
  labels_[label_count_++] = {name, text};
  return {};
}

JsonFault JsonEventReader::Store(const JsonAction& action, Value* value, std::string_view token) {
  const JsonTarget target = action.target;
  if (target == JsonTarget::kLabel) return AddLabel(fields_.label_name(action.label), value, token);
  std::uint8_t& rank = ranks_[static_cast<std::size_t>(SlotOf(target))];
  if (action.rank < rank) return {};
  bool stored = true;
  JsonFault fault;
  switch (target) {
    case JsonTarget::kTime:
      fault = StoreTime(value, token, &stored);
      break;
    case JsonTarget::kType:
    case JsonTarget::kOutcome:
    case JsonTarget::kAction:
    case JsonTarget::kState:
    case JsonTarget::kMetricType: {
      std::string_view text;
      if (token[0] != '"') return WrongType(target);
      fault = ReadString(value, token, &text);
      stored = !text.empty();
      if (fault.empty() && stored) fault = StoreWord(target, text);
      break;
    }
    case JsonTarget::kLabels:
      return WrongType(target);
    default:
      fault = IsText(target) ? StoreText(target, value, token, &stored)
                             : StoreNumber(target, value, token, &stored);
  }
  if (stored) rank = action.rank;
  return fault;
}

JsonFault JsonEventReader::ReadString(Value* value, std::string_view token,
                                      std::string_view* text) const {
  const std::string_view quoted = TrimRight(token);
  if (quoted.size() < 2 || quoted.back() != '"') return kBroken;
  *text = quoted.substr(1, quoted.size() - 2);
  if (has_escapes_ && text->find('\\') != text->npos) {
    if (value->get_string().get(*text)) return kBadEscape;
  }
  return {};
}

JsonFault JsonEventReader::StoreText(JsonTarget target, Value* value, std::string_view token,
                                     bool* stored) {
  std::string_view text;
  if (token[0] == '"') {
    if (const JsonFault fault = ReadString(value, token, &text); !fault.empty()) return fault;
  } else if (text = TrimRight(token); !IsNumber(text)) {
    return WrongType(target);
  }
  *stored = !text.empty();
  if (*stored) event_.Set(static_cast<Field>(target), text);
  return {};
}

JsonFault JsonEventReader::StoreTime(Value* value, std::string_view token, bool* stored) {
  std::optional<TimeUs> time;
  std::int64_t integer;
  double number;
  if (token[0] == '"') {
    std::string_view text;
    if (const JsonFault fault = ReadString(value, token, &text); !fault.empty()) return fault;
    if (*stored = !text.empty(); !*stored) return {};
    time = ParseTime(text);
  } else if (!StartsNumber(token)) {
    return WrongType(JsonTarget::kTime);
  } else if (value == nullptr) {
    return kNotPlain;
  } else if (value->get_int64().get(integer) == simdjson::SUCCESS) {
    time = TimeFromEpoch(integer);
  } else if (value->get_double().get(number) == simdjson::SUCCESS) {
    time = TimeFromEpoch(number);
  }
  if (!time) return WrongType(JsonTarget::kTime);
  event_.time = *time;
  return {};
}

// The first words of each list are the commonest.
JsonFault JsonEventReader::StoreWord(JsonTarget target, std::string_view text) {
  const auto find = [&](auto* field, int count, auto name_of) {
    for (int i = 0; i < count; ++i) {
      const auto candidate = static_cast<std::remove_pointer_t<decltype(field)>>(i);
      if (name_of(candidate) != text) continue;
      *field = candidate;
      return true;
    }
    return false;
  };
  bool known = false;
  switch (target) {
    case JsonTarget::kType:
      return find(&event_.type, kEventTypes, EventTypeName) ? JsonFault() : WrongType(target);
    case JsonTarget::kOutcome:
      // ECS knows "unknown" as well, which is what a missing outcome is.
      if (text == "unknown") return {};
      return find(&event_.outcome, 3, OutcomeName) ? JsonFault() : WrongType(target);
    case JsonTarget::kAction:
      known = find(&event_.action, 4, ConnectionActionName);
      break;
    case JsonTarget::kState:
      known = find(&event_.state, 4, AlarmStateName);
      break;
    default:
      known = find(&event_.metric_type, 5, MetricTypeName);
      break;
  }
  unknown_words_[static_cast<std::size_t>(target)] = !known;
  has_unknown_words_ |= !known;
  return {};
}

JsonFault JsonEventReader::StoreNumber(JsonTarget target, Value* value, std::string_view token,
                                       bool* stored) {
  double number = 0;
  if (target == JsonTarget::kStatus && token[0] == '"') {
    std::string_view text;
    if (const JsonFault fault = ReadString(value, token, &text); !fault.empty()) return fault;
    if (*stored = !text.empty(); !*stored) return {};
    int status = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
    if (error != std::errc() || end != text.data() + text.size()) return WrongType(target);
    number = status;
  } else if (value == nullptr) {
    return kNotPlain;
  } else if (!StartsNumber(token) || value->get_double().get(number)) {
    return WrongType(target);
  }
  return SetNumber(target, number);
}

JsonFault JsonEventReader::SetNumber(JsonTarget target, double number) {
  if (!(std::fabs(number) <= limits::kNumberMagnitudeMax)) return OutOfRange(target);
  switch (target) {
    case JsonTarget::kStatus:
      if (number != Truncated(number)) return WrongType(target);
      if (number < 0 || number > static_cast<double>(kStatusMax)) return OutOfRange(target);
      event_.status = static_cast<std::int32_t>(number);
      break;
    case JsonTarget::kWeight:
      if (number != Truncated(number)) return WrongType(target);
      if (number < 1 || number > static_cast<double>(kWeightMax)) return OutOfRange(target);
      event_.weight = static_cast<std::int64_t>(number);
      break;
    case JsonTarget::kDurationMs:
      if (number < 0 || number * 1e3 > limits::kNumberMagnitudeMax) return OutOfRange(target);
      event_.duration = ToMicroseconds(number * 1e3);
      break;
    case JsonTarget::kDurationNs:
      if (number < 0) return OutOfRange(target);
      event_.duration = ToMicroseconds(number / 1e3);
      break;
    case JsonTarget::kValue:
      event_.value = number;
      break;
    case JsonTarget::kLimit:
      event_.limit = number;
      break;
    case JsonTarget::kCvss:
      event_.cvss = number;
      break;
    case JsonTarget::kAmount:
      event_.amount = number;
      break;
    case JsonTarget::kCount:
      event_.count = number;
      break;
    case JsonTarget::kSum:
      event_.sum = number;
      break;
    case JsonTarget::kMin:
      event_.min = number;
      break;
    default:
      event_.max = number;
      break;
  }
  return {};
}

JsonFault JsonEventReader::Complete(TimeUs record_time) {
  if (event_.time == kNoTime) {
    if (record_time == kNoTime) return kNoTimeFault;
    event_.time = record_time;
  }
  if (has_unknown_words_) {
    // Logs and requests have a `state` or an `action` of their own, which is none of ours.
    const auto refuses = [&](EventType type, JsonTarget target) {
      return event_.type == type && unknown_words_[static_cast<std::size_t>(target)];
    };
    if (refuses(EventType::kConnection, JsonTarget::kAction)) return WrongType(JsonTarget::kAction);
    if (refuses(EventType::kAlarm, JsonTarget::kState)) return WrongType(JsonTarget::kState);
    if (refuses(EventType::kMetric, JsonTarget::kMetricType)) {
      return WrongType(JsonTarget::kMetricType);
    }
  }
  if (event_.max && event_.metric_type == MetricType::kGauge) {
    if (!event_.limit) event_.limit = event_.max;
    event_.max.reset();
  }
  // A query's endpoint is the name of a statement.
  if (const std::string_view endpoint = event_.Get(Field::kEndpoint);
      !endpoint.empty() && event_.type != EventType::kQuery) {
    event_.Set(Field::kEndpoint, endpoint_.Apply(endpoint));
  }
  event_.labels = {labels_.data(), label_count_};
  event_.Normalize();
  return {};
}

}  // namespace tocsin
