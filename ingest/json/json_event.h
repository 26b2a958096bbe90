// Reads one JSON object into an Event, or says why it is none.
//
//   JsonEventReader reader(&fields, input);
//   std::string_view fault = reader.Read(text, record_time);
//   if (fault.empty()) sink->OnEvent(reader.event());
//
// The fields of an object are walked once, in their own order, each key looked up in FieldMap
// unless it is the one that stood there in the event before;
// texts without escapes are views into the input, the others into the parser's buffer. After the
// buffers have grown to the largest event nothing is allocated. Faults are static texts. Not
// thread-safe.
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

  // All of `text` must be one object. REQUIRES here and below: simdjson::SIMDJSON_PADDING readable
  // bytes after the text. The event's views live until the next call, and as long as `text`.
  EventFault Read(std::string_view text, TimeUs record_time);
  const Event& event() const { return builder_.event(); }

  // The same, several times as fast, for an object that is plain (ingest/json/plain_json.h) and stands
  // at the beginning of the text. Gives its length, or 0: not plain, read it in full.
  std::size_t ReadPlain(std::string_view text, TimeUs record_time, EventFault* fault);

  // Reads the elements of the array that is all of `text` (padded, too) and calls `on_event` for
  // each, up to the first thing that is wrong. Where it stopped:
  struct ArrayEnd {
    bool complete = false;
    // Of the element to go on with: the next one, or (`delivered`) one that was good, behind which
    // the array breaks. 0: no element was reached.
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
  // What to do with the next key; nullptr: nothing.
  const FieldEntry* Find(const JsonNode& node, std::string_view key);
  const FieldEntry* FindAnew(const JsonNode& node, std::string_view key);
  // Gives the end, or nullptr.
  const char* ReadPlainFields(PlainJson json, const JsonNode& node, int depth);
  // Reads what stands before a field's value, which is then predicted.
  struct PlainKey {
    const char* end = nullptr;  // where the value begins; nullptr: not plain
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
  // `value`: nullptr where the text is plain.
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
  const char* end_ = nullptr;  // of the text at hand
  bool has_escapes_ = false;   // a backslash stands somewhere in it
  EventBuilder builder_;
  // The events of a stream mostly have the same keys in the same order: what was found for the n-th
  // key of the last one.
  static constexpr std::size_t kFieldsPredicted = 64;
  struct PredictedField {
    const JsonNode* node = nullptr;
    JsonKeyWords key;
    const FieldEntry* entry = nullptr;
    // All that stood before its value where the event was plain, from the brace or comma to the
    // quote of a text: where it was its object's first field, and where not.
    PlainJson::Stretch first, next;
  };
  std::array<PredictedField, kFieldsPredicted + 1> predicted_;  // behind the last: one of no node
  std::size_t field_number_ = 0;
  // A stream whose events are not plain is tried less and less often.
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
