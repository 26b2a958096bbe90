#include "config/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

// Enough to recognise a value by; the location says the rest.
constexpr std::size_t kQuotedBytesMax = 60;

std::string Printed(std::string_view text) { return Printable(text, kQuotedBytesMax); }

// "delay is 10m": a value inside a message, in quotes only if it was quoted in the file.
std::string Is(const ConfigNode& node, std::string_view name) {
  std::string value;
  if (node.kind != ConfigNode::Kind::kScalar) {
    value = Found(node);
  } else if (node.quoted || node.scalar.empty()) {
    value = absl::StrCat("the string ", Quoted(node.scalar));
  } else {
    value = Printed(node.scalar);
  }
  return absl::StrCat(ToAbsl(name), " is ", value);
}

void Expected(const ConfigNode& node, std::string_view name, std::string_view expected,
              ErrorList* errors) {
  errors->Add(node.at, absl::StrCat(Is(node, name), ": expected ", ToAbsl(expected)));
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number{};
  const char* end = text.data() + text.size();
  const auto [stop, code] = std::from_chars(text.data(), end, number);
  if (code != std::errc() || stop != end) return std::nullopt;
  return number;
}

std::optional<double> ParseFinite(std::string_view text) {
  const std::optional<double> number = ParseNumber<double>(text);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

bool PlainScalar(const ConfigNode& node) {
  return node.kind == ConfigNode::Kind::kScalar && !node.quoted;
}

std::string WithinText(const std::string& kind, bool bounded, const std::string& min,
                       const std::string& max) {
  return bounded ? absl::StrCat(kind, " from ", min, " to ", max)
                 : absl::StrCat(kind, " of at least ", min);
}

}  // namespace

std::string Printable(std::string_view text, std::size_t bytes_max) {
  std::size_t size = std::min(text.size(), bytes_max);
  // Not inside a UTF-8 sequence.
  while (size > 0 && size < text.size() && (text[size] & 0xc0) == 0x80) --size;
  std::string printable;
  for (const char c : text.substr(0, size)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppend(&printable, "\\x", absl::Hex(byte, absl::kZeroPad2));
    } else {
      printable.push_back(c);
    }
  }
  return size < text.size() ? printable + "…" : printable;
}

std::string Quoted(std::string_view text) { return absl::StrCat("'", Printed(text), "'"); }

std::string Found(const ConfigNode& node) {
  switch (node.kind) {
    case ConfigNode::Kind::kNull:
      return "nothing";
    case ConfigNode::Kind::kScalar:
      return Quoted(node.scalar);
    case ConfigNode::Kind::kList:
      return "a list";
    case ConfigNode::Kind::kMap:
      return "a map";
  }
  return "";
}

std::optional<std::string> TextValue(const ConfigNode& node, std::string_view name,
                                     ErrorList* errors) {
  if (node.kind == ConfigNode::Kind::kScalar) return node.scalar;
  Expected(node, name, "a string", errors);
  return std::nullopt;
}

std::vector<std::string> TextValues(const ConfigNode& node, std::string_view name,
                                    ErrorList* errors) {
  std::vector<std::string> texts;
  for (ConfigNode& text : TextNodes(node, name, errors)) texts.push_back(std::move(text.scalar));
  return texts;
}

std::vector<ConfigNode> TextNodes(const ConfigNode& node, std::string_view name,
                                  ErrorList* errors) {
  if (node.kind == ConfigNode::Kind::kScalar) return {node};
  if (node.kind != ConfigNode::Kind::kList) {
    Expected(node, name, "a string or a list of strings", errors);
    return {};
  }
  std::vector<ConfigNode> texts;
  for (const ConfigNode& element : node.list) {
    if (element.kind == ConfigNode::Kind::kScalar) {
      texts.push_back(element);
    } else {
      errors->Add(element.at, absl::StrCat(ToAbsl(name), " has ", Found(element),
                                           " as an element: expected a string"));
    }
  }
  return texts;
}

std::optional<bool> BoolValue(const ConfigNode& node, std::string_view name, ErrorList* errors) {
  if (PlainScalar(node)) {
    if (node.scalar == "true") return true;
    if (node.scalar == "false") return false;
  }
  Expected(node, name, "true or false", errors);
  return std::nullopt;
}

std::optional<std::int64_t> IntValue(const ConfigNode& node, std::string_view name,
                                     std::int64_t min, std::int64_t max, ErrorList* errors) {
  if (PlainScalar(node)) {
    const std::optional<std::int64_t> number = ParseNumber<std::int64_t>(node.scalar);
    if (number && *number >= min && *number <= max) return number;
  }
  Expected(node, name,
           WithinText("a whole number", max != INT64_MAX, absl::StrCat(min), absl::StrCat(max)),
           errors);
  return std::nullopt;
}

std::optional<double> NumberValue(const ConfigNode& node, std::string_view name, double min,
                                  double max, ErrorList* errors) {
  if (PlainScalar(node)) {
    const std::optional<double> number = ParseFinite(node.scalar);
    if (number && *number >= min && *number <= max) return number;
  }
  const bool bounded = max < 1e15;
  const std::string expected =
      min < -1e15 && !bounded
          ? "a number"
          : WithinText("a number", bounded, absl::StrCat(min), absl::StrCat(max));
  Expected(node, name, expected, errors);
  return std::nullopt;
}

std::optional<double> RatioValue(const ConfigNode& node, std::string_view name, ErrorList* errors) {
  if (PlainScalar(node)) {
    std::string_view text = node.scalar;
    const bool percent = !text.empty() && text.back() == '%';
    if (percent) text.remove_suffix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    std::optional<double> number = ParseFinite(text);
    if (number && percent) *number /= 100;
    if (number && *number >= 0 && *number <= 1) return number;
  }
  Expected(node, name, "a share such as 5% or 0.05, from 0 to 1", errors);
  return std::nullopt;
}

std::optional<DurationUs> DurationValue(const ConfigNode& node, std::string_view name,
                                        DurationUs min, DurationUs max, ErrorList* errors) {
  if (node.kind != ConfigNode::Kind::kScalar) {
    Expected(node, name, "a duration such as 10s or 5m", errors);
    return std::nullopt;
  }
  const std::optional<DurationUs> duration = ParseDuration(node.scalar);
  if (!duration) {
    if (ParseFinite(node.scalar)) {
      errors->Add(node.at, absl::StrCat(ToAbsl(name), " is ", Printed(node.scalar),
                                        " without a unit: write 10s, 5m, …"));
    } else {
      Expected(node, name, "a duration such as 90s, 5m or 1h30m", errors);
    }
    return std::nullopt;
  }
  if (*duration < min) {
    Expected(node, name, absl::StrCat("at least ", FormatDuration(min)), errors);
    return std::nullopt;
  }
  if (*duration > max) {
    Expected(node, name, absl::StrCat("at most ", FormatDuration(max)), errors);
    return std::nullopt;
  }
  return duration;
}

std::string Suggestion(std::string_view word, const std::vector<std::string>& candidates) {
  const std::string nearest = Nearest(word, candidates);
  return nearest.empty() ? "" : absl::StrCat(": did you mean '", nearest, "'?");
}

}  // namespace tocsin
