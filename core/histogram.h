// Log-linear histogram of non-negative integers (durations in microseconds).
//
//   LogHistogram h;  h.Add(12'500);  std::int64_t p95 = h.Quantile(0.95);
//
// 64 buckets an octave: values below 128 are exact, above that a bucket is at most 1/64 of its
// value wide and Quantile answers its middle, so the relative error is below 1 % (Prometheus' and
// HDR histograms' scheme). Stored sparsely as sorted (bucket, count): about 3 KB for a rich series.
// Merging is addition, so it is associative and commutative; counts saturate at the largest
// integer. Negative values count as 0, weights below 1 are ignored. Not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/wire.h"

namespace tocsin {

class LogHistogram {
 public:
  void Add(std::int64_t value, std::int64_t weight = 1);
  void Merge(const LogHistogram& other);
  void Clear();
  // The same entries with 16 buckets an octave, for what is kept long: Quantile is then off by 4 %
  // at most. Merges with others as before.
  LogHistogram Thinned() const;

  std::int64_t count() const { return count_; }
  // The value below which a share `q` in [0, 1] of the entries lies (nearest rank); 0 when empty.
  std::int64_t Quantile(double q) const;
  // How many entries lie in buckets wholly above `threshold`.
  std::int64_t CountAbove(std::int64_t threshold) const;

  void Encode(ByteWriter* out) const;
  static LogHistogram Decode(ByteReader* in);
  bool operator==(const LogHistogram& other) const {
    return buckets_ == other.buckets_ && count_ == other.count_;
  }

  static std::uint32_t BucketOf(std::int64_t value);
  // The least value of a bucket.
  static std::int64_t BucketFloor(std::uint32_t bucket);

 private:
  // The count of `bucket`, inserted as 0 if absent.
  std::int64_t& CountOf(std::uint32_t bucket);
  std::int64_t& SearchCountOf(std::uint32_t bucket);

  std::vector<std::pair<std::uint32_t, std::int64_t>> buckets_;  // sorted by bucket
  std::int64_t count_ = 0;
  // Where a bucket was found last, by its low bits: values of a series are near each other, and the
  // search is the hottest loop of a rich one. Only ever a guess.
  std::array<std::uint8_t, 128> guesses_{};
};

}  // namespace tocsin
