#include "core/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <charconv>

namespace tocsin {
namespace {

// "tocsin" in ASCII. Ids and sketches on disk depend on it: changing it is a format change.
constexpr XXH64_hash_t kSeed = 0x746f6373696e;

XXH64_hash_t table_seed = kSeed + 1;

Hash128 FromXxh(XXH128_hash_t hash) { return {.high = hash.high64, .low = hash.low64}; }

void AppendHex(std::uint64_t value, std::string* out) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out->push_back(kDigits[(value >> shift) & 0xf]);
}

}  // namespace

std::string Hash128::Hex() const {
  std::string out;
  out.reserve(32);
  AppendHex(high, &out);
  AppendHex(low, &out);
  return out;
}

std::optional<Hash128> Hash128::FromHex(std::string_view hex) {
  const auto half = [&](std::size_t from, std::uint64_t* value) {
    const char* const end = hex.data() + from + 16;
    const auto [stop, error] = std::from_chars(hex.data() + from, end, *value, 16);
    return error == std::errc() && stop == end;
  };
  Hash128 hash;
  if (hex.size() != 32 || !half(0, &hash.high) || !half(16, &hash.low)) return std::nullopt;
  return hash;
}

Hash128 HashBytes(std::string_view bytes) {
  return FromXxh(XXH3_128bits_withSeed(bytes.data(), bytes.size(), kSeed));
}

Hash128 HashParts(std::initializer_list<std::string_view> parts) {
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_128bits_reset_withSeed(&state, kSeed);
  for (const std::string_view part : parts) {
    // Eight bytes, least significant first, whatever the machine's own order.
    unsigned char length[8];
    for (unsigned i = 0; i < 8; ++i) {
      length[i] = static_cast<unsigned char>(static_cast<std::uint64_t>(part.size()) >> (8 * i));
    }
    XXH3_128bits_update(&state, length, sizeof(length));
    XXH3_128bits_update(&state, part.data(), part.size());
  }
  return FromXxh(XXH3_128bits_digest(&state));
}

std::uint64_t Hash64(std::string_view bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), kSeed);
}

std::uint64_t TableHash(std::string_view bytes) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), table_seed);
}

void SeedTableHash(std::uint64_t seed) { table_seed = seed; }

}  // namespace tocsin
