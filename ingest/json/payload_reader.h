// What all decoders of vendors' JSON documents share: from a record to its documents, and from what
// a decoder takes out of one to an event.
//
//   reader.ForEach(record, record_time, sink, [this](const PayloadObject& alert) {
//     Event& event = reader_.BeginEvent(EventType::kAlarm);
//     event.time = alert.Time<"startsAt">();
//     reader_.TakeLabels(alert.Object<"labels">());
//     reader_.Set(Field::kName, alert.Text<"title">());
//     reader_.Deliver();                              // or Skip("…"), or Refuse("…")
//   });
//
// A record is a sequence of JSON values, however laid out; the elements of an array at the top are
// documents of their own. One that is broken is cut at a line, so that its neighbours are read. A
// document has at most limits::kEventBytesMax and limits::kJsonDepthMax levels, and is parsed as a
// whole: all of it must be sound. The first fault of an event makes it, and only it, undecodable;
// the sink is shown the value that the document stands in. `map:` gives constants, which win over
// what a document says. Views that are given to Set live until Deliver. Memory: about ten times the
// largest document. Not thread-safe.
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

// Parses one document at a time; what it gave dies with the next.
class PayloadParser {
 public:
  explicit PayloadParser(std::size_t bytes_max = limits::kEventBytesMax) : bytes_max_(bytes_max) {}

  // All of `text` must be one value. A fault that the text itself has is returned; those of reading
  // it go to `fault`.
  JsonFault Parse(std::string_view text, simdjson::dom::element* value);
  // An object is asked for: anything else is a fault.
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
  // Around what a decoder reads of a record by other means, such as its decompressed text.
  void Begin(std::string_view record, TimeUs record_time, EventSink* sink);
  void End() {
    if (!fault_.empty()) Refuse({});
  }

  // An event that says nothing yet but its type and the constants' labels. Without a time of its
  // own it takes the record's.
  Event& BeginEvent(EventType type);
  Event& event() { return event_; }
  // Does nothing where the text is empty.
  void Set(Field field, std::string_view text) {
    if (!text.empty()) event_.Set(field, text);
  }
  void AddLabel(std::string_view name, std::string_view text);
  // A label that, where it is named like a field and can, fills that as well.
  void TakeLabel(std::string_view name, std::string_view text);
  // All members of `labels`.
  void TakeLabels(const PayloadObject& labels);

  // An alarm's id: "<source>:<state>:<time>", so that what is told again is one fact with the
  // first, and the next state is not. Without a source or a time of its own there is none, and a
  // fact makes one of its content. REQUIRES: state and time are set.
  void SetStateId(std::string_view source);

  void Deliver();
  // Nothing becomes of the document, or of this part of it. Static texts; a fault that was kept
  // goes before them.
  void Skip(std::string_view reason);
  void Refuse(JsonFault fault);
  // Keeps a fault that the next Deliver reports.
  JsonFault* fault() { return &fault_; }

  // Of the record at hand.
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
  // Of the call at hand:
  std::string_view bytes_;
  TimeUs record_time_ = kNoTime;
  EventSink* sink_ = nullptr;
  JsonFault fault_;
};

// What a factory of such a decoder is: `Kind` is made of (input, errors).
template <typename Kind>
std::unique_ptr<Decoder> NewPayloadDecoder(const InputConfig& input, ErrorList* errors) {
  ErrorList own;
  auto decoder = std::make_unique<Kind>(input, &own);
  if (own.empty()) return decoder;
  for (const ConfigError& error : own.Sorted()) errors->Add(error.at, error.message);
  return nullptr;
}

}  // namespace tocsin
