// Upper bounds of the work of decoding a payload, as counted by tests/ingest/work_counter.h.
//
//   EXPECT_EQ(BeyondBounds(counter.Done(), payload.size()), "");
//
// The factors are several times the cost of the most expensive normal lines. Linear work stays
// within them; work that grows with the product of two parts of a payload exceeds them at a few
// kilobytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include "core/limits.h"
#include "tests/ingest/work_counter.h"

namespace tocsin {

struct WorkBound {
  std::uint64_t per_byte;
  std::uint64_t fixed;  // buffers that grow once
};
inline constexpr WorkBound kStepsMax = {.per_byte = 500, .fixed = 100'000};
inline constexpr WorkBound kMovedMax = {.per_byte = 1'000, .fixed = 4 << 20};
inline constexpr WorkBound kAllocatedMax = {.per_byte = 400, .fixed = 4 << 20};
inline constexpr WorkBound kPeakMax = {.per_byte = 100, .fixed = 4 << 20};

// "steps: 1234567 for 1000 bytes, at most 500000"; empty: within bounds.
inline std::string BeyondBounds(const Work& work, std::size_t payload_bytes) {
  std::string text;
  const auto check = [&](const char* what, std::uint64_t count, const WorkBound& bound) {
    const std::uint64_t most = bound.per_byte * payload_bytes + bound.fixed;
    if (count <= most) return;
    text += std::string(what) + ": " + std::to_string(count) + " for " +
            std::to_string(payload_bytes) + " bytes, at most " + std::to_string(most) + "; ";
  };
  check("steps", work.steps, kStepsMax);
  check("bytes moved", work.moved, kMovedMax);
  check("bytes allocated", work.allocated, kAllocatedMax);
  check("bytes at one time", work.peak, kPeakMax);
  return text;
}

// The size of a compressed record for the bounds: that of the text that it may decompress to.
inline std::size_t PayloadBytes(const std::string& format, std::size_t record_bytes) {
  if (format == "prometheus-remote-write") {
    return std::min(22 * record_bytes, limits::kPayloadBytesMax);
  }
  if (format == "cloudwatch-logs" || format == "sns") {
    return limits::kPayloadBytesMax + limits::kUnpackedFactor * record_bytes;
  }
  return record_bytes;
}

}  // namespace tocsin
