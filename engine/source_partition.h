// Stage 1 of one source partition: records in, PaneBatches and a commit out.
//
//   SourcePartition partition({.plan = &plan, .input = "logs", .source = "logs/app-logs/3", …});
//   partition.Restore(commit);                       // after a restart; feed from commit.offset
//   partition.Feed({.offset = 17, .next_offset = 18, .timestamp = t, .bytes = "{…}"});
//   for (PaneBatch& batch : partition.TakeBatches()) …    // make them durable, then
//   SourceCommit commit = partition.Commit();             // commit this
//
// A thread-free object: no clock, no I/O, no lock. Everything it does follows from the records in
// log order and from CloseIdle, which says what the log implies.
//
// Restart: the commit names the oldest record S that an open pane holds, and `next`, the first
// record not yet read. Records in [S, next) are fed only into panes that are still open, with the
// clock frozen; a batch sent twice is byte-identical. `close offset` tells which late facts were
// not yet sent: a late fact rides in the earliest pane that was open when it was read. Records that
// the clock's guard dropped lie beyond the clock; those that it has passed since are remembered by
// offset while they are at or past S (at most kDroppedMax of them).
//
// A log that was created anew (a topic that was deleted and made again) begins at a lower offset
// than where we stand. `last_record` tells whether the log is still the one that was read; StartOver
// goes on with the new one: the clock and the open panes stay, what they still needed of the old log
// is gone.
//
// An event is counted late when the pane of its input's own delay is closed; an aggregation with a
// larger delay still takes it. Decoded views never outlive Feed.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/event.h"
#include "engine/row_cache.h"
#include "ingest/decoder.h"
#include "ingest/sources/line_reader.h"
#include "panes/pane_batch.h"
#include "panes/plan.h"
#include "panes/source_clock.h"

namespace tocsin {

struct SourceRecord {
  std::int64_t offset = 0;
  std::int64_t next_offset = 1;
  TimeUs timestamp = kNoTime;  // kNoTime: a file; the time of its first event counts
  bool append_time = false;    // the timestamp is the broker's
  // Of a file, where it is known and will be known again: when the record was read. Events that do
  // not say when they were were then, and the clock never passes it: no jump is held.
  TimeUs read_time = kNoTime;
  // Of a file otherwise: about when its first record was written, for stamps without a year. Once
  // there is a clock, that counts instead, so that what is read again means the same.
  TimeUs assumed_time = kNoTime;
  bool padded = false;  // kDecodePadding bytes stand behind it
  std::string_view bytes;
};

// What a file or a record log gives. REQUIRES: `line` lives as long as what is done with the record.
SourceRecord RecordOf(const LineReader::Line& line);

// What identifies a record of a log beside its offset.
struct RecordPrint {
  std::int64_t offset = 0;
  TimeUs timestamp = kNoTime;
  std::int64_t bytes = 0;
  auto operator<=>(const RecordPrint&) const = default;
};

struct SourceCommit {
  std::int64_t offset = 0;  // read from here
  std::string metadata;     // state of the clock and of what was closed
};

struct SourceCounters {
  std::int64_t records = 0;
  std::int64_t bytes = 0;
  std::int64_t events = 0;  // decoded
  std::int64_t late = 0;
  std::int64_t quarantined = 0;
  std::int64_t undecodable = 0;
  std::int64_t capped = 0;  // counted in (other), or facts past the cap
};

// Told of records that could not be used, for the dead-letter output. Optional.
class DeadLetterObserver {
 public:
  virtual ~DeadLetterObserver() = default;
  virtual void OnDeadLetter(const std::string& source, std::int64_t offset, std::string_view reason,
                            std::string_view bytes) = 0;
};

class SourcePartition : private EventSink {
 public:
  // Events further ahead of their record than this are quarantined.
  static constexpr DurationUs kAheadMax = 60 * kSecondUs;
  static constexpr std::size_t kDroppedMax = 64;

