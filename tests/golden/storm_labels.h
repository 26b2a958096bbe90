// What the detectors label the storms of many worlds as.
//
//   StormResults results = RunStorms({.held_out = false, .worlds = 200, .seed = 1});
//   results.Right(StormKind::kSurge)            // 0.985
//   std::fputs(results.Table().c_str(), stdout);
//
// A world has its quiet time once, and from its end every kind of storm that is possible in it,
// each until it pages. Worlds are drawn until there are as many of each kind as asked for, from all
// families in turn. The same for the same options.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/golden/storm_scene.h"

namespace tocsin {

struct StormOutcome {
  StormKind kind = StormKind::kAttack;
  std::string label;    // empty: nobody was paged
  std::string missing;  // of an unknown one: what the evidence says is missing
  std::string reason;
  std::string world;  // family and seed
  std::string what;
  bool Right() const { return label == kStormNames[static_cast<std::size_t>(kind)]; }
};

struct StormRunOptions {
  bool held_out = false;
  int worlds = 200;  // of each kind
  std::uint64_t seed = 1;
};

class StormResults {
 public:
  void Add(StormOutcome outcome);
  int Count(StormKind kind) const;
  double Right(StormKind kind) const;
  // A line a kind, a column a label.
  std::string Table() const;
  const std::vector<StormOutcome>& wrong() const { return wrong_; }

 private:
  std::array<std::map<std::string, int>, kStormKinds> labels_;
  std::vector<StormOutcome> wrong_;
};

// Of one world: every kind that it has, of those that are `wanted`.
std::vector<StormOutcome> RunStormWorld(Family family, std::uint64_t seed,
                                        const std::array<bool, kStormKinds>& wanted);
StormResults RunStorms(const StormRunOptions& options);

}  // namespace tocsin
