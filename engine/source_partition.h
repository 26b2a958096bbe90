// Stage 1 of one source partition: records in, PaneBatches and a commit out.
//
//   SourcePartition partition({.plan = &plan, .input = "logs", .source = "logs/app-logs/3", …});
//   partition.Restore(commit);                       // after a restart; feed from commit.offset
//   partition.Feed({.offset = 17, .next_offset = 18, .timestamp = t, .bytes = "{…}"});
//   for (PaneBatch& batch : partition.TakeBatches()) …    // make them durable, then
//   SourceCommit commit = partition.Commit();             // commit this
//
// A thread-free object: no clock, no I/O, no lock. Its output depends only on the records in log
// order and on the calls of CloseIdle, which must be implied by the log.
//
// Restart: the commit names the oldest record S that an open pane holds, and `next`, the first
// record not yet read. Records in [S, next) are fed only into panes that are still open, with the
// clock frozen; a batch that is sent twice is byte-identical. `close_offset` tells which late facts
// were not yet sent: a late fact is sent with the earliest pane that was open when it was read.
// Records dropped by the clock's guard are ahead of the clock, so a replay recognises them; those
// that the clock has passed since are remembered by offset while they are at or past S (at most
// kDroppedMax of them).
//
// A recreated log (a topic that was deleted and created again) begins at a lower offset than the
// one already reached. `last_record` tells whether the log is still the one that was read.
// StartOver continues with the new log: the clock and the open panes stay; records of the old log
// that a restart would have read again are lost.
//
// An event counts as late when the pane of its input's own delay is closed; an aggregation with a
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
  TimeUs timestamp = kNoTime;  // kNoTime (a file): the time of its first event
  bool append_time = false;    // the broker set the timestamp
  // For a file whose read times are recorded, so that a replay sees the same ones: when the record
  // was read. Events without a timestamp get this time, and the clock never passes it, so a jump in
  // event time holds no record back.
  TimeUs read_time = kNoTime;
  // For any other file: approximately when its first record was written, to complete timestamps
  // without a year. Once the clock has started, the clock is used instead, so that a replay reads
  // the same times.
  TimeUs assumed_time = kNoTime;
  bool padded = false;  // kDecodePadding readable bytes follow `bytes`
  std::string_view bytes;
};

// The record for a line of a file or of a record log. REQUIRES: `line` outlives the use of the
// record.
SourceRecord RecordOf(const LineReader::Line& line);

// Identifies a record of a log beyond its offset.
struct RecordPrint {
  std::int64_t offset = 0;
  TimeUs timestamp = kNoTime;
  std::int64_t bytes = 0;
  auto operator<=>(const RecordPrint&) const = default;
};

struct SourceCommit {
  std::int64_t offset = 0;  // resume reading here
  std::string metadata;     // encoded state: the clock and what was closed
};

struct SourceCounters {
  std::int64_t records = 0;
  std::int64_t bytes = 0;
  std::int64_t events = 0;  // decoded
  std::int64_t late = 0;
  std::int64_t quarantined = 0;
  std::int64_t undecodable = 0;
  std::int64_t capped = 0;  // events counted in (other), facts past the cap
};

// Receives records that could not be used, for the dead-letter output. Optional.
class DeadLetterObserver {
 public:
  virtual ~DeadLetterObserver() = default;
  virtual void OnDeadLetter(const std::string& source, std::int64_t offset, std::string_view reason,
                            std::string_view bytes) = 0;
};

class SourcePartition : private EventSink {
 public:
  // Events further ahead of their record's time than this are quarantined.
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

  // Empty metadata: start at the offset without state. InvalidArgument when the metadata was not
  // written by tocsin (a consumer group shared with another program).
  absl::Status Restore(const SourceCommit& commit);

  void Feed(const SourceRecord& record);
  // Further records are from a recreated log that begins at `offset`, which may be lower than
  // offsets already read.
  void StartOver(std::int64_t offset);
  // Closes up to `tick`, because no record with an earlier time can follow. REQUIRES: all records
  // in the log were fed. If the clock's guard holds records, closes only up to the first of them;
  // that one is then no longer a jump and is accepted, as it would have been in time.
  void CloseIdle(TimeUs tick);
  // The input has ended: releases held records, closes all panes, marks the last batch.
  void End();
  // Joins sources that have sent everything up to `tick`, as a new source or after End: its data of
  // earlier ticks is late, and its clock starts with its next record.
  void Join(TimeUs tick);

  std::vector<PaneBatch> TakeBatches();
  SourceCommit Commit() const { return CommitBefore(kNoTime); }
  // For a close that the log does not imply (an idle partition of a topic without append time).
  // Commit this once all batches so far are durable and before calling CloseIdle(tick). A restart
  // from it repeats that close at the same place, so neither the close nor its batches are lost.
  SourceCommit CommitBefore(TimeUs tick) const;

