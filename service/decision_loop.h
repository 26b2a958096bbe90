// The deciding side of the engine: durable batches in; lines, notifications and snapshots out.
//
//   DecisionLoop loop({.decider = &decider, .journal = journal, .deliverer = &deliverer, …});
//   TOCSIN_RETURN_IF_ERROR(loop.Recover());        // snapshot, lines, and the batches after it
//   while (auto set = log.Pop()) loop.Take(*set);
//   TOCSIN_RETURN_IF_ERROR(loop.Finish());
//
// After recovery no error stops it: an unreadable record is skipped, and a failed snapshot is
// retried. A snapshot covers durable batches only, and only after their notifications are durable
// in the deliverer. Output files are rewritten from the journal at the start, so after a crash they
// hold the same bytes as without it (transport/line_output.h). If the journal has already deleted
// the oldest lines, the beginning of a file stays as it is. Detectors whose state cannot be
// restored from the snapshot relearn from the panes that the journal keeps. One thread; Status()
// from any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "engine/decider.h"
#include "journal/journal.h"
#include "service/batch_log.h"
#include "service/deliverer.h"
#include "service/incident_book.h"
#include "transport/line_output.h"

namespace tocsin {

class DecisionLoop {
 public:
  struct Options {
    Decider* decider = nullptr;
    Journal* journal = nullptr;
    BatchLog* log = nullptr;
    Deliverer* deliverer = nullptr;
    const TimeSource* time = nullptr;
    std::string signals_path;
    std::string incidents_path;
    std::function<void(const Decision&)> on_decision;
    IncidentBook* book = nullptr;  // gets every incident line; may be null
    // The configured sources, or an empty list while not all of them are known, and the configured
    // sinks. The journal forgets other sources and sinks after a week.
    std::function<std::vector<std::string>()> sources;
    std::vector<std::string> sinks = {};
    // Called with `sources` after the journal has forgotten some, to delete other data of theirs.
    std::function<void(const std::vector<std::string>&)> forget = nullptr;
  };

  explicit DecisionLoop(Options options) : options_(std::move(options)) {}

  absl::Status Recover();
  void Take(const BatchLog::Set& batches);
  // A last snapshot; closes the files.
  absl::Status Finish();

  struct View {
    Decider::Counters counters;
    std::size_t series = 0;
    std::int64_t series_over_limit = 0;
    std::size_t open_incidents = 0;
    TimeUs last_tick = kNoTime;
    std::int64_t snapshots = 0;
    std::int64_t lines_left_out = 0;  // dropped from the output files
    std::uint64_t through = 0;        // decided up to this sequence of the batch log
    std::int64_t unreadable = 0;      // skipped records of the batch log
    std::int64_t gaps = 0;            // batches that were missing in the batch log
    JournalUsage journal;
    LifeTimes times;
    std::vector<Silence> silences;
  };
  View Status() const;

 private:
  absl::Status Relearn(std::uint64_t through);
  absl::Status RestoreLines();
  void Append(std::string_view record);
  absl::Status OpenOutputs();
  absl::Status CloseOutputs();
  std::int64_t BytesToKeep(const std::string& path, const std::optional<std::string>& oldest) const;
  // `incident` is the whole incident of the line, or nullptr if it is not known.
  void Write(const OutputLine& line, const Incident* incident);
  void Remember(OutputLine line);
  void CompleteBook();
  // Whether everything that a snapshot would cover is durable.
  bool SnapshotIsPossible() const;
  absl::Status SaveSnapshot();
  void SaveSnapshotWhenDue();
  void ForgetAbsent();
  void Publish();

  Options options_;
  std::unique_ptr<LineOutput> incidents_;
  std::unique_ptr<LineOutput> signals_;    // nullptr: signals go to the incidents output
  bool recovered_ = false;                 // false: output files are rebuilt, writes may block
  std::vector<OutputLine> lines_;          // lines to keep, since the last snapshot
  std::map<Hash128, std::size_t> newest_;  // index in lines_ if only an incident's newest is kept
  std::uint64_t through_ = 0;
  std::uint64_t snapshot_through_ = 0;
  TimeUs snapshot_due_ = 0;     // monotonic
  TimeUs complain_at_ = 0;      // when to log failing snapshots again
  TimeUs forgot_at_ = kNoTime;  // monotonic
  std::int64_t snapshots_ = 0;
  JournalUsage usage_;  // as of the last snapshot
  std::int64_t foreign_batches_ = 0;
  std::int64_t unreadable_ = 0;
  mutable absl::Mutex mutex_;
  View view_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tocsin
