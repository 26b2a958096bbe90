// Turns the path of a request into the endpoint it belongs to, so that ids do not make series.
//
//   EndpointTemplate endpoint;
//   endpoint.Apply("/orders/42/items?page=2");      // "/orders/:id/items"
//   endpoint.Apply("/health");                      // the argument itself: nothing to replace
//
// A segment becomes ":id" when it is all digits, a UUID, or at least 16 hexadecimal digits, one of
// them decimal. Query string and fragment are cut, and what is longer than kBytesMax. Allocates
// nothing. The result lives until the next call, or as long as the argument. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "core/limits.h"
#include "ingest/fields/avx2.h"

namespace tocsin {

class EndpointTemplate {
 public:
  // A series key cuts its values there as well.
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
  // The same, all characters at once, for a path of less than kShortBytes, as most are.
  TOCSIN_AVX2 std::string_view ApplyShort(std::string_view path);

  const bool has_avx2_ = HasAvx2();
#endif

  std::array<char, kBytesMax> buffer_;
  std::size_t size_ = 0;
  bool full_ = false;
};

}  // namespace tocsin
