#include "core/hyperloglog.h"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "core/hash.h"
#include "core/math.h"

namespace tocsin {
namespace {

// The position of the first set bit in what is left of a hash, at most one past it.
constexpr std::uint8_t kRankMax = 64 - HyperLogLog::kPrecision + 1;

constexpr std::uint8_t kNibbleMax = 15;

constexpr std::uint32_t IndexOf(std::uint32_t entry) { return entry >> 8; }
constexpr std::uint8_t RankOf(std::uint32_t entry) {
  return static_cast<std::uint8_t>(entry & 0xff);
}

// The position of the first entry not below `value`. std::lower_bound, but without a branch on the
// comparison, which hashes make unpredictable.
std::ptrdiff_t LowerBound(const std::vector<std::uint32_t>& entries, std::uint32_t value) {
  if (entries.empty()) return 0;
  const std::uint32_t* first = entries.data();
  std::size_t size = entries.size();
  while (size > 1) {
    const std::size_t half = size / 2;
    first += static_cast<std::size_t>(first[half - 1] < value) * half;
    size -= half;
  }
  return first - entries.data() + (*first < value ? 1 : 0);
}

}  // namespace

void HyperLogLog::Add(std::string_view item) { AddHash(Hash64(item)); }

HyperLogLog::Place HyperLogLog::PlaceOf(std::uint64_t hash) {
  const auto index = static_cast<std::uint32_t>(hash >> (64 - kPrecision));
  // The guard bit below the shifted hash bounds the rank when all its bits are zero.
  const std::uint64_t rest = (hash << kPrecision) | (std::uint64_t{1} << (kPrecision - 1));
  return {.index = index, .rank = static_cast<std::uint8_t>(std::countl_zero(rest) + 1)};
}

void HyperLogLog::AddHash(std::uint64_t hash) {
  const Place place = PlaceOf(hash);
  Set(place.index, place.rank);
}

bool HyperLogLog::MayContain(std::uint64_t hash) const {
  const Place place = PlaceOf(hash);
  if (!dense_.empty()) return dense_[place.index] >= place.rank;
  const auto at = sparse_.begin() + LowerBound(sparse_, place.index << 8);
  return at != sparse_.end() && IndexOf(*at) == place.index && RankOf(*at) >= place.rank;
}

double HyperLogLog::NoveltyChance() const {
  // An item falls into any of the registers, and is beyond a rank r with a chance of 2^−r.
  double unset = kRegisters;
  double chance = 0;
  const auto count = [&](std::uint8_t rank) {
    unset -= 1;
    chance += 1 / static_cast<double>(std::uint64_t{1} << rank);
  };
  for (const std::uint32_t entry : sparse_) count(RankOf(entry));
  for (const std::uint8_t rank : dense_) count(rank);
  return (chance + unset) / kRegisters;
}

void HyperLogLog::Set(std::uint32_t index, std::uint8_t rank) {
  if (!dense_.empty()) {
    dense_[index] = std::max(dense_[index], rank);
    return;
  }
  const auto at = sparse_.begin() + LowerBound(sparse_, index << 8);
  if (at != sparse_.end() && IndexOf(*at) == index) {
    *at = std::max(*at, index << 8 | rank);
    return;
  }
  sparse_.insert(at, index << 8 | rank);
  if (sparse_.size() > kSparseMax) Densify();
}

void HyperLogLog::Densify() {
  dense_.assign(kRegisters, 0);
  for (const std::uint32_t entry : sparse_) dense_[IndexOf(entry)] = RankOf(entry);
  sparse_.clear();
}

void HyperLogLog::Merge(const HyperLogLog& other) {
  if (other.dense_.empty()) {
    for (const std::uint32_t entry : other.sparse_) Set(IndexOf(entry), RankOf(entry));
    return;
  }
  // The union has at least the other's set registers, hence is dense.
  if (dense_.empty()) Densify();
  for (std::size_t i = 0; i < kRegisters; ++i) dense_[i] = std::max(dense_[i], other.dense_[i]);
}

void HyperLogLog::Clear() {
  sparse_.clear();
  dense_.clear();
}

double HyperLogLog::Estimate() const {
  if (empty()) return 0;
  std::array<std::uint32_t, kRankMax + 1> registers_of_rank{};
  for (const std::uint32_t entry : sparse_) ++registers_of_rank[RankOf(entry)];
  for (const std::uint8_t rank : dense_) ++registers_of_rank[rank];
  if (dense_.empty()) {
    registers_of_rank[0] = kRegisters - static_cast<std::uint32_t>(sparse_.size());
  }

  constexpr double kM = kRegisters;
  constexpr double kAlpha = 0.7213 / (1 + 1.079 / kM);
  double sum = 0;
  for (int rank = kRankMax; rank >= 0; --rank) {
    sum += registers_of_rank[static_cast<std::size_t>(rank)] /
           static_cast<double>(std::uint64_t{1} << rank);
  }
  const double raw = kAlpha * kM * kM / sum;
  const double unset = registers_of_rank[0];
  // Few items: how many registers are still unset says more than how far the set ones got.
  if (raw <= 2.5 * kM && unset > 0) return kM * Log(kM / unset);
  return raw;
}

void HyperLogLog::Encode(ByteWriter* out) const {
  if (!dense_.empty()) {
    out->Varint(kSparseMax + 1);
    for (const std::uint8_t rank : dense_) out->Byte(rank);
    return;
  }
  out->Varint(sparse_.size());
  std::uint32_t next = 0;  // the least register that may follow: registers are written as gaps
  for (const std::uint32_t entry : sparse_) {
    out->Varint(IndexOf(entry) - next);
    out->Byte(RankOf(entry));
    next = IndexOf(entry) + 1;
  }
}

HyperLogLog HyperLogLog::Decode(ByteReader* in) {
  HyperLogLog sketch;
  const std::uint64_t size = in->Varint();
  if (size > kSparseMax + 1) in->Fail();
  if (size == kSparseMax + 1) {
    const std::string_view ranks = in->Raw(kRegisters);
    sketch.dense_.assign(ranks.begin(), ranks.end());
    std::size_t set = 0;
    for (const std::uint8_t rank : sketch.dense_) {
      if (rank > kRankMax) in->Fail();
      if (rank > 0) ++set;
    }
    if (set <= kSparseMax) in->Fail();  // it would have been written as a list
    if (!in->ok()) return {};
    return sketch;
  }
  std::uint64_t next = 0;
  for (std::uint64_t i = 0; i < size && in->ok(); ++i) {
    const std::uint64_t gap = in->Varint();
    const std::uint8_t rank = in->Byte();
    if (gap >= kRegisters || next + gap >= kRegisters || rank == 0 || rank > kRankMax) in->Fail();
    if (!in->ok()) break;
    sketch.sparse_.push_back(static_cast<std::uint32_t>(next + gap) << 8 | rank);
    next += gap + 1;
  }
  if (!in->ok()) return {};
  return sketch;
}

void HyperLogLog::EncodeCompact(ByteWriter* out) const {
  out->Bool(!dense_.empty());
  if (dense_.empty()) {
    Encode(out);
    return;
  }
  const std::uint8_t least = *std::min_element(dense_.begin(), dense_.end());
  const auto above = [&](std::size_t i) { return static_cast<std::uint8_t>(dense_[i] - least); };
  out->Byte(least);
  for (std::size_t i = 0; i < kRegisters; i += 2) {
    out->Byte(static_cast<std::uint8_t>(std::min(above(i), kNibbleMax) |
                                        std::min(above(i + 1), kNibbleMax) << 4));
  }
  // What did not fit, in order of the registers.
  for (std::size_t i = 0; i < kRegisters; ++i) {
    if (above(i) >= kNibbleMax) out->Byte(dense_[i]);
  }
}

HyperLogLog HyperLogLog::DecodeCompact(ByteReader* in) {
  if (!in->Bool()) return Decode(in);
  HyperLogLog sketch;
  sketch.dense_.reserve(kRegisters);
  const std::uint8_t least = in->Byte();
  for (const char byte : in->Raw(kRegisters / 2)) {
    const auto pair = static_cast<std::uint8_t>(byte);
    sketch.dense_.push_back(pair & kNibbleMax);
    sketch.dense_.push_back(static_cast<std::uint8_t>(pair >> 4));
  }
  for (std::uint8_t& rank : sketch.dense_) {
    rank = rank == kNibbleMax ? in->Byte() : static_cast<std::uint8_t>(rank + least);
  }
  if (!in->ok()) return {};
  return sketch;
}

}  // namespace tocsin
