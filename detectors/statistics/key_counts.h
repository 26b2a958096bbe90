// Counts how often each value of a field was seen in the last panes, where many values occur only
// once.
//
//   KeyCounts counts(61);                         // panes of the longest window
//   counts.NextPane(pane_top_k);                  // nullptr: a pane without events
//   counts.Largest(std::array{6, 7}, most);       // within the newest 6 panes, and 7
//
// A value's count is what its sketch guarantees (count − error), so never too high. Values are
// identified by their hash; look up names in the sketch of the pane. Stored in encoded form, at
// most kKeysMax values and kBytesMax bytes: past that the values with the fewest events are
// evicted, among equals the least recently seen, so that a recurring value survives a crowd of
// values seen once. Value type; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/space_saving.h"
#include "core/wire.h"

namespace tocsin {

class KeyCounts {
 public:
  static constexpr std::size_t kKeysMax = 512;
  static constexpr std::size_t kBytesMax = 6 * 1024;

  // REQUIRES: 1 ≤ window_panes ≤ 256.
  explicit KeyCounts(int window_panes) : window_panes_(window_panes) {}

  void NextPane(const SpaceSaving* pane);
  bool empty() const { return packed_.empty(); }
  // For each of `panes`, the largest count of any value in that many newest panes; 0 without
  // values. REQUIRES: both spans have the same size, at most kWindowsMax.
  static constexpr std::size_t kWindowsMax = 4;
  void Largest(std::span<const int> panes, std::span<std::int64_t> largest) const;
  struct Entry {
    std::uint64_t key = 0;  // Hash64 of the value
    std::int64_t count = 0;
  };
  // The values that occurred at least `least` times in the newest `panes` panes, by key.
  std::vector<Entry> AtLeast(std::int64_t least, int panes) const;

  void Encode(ByteWriter* out) const { out->Bytes(packed_); }
  void Decode(ByteReader* in);

 private:
  // The count of one value in one pane.
  struct Seen {
    std::uint64_t key = 0;
    std::int64_t count = 0;
    std::int32_t age = 0;  // 0: the newest pane
  };
  std::vector<Seen> Unpack() const;
  void Pack(const std::vector<Seen>& seen);
  void Evict(std::vector<Seen>* seen) const;

  int window_panes_;
  // By key, then age: the key, the number of panes, and the age and count in each of them.
  std::string packed_;
};

}  // namespace tocsin
