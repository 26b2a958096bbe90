// Who is behind a storm: the sources of the newest panes, and what is usual for them.
//
//   StormSources sources(pane_length, {.endpoints = true});
//   sources.Add(pane, cells);                 // each row of a pane
//   sources.EndPane(pane, storm);             // once a pane; `storm`: it may have begun
//   StormVerdict verdict = LabelStorm(sources.Facts());
//
// Two stretches of panes are kept, the newer and the older. In quiet times each is a chunk of five
// minutes. The older chunk is learned as usual when the newer one is complete and not much above
// the usual, so that the time just before a storm, or its slow growth, is not learned as usual.
// While a storm lasts the newer stretch grows. Both together describe the storm. They include at
// most one and a half chunks from before it, because connections that a gauge counts are opened
// before it rises. Deterministic; up to 10 KiB; not thread-safe.
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
  // The measures that Add reads, in this order: the number of events first, the endpoints last.
  static constexpr std::size_t kEvents = 0;
  static std::vector<Measure> Measures(bool endpoints);

  struct Options {
    bool endpoints = false;  // endpoints are measured
    bool attempts = false;   // events are authentication attempts, whose users are unverified
  };
  StormSources(DurationUs pane, Options options);

  void Add(const PaneContext& pane, const SpecCells& cells);
  void EndPane(const PaneContext& pane, bool storm);
  StormFacts Facts() const;
  // Add evidence: distinct addresses and users now, and usually, and the most frequent values.
  void ExplainNow(EvidenceList* list) const;
  void ExplainUsual(EvidenceList* list) const;
  void ExplainTop(EvidenceList* list) const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  // Addresses that people can still list and block.
  static constexpr std::size_t kHeavyMax = 32;
  static constexpr std::size_t kNetworks = 32;
  // Number of chunks over which the usual is averaged: two days.
  static constexpr double kDaysChunks = 576;

  // Events of a stretch.
  struct Amounts {
    double panes = 0, events = 0, addressed = 0, named = 0, agented = 0, failed = 0;
    // For addresses listed in the panes' rankings: their events, and the events of addresses never
    // seen before (estimated from the few that were certainly not seen).
    double ranked = 0, fresh = 0;
    // Addresses never seen before, and those of them in networks that new ones usually come from.
    double networks = 0, at_home = 0;
    template <typename Self, typename Visit>
    static void ForEach(Self& self, Visit visit);
    void AddUp(const Amounts& other);
  };
  struct Distinct {
    double one = 0, two = 0;  // distinct items in one chunk, and in two
    double fresh = 0;         // items of one chunk never seen before
    // Estimated number of distinct items in this many chunks.
    double In(double chunks) const;
    // Share of new items in a chunk.
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
  // Length of both stretches, in chunks.
  double Chunks() const { return (older_.panes + newer_.panes) / chunk_panes_; }
  // The share of `now` beyond the usual number; `usual` is the number for one chunk.
  double Excess(double now, double usual) const;
  double ShareOfExcess(double now, double usual) const;
  // Usually nearly all events come from the same few addresses.
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

  double observed_ = 0;  // number of quiet panes
  double learned_ = 0;   // chunks
  double learned_events_ = 0, learned_sources_ = 0;
  double skipped_ = 0;  // chunks skipped in a row
  // Averages over an hour, days and the last chunks: the number of sources depends on the hour, the
  // events per source do not, and the share of new sources depends on how many were seen so far.
  Chunk hour_, days_, recent_;
  SeenItems seen_addresses_, seen_users_;
  UsualMix usual_top_addresses_, usual_agents_, usual_families_, usual_endpoints_, usual_networks_;
};

}  // namespace tocsin
