// How far every source partition of all inputs has come: who waits for the others, and who is left
// out of the decisions.
//
//   SourceBoard board(plan.pane());
//   const SourceBoard::Id id = board.Add("app/app-logs/3", now);
//   board.Report(id, {.tick = …, .data_tick = …, .reach = …});
//   input->Pause(partition, tick > board.Limit());
//   for (const ControlRecord& record : board.Judge(now)) …      // a few times a second
//
// A tick is decided once every source has reported it, so one that stands still holds up all. It is
// excluded, by a control record, when it could be read and its tick has stood still for
// kExcludeAfter while every source that has moved since is ahead of it. What counts is time in which
// it could have moved: a step of ours that took longer than kStepMax (the process was stopped, the
// machine slept) counts as kStepMax, and where nothing moves (a broker that is away) nobody is
// passed, so that afterwards each has that time to catch up. One that could not be read (Reach::kAway) says
// nothing about what its log holds: it is waited for, up to kAwayAfter, and that only runs while
// another source, which can be read, has something that waits to be decided; what is excluded then is said by a page
// (service/blind_alarm.h). An excluded source rejoins when it has caught up.
//
// Who is more than limits::kTicksAheadMax ticks ahead of the slowest waits. Monotonic time; at most
// as many sources as inputs have partitions. Thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/time.h"
#include "panes/pane_batch.h"

namespace tocsin {

class SourceBoard {
 public:
  static constexpr DurationUs kExcludeAfter = 30 * kSecondUs;
  static constexpr DurationUs kAwayAfter = 2 * kMinuteUs;
  static constexpr DurationUs kStepMax = kSecondUs;

  using Id = std::uint64_t;

  enum class Reach : std::uint8_t {
    kReadable,  // its broker, or file, answers: what stands still does so by itself
    kAway,      // it cannot be read at present, or has not been since we looked last
  };
  struct Progress {
    TimeUs tick = kNoTime;       // reported through this one
    TimeUs data_tick = kNoTime;  // the last one that carried something
    Reach reach = Reach::kReadable;
    bool ended = false;
  };

  struct Ticks {
    // Every tick up to here has been sent by all, or is not waited for: who joins begins behind it.
    // Never goes back; kNoTime while nobody has sent one.
    TimeUs due = kNoTime;
    TimeUs furthest = kNoTime;  // of the source that is furthest ahead
  };

  // `decided`: the last tick that stage 2 has decided.
  explicit SourceBoard(DurationUs pane, TimeUs decided = kNoTime) : pane_(pane), due_(decided) {}

  // One that stage 2 waits for. It is away until it reports otherwise.
  Id Add(const std::string& source);
  void Remove(Id id);
  void Report(Id id, const Progress& progress);

  TimeUs TickOf(Id id) const;
  // Who has reported a later tick than this one waits.
  TimeUs Limit() const;
  bool Excluded(Id id) const;
  // Control records that are due, in order of source name.
  std::vector<ControlRecord> Judge(TimeUs now);

  Ticks GetTicks() const;
  std::vector<std::string> ExcludedSources() const;

 private:
  struct Source {
    std::string name;
    Progress progress;
    bool excluded = false;
    TimeUs judged_tick = kNoTime;
    Reach judged_reach = Reach::kAway;
    // Since the last Judge in which it had moved, or come back:
    DurationUs still_for = 0;
    DurationUs passed_for = 0;  // readable, and behind all that have moved
    DurationUs away_for = 0;    // not readable, while another one's data waited
  };

  TimeUs FurthestLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void CountTime(DurationUs step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DurationUs pane_;
  mutable absl::Mutex mutex_;
  mutable TimeUs due_ ABSL_GUARDED_BY(mutex_);  // the last that was asked for
  Id last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Id, Source> sources_ ABSL_GUARDED_BY(mutex_);
  TimeUs judged_at_ ABSL_GUARDED_BY(mutex_) = kNoTime;
};

}  // namespace tocsin
