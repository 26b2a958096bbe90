#include "correlate/evidence.h"

namespace tocsin {
namespace {

// The string that starts at json[*position] == '"', unescaped as far as names need it; moves
// *position past the closing quote.
std::string ReadString(std::string_view json, std::size_t* position) {
  std::string text;
  for (++*position; *position < json.size() && json[*position] != '"'; ++*position) {
    if (json[*position] == '\\' && *position + 1 < json.size()) {
      ++*position;
      // Our own writer escapes quotes, backslashes and control characters only.
      if (json[*position] == 'u') text += '\\';
    }
    text += json[*position];
  }
  if (*position < json.size()) ++*position;
  return text;
}

bool IsKey(std::string_view json, std::size_t behind) {
  while (behind < json.size() && json[behind] == ' ') ++behind;
  return behind < json.size() && json[behind] == ':';
}

// The first string value of each element of a JSON list. The input comes from our own JsonWriter,
// so a scan of brackets and strings is enough.
std::vector<std::string> FirstStrings(std::string_view json) {
  std::vector<std::string> names;
  int depth = 0;
  bool taken = false;  // whether the current element's name was found
  for (std::size_t i = 0; i < json.size();) {
    const char c = json[i];
    if (c == '"') {
      std::string text = ReadString(json, &i);
      if (taken || IsKey(json, i)) continue;
      names.push_back(std::move(text));
      taken = true;
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (c == ',' && depth == 1) taken = false;
    ++i;
  }
  return names;
}

}  // namespace

std::vector<std::string> TopNames(const Signal& signal, std::string_view field) {
  for (const Evidence& item : signal.evidence) {
    if (item.kind == "top" && item.name == field) return FirstStrings(item.json);
  }
  return {};
}

bool IsHostile(const Signal& signal) {
  return signal.classification == "attack" || signal.category == Category::kSecurity;
}

std::string AttackingAddress(const Signal& signal) {
  if (!IsHostile(signal)) return "";
  const std::vector<std::string> addresses = TopNames(signal, "client_ip");
  if (addresses.empty() || addresses.front() == kOtherValue) return "";
  return addresses.front();
}

}  // namespace tocsin
