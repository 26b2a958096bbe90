// The shared part of all decoders of vendors' JSON documents: splits a record into documents and
// builds events from the values that a decoder extracts.
//
//   reader_.ForEach(record, record_time, sink, [this](const PayloadObject& alert) {
//     Event& event = reader_.BeginEvent(EventType::kAlarm);
//     event.time = alert.Time<"startsAt">();
//     reader_.TakeLabels(alert.Object<"labels">());
//     reader_.Set(Field::kName, alert.Text<"title">());
//     reader_.Deliver();                              // or Skip("…"), or Refuse("…")
//   });
//
// A record is a sequence of JSON values in any layout; the elements of a top-level array are
// separate documents. A malformed value ends at a line end, so that the values around it are still
// read. A document has at most limits::kEventBytesMax bytes and limits::kJsonDepthMax levels, is
// parsed as a whole, and must be valid as a whole. The first fault of an event makes that event
// undecodable, and no other; the sink gets the top-level value that contains the document.
// Constants of `map:` override what a document says. Views passed to Set must be valid until
// Deliver. Memory: about ten times the largest document. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <simdjson.h>

#include "absl/functional/function_ref.h"
#include "config/config.h"
#include "config/node.h"
#include "core/event.h"
#include "core/limits.h"
#include "ingest/decoder.h"
#include "ingest/fields/mapped_constants.h"
#include "ingest/json/payload_budget.h"
#include "ingest/json/payload_object.h"

namespace tocsin {

// Parses one document at a time; parsing the next one invalidates the results of the last.
class PayloadParser {
 public:
  explicit PayloadParser(std::size_t bytes_max = limits::kEventBytesMax) : bytes_max_(bytes_max) {}

  // All of `text` must be one value. Returns why it cannot be parsed.
  JsonFault Parse(std::string_view text, simdjson::dom::element* value);
  // The same for a value that must be an object. Faults of reading its fields later go to `fault`.
  JsonFault Parse(std::string_view text, JsonFault* fault, PayloadObject* object);

 private:
  std::size_t bytes_max_;
  simdjson::dom::parser parser_;
};

class PayloadReader {
 public:
  using Visit = absl::FunctionRef<void(const PayloadObject& payload)>;

  PayloadReader(const InputConfig& input, ErrorList* errors,
                std::size_t bytes_max = limits::kEventBytesMax);

  void ForEach(std::string_view record, TimeUs record_time, EventSink* sink, Visit visit);
  // Instead of ForEach, around a record that the decoder reads by other means, such as its
  // decompressed text.
  void Begin(std::string_view record, TimeUs record_time, EventSink* sink);
  void End() {
    if (!fault_.empty()) Refuse({});
  }

  // Starts an event that has only its type and the constants of `map:`. If it gets no timestamp, it
  // takes the record's.
  Event& BeginEvent(EventType type);
  Event& event() { return event_; }
  // Does nothing if `text` is empty.
  void Set(Field field, std::string_view text) {
    if (!text.empty()) event_.Set(field, text);
  }
  void AddLabel(std::string_view name, std::string_view text);
  // Adds a label and, if a field has its name and accepts the value, also fills that field.
  void TakeLabel(std::string_view name, std::string_view text);
  // The same for all members of `labels`.
  void TakeLabels(const PayloadObject& labels);

  // Sets an alarm's id, "<source>:<state>:<time>", so that a repeated notification is the same fact
  // as the first and the next state is a new one. Without a source or a timestamp of its own the
  // event gets no id; then the fact derives one from its content. REQUIRES: state and time are set.
  void SetStateId(std::string_view source);

  void Deliver();
  // Skips or rejects the document, or this part of it. `reason` and `fault` are static strings; a
  // fault recorded earlier takes precedence.
  void Skip(std::string_view reason);
  void Refuse(JsonFault fault);
  // Where to record a fault that the next Deliver reports.
  JsonFault* fault() { return &fault_; }

  // Of the current record.
  PayloadBudget* budget() { return &budget_; }

  TimeUs record_time() const { return record_time_; }
  EventSink* sink() const { return sink_; }

 private:
  void VisitValue(std::string_view text, Visit visit);

  MappedConstants constants_;
  PayloadParser parser_;
  Event event_;
  std::array<LabelView, limits::kLabelsMax> labels_;
  std::size_t label_count_ = 0;
  std::string id_;
  PayloadBudget budget_;
  // Of the current call:
  std::string_view bytes_;
  TimeUs record_time_ = kNoTime;
  EventSink* sink_ = nullptr;
  JsonFault fault_;
};

// The factory function of such decoders. `Kind` is constructed from (input, errors).
template <typename Kind>
std::unique_ptr<Decoder> NewPayloadDecoder(const InputConfig& input, ErrorList* errors) {
  ErrorList own;
  auto decoder = std::make_unique<Kind>(input, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin
