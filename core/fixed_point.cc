#include "core/fixed_point.h"

#include <cassert>

#include "core/limits.h"

namespace tocsin {
namespace {

constexpr double kUnitsPerOne = 1 << 20;

// 128 bits in groups of 7.
constexpr unsigned kVarintBytesMax = 19;

}  // namespace

void FixedSum::Add(double value, std::int64_t weight) {
  assert(value <= limits::kNumberMagnitudeMax && value >= -limits::kNumberMagnitudeMax);
  const double scaled = value * kUnitsPerOne;  // exact: only the exponent changes
  // 2^52: from there on a double has no fraction, and 64-bit conversion is much the cheaper one.
  constexpr double kFractionless = 4503599627370496.0;
  Units units = 0;
  if (scaled < kFractionless && scaled > -kFractionless) {
    auto whole = static_cast<std::int64_t>(scaled);
    const double fraction = scaled - static_cast<double>(whole);  // exact
    if (fraction >= 0.5) ++whole;
    if (fraction <= -0.5) --whole;
    units = whole;
  } else {
    units = static_cast<Units>(scaled);
  }
  AddUnits(static_cast<Units>(static_cast<UnsignedUnits>(units) *
                              static_cast<UnsignedUnits>(static_cast<Units>(weight))));
}

double FixedSum::ToDouble() const { return static_cast<double>(units_) / kUnitsPerOne; }

void FixedSum::Encode(ByteWriter* out) const {
  // A zigzag varint like wire.h's, of 128 bits.
  UnsignedUnits bits = static_cast<UnsignedUnits>(units_) << 1;
  if (units_ < 0) bits = ~bits;
  while (bits >= 0x80) {
    out->Byte(static_cast<std::uint8_t>((bits & 0x7f) | 0x80));
    bits >>= 7;
  }
  out->Byte(static_cast<std::uint8_t>(bits));
}

FixedSum FixedSum::Decode(ByteReader* in) {
  UnsignedUnits bits = 0;
  for (unsigned i = 0; i < kVarintBytesMax; ++i) {
    const std::uint8_t byte = in->Byte();
    if (!in->ok()) return {};
    // The last byte holds 2 bits, and a final zero byte would be a second spelling.
    if ((i == kVarintBytesMax - 1 && byte > 3) || (i > 0 && byte == 0)) break;
    bits |= static_cast<UnsignedUnits>(byte & 0x7f) << (7 * i);
    if (byte >= 0x80) continue;
    const UnsignedUnits magnitude = bits >> 1;
    FixedSum sum;
    sum.units_ = static_cast<Units>((bits & 1) != 0 ? ~magnitude : magnitude);
    return sum;
  }
  in->Fail();
  return {};
}

}  // namespace tocsin
