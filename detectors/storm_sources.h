// Who is behind a storm: the sources of a window, what is usual for them, and the label that
// follows.
//
//   StormSources sources(window_panes);
//   sources.Add(pane_addresses, pane_agents, pane_distinct);
//   sources.Learn(…);                        // while all is quiet
//   std::string label = sources.Label(sources.Look());
//
// With N events from D distinct addresses (detection notes):
//   attack   the top 10 addresses have ≥ 50 %, and clearly more than usual
//   client   one user agent is far above its usual share (odds ≥ 4 ×, share ≥ 50 %)
//   surge    D rises with N (N/D near its baseline), and the clients are the usual ones
//   botnet   D jumps, and most addresses were never seen
//   unknown  anything else: never guess
// What is usual is needed for all but attack. Unseen addresses alone do not tell a botnet from a
// campaign that brings new users; the mix of user agents does. Deterministic; not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/hyperloglog.h"
#include "core/space_saving.h"
#include "core/time.h"
#include "core/wire.h"
#include "detectors/top_window.h"
#include "detectors/window.h"

namespace tocsin {

// The sources of the last window.
struct StormView {
  SpaceSaving addresses;
  SpaceSaving agents;
  HyperLogLog distinct_addresses;
  std::int64_t events = 0;  // that had an address
  double distinct = 0;
  double top_share = 0;  // of the top 10 addresses
  double unseen = 0;     // share of addresses that no quiet day has seen
};

class StormSources {
 public:
  explicit StormSources(int window_panes);

  // Call for each pane, Add for those with events. True when it is time to learn.
  bool NextPane();
  void Add(const SpaceSaving& addresses, const SpaceSaving& agents, const HyperLogLog& distinct);
  StormView Look() const;
  // REQUIRES: all is quiet.
  void Learn(const StormView& view, TimeUs time);

  // "attack", "client", "surge", "botnet" or "unknown".
  std::string Label(const StormView& view) const;
  // Something is known about what is usual.
  bool known() const { return learned_ >= kLearnedMin; }
  double usual_distinct() const { return usual_distinct_; }

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Agent {
    std::uint64_t key = 0;  // Hash64 of the name
    double share = 0;
  };
  static constexpr std::int64_t kLearnedMin = 5;
  static constexpr std::size_t kAgentsMax = 16;

  double UsualShare(const std::string& agent) const;
  // Half the sum of the differences of shares: 0 the same mix, 1 nothing in common.
  double AgentDistance(const SpaceSaving& agents) const;
  bool OneClient(const StormView& view) const;
  void LearnAgents(const SpaceSaving& agents, double gain);

  TopWindow addresses_, agents_;
  SketchWindow<HyperLogLog> distinct_;
  std::int64_t learned_ = 0;  // views
  double usual_distinct_ = 0, usual_per_source_ = 0, usual_top_share_ = 0;
  std::vector<Agent> usual_agents_;  // by share, then key
  // Addresses of this quiet day and of the one before.
  PackedSketch<HyperLogLog> seen_, seen_before_;
  TimeUs day_ = kNoTime;
};

}  // namespace tocsin
