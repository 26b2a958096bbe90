// How often each value of a field was seen in the last panes, of which many are seen once.
//
//   KeyCounts counts(61);                         // panes of the longest window
//   counts.NextPane(pane_top_k);                  // nullptr: a pane without events
//   counts.Largest(std::array{6, 7}, most);       // within the newest 6 panes, and 7
//
// A value counts with what its sketch guarantees (count − error), so never too high. Values are
// known by their hash; whoever wants a name looks into the sketch of the pane. Kept as bytes, at
// most kKeysMax values and kBytesMax bytes: past that those with the fewest events go first, of
// equal ones those seen longest ago, so that in a crowd of strangers one that comes again stays.
// Value type; not thread-safe.
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
  // For each of `panes` the most that any value has in so many of the newest panes; 0 without
  // values. REQUIRES: as many of both, kWindowsMax at most.
  static constexpr std::size_t kWindowsMax = 4;
  void Largest(std::span<const int> panes, std::span<std::int64_t> largest) const;
  struct Entry {
    std::uint64_t key = 0;  // Hash64 of the value
    std::int64_t count = 0;
  };
  // The values that have at least `least` in the newest `panes` panes, by key.
  std::vector<Entry> AtLeast(std::int64_t least, int panes) const;

  void Encode(ByteWriter* out) const { out->Bytes(packed_); }
  void Decode(ByteReader* in);

 private:
  // What one value has in one pane.
  struct Seen {
    std::uint64_t key = 0;
    std::int64_t count = 0;
    std::int32_t age = 0;  // 0: the newest pane
  };
  std::vector<Seen> Unpack() const;
  void Pack(const std::vector<Seen>& seen);
  void Evict(std::vector<Seen>* seen) const;

  int window_panes_;
  // By key, then age: the key, how many panes, and of each its age and count.
  std::string packed_;
};

}  // namespace tocsin
