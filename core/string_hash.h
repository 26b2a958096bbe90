// Hash tables keyed by std::string and looked up by std::string_view without a copy.
//
//   StringMap<int> ports;  ports["api"] = 80;  auto it = ports.find(std::string_view("api"));
//
// Debian's Abseil is built for C++14, where absl::string_view is a type of its own; these adapters
// keep it out of our interfaces. Iteration order differs from run to run: sort before output.
#pragma once

#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "core/hash.h"
#include "core/short_text.h"

namespace tocsin {

struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return TableHash(text); }
};

struct StringEqual {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const { return EqualTexts(a, b); }
};

template <typename Value>
using StringMap = absl::flat_hash_map<std::string, Value, StringHash, StringEqual>;

inline absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }
inline std::string_view FromAbsl(absl::string_view text) { return {text.data(), text.size()}; }

}  // namespace tocsin
