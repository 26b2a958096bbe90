// Makes text from events safe to show: short, on one line, valid UTF-8.
//
//   OneLine("disk full\nINC-2: all clear", 1024)      // "disk full INC-2: all clear"
//   std::optional<IncidentText> text = ReadIncidentLine(delivery.payload);
//
// Titles, labels and suspects contain client data, so everything that a sink renders passes through
// these functions. Thread-safe: pure functions.
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

// Replaces control characters, line separators and characters that reorder text (U+202E …) by a
// space, invalid UTF-8 by U+FFFD, and runs of spaces by one space; then cuts.
std::string OneLine(std::string_view text, std::size_t bytes_max);

// Writes the member, unless `text` is empty.
void WriteIfAny(std::string_view key, const std::string& text, JsonWriter* json);

// The name of a level in one word: "critical", "error", "warning" or "info".
std::string_view LevelWord(int level);

// The parts of an incident line that sinks show, each string short and on one line.
struct IncidentText {
  std::string number, severity, category, title, scope, component, classification, runbook;
  std::string onset;  // RFC 3339; "" when absent
  std::optional<std::int64_t> users_affected;
  std::vector<std::string> suspects, advice, evidence, escalate_to;
  std::vector<std::string> together;  // signals that joined because they began at the same time
  std::vector<std::string> beside;    // numbers of incidents that were already open
  bool operator==(const IncidentText&) const = default;
};

// nullopt when the line is not a JSON object. A field that is missing or has the wrong type is
// empty.
std::optional<IncidentText> ReadIncidentLine(std::string_view line);

}  // namespace tocsin