  struct Options {
    const Plan* plan = nullptr;  // outlives the partition
    std::string input;
    std::string source;
    std::unique_ptr<Decoder> decoder;
    DeadLetterObserver* dead_letters = nullptr;
  };

  explicit SourcePartition(Options options);

  // Empty metadata: begin at the offset, knowing nothing. InvalidArgument when the text is not one
  // of ours (a group shared with another program).
  absl::Status Restore(const SourceCommit& commit);

  void Feed(const SourceRecord& record);
  // What follows is of a log that was created anew and begins at `offset`, which may be lower than
  // what was read before.
  void StartOver(std::int64_t offset);
  // No record with an earlier time than `tick` can follow: closes up to it. REQUIRES: all records
  // that the log holds were fed. Where the clock's guard holds records it closes no further than to
  // the first of them, which is no jump then: it is accepted, as it would have been in time.
  void CloseIdle(TimeUs tick);
  // The input has ended: releases what is held, closes everything, marks the last batch.
  void End();
  // Joins others that have sent everything up to `tick`, as a new source or after End: what it holds
  // of earlier ticks is late, and its clock begins with its next record.
  void Join(TimeUs tick);

  std::vector<PaneBatch> TakeBatches();
  SourceCommit Commit() const { return CommitBefore(kNoTime); }
  // For a close that the log does not imply (an idle partition of a topic without append time): to
  // be committed when all batches so far are durable and before CloseIdle(tick). Whoever restores
  // it repeats that close, so that neither its batches nor the moment of it are lost.
  SourceCommit CommitBefore(TimeUs tick) const;

  const std::string& source() const { return options_.source; }
  const SourceCounters& counters() const { return counters_; }
  TimeUs last_tick() const { return last_tick_; }  // kNoTime before the first record
  TimeUs clock() const { return clock_.now(); }
  std::int64_t next_offset() const;
  // The record before next_offset, where one was read.
  const std::optional<RecordPrint>& last_record() const { return last_record_; }
  SourceClock::Trust trust() const { return clock_.trust(); }
  // Whether the newest record was near the time at which it was read, as the input saw it; kept in
  // the commit. An old or accelerated stream is not idle when nothing comes.
  void set_live(bool live) { live_ = live; }
  bool live() const { return live_; }

 private:
  struct OpenPane {
    TimeUs start = 0;
    std::int64_t oldest_offset = 0;
    std::vector<PaneTable> tables;     // parallel to local_
    std::vector<RowCache> row_caches;  // parallel to chains_
    std::vector<Fact> facts;
  };
  struct LocalAggregation {
    std::uint32_t index;  // in the plan
    const Aggregation* aggregation;
    // The finer one of local_ that spares it some counting; −1: none.
    int finer = -1;
    SummedMeasures summed = {};
  };
  // Aggregations of one event type each of whose `by` is the beginning of `by`.
  struct Chain {
    struct Member {
      std::uint32_t local;  // of local_
      int finer = -1;       // the member before it that is its `finer`
    };
    std::vector<FieldRef> by;
    std::vector<Member> members;  // the finest first
  };
  struct HeldRecord {
    SourceRecord record;
    std::string bytes;
    TimeUs time = kNoTime;
    std::optional<RecordPrint> before;  // the record before it
  };
  enum class Mode : std::uint8_t {
    kNormal,
    kForced,      // a held record that was released: the clock takes its time
    kQuarantine,  // a held record that was dropped: only count it
    kReplay,      // before `next` after a restart: the clock is frozen
    kIgnore,      // the same, but the clock's guard dropped the record
  };
  struct DroppedRecord {
    std::int64_t offset = 0;
    TimeUs time = kNoTime;  // kNoTime: not beyond the clock
  };

  void OnEvent(const Event& event) override;
  void OnUndecodable(std::string_view bytes, std::string_view reason) override;

