// Text from events on its way to people: short, on one line, valid UTF-8.
//
//   OneLine("disk full\nINC-2: all clear", 1024)      // "disk full INC-2: all clear"
//   std::optional<IncidentText> text = ReadIncidentLine(delivery.payload);
//
// Titles, labels and suspects carry what clients sent, so whatever a sink renders goes through
// here. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json_writer.h"

namespace tocsin {

// At most `bytes_max` bytes, cut between code points and marked with "…" (where three bytes fit).
std::string CutUtf8(std::string_view text, std::size_t bytes_max);

// Control characters, line separators and what reorders text (U+202E …) become a space, runs of
// spaces one; then cut. What is no UTF-8 becomes U+FFFD.
std::string OneLine(std::string_view text, std::size_t bytes_max);

// The member, unless the text is empty.
void WriteIfAny(std::string_view key, const std::string& text, JsonWriter* json);

// "critical", "error", "warning", "info": what a level is called where words are few.
std::string_view LevelWord(int level);

// What sinks show of an incident line, each text on one line and short.
struct IncidentText {
  std::string number, severity, category, title, scope, component, classification, runbook;
  std::string onset;  // RFC 3339; "" when absent
  std::optional<std::int64_t> users_affected;
  std::vector<std::string> suspects, advice, evidence, escalate_to;
  std::vector<std::string> together;  // what joined because it began together with the rest
  std::vector<std::string> beside;    // numbers of incidents that were open already
  bool operator==(const IncidentText&) const = default;
};

// nullopt when the line is no JSON object; what is missing or of another type is empty.
std::optional<IncidentText> ReadIncidentLine(std::string_view line);

}  // namespace tocsin
