// Caches a key's rows in several tables of a pane, so that one look-up finds them all.
//
//   RowCache cache(/*tables=*/3);
//   std::uint32_t* rows = cache.Of(key);     // three; kUnknown until the caller writes a row
//
// For aggregations whose fields have a common prefix (env; env, service; env, service, endpoint),
// the longest key determines the rows in all tables. Keeps the first kKeysMax keys that it sees;
// the rows of further keys are forgotten with the next call. Of runs for every event: keys are
// stored contiguously, so that even a series that is not hot costs few cache misses. Not
// thread-safe.
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

  // The rows of `key`, to read and write. Valid until the next call.
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

  // The most slots that Of ever probes; for tests.
  std::size_t ProbesMax() const;

 private:
  static constexpr std::size_t kSlotsMin = 16;
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // A slot of an open-addressing table, whose size is a power of two and which is at most half
  // full.
  struct Slot {
    std::uint32_t entry = kNone;
    std::uint32_t tag = 0;  // bits of the hash that do not choose the slot
    std::uint32_t key = 0;  // where it begins in keys_
    std::uint32_t key_size = 0;
  };
  static std::uint32_t TagOf(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  std::uint32_t* Insert(std::string_view key, std::uint64_t hash);
  // The slot for a key that is not in the table.
  Slot* FreeSlot(std::uint64_t hash);
  void Grow();

  std::size_t tables_;
  std::size_t size_ = 0;  // keys
  std::vector<Slot> slots_;
  std::string keys_;                 // one after another
  std::vector<std::uint32_t> rows_;  // `tables_` rows per key
};

}  // namespace tocsin
