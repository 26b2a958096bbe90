// Microseconds of a clock that only goes forward: for deadlines, rates and back-off.
#pragma once

#include <chrono>

#include "core/time.h"

namespace tocsin {

inline TimeUs Monotonic() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace tocsin
