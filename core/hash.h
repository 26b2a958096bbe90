// Hashes whose values may reach an output, XXH3 with a fixed seed, and one for tables in memory,
// which differs from process to process.
//
//   Hash128 id = HashParts({"rule", series_key, tick_bytes});
//   std::string hex = id.Hex();                       // 32 lower-case digits
//   slots[TableHash(key) & mask]  // never written, never compared with another run
//
// Ids are derived from content, never random. The order of a table must never reach an output.
// Thread-safe but for SeedTableHash.
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

// 64-bit hash for sketches (HyperLogLog, Space-Saving) and whatever else is written or decides
// something. Its seed is public, so that anybody can make keys that collide: not for a table that
// outsiders fill.
std::uint64_t Hash64(std::string_view bytes);

// 64-bit hash for tables in memory. Who sends keys does not know the seed, and cannot make them
// collide.
std::uint64_t TableHash(std::string_view bytes);
// From a random source, once, before the first table exists and before the first thread starts;
// without it the seed is a fixed one. Nothing that is decided depends on it.
void SeedTableHash(std::uint64_t seed);

}  // namespace tocsin
