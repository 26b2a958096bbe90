// Heavy hitters: Filtered Space-Saving (Homem & Carvalho 2010) with k counters.
//
//   SpaceSaving top(64);  top.Add(event.client_ip);
//   for (const SpaceSaving::Entry& e : top.Top(10)) …   // by count, then key
//
// A key's true count lies in [count − error, count], and error ≤ N/k. With at most k distinct keys
// everything is exact. A key that is not monitored is counted in a cell that it shares with others,
// and replaces the least monitored one only once the cell has more: among many random keys hardly
// any does, which is what makes this fast. Of several least ones the last one in `entries` goes,
// and what is written is sorted by count and key, so equal streams give equal sketches. Cells are
// not encoded: a sketch from the wire goes on with wider bounds. Merge adds counters key by key
// (absent ones add the other side's smallest count as error when that side is full) and keeps the k
// largest; of two k, the smaller. A key is cut at limits::kTopKeyBytesMax. Weights below 1 are
// ignored, counts saturate. O(1) for a known key, O(log k) to evict. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/hash.h"
#include "core/math.h"
#include "core/short_text.h"
#include "core/wire.h"

namespace tocsin {

class SpaceSaving {
 public:
  struct Entry {
    std::string key;
    std::int64_t count = 0;
    std::int64_t error = 0;
    bool operator==(const Entry&) const = default;
  };

  // REQUIRES: 1 ≤ k ≤ kMaxK.
  static constexpr std::uint32_t kMaxK = 65'536;
  explicit SpaceSaving(std::uint32_t k = 64) : k_(k) {}

  void Add(std::string_view key, std::int64_t weight = 1) { Add(key, Hash64(key), weight); }
  // `hash` is Hash64 of the whole key.
  void Add(std::string_view key, std::uint64_t hash, std::int64_t weight);
  // The same for the key that Add counted last, without its hash; false, and nothing happens, for
  // any other. Worth asking first where one key makes up most of a stream.
  bool AddAgain(std::string_view key, std::int64_t weight) {
    if (newest_ >= entries_.size() || !EqualTexts(entries_[newest_].key, key)) return false;
    Count(newest_, weight);
    return true;
  }
  // Events of keys that are known not to be here. REQUIRES: not empty.
  void AddOther(std::int64_t weight);
  void Merge(const SpaceSaving& other);
  void Clear();
  bool empty() const { return entries_.empty(); }

  // Events counted, of all keys.
  std::int64_t total() const { return total_; }
  std::uint32_t k() const { return k_; }
  // All that are monitored, in an order that depends on how they came.
  const std::vector<Entry>& entries() const { return entries_; }
  // The n largest by count (ties by key), fewer if there are not so many.
  std::vector<Entry> Top(std::size_t n) const;
  // Sum of the n largest counts over total(); 0 when empty.
  double TopShare(std::size_t n) const;

  // Entries are written in Top order, so the encoding depends on content only.
  void Encode(ByteWriter* out) const;
  static SpaceSaving Decode(ByteReader* in);

 private:
  // An entry's place in the eviction order. `count` may lag behind the entry's (see Last).
  struct HeapNode {
    std::int64_t count;
    std::uint32_t entry;
  };
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // With a part of the hash that does not choose the slot: a key that is absent, as most are where
  // there are many, is then found to be so without a look at the entry.
  struct Slot {
    std::uint32_t entry = kNone;
    std::uint32_t tag = 0;
  };
  static std::uint32_t TagOf(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 32); }

  std::uint32_t Find(std::string_view key, std::uint64_t hash) const;
  void Count(std::uint32_t entry, std::int64_t weight) {
    if (weight <= 0) return;
    total_ = SaturatingAdd(total_, weight);
    entries_[entry].count = SaturatingAdd(entries_[entry].count, weight);
  }
  // REQUIRES: the key is not in the sketch.
  void Append(Entry entry, std::uint64_t hash);
  // Counts a key that has no entry while there is no room for one.
  void AddToCell(std::string_view key, std::uint64_t hash, std::int64_t weight);
  // By the hash's upper half, scaled: the lower bits choose the slot.
  std::int64_t& CellOf(std::uint64_t hash) { return cells_[((hash >> 32) * cells_.size()) >> 32]; }
  // Replaces the least entry; what the new key's cell had becomes its error.
  void Evict(std::string_view key, std::uint64_t hash, std::int64_t count, std::int64_t error);
  void Index(std::uint32_t entry);
  void Unindex(std::uint32_t entry);
  // The position of the least entry, of several such the last one: the one to evict.
  std::uint32_t Last();
  static bool Later(const HeapNode& a, const HeapNode& b) {
    return a.count < b.count || (a.count == b.count && a.entry > b.entry);
  }
  void SiftDown(std::size_t at);
  // What an absent key may have counted: the smallest count when full, else 0.
  std::int64_t AbsentMax() const;
  // Positions of all entries in Top order.
  std::vector<std::uint32_t> TopOrder() const;

  std::uint32_t k_;
  std::int64_t total_ = 0;
  std::uint32_t newest_ = 0;  // the entry that Add counted last, or any
  std::vector<Entry> entries_;
  // Open addressing instead of a map of strings: keys are kept once, and an eviction reuses the
  // evicted key's memory. A power of two, at most half full.
  std::vector<Slot> slots_;
  std::vector<std::uint64_t> hashes_;  // of entries_, by position
  std::vector<HeapNode> heap_;         // empty until the first eviction
  // For keys without an entry: no such key has more than its cell, nor a cell more than the least
  // entry. Empty until there is such a key.
  std::vector<std::int64_t> cells_;
  bool complete_ = true;  // every key that was ever added has an entry
};

}  // namespace tocsin
