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

namespace short_text_internal {

template <typename Word>
Word WordAt(const char* text) {
  Word word;
  std::memcpy(&word, text, sizeof word);
  return word;
}

}  // namespace short_text_internal

// Below a word's length there is no loop: where it ends could not be predicted, as lengths differ
// from text to text. The pieces that are looked at instead overlap.
inline bool EqualTexts(std::string_view a, std::string_view b) {
  const std::size_t size = a.size();
  if (size != b.size()) return false;
  const char* const p = a.data();
  const char* const q = b.data();
  const auto same = [&](auto word, std::size_t at) {
    using short_text_internal::WordAt;
    return WordAt<decltype(word)>(p + at) == WordAt<decltype(word)>(q + at);
  };
  constexpr std::uint64_t kLong = 0;
  constexpr std::uint32_t kHalf = 0;
  if (size < sizeof kHalf) {
    return size == 0 || (p[0] == q[0] && p[size / 2] == q[size / 2] && p[size - 1] == q[size - 1]);
  }
  if (size < sizeof kLong) return same(kHalf, 0) && same(kHalf, size - sizeof kHalf);
  for (std::size_t at = 0; at + sizeof kLong < size; at += sizeof kLong) {
    if (!same(kLong, at)) return false;
  }
  return same(kLong, size - sizeof kLong);
}

inline char* CopyText(std::string_view text, char* out) {
  const std::size_t size = text.size();
  const char* const from = text.data();
  const auto copy = [&](auto word, std::size_t at) {
    word = short_text_internal::WordAt<decltype(word)>(from + at);
    std::memcpy(out + at, &word, sizeof word);
  };
  constexpr std::uint64_t kLong = 0;
  constexpr std::uint32_t kHalf = 0;
  if (size >= sizeof kLong) {
    for (std::size_t at = 0; at + sizeof kLong < size; at += sizeof kLong) copy(kLong, at);
    copy(kLong, size - sizeof kLong);
  } else if (size >= sizeof kHalf) {
    copy(kHalf, 0);
    copy(kHalf, size - sizeof kHalf);
  } else if (size > 0) {
    out[0] = from[0];
    out[size / 2] = from[size / 2];
    out[size - 1] = from[size - 1];
  }
  return out + size;
}

}  // namespace tocsin
