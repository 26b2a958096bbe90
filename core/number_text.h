// Numbers as people read them.
//
//   PercentText(0.0153)               // "1.53 %"
//   GroupedNumber(14851)              // "14,851"
//
// Deterministic, without libm or locale. Thread-safe: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "core/time.h"

namespace tocsin {

// Two digits behind the point below ten, else one: 0.0153 → "1.53 %".
std::string PercentText(double ratio);
// The same without a unit: 12.3456 → "12.3".
std::string ShortNumber(double value);
// "14,851".
std::string GroupedNumber(std::int64_t value);
// "20 s", "6 min", "3 h": rounded.
std::string RoughDuration(DurationUs duration);

}  // namespace tocsin
