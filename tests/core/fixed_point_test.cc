#include "core/fixed_point.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/limits.h"

namespace tocsin {
namespace {

constexpr double kUnit = 1.0 / (1 << 20);

FixedSum SumOf(const std::vector<double>& values) {
  FixedSum sum;
  for (const double value : values) sum.Add(value);
  return sum;
}

std::string Encoded(const FixedSum& sum) {
  ByteWriter out;
  sum.Encode(&out);
  return out.Take();
}

TEST(FixedSum, RoundsHalfAwayFromZero) {
  const struct {
    double units;
    double expected;
  } cases[] = {
      {0.0, 0},
      {0.49, 0},
      {0.5, 1},
      {1.0, 1},
      {1.49, 1},
      {1.5, 2},
      {2.5, 3},
      {-0.49, 0},
      {-0.5, -1},
      {-1.5, -2},
      {-2.5, -3},
      {-2.51, -3},
      {1e15 + 0.5, 1e15 + 1},
      {-1e15 - 0.5, -1e15 - 1},
      {0x1.fffffffffffffp-2, 0},
  };
  for (const auto& [units, expected] : cases) {
    EXPECT_EQ(SumOf({units * kUnit}).ToDouble(), expected * kUnit) << units;
  }
}

TEST(FixedSum, IsExactWhereDoublesAreNot) {
  EXPECT_EQ(SumOf({1e15, 1.25, -1e15}).ToDouble(), 1.25);
  EXPECT_EQ(SumOf({limits::kNumberMagnitudeMax, 0.5, -limits::kNumberMagnitudeMax}).ToDouble(),
            0.5);
  FixedSum large;
  large.Add(limits::kNumberMagnitudeMax, 1 << 20);
  EXPECT_EQ(large.ToDouble(), std::ldexp(1.0, 80));
  large.Add(-limits::kNumberMagnitudeMax, 1 << 20);
  EXPECT_EQ(large, FixedSum());
}

TEST(FixedSum, WeighsAfterRounding) {
  FixedSum weighted;
  weighted.Add(0.1, 1'000);
  FixedSum repeated;
  for (int i = 0; i < 1'000; ++i) repeated.Add(0.1);
  EXPECT_EQ(weighted, repeated);
  FixedSum taken_back;
  taken_back.Add(2.5, 3);
  taken_back.Add(2.5, -3);
  EXPECT_EQ(taken_back, FixedSum());
}

TEST(FixedSum, DoesNotDependOnOrderOrGrouping) {
  std::mt19937_64 random(1);
  std::vector<double> values;
  for (int i = 0; i < 1'000; ++i) {
    const double mantissa = static_cast<double>(static_cast<std::int64_t>(random())) / 0x1p63;
    values.push_back(std::ldexp(mantissa, static_cast<int>(random() % 100) - 40));
  }
  const FixedSum expected = SumOf(values);
  std::shuffle(values.begin(), values.end(), random);
  FixedSum merged = SumOf({values.begin(), values.begin() + 300});
  merged.Merge(SumOf({values.begin() + 300, values.end()}));
  EXPECT_EQ(merged, expected);
}

TEST(FixedSum, EncodesCompactlyAndReadsBack) {
  EXPECT_EQ(Encoded(FixedSum()), std::string(1, '\0'));
  EXPECT_EQ(Encoded(SumOf({-kUnit})), "\x01");
  EXPECT_EQ(Encoded(SumOf({kUnit})), "\x02");
  for (const double value : {0.0, kUnit, -kUnit, 12.25, -12.25, 1e9, -1e15,
                             limits::kNumberMagnitudeMax, -limits::kNumberMagnitudeMax}) {
    for (const std::int64_t weight : {std::int64_t{1}, std::int64_t{1} << 46}) {
      FixedSum sum;
      sum.Add(value, weight);
      const std::string bytes = Encoded(sum);
      ByteReader in(bytes);
      EXPECT_EQ(FixedSum::Decode(&in), sum) << value;
      EXPECT_TRUE(in.Done()) << value;
      ByteReader cut(std::string_view(bytes).substr(0, bytes.size() - 1));
      EXPECT_EQ(FixedSum::Decode(&cut), FixedSum());
      EXPECT_FALSE(cut.ok());
    }
  }
}

TEST(FixedSum, RejectsMalformedEncodings) {
  const std::string all(18, '\xff');
  for (const std::string& bytes : {std::string("\x80\x00", 2), all + "\x04", all + "\x83"}) {
    ByteReader in(bytes);
    EXPECT_EQ(FixedSum::Decode(&in), FixedSum());
    EXPECT_FALSE(in.ok());
  }
  // The two ends of the range are no error, and merging them does not overflow (UBSan watches).
  const std::string least_bytes = all + "\x03";
  ByteReader least(least_bytes);
  FixedSum sum = FixedSum::Decode(&least);
  EXPECT_TRUE(least.Done());
  EXPECT_EQ(sum.ToDouble(), -0x1p107);
  sum.Merge(sum);
  EXPECT_EQ(sum, FixedSum());
}

}  // namespace
}  // namespace tocsin
