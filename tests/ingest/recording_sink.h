// An EventSink for tests: copies what it receives, because the views are valid only during the
// call.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "config/config.h"
#include "core/event.h"
#include "ingest/decoder.h"

namespace tocsin {

// An event that owns its strings.
struct KeptEvent {
  Event event;  // numbers only; its views are dead
  std::map<std::string, std::string> text;
  std::map<std::string, std::string> labels;

  std::string Get(Field field) const {
    const auto found = text.find(std::string(FieldName(field)));
    return found == text.end() ? "" : found->second;
  }
};

class RecordingSink final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    KeptEvent kept{.event = event, .text = {}, .labels = {}};
    for (int i = 0; i < kFields; ++i) {
      const auto field = static_cast<Field>(i);
      if (!event.Get(field).empty()) kept.text[std::string(FieldName(field))] = event.Get(field);
    }
    for (const auto& [name, value] : event.labels) {
      kept.labels[std::string(name)] = std::string(value);
    }
    events.push_back(std::move(kept));
  }
  void OnUndecodable(std::string_view bytes, std::string_view reason) override {
    undecodable.emplace_back(bytes);
    reasons.emplace_back(reason);
  }
  void OnSkipped(std::string_view, std::string_view reason) override {
    skipped.emplace_back(reason);
  }

  std::vector<KeptEvent> events;
  std::vector<std::string> undecodable;
  std::vector<std::string> reasons;
  std::vector<std::string> skipped;  // why
};

inline std::unique_ptr<Decoder> DecoderFor(const InputConfig& input) {
  ErrorList errors;
  std::unique_ptr<Decoder> decoder = NewDecoder(input, &errors);
  for (const ConfigError& error : errors.Sorted()) ADD_FAILURE() << error.ToString();
  return decoder;
}

inline RecordingSink DecodeRecord(const InputConfig& input, std::string_view record,
                                  TimeUs record_time = kNoTime) {
  RecordingSink sink;
  // A copy of the exact size on the heap: a read beyond it is seen by AddressSanitizer.
  const std::vector<char> exact(record.begin(), record.end());
  DecoderFor(input)->Decode({exact.data(), exact.size()}, record_time, &sink);
  // DecodePadded must give the same result, whatever follows the zero.
  std::string padded(record);
  padded += '\0';
  padded.append(kDecodePadding, '"');
  RecordingSink in_place;
  DecoderFor(input)->DecodePadded({padded.data(), record.size()}, record_time, &in_place);
  EXPECT_EQ(in_place.undecodable, sink.undecodable);
  EXPECT_EQ(in_place.reasons, sink.reasons);
  EXPECT_EQ(in_place.skipped, sink.skipped);
  EXPECT_EQ(in_place.events.size(), sink.events.size());
  for (std::size_t i = 0; i < std::min(in_place.events.size(), sink.events.size()); ++i) {
    EXPECT_EQ(in_place.events[i].event.time, sink.events[i].event.time);
    EXPECT_EQ(in_place.events[i].text, sink.events[i].text);
    EXPECT_EQ(in_place.events[i].labels, sink.events[i].labels);
  }
  return sink;
}

inline std::unique_ptr<Decoder> JsonDecoderFor(std::vector<FieldMapping> map = {}) {
  InputConfig input;
  input.map = std::move(map);
  return DecoderFor(input);
}

inline RecordingSink DecodeJson(std::string_view record, std::vector<FieldMapping> map = {},
                                TimeUs record_time = 5 * kSecondUs) {
  InputConfig input;
  input.map = std::move(map);
  return DecodeRecord(input, record, record_time);
}

}  // namespace tocsin
