#include "engine/row_cache.h"

#include <algorithm>

namespace tocsin {

std::uint32_t* RowCache::Insert(std::string_view key) {
  const std::size_t first = std::min(first_row_.size(), kKeysMax) * tables_;
  if (first_row_.size() < kKeysMax) first_row_.emplace(key, first);
  // Behind the last key: the place of those that are not kept.
  rows_.resize(first + tables_);
  std::fill_n(rows_.begin() + static_cast<std::ptrdiff_t>(first), tables_, kUnknown);
  return &rows_[first];
}

}  // namespace tocsin
