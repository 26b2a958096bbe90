// The rows of a key in several tables of a pane, found with one look-up.
//
//   RowCache cache(/*tables=*/3);
//   std::uint32_t* rows = cache.Of(key);     // three, kUnknown where nobody wrote one yet
//
// For aggregations whose fields begin alike (env; env, service; env, service, endpoint) the longest
// key says the rows of all. Holds kKeysMax keys, those seen first; the rows of others are forgotten
// at once. Asked for every event: keys stand next to each other, so that a series that is not hot
// costs as few cache misses as it can. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/short_text.h"

namespace tocsin {

class RowCache {
 public:
  static constexpr std::uint32_t kUnknown = UINT32_MAX;
  static constexpr std::size_t kKeysMax = 4'096;

  explicit RowCache(std::size_t tables) : tables_(tables), slots_(kSlotsMin) {}

  // To be read and written until the next call.
  std::uint32_t* Of(std::string_view key) {
    const std::uint64_t hash = TableHash(key);
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = hash & mask; slots_[at].entry != kNone; at = (at + 1) & mask) {
      const Slot& slot = slots_[at];
      if (slot.tag == TagOf(hash) && EqualTexts({keys_.data() + slot.key, slot.key_size}, key)) {
        return &rows_[slot.entry * tables_];
      }
    }
    return Insert(key, hash);
  }

  // The most slots that Of looks at, for tests.
  std::size_t ProbesMax() const;

 private:
  static constexpr std::size_t kSlotsMin = 16;
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // Open addressing; a power of two of them, at most half full.
  struct Slot {
    std::uint32_t entry = kNone;
    std::uint32_t tag = 0;  // a part of the hash that does not choose the slot
    std::uint32_t key = 0;  // where it begins in keys_
    std::uint32_t key_size = 0;
  };
  static std::uint32_t TagOf(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  std::uint32_t* Insert(std::string_view key, std::uint64_t hash);
  // Of a key that is not there.
  Slot* FreeSlot(std::uint64_t hash);
  void Grow();

  std::size_t tables_;
  std::size_t size_ = 0;  // keys
  std::vector<Slot> slots_;
  std::string keys_;                 // one after another
  std::vector<std::uint32_t> rows_;  // those of one key in a row
};

}  // namespace tocsin
