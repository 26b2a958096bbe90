#include "core/histogram.h"

#include <algorithm>
#include <bit>

#include "core/math.h"

namespace tocsin {
namespace {

constexpr int kSubBits = 6;  // 64 buckets an octave
constexpr std::uint32_t kSub = 1u << kSubBits;
constexpr std::uint32_t kExact = 2 * kSub;  // values below are their own bucket
constexpr int kFirstOctave = kSubBits + 1;  // of value 128
constexpr std::uint32_t kBuckets = kExact + (63 - kFirstOctave) * kSub;

// Merging so many times fewer buckets looks for each.
constexpr std::size_t kFewer = 8;

using Bucket = std::pair<std::uint32_t, std::int64_t>;

// The position of the first entry at or above `bucket`. std::lower_bound, but without a branch on
// the comparison: latencies make that unpredictable, and this is the hottest loop of a rich series.
std::size_t LowerBound(const std::vector<Bucket>& buckets, std::uint32_t bucket) {
  if (buckets.empty()) return 0;
  const Bucket* first = buckets.data();
  std::size_t size = buckets.size();
  while (size > 1) {
    const std::size_t half = size / 2;
    first += static_cast<std::size_t>(first[half - 1].first < bucket) * half;
    size -= half;
  }
  return static_cast<std::size_t>(first - buckets.data()) + (first->first < bucket ? 1 : 0);
}

std::int64_t BucketWidth(std::uint32_t bucket) {
  return bucket < kExact ? 1 : std::int64_t{1} << ((bucket - kExact) / kSub + 1);
}

}  // namespace

std::uint32_t LogHistogram::BucketOf(std::int64_t value) {
  if (value < static_cast<std::int64_t>(kExact)) {
    return value < 0 ? 0 : static_cast<std::uint32_t>(value);
  }
  const auto bits = static_cast<std::uint64_t>(value);
  const int octave = 63 - std::countl_zero(bits);
  // The top bit and the 6 below it: 64 to 127.
  const auto mantissa = static_cast<std::uint32_t>(bits >> (octave - kSubBits));
  return kExact + static_cast<std::uint32_t>(octave - kFirstOctave) * kSub + (mantissa - kSub);
}

std::int64_t LogHistogram::BucketFloor(std::uint32_t bucket) {
  if (bucket < kExact) return bucket;
  if (bucket >= kBuckets) return INT64_MAX;
  const std::uint32_t octave = (bucket - kExact) / kSub;
  const std::uint32_t mantissa = kSub + (bucket - kExact) % kSub;
  return static_cast<std::int64_t>(mantissa) << (octave + 1);
}

std::int64_t& LogHistogram::CountOf(std::uint32_t bucket) {
  const std::size_t guess = guesses_[bucket % guesses_.size()];
  if (guess < buckets_.size() && buckets_[guess].first == bucket) return buckets_[guess].second;
  return SearchCountOf(bucket);
}

std::int64_t& LogHistogram::SearchCountOf(std::uint32_t bucket) {
  const std::size_t at = LowerBound(buckets_, bucket);
  if (at == buckets_.size() || buckets_[at].first != bucket) {
    buckets_.insert(buckets_.begin() + static_cast<std::ptrdiff_t>(at), {bucket, 0});
  }
  guesses_[bucket % guesses_.size()] = static_cast<std::uint8_t>(at);
  return buckets_[at].second;
}

void LogHistogram::Add(std::int64_t value, std::int64_t weight) {
  if (weight <= 0) return;
  std::int64_t& count = CountOf(BucketOf(value));
  count = SaturatingAdd(count, weight);
  count_ = SaturatingAdd(count_, weight);
}

void LogHistogram::Merge(const LogHistogram& other) {
  if (buckets_.empty()) {
    buckets_ = other.buckets_;
    count_ = other.count_;
    return;
  }
  // A few into many: where they stand is found sooner than all are copied.
  if (kFewer * other.buckets_.size() < buckets_.size()) {
    for (const auto& [bucket, count] : other.buckets_) {
      std::int64_t& ours = CountOf(bucket);
      ours = SaturatingAdd(ours, count);
    }
    count_ = SaturatingAdd(count_, other.count_);
    return;
  }
  std::vector<Bucket> merged;
  merged.reserve(buckets_.size() + other.buckets_.size());
  auto ours = buckets_.begin();
  auto theirs = other.buckets_.begin();
  while (ours != buckets_.end() && theirs != other.buckets_.end()) {
    if (ours->first < theirs->first) {
      merged.push_back(*ours++);
    } else if (theirs->first < ours->first) {
      merged.push_back(*theirs++);
    } else {
      merged.emplace_back(ours->first, SaturatingAdd(ours->second, theirs->second));
      ++ours;
      ++theirs;
    }
  }
  merged.insert(merged.end(), ours, buckets_.end());
  merged.insert(merged.end(), theirs, other.buckets_.end());
  count_ = SaturatingAdd(count_, other.count_);
  buckets_ = std::move(merged);
}

void LogHistogram::Clear() {
  buckets_.clear();
  count_ = 0;
}

LogHistogram LogHistogram::Thinned() const {
  LogHistogram thinned;
  thinned.count_ = count_;
  for (const auto& [bucket, count] : buckets_) {
    // One of the two in the middle stands for four.
    const std::uint32_t kept = bucket < kExact ? bucket : bucket / 4 * 4 + 1;
    if (thinned.buckets_.empty() || thinned.buckets_.back().first != kept) {
      thinned.buckets_.emplace_back(kept, 0);
    }
    std::int64_t& sum = thinned.buckets_.back().second;
    sum = SaturatingAdd(sum, count);
  }
  return thinned;
}

std::int64_t LogHistogram::Quantile(double q) const {
  if (buckets_.empty()) return 0;
  std::int64_t rank = count_;
  if (!(q >= 1)) {
    const double exact = q > 0 ? q * static_cast<double>(count_) : 0;
    rank = static_cast<std::int64_t>(exact);
    // Rounded up, but 0.07 · 100 = 7.000000000000001 shall be rank 7.
    if (exact - static_cast<double>(rank) > 1e-9) ++rank;
    rank = std::clamp<std::int64_t>(rank, 1, count_);
  }
  std::int64_t seen = 0;
  std::uint32_t bucket = buckets_.back().first;
  for (const auto& [candidate, count] : buckets_) {
    seen = SaturatingAdd(seen, count);
    if (seen >= rank) {
      bucket = candidate;
      break;
    }
  }
  return BucketFloor(bucket) + (BucketWidth(bucket) - 1) / 2;
}

std::int64_t LogHistogram::CountAbove(std::int64_t threshold) const {
  std::int64_t above = 0;
  for (auto entry = buckets_.rbegin(); entry != buckets_.rend(); ++entry) {
    if (BucketFloor(entry->first) <= threshold) break;
    above = SaturatingAdd(above, entry->second);
  }
  return above;
}

void LogHistogram::Encode(ByteWriter* out) const {
  out->Varint(buckets_.size());
  std::uint32_t next = 0;  // the least bucket that may follow: buckets are written as gaps
  for (const auto& [bucket, count] : buckets_) {
    out->Varint(bucket - next);
    out->Varint(static_cast<std::uint64_t>(count));
    next = bucket + 1;
  }
}

LogHistogram LogHistogram::Decode(ByteReader* in) {
  LogHistogram histogram;
  const std::size_t size = in->Count(2);
  histogram.buckets_.reserve(size);
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t gap = in->Varint();
    const std::uint64_t count = in->Varint();
    if (gap >= kBuckets || next + gap >= kBuckets || count == 0 || count > INT64_MAX) in->Fail();
    if (!in->ok()) return {};
    histogram.buckets_.emplace_back(static_cast<std::uint32_t>(next + gap),
                                    static_cast<std::int64_t>(count));
    histogram.count_ = SaturatingAdd(histogram.count_, static_cast<std::int64_t>(count));
    next += gap + 1;
  }
  return histogram;
}

}  // namespace tocsin
