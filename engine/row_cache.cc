#include "engine/row_cache.h"

#include <algorithm>
#include <utility>

namespace tocsin {

std::uint32_t* RowCache::Insert(std::string_view key, std::uint64_t hash) {
  const std::size_t first = size_ * tables_;
  // The slot after the last key is also used for keys that are not kept.
  rows_.resize(first + tables_);
  std::fill_n(rows_.begin() + static_cast<std::ptrdiff_t>(first), tables_, kUnknown);
  if (size_ < kKeysMax) {
    if (2 * (size_ + 1) > slots_.size()) Grow();
    *FreeSlot(hash) = {.entry = static_cast<std::uint32_t>(size_++),
                       .tag = TagOf(hash),
                       .key = static_cast<std::uint32_t>(keys_.size()),
                       .key_size = static_cast<std::uint32_t>(key.size())};
    keys_ += key;
  }
  return &rows_[first];
}

RowCache::Slot* RowCache::FreeSlot(std::uint64_t hash) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = hash & mask;
  while (slots_[at].entry != kNone) at = (at + 1) & mask;
  return &slots_[at];
}

std::size_t RowCache::ProbesMax() const {
  std::size_t longest = 0, run = 0;
  // Two rounds, because a run may wrap around the end.
  for (std::size_t i = 0; i < 2 * slots_.size(); ++i) {
    run = slots_[i % slots_.size()].entry == kNone ? 0 : run + 1;
    longest = std::max(longest, run);
  }
  return longest + 1;
}

void RowCache::Grow() {
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(2 * slots_.size()));
  for (const Slot& slot : old) {
    if (slot.entry == kNone) continue;
    *FreeSlot(TableHash({keys_.data() + slot.key, slot.key_size})) = slot;
  }
}

}  // namespace tocsin
