// Single values of a configuration: numbers, shares, durations, texts.
//
//   std::optional<DurationUs> d = DurationValue(node, "watch", 0, kHourUs, &errors);
//
// Each takes a node and the name to call it in messages; nullopt means that an error was added at
// the node's place. ConfigReader is built on these; use them where a value stands in a list.
// Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"
#include "core/time.h"

namespace tocsin {

// The text for a message: cut to `bytes_max`, control characters escaped.
std::string Printable(std::string_view text, std::size_t bytes_max);
// The same in quotes, cut to what is enough to recognise it.
std::string Quoted(std::string_view text);

// What a message says was found: "a list", "a map", "nothing", "'abc'".
std::string Found(const ConfigNode& node);

std::optional<std::string> TextValue(const ConfigNode& node, std::string_view name,
                                     ErrorList* errors);
// A list of texts; a scalar counts as a list of one. What is no text is reported and left out.
std::vector<std::string> TextValues(const ConfigNode& node, std::string_view name,
                                    ErrorList* errors);
// The same, each with its place.
std::vector<ConfigNode> TextNodes(const ConfigNode& node, std::string_view name, ErrorList* errors);
std::optional<bool> BoolValue(const ConfigNode& node, std::string_view name, ErrorList* errors);
std::optional<std::int64_t> IntValue(const ConfigNode& node, std::string_view name,
                                     std::int64_t min, std::int64_t max, ErrorList* errors);
std::optional<double> NumberValue(const ConfigNode& node, std::string_view name, double min,
                                  double max, ErrorList* errors);
// "1.5%" or 0.015, within [0, 1].
std::optional<double> RatioValue(const ConfigNode& node, std::string_view name, ErrorList* errors);
// "90s", "5m", "1h30m".
std::optional<DurationUs> DurationValue(const ConfigNode& node, std::string_view name,
                                        DurationUs min, DurationUs max, ErrorList* errors);

// ": did you mean 'x'?" for the candidate nearest to `word`, or "".
std::string Suggestion(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace tocsin
