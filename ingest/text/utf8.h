// Checks that a string of a binary format is valid UTF-8.
//
//   if (!IsUtf8(label)) return "not valid UTF-8";
//
// Optimized for short ASCII strings, the common case. Thread-safe: a pure function.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include <simdjson.h>

namespace tocsin {

inline bool IsUtf8(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080u;
  std::uint64_t high = 0;
  std::size_t at = 0;
  for (; at + sizeof high <= text.size(); at += sizeof high) {
    std::uint64_t bytes;
    std::memcpy(&bytes, text.data() + at, sizeof bytes);
    high |= bytes;
  }
  for (; at < text.size(); ++at) high |= static_cast<unsigned char>(text[at]);
  return (high & kHighBits) == 0 || simdjson::validate_utf8(text.data(), text.size());
}

}  // namespace tocsin
