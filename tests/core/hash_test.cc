#include "core/hash.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/string_hash.h"
#include "tests/core/colliding_keys.h"

namespace tocsin {
namespace {

// Ids in journals depend on these values: if one changes, the format has changed.
TEST(HashBytes, IsPinned) {
  EXPECT_EQ(HashBytes("").Hex(), "cfb616a41708d467ab846efa8cd3d442");
  EXPECT_EQ(HashBytes("tocsin").Hex(), "bda7af6c5b32d4e2ca29c9decfde06dc");
  EXPECT_EQ(HashBytes(std::string(1'000, 'x')).Hex(), "b3b72466523bba443ac260f8ecd45f04");
  EXPECT_EQ(Hash64("tocsin"), 5'528'377'989'061'514'772u);
}

// How many keys share a slot of a table with as many slots as keys, at most.
std::size_t KeysInASlot(const std::vector<std::string>& keys,
                        std::uint64_t (*hash)(std::string_view)) {
  std::map<std::uint64_t, std::size_t> slots;
  std::size_t most = 0;
  for (const std::string& key : keys) most = std::max(most, ++slots[hash(key) % keys.size()]);
  return most;
}

TEST(TableHash, SpreadsKeysThatCollideUnderThePublicSeed) {
  const std::vector<std::string> keys = CollidingKeys(4'096);
  ASSERT_EQ(KeysInASlot(keys, Hash64), keys.size());
  for (const std::uint64_t seed : {1ull, 0xfeedull, 0x123456789abcdefull}) {
    SeedTableHash(seed);
    // Random keys: 6 or 7 as a rule, and 16 in one of a billion tables.
    EXPECT_LT(KeysInASlot(keys, TableHash), 16u) << seed;
    EXPECT_EQ(StringHash()(keys[0]), TableHash(keys[0]));
  }
}

TEST(TableHash, DependsOnItsSeedAlone) {
  SeedTableHash(7);
  const std::uint64_t hash = TableHash("a");
  EXPECT_EQ(TableHash("a"), hash);
  SeedTableHash(8);
  EXPECT_NE(TableHash("a"), hash);
  EXPECT_EQ(Hash64("tocsin"), 5'528'377'989'061'514'772u);
}

TEST(HashParts, IsTheHashOfLengthsAndParts) {
  const auto length = [](char size) { return std::string(1, size) + std::string(7, '\0'); };
  EXPECT_EQ(HashParts({"ab", "c"}), HashBytes(length(2) + "ab" + length(1) + "c"));
  EXPECT_EQ(HashParts({}), HashBytes(""));
  const std::string large(300, 'y');  // past the block size of the streaming form
  EXPECT_EQ(HashParts({large}), HashBytes(std::string("\x2c\x01\0\0\0\0\0\0", 8) + large));
}

TEST(HashParts, TellsBoundariesApart) {
  std::set<std::string> seen;
  for (const Hash128& hash : {HashParts({}), HashParts({""}), HashParts({"", ""}),
                              HashParts({"abc"}), HashParts({"ab", "c"}), HashParts({"a", "bc"}),
                              HashParts({"", "abc"}), HashParts({"abc", ""}), HashBytes("abc")}) {
    EXPECT_TRUE(seen.insert(hash.Hex()).second) << hash.Hex();
    EXPECT_FALSE(hash.IsZero());
  }
}

TEST(Hash128, HexIs32DigitsHighFirst) {
  EXPECT_EQ((Hash128{.high = 0x0123456789abcdef, .low = 0x1}).Hex(),
            "0123456789abcdef0000000000000001");
  EXPECT_TRUE(Hash128{}.IsZero());
  EXPECT_FALSE((Hash128{.high = 0, .low = 1}).IsZero());
  EXPECT_FALSE((Hash128{.high = 1, .low = 0}).IsZero());
  EXPECT_LT((Hash128{.high = 1, .low = 9}), (Hash128{.high = 2, .low = 0}));
}

}  // namespace
}  // namespace tocsin
