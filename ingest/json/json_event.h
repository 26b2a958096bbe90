// Reads one JSON object into an Event, or returns why it cannot.
//
//   JsonEventReader reader(&fields, input);
//   EventFault fault = reader.Read(text, record_time);
//   if (fault.empty()) sink->OnEvent(reader.event());
//
// Visits the fields of an object once, in input order. A key is looked up in FieldMap unless it
// equals the key at the same position of the previous event. Strings without escapes are views into
// the input, others into the parser's buffer. Allocates nothing once the buffers have grown to the
// largest event. Faults are static strings. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <simdjson.h>

#include "core/event.h"
#include "core/limits.h"
#include "ingest/fields/event_builder.h"
#include "ingest/fields/field_map.h"
#include "ingest/json/json_fault.h"
#include "ingest/json/plain_json.h"

namespace tocsin {

class JsonEventReader {
 public:
  JsonEventReader(const FieldMap* fields, const InputConfig& input)
      : fields_(*fields), builder_(fields, input) {}

  // All of `text` must be one object. The event's views are valid until the next call and no longer
  // than `text`. REQUIRES, here and below: simdjson::SIMDJSON_PADDING readable bytes after `text`.
  EventFault Read(std::string_view text, TimeUs record_time);
  const Event& event() const { return builder_.event(); }

  // The same, several times as fast, for a plain object (ingest/json/plain_json.h) at the beginning
  // of `text`. Returns the object's length, or 0 if it is not plain: then use Read.
  std::size_t ReadPlain(std::string_view text, TimeUs record_time, EventFault* fault);

  // Reads the elements of an array, which must be all of `text` (padded as above), and calls
  // `on_event` for each, up to the first fault. Returns where it stopped:
  struct ArrayEnd {
    bool complete = false;
    // Offset of the last element that was reached; 0: none. `delivered`: that element was valid,
    // and the fault is after it.
    std::size_t element = 0;
    bool delivered = false;
  };
  template <typename OnEvent>
  ArrayEnd ReadArray(std::string_view text, TimeUs record_time, OnEvent on_event);

 private:
  using Value = simdjson::ondemand::value;

  bool Iterate(std::string_view text, simdjson::ondemand::document* document,
               simdjson::error_code* error);
  static bool AtEnd(simdjson::ondemand::document& document) {
    return document.current_location().error() == simdjson::OUT_OF_BOUNDS;
  }
  EventFault ReadEvent(simdjson::ondemand::object& object, TimeUs record_time);
  EventFault ReadFields(simdjson::ondemand::object& object, const JsonNode& node, int depth);
  // The entry of the next key; nullptr: the key is ignored.
  const FieldEntry* Find(const JsonNode& node, std::string_view key);
  const FieldEntry* FindAnew(const JsonNode& node, std::string_view key);
  // Returns the end of the object, or nullptr if it is not plain.
  const char* ReadPlainFields(PlainJson json, const JsonNode& node, int depth);
  // Reads a key and its punctuation up to the value, and remembers them to predict the next event.
  struct PlainKey {
    const char* end = nullptr;  // the beginning of the value; nullptr: not plain
    const FieldEntry* entry = nullptr;
  };
  PlainKey ReadPlainKey(PlainJson json, const JsonNode& node, bool first);
  void StorePlainText(const FieldEntry& entry, std::string_view text);
  bool StorePlainWord(const FieldEntry& entry, std::string_view text);
  bool StorePlainNumber(const FieldEntry& entry, const PlainJson::Decimal& number);
  void Begin(TimeUs record_time) {
    builder_.Begin(record_time);
    field_number_ = 0;
  }
  // `value`: nullptr when called by ReadPlain, which has no simdjson value.
  EventFault StoreAll(const FieldEntry& entry, Value* value, std::string_view token);
  EventFault ReadField(const FieldEntry& entry, Value& value, std::string_view token, int depth);
  EventFault SkipField(std::string_view token, int depth) const;
  EventFault ReadLabels(simdjson::ondemand::object& object, bool lenient);
  EventFault AddLabel(std::string_view name, Value* value, std::string_view token);
  EventFault Store(const FieldAction& action, Value* value, std::string_view token);
  EventFault StoreValue(FieldTarget target, Value* value, std::string_view token, bool* stored);
  EventFault StoreText(FieldTarget target, Value* value, std::string_view token, bool* stored);
  EventFault StoreTime(Value* value, std::string_view token, bool* stored);
  EventFault StoreNumber(FieldTarget target, Value* value, std::string_view token);
  EventFault ReadString(Value* value, std::string_view token, std::string_view* text) const;

  const FieldMap& fields_;
  simdjson::ondemand::parser parser_;
  const char* end_ = nullptr;  // of the current text
  bool has_escapes_ = false;   // it contains a backslash
  EventBuilder builder_;
  // The lookup result of the n-th key of the previous event: the events of a stream mostly have the
  // same keys in the same order.
  static constexpr std::size_t kFieldsPredicted = 64;
  struct PredictedField {
    const JsonNode* node = nullptr;
    JsonKeyWords key;
    const FieldEntry* entry = nullptr;
    // If the event was plain: the bytes before the value, from the brace or comma to the opening
    // quote of a string. `first`: as the first field of its object; `next`: as a later one.
    PlainJson::Stretch first, next;
  };
  std::array<PredictedField, kFieldsPredicted + 1> predicted_;  // the last is a sentinel, no node
  std::size_t field_number_ = 0;
  // If events are not plain, ReadPlain is tried less and less often.
  static constexpr int kNotPlainPauseMax = 63;
  int not_plain_run_ = 0;
  int not_plain_pause_ = 0;
};

template <typename OnEvent>
JsonEventReader::ArrayEnd JsonEventReader::ReadArray(std::string_view text, TimeUs record_time,
                                                     OnEvent on_event) {
  ArrayEnd end;
  simdjson::ondemand::document document;
  simdjson::error_code error;
  simdjson::ondemand::array array;
  if (!Iterate(text, &document, &error) || document.get_array().get(array)) return end;
  for (auto element : array) {
    simdjson::ondemand::value value;
    if (element.get(value)) return end;
    const std::string_view token = value.raw_json_token();
    end = {.element = static_cast<std::size_t>(token.data() - text.data())};
    simdjson::ondemand::object object;
    if (value.get_object().get(object) || !ReadEvent(object, record_time).empty()) return end;
    on_event(event());
    end.delivered = true;
  }
  end.complete = AtEnd(document);
  return end;
}

}  // namespace tocsin
