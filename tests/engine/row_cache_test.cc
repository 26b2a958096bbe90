#include "engine/row_cache.h"

#include <string>

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace tocsin
