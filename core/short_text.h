// Comparing and copying texts that are a few words long, without the call that memcmp and memcpy
// cost where the length is not known in advance. For the few places that do it for every event.
//
//   if (EqualTexts(entry.key, key)) …
//   out = CopyText(text, out);             // behind the last byte
//
// Any length is right, short ones are fast. Pure functions.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace tocsin {

inline bool EqualTexts(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  const char* p = a.data();
  const char* q = b.data();
  const auto same_words = [&](std::size_t at) {
    std::uint64_t x, y;
    std::memcpy(&x, p + at, sizeof x);
    std::memcpy(&y, q + at, sizeof y);
    return x == y;
  };
  if (size < sizeof(std::uint64_t)) {
    for (std::size_t i = 0; i < size; ++i) {
      if (p[i] != q[i]) return false;
    }
    return true;
  }
  for (std::size_t at = 0; at + sizeof(std::uint64_t) < size; at += sizeof(std::uint64_t)) {
    if (!same_words(at)) return false;
  }
  // The last word, which may overlap the one before.
  return same_words(size - sizeof(std::uint64_t));
}

inline char* CopyText(std::string_view text, char* out) {
  const std::size_t size = text.size();
  if (size < sizeof(std::uint64_t)) {
    for (std::size_t i = 0; i < size; ++i) out[i] = text[i];
    return out + size;
  }
  for (std::size_t at = 0; at + sizeof(std::uint64_t) < size; at += sizeof(std::uint64_t)) {
    std::memcpy(out + at, text.data() + at, sizeof(std::uint64_t));
  }
  const std::size_t last = size - sizeof(std::uint64_t);
  std::memcpy(out + last, text.data() + last, sizeof(std::uint64_t));
  return out + size;
}

}  // namespace tocsin
