// Heavy hitters of two consecutive stretches of panes, the newer and the older, with one set of
// keys.
//
//   TopWindow agents(16);                      // 16 keys
//   agents.Add(pane_top_k);  agents.Rotate();  // the newer stretch becomes the older one
//   SpaceSaving top = agents.Merged();
//
// A key is stored once with a count for each stretch, because user agents take 100 bytes each. A
// key's count is what the panes' sketches guarantee (count − error), so never too high. Past k keys
// the one with the fewest events is dropped, and starts from zero if it comes back. Shares are of
// all events. Value type; not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/space_saving.h"
#include "core/wire.h"

namespace tocsin {

class TopWindow {
 public:
  // REQUIRES: 1 ≤ k ≤ SpaceSaving::kMaxK.
  explicit TopWindow(std::uint32_t k) : k_(k) {}

  // Adds a pane to the newer stretch.
  void Add(const SpaceSaving& pane);
  // The newer stretch becomes the older one; the previous older one is forgotten.
  void Rotate();
  void ForgetOlder();
  void Clear();
  SpaceSaving Merged() const;
  SpaceSaving Older() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  using Counts = std::array<std::int64_t, 2>;  // newer, older
  struct Item {
    std::string key;
    Counts counts{};
    std::int64_t Sum() const;
  };
  std::vector<Item> Unpack() const;
  void Pack(const std::vector<Item>& items);
  // Replaces the counts of every key.
  template <typename Change>
  void ForEach(Change change);

  std::uint32_t k_;
  Counts totals_{};    // events of all keys
  std::string items_;  // by key: the key and its counts
};

}  // namespace tocsin
