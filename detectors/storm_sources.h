// Who is behind a storm: the sources of the newest panes, and what is usual for them.
//
//   StormSources sources(pane_length, {.endpoints = true});
//   sources.Add(pane, cells);                 // each row of a pane
//   sources.EndPane(pane, storm);             // once a pane; `storm`: it may have begun
//   StormVerdict verdict = LabelStorm(sources.Facts());
//
// Two stretches of panes are kept. In quiet times each is a chunk of five minutes; the older one is
// learned from when the newer one is complete and has not much more than usual: so what comes just
// before a storm, or while it slowly grows, is not taken for usual. While a storm lasts the newer one
// grows; both together are what it looks like, with at most one and a half chunks of before, since the
// connections that a gauge counts are opened before it rises. Deterministic; up to 10 KiB; not
// thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "core/hyperloglog.h"
#include "core/space_saving.h"
#include "core/time.h"
#include "core/wire.h"
#include "detectors/detector.h"
#include "detectors/evidence.h"
#include "detectors/statistics/mix.h"
#include "detectors/statistics/seen_items.h"
#include "detectors/statistics/top_window.h"
#include "detectors/statistics/window.h"
#include "detectors/storm_label.h"

namespace tocsin {

class StormSources {
 public:
  // What Add reads, in this order: the number of events first, the endpoints last.
  static constexpr std::size_t kEvents = 0;
  static std::vector<Measure> Measures(bool endpoints);

  struct Options {
    bool endpoints = false;  // are measured
    bool attempts = false;   // to authenticate, whose users are only claimed
  };
  StormSources(DurationUs pane, Options options);

  void Add(const PaneContext& pane, const SpecCells& cells);
  void EndPane(const PaneContext& pane, bool storm);
  StormFacts Facts() const;
  // Distinct addresses and the most frequent ones, now and usually.
  void ExplainNow(EvidenceList* list) const;
  void ExplainUsual(EvidenceList* list) const;
  void ExplainTop(EvidenceList* list) const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  // Addresses that can be listed and blocked.
  static constexpr std::size_t kHeavyMax = 32;
  static constexpr std::size_t kNetworks = 32;
  // How many chunks what is usual is known from: two days.
  static constexpr double kDaysChunks = 576;

  // Events of a stretch.
  struct Amounts {
    double panes = 0, events = 0, addressed = 0, named = 0, agented = 0, failed = 0;
    // Of the addresses that the panes' rankings list: events, and those of addresses never seen
    // (estimated from the few that surely were not).
    double ranked = 0, fresh = 0;
    // Addresses never seen, and those of them from networks that new ones usually come from.
    double networks = 0, at_home = 0;
    template <typename Self, typename Visit>
    static void ForEach(Self& self, Visit visit);
    void AddUp(const Amounts& other);
  };
  struct Distinct {
    double one = 0, two = 0;  // in one chunk, and in two
    double fresh = 0;         // of one: never seen
    // In so many chunks.
    double In(double chunks) const;
    // Of what is new in a chunk.
    double NewShare() const { return one > 0 ? fresh / one : 0; }
  };
  // A chunk, or the exponentially weighted mean of many.
  struct Chunk {
    Amounts amounts;
    Distinct addresses, users;
    void MoveTowards(const Chunk& other, double gain);
    void Encode(ByteWriter* out) const;
    void Decode(ByteReader* in);
  };
  // The newer and the older stretch of a sketch.
  struct Sketches {
    PackedSketch<HyperLogLog> newer, older;
    HyperLogLog Both() const;
    void Rotate();
  };

  void Rotate();
  void ForgetOlder();
  bool Calm(const Amounts& stretch) const;
  void Learn(TimeUs time);
  void CountRanked(const SpaceSaving& addresses);

  Amounts Both() const;
  // How long both are, in chunks.
  double Chunks() const { return (older_.panes + newer_.panes) / chunk_panes_; }
  // What of `now` came beyond the usual number, as a share; `usual` is that of one chunk.
  double Excess(double now, double usual) const;
  double ShareOfExcess(double now, double usual) const;
  // Usually nearly all come from a few addresses, which are always the same.
  bool Crowded() const;
  bool HiddenBehind(double excess) const;
  double ShareOfNew(const HyperLogLog& now, const SeenItems& seen, const Distinct& recent,
                    double usual) const;
  void AddAddressFacts(StormFacts* facts) const;
  void AddHeavyFacts(double excess, StormFacts* facts) const;
  void AddUserFacts(StormFacts* facts) const;
  void AddMixFacts(StormFacts* facts) const;
  void AddAgentFacts(double excess, StormFacts* facts) const;
  void AddNetworkFacts(StormFacts* facts) const;

  Options options_;
  int chunk_panes_;
  double chunks_per_hour_;

  bool storming_ = false;
  Amounts newer_, older_;
  Sketches addresses_, users_;
  TopWindow top_addresses_, top_agents_, top_endpoints_;
  MixWindow families_, endpoints_, networks_;

  double observed_ = 0;  // quiet panes
  double learned_ = 0;   // chunks
  double learned_events_ = 0, learned_sources_ = 0;
  double skipped_ = 0;  // chunks in a row
  // How many come follows the hour, how often each of them comes does not, and how many are new
  // depends on how many were seen by now.
  Chunk hour_, days_, recent_;
  SeenItems seen_addresses_, seen_users_;
  UsualMix usual_top_addresses_, usual_agents_, usual_families_, usual_endpoints_, usual_networks_;
};

}  // namespace tocsin
