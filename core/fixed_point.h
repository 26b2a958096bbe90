// Sums over events: 128-bit fixed point in units of 2^-20, so that addition is associative and the
// order in which partitions are merged cannot change a digit.
//
//   FixedSum sum;  sum.Add(12.25);  sum.Merge(other);  double value = sum.ToDouble();
//
// Each addend is rounded to the nearest unit (half away from zero). REQUIRES of Add: finite and
// |value| ≤ limits::kNumberMagnitudeMax, which decoders enforce. Not thread-safe.
#pragma once

#include <compare>
#include <cstdint>

#include "core/wire.h"

namespace tocsin {

class FixedSum {
 public:
  // `weight` is how many events the value stands for.
  void Add(double value, std::int64_t weight = 1);
  void Merge(const FixedSum& other) { AddUnits(other.units_); }
  double ToDouble() const;
  bool operator==(const FixedSum&) const = default;

  void Encode(ByteWriter* out) const;
  static FixedSum Decode(ByteReader* in);

 private:
  __extension__ typedef __int128 Units;  // not ISO C++, but both compilers have it
  __extension__ typedef unsigned __int128 UnsignedUnits;

  // Wraps past 2^127, which only a hostile encoding reaches, instead of being undefined.
  void AddUnits(Units units) {
    units_ =
        static_cast<Units>(static_cast<UnsignedUnits>(units_) + static_cast<UnsignedUnits>(units));
  }

  Units units_ = 0;
};

}  // namespace tocsin
