// The one hash whose value may reach an output: XXH3-128 with a fixed seed.
//
//   Hash128 id = HashParts({"rule", series_key, tick_bytes});
//   std::string hex = id.Hex();                       // 32 lower-case digits
//
// Hash tables inside a process may use absl::Hash; their order must never reach an output. Ids are
// derived from content, never random. Thread-safe: pure functions.
#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace tocsin {

struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  auto operator<=>(const Hash128&) const = default;
  bool IsZero() const { return high == 0 && low == 0; }
  template <typename H>
  friend H AbslHashValue(H state, const Hash128& hash) {
    return H::combine(std::move(state), hash.low);
  }
  std::string Hex() const;
  // nullopt unless it is 32 hexadecimal digits.
  static std::optional<Hash128> FromHex(std::string_view hex);
};

Hash128 HashBytes(std::string_view bytes);

// Hash of the parts, each preceded by its length, so that ("ab","c") differs from ("a","bc").
Hash128 HashParts(std::initializer_list<std::string_view> parts);

// 64-bit hash for sketches (HyperLogLog) and tables.
std::uint64_t Hash64(std::string_view bytes);

}  // namespace tocsin
