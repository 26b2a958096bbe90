// Replaces the ids in a request path, so that each endpoint is one series and not one per id.
//
//   EndpointTemplate endpoint;
//   endpoint.Apply("/orders/42/items?page=2");      // "/orders/:id/items"
//   endpoint.Apply("/health");                      // returns the argument: nothing to replace
//
// A segment becomes ":id" when it is all decimal digits, a UUID, or at least 16 hexadecimal digits
// with a decimal one among them. Query string and fragment are removed, and the result is truncated
// to kBytesMax. Allocates nothing. The result is valid until the next call and no longer than the
// argument. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "core/limits.h"
#include "ingest/fields/avx2.h"

namespace tocsin {

class EndpointTemplate {
 public:
  // Series keys truncate their values to the same length.
  static constexpr std::size_t kBytesMax = limits::kSeriesLabelBytesMax;

  std::string_view Apply(std::string_view path) {
#ifdef TOCSIN_AVX2
    if (path.size() < kShortBytes && has_avx2_) return ApplyShort(path);
#endif
    return ApplyAny(path);
  }

 private:
  static constexpr std::size_t kShortBytes = 64;

  std::string_view ApplyAny(std::string_view path);
  void Append(std::string_view text);
#ifdef TOCSIN_AVX2
  // The same for a path shorter than kShortBytes, as most are: classifies all characters at once.
  TOCSIN_AVX2 std::string_view ApplyShort(std::string_view path);

  const bool has_avx2_ = HasAvx2();
#endif

  std::array<char, kBytesMax> buffer_;
  std::size_t size_ = 0;
  bool full_ = false;
};

}  // namespace tocsin
