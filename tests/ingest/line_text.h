// An event as one string, for the tables of decoder tests. Absent values are left out, and so is
// `env` if it is the default.
#pragma once

#include <string>

#include "core/time.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {

// "2026-01-01T00:00:00Z request 503 250ms endpoint=/a method=GET label:value"
inline std::string EventText(const KeptEvent& kept) {
  const Event& event = kept.event;
  std::string text = FormatTime(event.time) + ' ' + std::string(EventTypeName(event.type));
  if (event.status != 0) text += ' ' + std::to_string(event.status);
  if (event.duration >= 0) text += ' ' + FormatDuration(event.duration);
  if (event.action != ConnectionAction::kUnknown) {
    text += ' ' + std::string(ConnectionActionName(event.action));
  }
  if (event.outcome != Outcome::kUnknown) text += ' ' + std::string(OutcomeName(event.outcome));
  if (event.value) text += " value=" + std::to_string(*event.value);
  for (const auto& [name, value] : kept.text) {
    if (name != "env" || value != "prod") text += ' ' + name + '=' + value;
  }
  for (const auto& [name, value] : kept.labels) text += ' ' + name + ':' + value;
  return text;
}

// The only event of a record, or "skipped: why", or "undecodable: why".
inline std::string DecodedText(const InputConfig& input, std::string_view record,
                               TimeUs record_time = kNoTime) {
  const RecordingSink sink = DecodeRecord(input, record, record_time);
  EXPECT_EQ(sink.events.size() + sink.skipped.size() + sink.undecodable.size(), 1U) << record;
  if (!sink.events.empty()) return EventText(sink.events[0]);
  if (!sink.skipped.empty()) return "skipped: " + sink.skipped[0];
  return sink.reasons.empty() ? "nothing" : "undecodable: " + sink.reasons[0];
}

}  // namespace tocsin
