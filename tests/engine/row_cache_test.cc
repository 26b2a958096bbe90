#include "engine/row_cache.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "core/hash.h"
#include "tests/core/colliding_keys.h"

namespace tocsin {
namespace {

TEST(RowCacheTest, RemembersWhatIsWritten) {
  RowCache cache(/*tables=*/2);
  EXPECT_EQ(cache.Of("a")[0], RowCache::kUnknown);
  cache.Of("a")[0] = 3;
  cache.Of("b")[1] = 4;
  EXPECT_EQ(cache.Of("a")[0], 3u);
  EXPECT_EQ(cache.Of("a")[1], RowCache::kUnknown);
  EXPECT_EQ(cache.Of("b")[0], RowCache::kUnknown);
  EXPECT_EQ(cache.Of("b")[1], 4u);
}

TEST(RowCacheTest, ForgetsKeysPastItsLimit) {
  RowCache cache(/*tables=*/2);
  const auto key = [](std::size_t i) { return std::to_string(i); };
  for (std::uint32_t i = 0; i < 2 * RowCache::kKeysMax; ++i) cache.Of(key(i))[1] = i;
  for (std::uint32_t i = 0; i < RowCache::kKeysMax; ++i) ASSERT_EQ(cache.Of(key(i))[1], i);
  for (std::size_t i = RowCache::kKeysMax; i < 2 * RowCache::kKeysMax; ++i) {
    ASSERT_EQ(cache.Of(key(i))[1], RowCache::kUnknown);
    cache.Of(key(i))[0] = 7;
  }
  EXPECT_EQ(cache.Of(key(RowCache::kKeysMax - 1))[0], RowCache::kUnknown);
}

TEST(RowCacheTest, KeysThatCollideUnderThePublicSeedDoNotHere) {
  const std::vector<std::string> keys = CollidingKeys(RowCache::kKeysMax);
  ASSERT_EQ(Hash64(keys[0]), Hash64(keys[1]));
  RowCache cache(/*tables=*/1);
  for (std::uint32_t i = 0; i < keys.size(); ++i) cache.Of(keys[i])[0] = i;
  for (std::uint32_t i = 0; i < keys.size(); ++i) ASSERT_EQ(cache.Of(keys[i])[0], i);
  // Half full, the longest run of random keys is some ten slots long.
  EXPECT_LT(cache.ProbesMax(), 100u);
}

}  // namespace
}  // namespace tocsin
