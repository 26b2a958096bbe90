#include "core/histogram.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tocsin {
namespace {

constexpr std::uint32_t kBuckets = 128 + 56 * 64;

std::string Encoded(const LogHistogram& histogram) {
  ByteWriter out;
  histogram.Encode(&out);
  return out.Take();
}

// Latencies: log-uniform from 1 µs to about 18 min.
std::vector<std::int64_t> Latencies(std::size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t octave = random() % 30;
    values.push_back(static_cast<std::int64_t>((1ull << octave) + random() % (1ull << octave)));
  }
  return values;
}

LogHistogram HistogramOf(const std::vector<std::int64_t>& values) {
  LogHistogram histogram;
  for (const std::int64_t value : values) histogram.Add(value);
  return histogram;
}

TEST(LogHistogram, BucketsAreContiguousAndNarrow) {
  EXPECT_EQ(LogHistogram::BucketFloor(0), 0);
  EXPECT_EQ(LogHistogram::BucketFloor(127), 127);
  EXPECT_EQ(LogHistogram::BucketFloor(128), 128);
  EXPECT_EQ(LogHistogram::BucketFloor(129), 130);
  EXPECT_EQ(LogHistogram::BucketFloor(192), 256);
  for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    const std::int64_t floor = LogHistogram::BucketFloor(bucket);
    ASSERT_EQ(LogHistogram::BucketOf(floor), bucket);
    if (bucket > 0) {
      ASSERT_EQ(LogHistogram::BucketOf(floor - 1), bucket - 1);
    }
    if (bucket + 1 < kBuckets) {
      const std::int64_t width = LogHistogram::BucketFloor(bucket + 1) - floor;
      ASSERT_LE(width, std::max<std::int64_t>(1, floor / 64)) << bucket;
    }
  }
  EXPECT_EQ(LogHistogram::BucketOf(INT64_MAX), kBuckets - 1);
  EXPECT_EQ(LogHistogram::BucketOf(-5), 0u);
}

