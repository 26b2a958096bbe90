#include "core/labels.h"

#include <algorithm>

#include "core/limits.h"
#include "core/wire.h"

namespace tocsin {

void AppendLongKeyPart(std::string_view value, std::string* key) {
  value = value.substr(0, limits::kSeriesLabelBytesMax);
  std::size_t length = value.size();
  for (; length >= 0x80; length >>= 7) {
    key->push_back(static_cast<char>(0x80 | (length & 0x7f)));
  }
  key->push_back(static_cast<char>(length));
  key->append(value);
}

std::vector<std::string_view> KeyParts(std::string_view key) {
  std::vector<std::string_view> parts;
  ByteReader in(key);
  while (in.remaining() > 0) {
    const std::string_view part = in.Bytes();
    if (!in.ok()) break;
    parts.push_back(part);
  }
  return parts;
}

Labels LabelsFromKey(const std::vector<std::string>& names, std::string_view key) {
  const std::vector<std::string_view> parts = KeyParts(key);
  Labels labels;
  for (std::size_t i = 0; i < std::min(names.size(), parts.size()); ++i) {
    if (!parts[i].empty()) labels.emplace_back(names[i], std::string(parts[i]));
  }
  return labels;
}

std::string_view LabelValue(const Labels& labels, std::string_view name) {
  for (const auto& [label, value] : labels) {
    if (label == name) return value;
  }
  return {};
}

void WriteLabels(const Labels& labels, JsonWriter* json) {
  json->BeginObject();
  for (const auto& [name, value] : labels) json->Key(name).String(value);
  json->EndObject();
}

std::string LabelsText(const Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels) {
    if (!text.empty()) text += ' ';
    text += name;
    text += '=';
    text += value;
  }
  return text;
}

}  // namespace tocsin
