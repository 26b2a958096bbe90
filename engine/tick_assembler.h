// Merges the partial ticks of all sources, in order.
//
//   TickAssembler assembler(&plan);
//   TOCSIN_RETURN_IF_ERROR(assembler.Append(record));       // a chunk or a control record
//   AssembledTick tick;
//   while (assembler.Next(&tick)) …                          // before the next Append
//
// A tick is complete when every expected source that is not excluded has reported it; partials
// merge in order of source name. The first complete content of a (source, tick) wins and later ones
// are dropped, because a restarted or zombie stage 1 sends again what was already sent. Sources
// become expected by control records. The first tick is the earliest one reported, once every
// expected source has reported. An excluded source's data for a tick that was emitted without it is
// dropped, except its facts, which go into the next tick. Which ticks those are follows from the
// log alone, provided that Next is called until it returns false after each Append. When every
// source has ended or is excluded, no tick is emitted. Batches of another known plan (a changed
// configuration or build) are translated (panes/plan_translation.h). An ended source is forgotten a
// week of ticks after its last tick. Memory is bounded by how far callers let sources run ahead
// (limits::kTicksAheadMax). Not thread-safe.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "core/hash.h"
#include "panes/pane_batch.h"
#include "panes/plan.h"
#include "panes/plan_translation.h"

namespace tocsin {

struct AssembledTick {
  TimeUs tick = 0;
  bool partial = false;                          // a source was excluded
  std::vector<std::optional<PaneTable>> tables;  // by aggregation; nullopt: no data
  std::vector<Fact> facts;                       // sorted
};

class TickAssembler {
 public:
  explicit TickAssembler(const Plan* plan);

  // Registers another plan, so that its batches can be read as far as the two plans overlap.
  void Know(const PlanDescription& plan);
  // FailedPrecondition for a batch of an unknown plan.
  absl::Status Append(std::string_view record);
  bool Next(AssembledTick* out);
  // The operator actions since the last call, in log order. Call it before Next, which emits the
  // ticks that follow them in the log.
  std::vector<OperatorAction> TakeActions() { return std::exchange(acts_, {}); }

  // The tick that Next emits when it is complete; kNoTime before the start.
  TimeUs next_tick() const { return next_tick_; }
  // Every source has ended and every tick was emitted.
  bool Finished() const;
  // Expected sources that have not ended.
  std::vector<std::string> Sources() const;
  // Those of them that hold up the next tick.
  std::vector<std::string> Missing() const;
  // Ticks with reported data that are not emitted yet.
  std::size_t ticks_ahead() const { return pending_.size(); }
  std::int64_t duplicates() const { return duplicates_; }
  std::int64_t gaps() const { return gaps_; }
  // Ended sources that this object has forgotten.
  std::int64_t forgotten() const { return forgotten_; }

  // A copy with the same sources, none of which has reported yet; for reading the log again.
  TickAssembler BeforeReports() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Source {
    TimeUs expected_from = kNoTime;
    TimeUs reported = kNoTime;  // up to this tick; kNoTime: nothing yet
    TimeUs first = kNoTime;     // its first tick
    bool ended = false;
    TimeUs excluded_from = INT64_MAX;
    TimeUs rejoins_at = INT64_MAX;

    bool ExcludedAt(TimeUs tick) const { return tick >= excluded_from && tick < rejoins_at; }
  };
  struct ContentId {
    std::string source;
    TimeUs tick = 0;
    Hash128 hash;
    auto operator<=>(const ContentId&) const = default;
  };
  struct Partial {  // received chunks of one content
    std::vector<std::string> chunks;
    std::size_t have = 0;
  };

  struct KnownPlan {
    Hash128 hash;
    PlanDescription description;
    // Null if the plans have nothing in common. Shared with BeforeReports; immutable.
    std::shared_ptr<const PlanTranslation> translation;
  };

  absl::StatusOr<PaneBatch> DecodeBatch(const Chunk& header, std::string_view content) const;
  absl::Status AppendChunk(const Chunk& chunk);
  void AppendBatch(PaneBatch batch);
  void Apply(const ControlRecord& record);
  void Merge(TimeUs tick, AssembledTick* out);
  bool Start();
  void ForgetEnded();

  const Plan* plan_;
  std::vector<KnownPlan> plans_;  // other than plan_, newest last
  std::map<std::string, Source> sources_;
  std::map<TimeUs, std::map<std::string, PaneBatch>> pending_;
  std::map<ContentId, Partial> incomplete_;
  std::vector<Fact> late_facts_;  // for the next tick
  std::vector<OperatorAction> acts_;
  TimeUs next_tick_ = kNoTime;
  std::int64_t duplicates_ = 0;
  std::int64_t gaps_ = 0;
  std::int64_t forgotten_ = 0;
};

}  // namespace tocsin
