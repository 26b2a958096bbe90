// Heavy hitters of a window of panes, with one set of keys for all of it.
//
//   TopWindow agents(30, 16);                   // of 30 panes, 16 keys
//   agents.NextPane();  agents.Add(pane_top_k);
//   SpaceSaving top = agents.Merged();
//
// Parts as in SketchWindow, but a key is kept once with a count a part: user agents take 100 bytes
// each. A key counts with what the panes' sketches guarantee (count − error), so never too high;
// past k keys the one with the fewest events goes, and begins anew should it come back. Shares are
// of all events. Value type; not thread-safe.
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
  static constexpr std::size_t kParts = 6;

  // REQUIRES: window_panes ≥ 1, 1 ≤ k ≤ SpaceSaving::kMaxK.
  TopWindow(int window_panes, std::uint32_t k);

  // Call at the start of each pane; true when a part was completed.
  bool NextPane();
  void Add(const SpaceSaving& pane);
  // Of the whole window; between one and 1.2 of them.
  SpaceSaving Merged() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  using Counts = std::array<std::int64_t, kParts>;  // newest part first
  struct Item {
    std::string key;
    Counts counts{};
    std::int64_t Sum() const;
  };
  std::vector<Item> Unpack() const;
  void Pack(const std::vector<Item>& items);

  int panes_per_part_;
  std::uint32_t k_;
  int panes_ = 0;      // of the newest part
  Counts totals_{};    // events of all keys
  std::string items_;  // by key: the key and its counts
};

}  // namespace tocsin
