// Mixes: the shares of a few values (clients, endpoints, networks) among all events, now and
// usually.
//
//   MixWindow now(24);  now.Add(MixOf(top_agents, AgentFamily));  now.Rotate();
//   UsualMix usual(24);  usual.Learn(now.Older(), gain);
//   usual.Distance(now.Merged())            // 0: the usual mix, 1: nothing in common
//
// Values are identified by 32 bits of their hash. Past k values those with the fewest events are
// dropped, and their events still count in the total. Value types; not thread-safe.
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
// The key of a user agent without its version numbers: a release does not change it.
MixKey AgentFamily(std::string_view agent);

struct Mix {
  struct Part {
    MixKey key = 0;
    std::int64_t count = 0;
  };
  std::vector<Part> parts;  // by key
  std::int64_t total = 0;   // events of all values, listed or not
};

// The counts that a sketch guarantees for each key.
Mix MixOf(const SpaceSaving& top, MixKey (*key_of)(std::string_view));

// Counts of two consecutive stretches of panes, the newer and the older.
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
    std::uint32_t newer = 0, older = 0;  // saturating
  };
  std::size_t k_;
  std::vector<Item> items_;  // by key
  std::int64_t newer_total_ = 0, older_total_ = 0;
};

// The usual shares, from exponentially weighted counts.
class UsualMix {
 public:
  explicit UsualMix(std::size_t k) : k_(k) {}
  // `gain`: the weight of this stretch, 1 for the first one.
  void Learn(const Mix& seen, double gain);
  bool empty() const { return !(total_ > 0); }
  // The average number of events in a stretch.
  double total() const { return total_; }
  // The share of a value; 0 for one that is not listed.
  double Share(MixKey key) const;
  // Upper bound of the share of an unlisted value: 0 while there is room for all.
  double ShareOfUnlisted() const;
  // The share of `seen` that exceeds the usual share of each value: half the sum of the absolute
  // differences.
  double Distance(const Mix& seen) const;
  // The expected Distance by chance, between a sample of `usual` and one of `now` independent
  // choices of the usual mix.
  double Noise(double usual, double now) const;
  // The effective number of values: the number of equally frequent values that would be as
  // concentrated, 1/Σ share².
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
