// The rows of a key in several tables of a pane, found with one look-up.
//
//   RowCache cache(/*tables=*/3);
//   std::uint32_t* rows = cache.Of(key);     // three, kUnknown where nobody wrote one yet
//
// For aggregations whose fields begin alike (env; env, service; env, service, endpoint) the longest
// key says the rows of all. Holds kKeysMax keys, those seen first; the rows of others are forgotten
// at once. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/string_hash.h"

namespace tocsin {

class RowCache {
 public:
  static constexpr std::uint32_t kUnknown = UINT32_MAX;
  static constexpr std::size_t kKeysMax = 4'096;

  explicit RowCache(std::size_t tables) : tables_(tables) {}

  // To be read and written until the next call.
  std::uint32_t* Of(std::string_view key) {
    const auto found = first_row_.find(key);
    return found != first_row_.end() ? &rows_[found->second] : Insert(key);
  }

 private:
  std::uint32_t* Insert(std::string_view key);

  std::size_t tables_;
  StringMap<std::size_t> first_row_;
  std::vector<std::uint32_t> rows_;  // those of one key in a row
};

}  // namespace tocsin
