// The progress of every source partition of all inputs: which ones have to wait for the others, and
// which ones are excluded from decisions.
//
//   SourceBoard board(plan.pane());
//   const SourceBoard::Id id = board.Add("app/app-logs/3");
//   board.Report(id, {.tick = …, .data_tick = …, .reach = …});
//   input->Pause(partition, tick > board.Limit());
//   for (const ControlRecord& record : board.Judge(now)) …      // a few times a second
//
// A tick is decided once every source has reported it, so a source that stands still holds up all.
// It is excluded, by a control record, when it could be read and its tick has not advanced for
// kExcludeAfter, while every source that has advanced since is ahead of it. Only time in which it
// could have advanced counts: an interval between two Judge calls of more than kStepMax (the
// process was stopped, the machine slept) counts as kStepMax. While no source advances (the broker
// is down) no time counts, so afterwards each source has that time to catch up.
//
// A source that cannot be read (Reach::kAway) may have more records, so it is waited for, up to
// kAwayAfter. That time only counts while a readable source has data that waits to be decided. The
// engine pages for excluded sources (service/blind_alarm.h). An excluded source rejoins when it has
// caught up.
//
// A source that is more than limits::kTicksAheadMax ticks ahead of the slowest has to wait. Times
// are monotonic; there are at most as many sources as the inputs have partitions. Thread-safe.
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
    kReadable,  // its broker or file answers; if it stands still, it has no new data
    kAway,      // it cannot be read, or could not at some time since the last check
  };
  struct Progress {
    TimeUs tick = kNoTime;       // reported through this one
    TimeUs data_tick = kNoTime;  // the last tick with data
    Reach reach = Reach::kReadable;
    bool ended = false;
  };

  struct Ticks {
    // All sources have sent every tick up to here, or are not waited for. A joining source starts
    // after it. Never decreases; kNoTime while no source has sent a tick.
    TimeUs due = kNoTime;
    TimeUs furthest = kNoTime;  // of the source that is furthest ahead
  };

  // `decided`: the last tick that stage 2 has decided.
  explicit SourceBoard(DurationUs pane, TimeUs decided = kNoTime) : pane_(pane), due_(decided) {}

  // Adds a source that stage 2 waits for. It is kAway until it reports otherwise.
  Id Add(const std::string& source);
  void Remove(Id id);
  void Report(Id id, const Progress& progress);

  TimeUs TickOf(Id id) const;
  // Sources that have reported a later tick than this one have to wait.
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
    // Times since the last Judge in which it had advanced or become readable:
    DurationUs still_for = 0;
    DurationUs passed_for = 0;  // readable, and behind all sources that have advanced
    DurationUs away_for = 0;    // not readable, while data of another source waited
  };

  TimeUs FurthestLocked() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void CountTime(DurationUs step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DurationUs pane_;
  mutable absl::Mutex mutex_;
  mutable TimeUs due_ ABSL_GUARDED_BY(mutex_);  // the last result of GetTicks
  Id last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<Id, Source> sources_ ABSL_GUARDED_BY(mutex_);
  TimeUs judged_at_ ABSL_GUARDED_BY(mutex_) = kNoTime;
};

}  // namespace tocsin