TEST(LogHistogram, QuantilesAreWithinOnePercent) {
  std::vector<std::int64_t> values = Latencies(20'000, 7);
  const LogHistogram histogram = HistogramOf(values);
  EXPECT_EQ(histogram.count(), 20'000);
  std::sort(values.begin(), values.end());
  for (const double q : {0.0, 0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(q * 20'000 - 1e-6)));
    const auto exact = static_cast<double>(values[rank - 1]);
    EXPECT_NEAR(static_cast<double>(histogram.Quantile(q)), exact, exact * 0.01) << q;
  }
}

TEST(LogHistogram, QuantileTakesTheNearestRank) {
  LogHistogram histogram;
  EXPECT_EQ(histogram.Quantile(0.5), 0);
  for (std::int64_t value = 1; value <= 100; ++value) histogram.Add(value);
  EXPECT_EQ(histogram.Quantile(0), 1);
  EXPECT_EQ(histogram.Quantile(0.005), 1);
  EXPECT_EQ(histogram.Quantile(0.07), 7);  // 0.07 · 100 is a little above 7
  EXPECT_EQ(histogram.Quantile(0.5), 50);
  EXPECT_EQ(histogram.Quantile(0.501), 51);
  EXPECT_EQ(histogram.Quantile(0.95), 95);
  EXPECT_EQ(histogram.Quantile(1), 100);
  EXPECT_EQ(histogram.Quantile(-1), 1);
  EXPECT_EQ(histogram.Quantile(2), 100);
  EXPECT_EQ(histogram.Quantile(std::nan("")), 1);
}

TEST(LogHistogram, QuantileAnswersTheMiddleOfTheBucket) {
  LogHistogram histogram;
  histogram.Add(1'000'000);
  const std::int64_t floor = LogHistogram::BucketFloor(LogHistogram::BucketOf(1'000'000));
  EXPECT_EQ(histogram.Quantile(0.5), floor + (8'192 - 1) / 2);  // 2^19 / 64 wide
}

TEST(LogHistogram, CountAboveCountsWholeBuckets) {
  LogHistogram histogram;
  for (const std::int64_t value : {0, 10, 100, 130, 131, 132}) histogram.Add(value, 2);
  EXPECT_EQ(histogram.CountAbove(-1), 12);
  EXPECT_EQ(histogram.CountAbove(0), 10);
  EXPECT_EQ(histogram.CountAbove(99), 8);
  EXPECT_EQ(histogram.CountAbove(129), 6);
  EXPECT_EQ(histogram.CountAbove(130), 2);  // 130 and 131 share a bucket
  EXPECT_EQ(histogram.CountAbove(131), 2);
  EXPECT_EQ(histogram.CountAbove(132), 0);
}

TEST(LogHistogram, WeighsAndSaturates) {
  LogHistogram histogram;
  histogram.Add(5, 3);
  histogram.Add(5, 0);
  histogram.Add(5, -7);
  EXPECT_EQ(histogram.count(), 3);
  histogram.Add(5, INT64_MAX);
  histogram.Add(9, INT64_MAX);
  EXPECT_EQ(histogram.count(), INT64_MAX);
  EXPECT_EQ(histogram.Quantile(0.5), 5);
  EXPECT_EQ(histogram.CountAbove(0), INT64_MAX);
  const std::string bytes = Encoded(histogram);
  ByteReader in(bytes);
  EXPECT_EQ(LogHistogram::Decode(&in), histogram);
}

TEST(LogHistogram, MergeEqualsAddingEverything) {
  const std::vector<std::int64_t> values = Latencies(3'000, 3);
  const LogHistogram all = HistogramOf(values);
  const LogHistogram a = HistogramOf({values.begin(), values.begin() + 10});
  const LogHistogram b = HistogramOf({values.begin() + 10, values.begin() + 1'500});
  const LogHistogram c = HistogramOf({values.begin() + 1'500, values.end()});
  LogHistogram left = a;
  left.Merge(b);
  left.Merge(c);
  LogHistogram right = c;
  right.Merge(a);
  right.Merge(b);
  right.Merge(LogHistogram());
  LogHistogram empty;
  empty.Merge(left);
  EXPECT_EQ(left, all);
  EXPECT_EQ(right, all);
  EXPECT_EQ(empty, all);
  EXPECT_EQ(Encoded(left), Encoded(right));
  left.Merge(left);
  EXPECT_EQ(left.count(), 6'000);
  left.Clear();
  EXPECT_EQ(left, LogHistogram());
}

TEST(LogHistogram, EncodingReadsBackAndCutOnesFail) {
  LogHistogram histogram = HistogramOf(Latencies(500, 5));
  histogram.Add(INT64_MAX);
  histogram.Add(0);
  const std::string bytes = Encoded(histogram);
  ByteReader in(bytes);
  EXPECT_EQ(LogHistogram::Decode(&in), histogram);
  EXPECT_TRUE(in.Done());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    ByteReader cut(std::string_view(bytes).substr(0, size));
    EXPECT_EQ(LogHistogram::Decode(&cut), LogHistogram());
    EXPECT_FALSE(cut.ok()) << size;
  }
}

TEST(LogHistogram, RejectsHostileEncodings) {
  const auto rejected = [](std::initializer_list<std::uint64_t> varints) {
    ByteWriter out;
    for (const std::uint64_t value : varints) out.Varint(value);
    ByteReader in(out.view());
    const LogHistogram histogram = LogHistogram::Decode(&in);
    return !in.ok() && histogram == LogHistogram();
  };
  EXPECT_FALSE(rejected({1, kBuckets - 1, 1}));
  EXPECT_TRUE(rejected({1, kBuckets, 1}));              // no such bucket
  EXPECT_TRUE(rejected({2, kBuckets - 1, 1, 0, 1}));    // the second one past the end
  EXPECT_TRUE(rejected({2, 5, 1, UINT64_MAX - 5, 1}));  // wraps around
  EXPECT_TRUE(rejected({1, 5, 0}));                     // an empty bucket
  EXPECT_TRUE(rejected({1, 5, 1ull << 63}));            // a negative count
  EXPECT_TRUE(rejected({1ull << 60, 5, 1}));            // more than is there
}

TEST(LogHistogram, ThinnedTellsAQuantileToFourPercent) {
  LogHistogram histogram, thinned;
  for (const std::int64_t value : Latencies(20'000, 3)) {
    LogHistogram one;
    one.Add(value);
    histogram.Add(value);
    thinned.Merge(one.Thinned());
  }
  EXPECT_EQ(thinned, histogram.Thinned());
  EXPECT_EQ(thinned.count(), histogram.count());
  for (const double q : {0.01, 0.25, 0.5, 0.95, 0.999}) {
    const auto exact = static_cast<double>(histogram.Quantile(q));
    EXPECT_NEAR(static_cast<double>(thinned.Quantile(q)), exact, 0.04 * exact + 1) << q;
  }
  EXPECT_LT(Encoded(thinned).size() * 3, Encoded(histogram).size());
}

}  // namespace
}  // namespace tocsin
