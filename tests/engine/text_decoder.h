// A decoder of its own for the engine's tests: they must not depend on the JSON decoder's.
//
//   "t=12500 type=request service=api status=500 user=ann"      // t: ms after kBase
//   "t=record type=request"                                     // the record's
//
// `duration` is in µs. One event a line; words that name no field are ignored; a line without `t`
// is undecodable.
#pragma once

#include <charconv>
#include <memory>
#include <string>
#include <string_view>

#include "ingest/decoder.h"

namespace tocsin::testing {

// 2026-03-01T00:00:00Z, a multiple of every pane.
inline constexpr TimeUs kBase = 1'772'323'200 * kSecondUs;

constexpr TimeUs At(std::int64_t seconds) { return kBase + seconds * kSecondUs; }

class TextDecoder final : public Decoder {
 public:
  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    record_time_ = record_time;
    while (!record.empty()) {
      const std::size_t end = std::min(record.find('\n'), record.size());
      Line(record.substr(0, end), sink);
      record.remove_prefix(std::min(end + 1, record.size()));
    }
  }

 private:
  static std::int64_t Integer(std::string_view text) {
    std::int64_t value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
  }

  void Set(std::string_view name, std::string_view value, Event* event) const {
    if (name == "t" && value == "record") {
      event->time = record_time_;
    } else if (name == "t") {
      event->time = kBase + Integer(value) * kMillisecondUs;
    } else if (name == "type") {
      event->type = EventTypeFromName(value).value_or(EventType::kUnknown);
    } else if (name == "state") {
      event->state = value == "alarm" ? AlarmState::kAlarm : AlarmState::kOk;
    } else if (name == "status") {
      event->status = static_cast<std::int32_t>(Integer(value));
    } else if (name == "duration") {
      event->duration = Integer(value);
    } else if (name == "value") {
      event->value = static_cast<double>(Integer(value));
    } else if (name == "limit") {
      event->limit = static_cast<double>(Integer(value));
    } else if (const std::optional<Field> field = FieldFromName(name)) {
      event->Set(*field, value);
    }
  }

  void Line(std::string_view line, EventSink* sink) const {
    const std::string_view whole = line;
    Event event;
    while (!line.empty()) {
      const std::size_t end = std::min(line.find(' '), line.size());
      const std::string_view word = line.substr(0, end);
      line.remove_prefix(std::min(end + 1, line.size()));
      const std::size_t equals = std::min(word.find('='), word.size());
      if (equals < word.size()) Set(word.substr(0, equals), word.substr(equals + 1), &event);
    }
    if (event.time == kNoTime) {
      sink->OnUndecodable(whole, "no time");
      return;
    }
    event.Normalize();
    sink->OnEvent(event);
  }

  TimeUs record_time_ = kNoTime;
};

}  // namespace tocsin::testing
