// Distinct counting: HyperLogLog with 2^10 registers (standard error 3.25 %).
//
//   HyperLogLog users;  users.Add(event.user);  double n = users.Estimate();
//
// Source: Flajolet et al. 2007 with the linear-counting correction for small counts. Up to 256 set
// registers the sketch is a sorted list of (register, rank), above it a dense array; the form
// depends on the content only, so equal sets encode equally whatever the order of insertion.
// Merging is the register-wise maximum. At most 1 KiB + header encoded. Clear keeps the memory, so
// a sketch in use soon stops allocating. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/wire.h"

namespace tocsin {

class HyperLogLog {
 public:
  static constexpr int kPrecision = 10;
  static constexpr std::uint32_t kRegisters = 1u << kPrecision;
  static constexpr std::size_t kSparseMax = 256;

  void Add(std::string_view item);
  void AddHash(std::uint64_t hash);
  void Merge(const HyperLogLog& other);
  void Clear();
  bool empty() const { return sparse_.empty() && dense_.empty(); }

  // The estimated number of distinct items; 0 when empty. Deterministic (core/math.h).
  double Estimate() const;
  // False: no item of this hash was ever added. True for every one that was, and for some others.
  bool MayContain(std::uint64_t hash) const;
  // For which share of all other items MayContain is false: 1 when empty, about 700 ÷ n of many.
  double NoveltyChance() const;

  void Encode(ByteWriter* out) const;
  static HyperLogLog Decode(ByteReader* in);
  // Half a KiB instead of one, for what is only kept in memory: four bits a register above the
  // least one, and the few that need more apart.
  void EncodeCompact(ByteWriter* out) const;
  static HyperLogLog DecodeCompact(ByteReader* in);
  bool operator==(const HyperLogLog&) const = default;

 private:
  struct Place {
    std::uint32_t index;
    std::uint8_t rank;
  };
  static Place PlaceOf(std::uint64_t hash);
  void Set(std::uint32_t index, std::uint8_t rank);
  void Densify();

  // Each entry is register << 8 | rank, sorted; used while dense_ is empty.
  std::vector<std::uint32_t> sparse_;
  std::vector<std::uint8_t> dense_;
};

}  // namespace tocsin
