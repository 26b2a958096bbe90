#include "sinks/text.h"

#include <simdjson.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/incident.h"
#include "core/json_writer.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

namespace dom = simdjson::dom;

// A page is read on a phone, so a list shows its first few items; the incident line has the rest.
constexpr std::size_t kItemsMax = 10;
constexpr std::size_t kItemBytesMax = 500;
// The limit of PagerDuty's summary, the longest title that any receiver accepts.
constexpr std::size_t kTitleBytesMax = 1024;

constexpr std::string_view kEllipsis = "\xE2\x80\xA6";

// The size of the character at the start of `text` if it must be shown as a space, else 0.
std::size_t BlankBytes(std::string_view text) {
  const auto byte = [&text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  if (byte(0) <= 0x20 || byte(0) == 0x7F) return 1;
  if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) <= 0x9F) return 2;  // C1 controls
  if (byte(0) != 0xE2) return 0;
  // U+2028 … U+202E: separators and bidirectional controls; U+2066 … U+2069: bidirectional
  // isolates.
  if (byte(1) == 0x80 && byte(2) >= 0xA8 && byte(2) <= 0xAE) return 3;
  if (byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9) return 3;
  return 0;
}

// `text` with U+FFFD in place of invalid UTF-8.
std::string ValidUtf8(std::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return std::string(text);
  // The JSON writer replaces invalid bytes; the parser undoes the writer's escapes.
  JsonWriter json;
  json.String(text);
  dom::parser parser;
  std::string_view valid;
  const std::string quoted = json.Take();
  if (parser.parse(quoted.data(), quoted.size()).get(valid) != simdjson::SUCCESS) return "";
  return std::string(valid);
}

std::string_view StringOf(const dom::element& object, std::string_view key) {
  std::string_view value;
  if (object[key].get(value) != simdjson::SUCCESS) return {};
  return value;
}

// A scalar without quotes ("0.5", "disk"); anything else as JSON.
std::string ScalarText(const dom::element& object, std::string_view key) {
  dom::element value;
  if (object[key].get(value) != simdjson::SUCCESS) return "";
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  double number = 0;
  if (value.get(number) == simdjson::SUCCESS) return FormatNumber(number);
  return simdjson::minify(value);
}

// The first kItemsMax elements of a list, each formatted by `text_of`.
template <typename TextOf>
std::vector<std::string> Items(const dom::element& object, std::string_view key, TextOf text_of) {
  std::vector<std::string> items;
  dom::array list;
  if (object[key].get(list) != simdjson::SUCCESS) return items;
  for (const dom::element element : list) {
    if (items.size() == kItemsMax) break;
    items.push_back(OneLine(text_of(element), kItemBytesMax));
  }
  return items;
}

std::string PlainText(const dom::element& element) {
  std::string_view text;
  return element.get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

std::string SuspectText(const dom::element& suspect) {
  std::string text =
      absl::StrCat(ToAbsl(StringOf(suspect, "kind")), " ", ToAbsl(StringOf(suspect, "name")));
  const std::string_view at = StringOf(suspect, "at");
  if (!at.empty()) absl::StrAppend(&text, " at ", ToAbsl(at));
  const std::string_view reason = StringOf(suspect, "reason");
  if (!reason.empty()) absl::StrAppend(&text, ": ", ToAbsl(reason));
  return text;
}

// "api-errors env=prod service=api: 0.5, threshold 0.015".
std::string SignalText(const dom::element& signal) {
  std::string text(StringOf(signal, "detector"));
  dom::object series;
  if (signal["series"].get(series) == simdjson::SUCCESS) {
    for (const dom::key_value_pair label : series) {
      absl::StrAppend(&text, " ", ToAbsl(label.key), "=", PlainText(label.value));
    }
  }
  absl::StrAppend(&text, ": ", ScalarText(signal, "value"), ", threshold ",
                  ScalarText(signal, "threshold"));
  return text;
}

// The timeline's entries about signals that joined because they began at the same time.
std::vector<std::string> Together(const dom::element& incident) {
  std::vector<std::string> items;
  dom::array timeline;
  if (incident["timeline"].get(timeline) != simdjson::SUCCESS) return items;
  for (const dom::element entry : timeline) {
    if (items.size() == kItemsMax) break;
    if (StringOf(entry, "what") != kJoinedTogether) continue;
    items.push_back(OneLine(StringOf(entry, "text"), kItemBytesMax));
  }
  return items;
}

}  // namespace

std::string CutUtf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return std::string(text);
  const bool mark = bytes_max >= kEllipsis.size();
  std::size_t end = mark ? bytes_max - kEllipsis.size() : bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return absl::StrCat(ToAbsl(text.substr(0, end)), mark ? ToAbsl(kEllipsis) : "");
}

std::string OneLine(std::string_view text, std::size_t bytes_max) {
  // Runs of spaces collapse, so more bytes than the limit are read, but not all of a megabyte.
  const std::string valid = ValidUtf8(CutUtf8(text, 4 * bytes_max));
  std::string line;
  std::string_view rest = valid;
  while (!rest.empty()) {
    const std::size_t blank = BlankBytes(rest);
    if (blank == 0) {
      line.push_back(rest[0]);
      rest.remove_prefix(1);
      continue;
    }
    if (!line.empty() && line.back() != ' ') line.push_back(' ');
    rest.remove_prefix(blank);
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return CutUtf8(line, bytes_max);
}

void WriteIfAny(std::string_view key, const std::string& text, JsonWriter* json) {
  if (!text.empty()) json->Key(key).String(text);
}

std::string_view LevelWord(int level) {
  constexpr std::string_view kWords[] = {"critical", "error", "warning", "info"};
  return kWords[std::clamp(level, 1, 4) - 1];
}

std::optional<IncidentText> ReadIncidentLine(std::string_view line) {
  dom::parser parser;
  dom::element root;
  if (parser.parse(line.data(), line.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
  if (!root.is_object()) return std::nullopt;
  const auto text = [&root](std::string_view key) {
    return OneLine(StringOf(root, key), kItemBytesMax);
  };
  IncidentText incident;
  incident.number = text("number");
  incident.severity = text("severity");
  incident.category = text("category");
  incident.title = OneLine(StringOf(root, "title"), kTitleBytesMax);
  incident.scope = text("scope");
  incident.component = text("component");
  incident.classification = text("classification");
  incident.runbook = text("runbook");
  incident.onset = text("onset");
  std::int64_t users = 0;
  if (root["impact"]["users_affected"].get(users) == simdjson::SUCCESS) {
    incident.users_affected = users;
  }
  incident.suspects = Items(root, "suspects", SuspectText);
  incident.advice = Items(root, "advice", PlainText);
  incident.evidence = Items(root, "signals", SignalText);
  incident.escalate_to = Items(root, "escalate_to", PlainText);
  incident.together = Together(root);
  incident.beside = Items(root, "beside", PlainText);
  return incident;
}

}  // namespace tocsin
