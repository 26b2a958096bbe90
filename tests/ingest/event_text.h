// An event as one string for the tables of tests: its time, type and words, then its numbers,
// fields and labels by name. Absent values are left out, and so is `env` if it is the default.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/json_writer.h"
#include "tests/ingest/recording_sink.h"

namespace tocsin {

inline std::string EventText(const KeptEvent& kept) {
  const Event& event = kept.event;
  std::string text = FormatTime(event.time) + ' ' + std::string(EventTypeName(event.type));
  const auto word = [&](std::string_view name) {
    if (!name.empty()) text.append(1, ' ').append(name);
  };
  word(AlarmStateName(event.state));
  if (event.metric_type != MetricType::kGauge) word(MetricTypeName(event.metric_type));
  if (event.duration >= 0) word(FormatDuration(event.duration));
  word(ConnectionActionName(event.action));
  word(OutcomeName(event.outcome));
  if (event.status != 0) word(std::to_string(event.status));
  const auto number = [&](const char* name, const std::optional<double>& value) {
    if (value) text.append(1, ' ').append(name) += '=' + JsonWriter().Number(*value).Take();
  };
  number("value", event.value);
  number("limit", event.limit);
  number("cvss", event.cvss);
  number("count", event.count);
  number("sum", event.sum);
  number("min", event.min);
  number("max", event.max);
  for (const auto& [name, value] : kept.text) {
    if (name != "env" || value != "prod") text += ' ' + name + '=' + value;
  }
  for (const auto& [name, value] : kept.labels) text += " labels." + name + '=' + value;
  return text;
}

// Everything decoded from a record, one line each: events, "skipped: why", "undecodable: why".
inline std::string DecodedText(const InputConfig& input, std::string_view record,
                               TimeUs record_time = kNoTime) {
  const RecordingSink sink = DecodeRecord(input, record, record_time);
  std::string text;
  const auto line = [&](const std::string& what) { text += text.empty() ? what : '\n' + what; };
  for (const KeptEvent& event : sink.events) line(EventText(event));
  for (const std::string& reason : sink.skipped) line("skipped: " + reason);
  for (const std::string& reason : sink.reasons) line("undecodable: " + reason);
  return text;
}

// A record and its expected result.
struct RecordCase {
  std::string_view record;
  std::string_view expected;
};

// The same for what is put together.
struct BuiltCase {
  std::string record;
  std::string expected;
};

inline void ExpectDecoded(const InputConfig& input, const RecordCase& test,
                          TimeUs record_time = kNoTime) {
  SCOPED_TRACE(test.record);
  EXPECT_EQ(DecodedText(input, test.record, record_time), test.expected);
}

inline InputConfig InputOf(std::string_view format) {
  InputConfig input;
  input.format = format;
  return input;
}

}  // namespace tocsin
