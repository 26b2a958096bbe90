#include "core/hash.h"

#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

// Ids in journals depend on these values: if one changes, the format has changed.
TEST(HashBytes, IsPinned) {
  EXPECT_EQ(HashBytes("").Hex(), "cfb616a41708d467ab846efa8cd3d442");
  EXPECT_EQ(HashBytes("tocsin").Hex(), "bda7af6c5b32d4e2ca29c9decfde06dc");
  EXPECT_EQ(HashBytes(std::string(1'000, 'x')).Hex(), "b3b72466523bba443ac260f8ecd45f04");
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
