// Puts the partial ticks of all sources together, in order.
//
//   TickAssembler assembler(&plan);
//   TOCSIN_RETURN_IF_ERROR(assembler.Append(record));       // a chunk or a control record
//   AssembledTick tick;
//   while (assembler.Next(&tick)) …                          // before the next Append
//
// A tick is complete when every expected source that is not excluded has reported it; partials
// merge in order of source name. The first complete content of a (source, tick) wins, later ones
// are dropped: a restarted or zombie stage 1 sends what was already sent. Sources become expected
// by control records; the first tick is the earliest that any source reports once all have reported
// one. What an excluded source sends for a tick that was given without it is dropped, except its
// facts: they ride in the next tick. Which ticks that are follows from the log as long as Next is
// called until it gives false after each Append. Where every source has ended or is left out, time
// stands still. What another plan measured, of those that it knows, is translated (a configuration
// or a build that changed: panes/plan_translation.h). A source that has ended is forgotten a week
// of ticks after its last one. Memory is bounded by what callers let run ahead
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
  std::vector<std::optional<PaneTable>> tables;  // by aggregation; nullopt: nothing
  std::vector<Fact> facts;                       // sorted
};

class TickAssembler {
 public:
  explicit TickAssembler(const Plan* plan);

  // Batches of this plan can be read, as far as it has something in common with ours.
  void Know(const PlanDescription& plan);
  // FailedPrecondition for a batch of a plan that is not known.
  absl::Status Append(std::string_view record);
  bool Next(AssembledTick* out);
  // What people did since the last call, in order of the log. Take them before Next, which goes on
  // with what stood behind them.
  std::vector<OperatorAction> TakeActions() { return std::exchange(acts_, {}); }

  // The tick that Next would give when complete; kNoTime before the start.
  TimeUs next_tick() const { return next_tick_; }
  // Every source has ended and every tick was given.
  bool Finished() const;
  // Expected sources that have not ended.
  std::vector<std::string> Sources() const;
  // Those of them that hold up the next tick.
  std::vector<std::string> Missing() const;
  // Ticks of which something was reported and that are still to come.
  std::size_t ticks_ahead() const { return pending_.size(); }
  std::int64_t duplicates() const { return duplicates_; }
  std::int64_t gaps() const { return gaps_; }
  // Sources that have ended and were forgotten, by this object.
  std::int64_t forgotten() const { return forgotten_; }

  // The same sources, before they reported anything: to read the log once more.
  TickAssembler BeforeReports() const;

  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Source {
    TimeUs expected_from = kNoTime;
    TimeUs reported = kNoTime;  // through this tick; kNoTime: nothing yet
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
  struct Partial {  // chunks of one content
    std::vector<std::string> chunks;
    std::size_t have = 0;
  };

  struct KnownPlan {
    Hash128 hash;
    PlanDescription description;
    // Null where nothing can be taken over. Shared with BeforeReports; immutable.
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
  std::vector<KnownPlan> plans_;  // beside ours, the newest last
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
