// Mixes: which shares a few values (clients, endpoints, networks) have of all events, now and
// usually.
//
//   MixWindow now(24);  now.Add(MixOf(top_agents, AgentFamily));  now.Rotate();
//   UsualMix usual(24);  usual.Learn(now.Older(), gain);
//   usual.Distance(now.Merged())            // 0: the usual mix, 1: nothing in common
//
// Values are known by 32 bits of their hash; past k of them those with the fewest events go, and
// their events count for the rest. Value types; not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/space_saving.h"
#include "core/wire.h"

namespace tocsin {

using MixKey = std::uint32_t;
MixKey MixKeyOf(std::string_view value);
// Of what is left of a user agent without its version numbers: a release does not change it.
MixKey AgentFamily(std::string_view agent);

struct Mix {
  struct Part {
    MixKey key = 0;
    std::int64_t count = 0;
  };
  std::vector<Part> parts;  // by key
  std::int64_t total = 0;   // of all, the parts' and the rest's
};

// What a sketch guarantees of each key.
Mix MixOf(const SpaceSaving& top, MixKey (*key_of)(std::string_view));

// Counts of a newer and an older stretch of panes.
class MixWindow {
 public:
  explicit MixWindow(std::size_t k) : k_(k) {}
  void Add(const Mix& pane);  // to the newer stretch
  void Rotate();
  void ForgetOlder();
  void Clear();
  Mix Merged() const;
  Mix Older() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Item {
    MixKey key = 0;
    std::uint32_t newer = 0, older = 0;  // saturate
  };
  std::size_t k_;
  std::vector<Item> items_;  // by key
  std::int64_t newer_total_ = 0, older_total_ = 0;
};

// Exponentially weighted counts, hence shares.
class UsualMix {
 public:
  explicit UsualMix(std::size_t k) : k_(k) {}
  // `gain`: the weight of this stretch, 1 for the first one.
  void Learn(const Mix& seen, double gain);
  bool empty() const { return !(total_ > 0); }
  // Events of a stretch on average.
  double total() const { return total_; }
  // 0 for a value that is not listed.
  double Share(MixKey key) const;
  // The most that a value that is not listed can have: 0 while there is room for all.
  double ShareOfUnlisted() const;
  // The share of `seen` that is beyond what is usual of each value: half the sum of the differences.
  double Distance(const Mix& seen) const;
  // What Distance is on average between two samples of `usual` and `now` independent choices of the
  // usual mix.
  double Noise(double usual, double now) const;
  // The number of values, if all had the same share, that would be as concentrated: 1/Σ share².
  double EffectiveValues() const;
  double ShareOfTop(std::size_t n) const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Item {
    MixKey key = 0;
    float weight = 0;
  };
  std::size_t k_;
  std::vector<Item> items_;  // by weight, then key
  double total_ = 0;
};

}  // namespace tocsin
