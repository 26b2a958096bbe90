// The labels of a series, and the key bytes that stand for them.
//
//   std::string key;  AppendKeyPart("prod", &key);  AppendKeyPart("api", &key);
//   Labels labels = LabelsFromKey({"env", "service"}, key);   // {{"env", "prod"}, …}
//
// A key is the values in the order of the group-by, each behind its varint length; a missing value
// is empty. Labels keep that order too. Thread-safe: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json_writer.h"

namespace tocsin {

using Labels = std::vector<std::pair<std::string, std::string>>;

// What the label values of a series are called once the key limit was reached.
inline constexpr std::string_view kOtherValue = "(other)";

// The length of a shorter value takes one byte.
inline constexpr std::size_t kLongKeyPart = 0x80;

// Appends a value of kLongKeyPart bytes or more, cut at limits::kSeriesLabelBytesMax.
void AppendLongKeyPart(std::string_view value, std::string* key);

// Appends one value, cut at limits::kSeriesLabelBytesMax.
inline void AppendKeyPart(std::string_view value, std::string* key) {
  if (value.size() >= kLongKeyPart) return AppendLongKeyPart(value, key);
  key->push_back(static_cast<char>(value.size()));
  key->append(value);
}

// The values of a key; malformed keys give as many as could be read.
std::vector<std::string_view> KeyParts(std::string_view key);

// Pairs names and values; values that are empty are left out.
Labels LabelsFromKey(const std::vector<std::string>& names, std::string_view key);

// The value of a label; empty when absent.
std::string_view LabelValue(const Labels& labels, std::string_view name);

// {"env":"prod","service":"api"}
void WriteLabels(const Labels& labels, JsonWriter* json);

// "service=api endpoint=/x": for people.
std::string LabelsText(const Labels& labels);

}  // namespace tocsin