  const std::string& source() const { return options_.source; }
  const SourceCounters& counters() const { return counters_; }
  TimeUs last_tick() const { return last_tick_; }  // kNoTime before the first record
  TimeUs clock() const { return clock_.now(); }
  std::int64_t next_offset() const;
  // The record before next_offset, if one was read.
  const std::optional<RecordPrint>& last_record() const { return last_record_; }
  SourceClock::Trust trust() const { return clock_.trust(); }
  // Whether the newest record's time was near the time at which the input read it; kept in the
  // commit. A stream that is old or accelerated does not become idle when records stop coming.
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
    std::uint32_t index;  // into the plan's aggregations
    const Aggregation* aggregation;
    // Index in local_ of a finer aggregation whose counts can be summed up instead of counted
    // again; −1: none.
    int finer = -1;
    SummedMeasures summed = {};
  };
  // Aggregations of one event type whose `by` are all prefixes of this `by`.
  struct Chain {
    struct Member {
      std::uint32_t local;  // index into local_
      int finer = -1;       // index of the earlier member that is its `finer`
    };
    std::vector<FieldRef> by;
    std::vector<Member> members;  // finest first
  };
  struct HeldRecord {
    SourceRecord record;
    std::string bytes;
    TimeUs time = kNoTime;
    std::optional<RecordPrint> before;  // the record before it
  };
  enum class Mode : std::uint8_t {
    kNormal,
    kForced,      // a released held record: the clock accepts its time
    kQuarantine,  // a dropped held record: only counted
    kReplay,      // before `next` after a restart: the clock is frozen
    kIgnore,      // like kReplay, of a record that the clock's guard dropped
  };
  struct DroppedRecord {
    std::int64_t offset = 0;
    TimeUs time = kNoTime;  // kNoTime: not ahead of the clock
  };

  void OnEvent(const Event& event) override;
  void OnUndecodable(std::string_view bytes, std::string_view reason) override;

  // FloorTo, without a division if the time is in the same pane as the last one.
  TimeUs PaneStart(TimeUs time) {
    const auto into_pane =
        static_cast<std::uint64_t>(time) - static_cast<std::uint64_t>(recent_pane_);
    if (into_pane >= static_cast<std::uint64_t>(pane_)) recent_pane_ = FloorTo(time, pane_);
    return recent_pane_;
  }
  void Decode(const SourceRecord& record, Mode mode);
  // The default time of events without a timestamp; kNoTime: there is none.
  TimeUs TimeFor(const SourceRecord& record) const;
  // Offers the record's time to the clock; false when its events must be ignored for now.
  bool TimeIsKnown(TimeUs time);
  void DecodeHeld(Mode mode);
  void ReleaseHeld();
  // Feeds held records again as if they were read now.
  void OfferHeldAgain();
  void DropHeld();
  void Hold(const SourceRecord& record);
  void RememberDropped(DroppedRecord record);
  void AcceptTime(TimeUs time);
  void CloseThrough(TimeUs tick, std::int64_t close_offset);
  void RepeatIdleClose();
  // The tick up to which CloseIdle(tick) closes.
  TimeUs IdleClose(TimeUs tick) const;
  PaneBatch MakeBatch(TimeUs tick);
  // The oldest record that is still needed.
  std::int64_t OldestOffset() const;
  TimeUs NextTickWithData(TimeUs through) const;
  void FindFiner();
  void AddChains(EventType type);
  // Completes the pane's tables that close at this tick by adding the sums of their finer tables.
  void SumFiner(TimeUs tick, OpenPane* pane);
  void Accumulate(const Event& event);
  void AccumulateChain(const Event& event, const Chain& chain, OpenPane* pane, RowCache* cache);
  // Valid until the next call.
  std::string_view KeyOf(const std::vector<FieldRef>& by, const Event& event);
  void AccumulateAlarm(const Event& event);
  // The pane in which to send an alarm or another fact, given the reader's delay; nullopt if it was
  // already sent.
  std::optional<TimeUs> PaneOfAlarm(TimeUs time, DurationUs delay) const;
  void KeepFact(const Event& event);
  OpenPane* PaneAt(TimeUs start);
  void Sample(std::string_view reason, std::string_view bytes);

  Options options_;
  std::vector<LocalAggregation> local_;
  std::vector<std::uint32_t> finest_first_;  // indices into local_, by length of `by`
  std::vector<Chain> chains_;
  std::array<std::vector<std::uint32_t>, kEventTypes> chains_of_type_;
  DurationUs pane_;
  TimeUs recent_pane_ = 0;  // of PaneStart
  DurationUs delay_;        // of the input
  DurationUs delay_max_;    // of the aggregations that read it
  SourceClock clock_{SourceClock::Trust::kProducerTime};

  TimeUs last_tick_ = kNoTime;
  bool sent_any_ = false;
  std::int64_t next_offset_ = 0;
  std::int64_t replay_until_ = 0;
  std::optional<RecordPrint> last_record_, record_before_;
  bool live_ = false;
  // Offset from the restored commit while records up to `replay_until_` are being read again;
  // INT64_MAX afterwards.
  std::int64_t restored_offset_ = INT64_MAX;
  std::int64_t close_offset_ = 0;
  TimeUs idle_close_ = kNoTime;  // from the commit: repeat it after the replay
  std::deque<OpenPane> panes_;   // by start
  std::vector<HeldRecord> held_;
  std::vector<DroppedRecord> dropped_;  // by offset
  std::vector<PaneBatch> batches_;
  SourceCounters counters_;
  std::array<char, 256> short_key_;  // buffer of KeyOf for keys that fit
  std::string long_key_;

  // State of the record being decoded.
  Mode mode_ = Mode::kNormal;
  SourceRecord record_;
  TimeUs record_time_ = kNoTime;
  bool hold_record_ = false;
  bool release_after_ = false;
  bool drop_after_ = false;
};

}  // namespace tocsin
