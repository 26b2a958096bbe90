// The deciding side of the engine: durable batches in; lines, notifications and snapshots out.
//
//   DecisionLoop loop({.decider = &decider, .journal = journal, .deliverer = &deliverer, …});
//   TOCSIN_RETURN_IF_ERROR(loop.Recover());        // snapshot, lines, and the batches after it
//   while (auto set = log.Pop()) loop.Take(*set);
//   TOCSIN_RETURN_IF_ERROR(loop.Finish());
//
// Once it has recovered nothing stops it: a record that cannot be read is left out, and a snapshot
// that cannot be written is tried again. Notifications are handed to the deliverer, and durable
// there, before a snapshot can forget them; a snapshot stands for durable batches only.
// Output files are rewritten from the journal at the start, so after any crash they hold the same
// bytes as if there had been none (transport/line_output.h); where the journal has forgotten the oldest
// lines, the beginning of a file stays as it is. Detectors whose state a snapshot does not give learn
// again from the panes that the journal keeps. One thread; Status() may be called from any.
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
    // Those that are configured, empty while not all of them are known; what the journal has of
    // others is forgotten after a week.
    std::function<std::vector<std::string>()> sources;
    std::vector<std::string> sinks = {};
    // What else is to be forgotten; called with `sources` when the journal has forgotten.
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
    std::int64_t lines_left_out = 0;  // of the output files
    std::uint64_t through = 0;        // sequence in the batch log
    std::int64_t unreadable = 0;      // records of the batch log that were left out
    std::int64_t gaps = 0;            // batches that were missing in it
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
  // `incident` is that of the line as a whole, where it is known.
  void Write(const OutputLine& line, const Incident* incident);
  void Remember(OutputLine line);
  void CompleteBook();
  // Where everything that it stands for is durable.
  bool SnapshotIsPossible() const;
  absl::Status SaveSnapshot();
  void SaveSnapshotWhenDue();
  void ForgetAbsent();
  void Publish();

  Options options_;
  std::unique_ptr<LineOutput> incidents_;
  std::unique_ptr<LineOutput> signals_;    // nullptr: they go where the incidents go
  bool recovered_ = false;                 // until then files are rebuilt, and may take their time
  std::vector<OutputLine> lines_;          // since the last snapshot, as far as somebody needs them
  std::map<Hash128, std::size_t> newest_;  // of lines_, where only the newest of an incident is
  std::uint64_t through_ = 0;
  std::uint64_t snapshot_through_ = 0;
  TimeUs snapshot_due_ = 0;     // monotonic
  TimeUs complain_at_ = 0;      // of snapshots that fail
  TimeUs forgot_at_ = kNoTime;  // monotonic
  std::int64_t snapshots_ = 0;
  JournalUsage usage_;  // as of the last snapshot
  std::int64_t foreign_batches_ = 0;
  std::int64_t unreadable_ = 0;
  mutable absl::Mutex mutex_;
  View view_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace tocsin
