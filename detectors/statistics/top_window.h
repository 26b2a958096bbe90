// Heavy hitters of two stretches of panes, the newer and the older, with one set of keys for both.
//
//   TopWindow agents(16);                      // 16 keys
//   agents.Add(pane_top_k);  agents.Rotate();  // what was new is old now
//   SpaceSaving top = agents.Merged();
//
// A key is kept once with a count for each stretch: user agents take 100 bytes each. A key counts
// with what the panes' sketches guarantee (count − error), so never too high; past k keys the one
// with the fewest events goes, and begins anew should it come back. Shares are of all events. Value
// type; not thread-safe.
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

  // To the newer stretch.
  void Add(const SpaceSaving& pane);
  // The newer one becomes the older one, which is forgotten.
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