  // FloorTo without its division where the time is in the same pane as the last one.
  TimeUs PaneStart(TimeUs time) {
    const auto into_pane =
        static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(recent_pane_);
    if (into_pane >= static_cast<std::uint64_t>(pane_)) recent_pane_ = FloorTo(time, pane_);
    return recent_pane_;
  }
  void Decode(const SourceRecord& record, Mode mode);
  // What stands in for the time of events that do not say when they were; kNoTime: nothing does.
  TimeUs TimeFor(const SourceRecord& record) const;
  // Decides on the record's time; false when its events are to be ignored for now.
  bool TimeIsKnown(TimeUs time);
  void DecodeHeld(Mode mode);
  void ReleaseHeld();
  // As if they were read now.
  void OfferHeldAgain();
  void DropHeld();
  void Hold(const SourceRecord& record);
  void RememberDropped(DroppedRecord record);
  void AcceptTime(TimeUs time);
  void CloseThrough(TimeUs tick, std::int64_t close_offset);
  void RepeatIdleClose();
  // How far CloseIdle(tick) closes.
  TimeUs IdleClose(TimeUs tick) const;
  PaneBatch MakeBatch(TimeUs tick);
  // The oldest record that is still needed.
  std::int64_t OldestOffset() const;
  TimeUs NextTickWithData(TimeUs through) const;
  void FindFiner();
  void AddChains(EventType type);
  // Completes the tables of a pane that are closed at this tick and were spared some counting.
  void SumFiner(TimeUs tick, OpenPane* pane);
  void Accumulate(const Event& event);
  void AccumulateChain(const Event& event, const Chain& chain, OpenPane* pane, RowCache* cache);
  // Valid until the next call.
  std::string_view KeyOf(const std::vector<FieldRef>& by, const Event& event);
  void AccumulateAlarm(const Event& event);
  // Where an alarm or another fact rides, given the delay of who reads it; nullopt: it was sent
  // already.
  std::optional<TimeUs> PaneOfAlarm(TimeUs time, DurationUs delay) const;
  void KeepFact(const Event& event);
  OpenPane* PaneAt(TimeUs start);
  void Sample(std::string_view reason, std::string_view bytes);

  Options options_;
  std::vector<LocalAggregation> local_;
  std::vector<std::uint32_t> finest_first_;  // of local_: by the length of `by`
  std::vector<Chain> chains_;
  std::array<std::vector<std::uint32_t>, kEventTypes> chains_of_type_;
  DurationUs pane_;
  TimeUs recent_pane_ = 0;  // of PaneStart
  DurationUs delay_;        // the input's
  DurationUs delay_max_;    // of the aggregations that read it
  SourceClock clock_{SourceClock::Trust::kProducerTime};

  TimeUs last_tick_ = kNoTime;
  bool sent_any_ = false;
  std::int64_t next_offset_ = 0;
  std::int64_t replay_until_ = 0;
  std::optional<RecordPrint> last_record_, record_before_;
  bool live_ = false;
  // Of the commit, while what it stands for has not all been read again; else INT64_MAX.
  std::int64_t restored_offset_ = INT64_MAX;
  std::int64_t close_offset_ = 0;
  TimeUs idle_close_ = kNoTime;  // of the commit: to be repeated once all is read again
  std::deque<OpenPane> panes_;   // by start
  std::vector<HeldRecord> held_;
  std::vector<DroppedRecord> dropped_;  // by offset
  std::vector<PaneBatch> batches_;
  SourceCounters counters_;
  std::array<char, 256> short_key_;  // of KeyOf, where the key fits
  std::string long_key_;

  // Of the record being decoded.
  Mode mode_ = Mode::kNormal;
  SourceRecord record_;
  TimeUs record_time_ = kNoTime;
  bool hold_record_ = false;
  bool release_after_ = false;
  bool drop_after_ = false;
};

}  // namespace tocsin
