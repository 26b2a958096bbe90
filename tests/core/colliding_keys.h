// Keys that somebody who knows the fixed seed of core/hash.h can make: all of them have one Hash64.
//
//   for (const std::string& key : CollidingKeys(1'000)) …
//
// XXH3 multiplies two halves of sixteen bytes, each combined with a part of its public secret and
// the seed: where one half becomes zero, the other is free.
// https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tocsin {

inline std::vector<std::string> CollidingKeys(std::uint64_t count) {
  constexpr std::uint64_t kSecret = 0xbe4ba423396cfeb8;  // XXH3_kSecret, its first eight bytes
  constexpr std::uint64_t kSeed = 0x746f6373696e;        // "tocsin"
  const auto append = [](std::uint64_t word, std::string* text) {
    for (unsigned i = 0; i < 8; ++i) text->push_back(static_cast<char>(word >> (8 * i)));
  };
  std::vector<std::string> keys;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string key;
    append(kSecret + kSeed, &key);
    append(i, &key);
    keys.push_back(key + "sixteen bytes more");
    keys.back().resize(32);
  }
  return keys;
}

}  // namespace tocsin
