#include "service/decision_loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <system_error>

#include "absl/time/clock.h"
#include "core/bounded_line.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "runtime/line_file.h"

namespace tocsin {
namespace {

// A snapshot at most every minute, and rarer when it is large: at 5 MB/s writing it must stay
// cheap.
constexpr DurationUs kSnapshotEvery = 60 * kSecondUs;
constexpr std::int64_t kSnapshotBytesPerSecond = 5'000'000;
// One that could not be written is tried again after this, and mentioned again after that.
constexpr DurationUs kSnapshotRetry = 5 * kSecondUs;
constexpr DurationUs kComplainEvery = kMinuteUs;
// Lines kept in memory between snapshots: past it the snapshot comes early, and where it cannot be
// written, what output files would be rebuilt from after a crash is given up.
constexpr std::size_t kLinesMax = 100'000;
constexpr DurationUs kForgetEvery = kHourUs;
// How much of an output file is searched for the oldest line that the journal has: what the journal
// keeps, and what was written since the last snapshot.
constexpr std::int64_t kSearchBytesMax = 4 * limits::kLinesBytesMax;
// How long the last snapshot waits for what it stands for to be durable: a second.
constexpr int kFinishLooks = 200;
constexpr absl::Duration kFinishLook = absl::Milliseconds(5);
// What is not written when the program ends gets this long in all; a pipe that nobody reads, no
// longer.
constexpr DurationUs kOutputGrace = kSecondUs / 2;

}  // namespace

absl::Status DecisionLoop::Recover() {
  TOCSIN_ASSIGN_OR_RETURN(const std::optional<Snapshot> snapshot, options_.journal->LoadSnapshot());
  if (snapshot) {
    TOCSIN_RETURN_IF_ERROR(options_.decider->Restore(snapshot->state));
    through_ = snapshot_through_ = snapshot->through;
    if (!options_.decider->lost().empty()) TOCSIN_RETURN_IF_ERROR(Relearn(through_));
  }
  TOCSIN_RETURN_IF_ERROR(RestoreLines());
  TOCSIN_RETURN_IF_ERROR(options_.journal->ReadBatches(
      through_, [this](std::uint64_t sequence, std::string_view record) {
        through_ = sequence;
        Append(record);
        return absl::OkStatus();
      }));
  recovered_ = true;
  usage_ = options_.journal->Usage();
  snapshot_due_ = options_.time->Monotonic() + kSnapshotEvery;
  Publish();
  return absl::OkStatus();
}

absl::Status DecisionLoop::Relearn(std::uint64_t through) {
  for (const Decider::Lost& lost : options_.decider->lost()) {
    spdlog::info("detector {}: {}; its series are learned from the panes that are kept",
                 lost.detector, lost.reason);
  }
  TOCSIN_ASSIGN_OR_RETURN(const std::uint64_t oldest, options_.journal->OldestBatch());
  std::int64_t learned = 0, foreign = 0;
  const absl::Status read = options_.journal->ReadBatches(
      oldest - 1, [&](std::uint64_t sequence, std::string_view record) -> absl::Status {
        if (sequence > through) return absl::CancelledError();
        const absl::Status taken = options_.decider->Relearn(record);
        if (absl::IsFailedPrecondition(taken)) {
          ++foreign;
          return absl::OkStatus();
        }
        ++learned;
        return taken;
      });
  options_.decider->EndRelearning();
  if (!read.ok() && !absl::IsCancelled(read)) {
    // What was learned so far is better than nothing, and what follows is read by itself.
    spdlog::warn("learning ends early: {}", std::string(read.message()));
  }
  spdlog::info("learned from {} records of the pane log; {} were of another configuration", learned,
               foreign);
  return absl::OkStatus();
}

// How much of an output file stays: what is before the oldest line from which on the journal has all.
std::int64_t DecisionLoop::BytesToKeep(const std::string& path,
                                       const std::optional<std::string>& oldest) const {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return 0;
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
  const std::int64_t all = error ? 0 : size;
  // Where the oldest line is not in the file nothing of it is given up.
  return oldest ? FindLine(path, *oldest, kSearchBytesMax).value_or(all) : all;
}

absl::Status DecisionLoop::OpenOutputs() {
  // Where the journal has forgotten lines: the oldest that it has, of each kind.
  std::array<std::optional<std::string>, 2> oldest;
  const bool incomplete = options_.journal->Usage().lines_incomplete;
  if (incomplete) {
    const absl::Status looked = options_.journal->ReadLines([&](const OutputLine& line) {
      std::optional<std::string>& of_kind = oldest[static_cast<std::size_t>(line.kind)];
      if (!line.alone && !of_kind) of_kind = line.text;
      return oldest[0] && oldest[1] ? absl::CancelledError() : absl::OkStatus();
    });
    looked.IgnoreError();  // it is read again, and said, when the lines are written
  }
  const auto open = [&](const std::string& path, LineKind kind) {
    return LineOutput::Open(
        path, incomplete ? BytesToKeep(path, oldest[static_cast<std::size_t>(kind)]) : 0);
  };
  TOCSIN_ASSIGN_OR_RETURN(incidents_, open(options_.incidents_path, LineKind::kIncident));
  // Both on standard output keep their order.
  if (options_.signals_path == options_.incidents_path) return absl::OkStatus();
  TOCSIN_ASSIGN_OR_RETURN(signals_, open(options_.signals_path, LineKind::kSignal));
  return absl::OkStatus();
}

absl::Status DecisionLoop::RestoreLines() {
  TOCSIN_RETURN_IF_ERROR(OpenOutputs());
  const absl::Status read = options_.journal->ReadLines([this](const OutputLine& line) {
    Write(line, nullptr);
    return absl::OkStatus();
  });
  // Nothing is decided from them.
  if (!read.ok() && !Passes(read)) spdlog::error("output lines: {}", std::string(read.message()));
  CompleteBook();
  return Passes(read) ? read : absl::OkStatus();
}

void DecisionLoop::Write(const OutputLine& line, const Incident* incident) {
  const bool signal = line.kind == LineKind::kSignal;
  LineOutput& output = signal && signals_ != nullptr ? *signals_ : *incidents_;
  if (line.alone) {
    // Only the book has it.
  } else if (recovered_) {
    output.Write(line.text);
  } else {
    output.Rebuild(line.text);
  }
  if (signal || options_.book == nullptr) return;
  const bool has_more = incident != nullptr && IsBounded(line.text);
  options_.book->Put(line.text, has_more ? incident->ToJson() : "");
}

// The journal keeps lines, the snapshot what is open as a whole.
void DecisionLoop::CompleteBook() {
  if (options_.book == nullptr) return;
  for (const Incident* incident : options_.decider->correlator().Open()) {
    if (!options_.book->LacksWhole(incident->id)) continue;
    options_.book->Put(BoundedLine(*incident), incident->ToJson());
  }
}

void DecisionLoop::Remember(OutputLine line) {
  const bool signal = line.kind == LineKind::kSignal;
  const bool history = !(signal ? options_.signals_path : options_.incidents_path).empty();
  if (!history && signal) return;
  if (!history) {
    // Only the API asks, for the newest line of each incident.
    line.replaces = true;
    const auto known = newest_.find(line.incident);
    if (known != newest_.end()) {
      lines_[known->second] = std::move(line);
      return;
    }
  }
  if (recovered_ && lines_.size() >= kLinesMax) return;
  if (!history) newest_.emplace(line.incident, lines_.size());
  lines_.push_back(std::move(line));
}

void DecisionLoop::Append(std::string_view record) {
  const absl::Status appended = options_.decider->Append(record);
  if (absl::IsFailedPrecondition(appended)) {
    // Measured by an earlier configuration and not yet decided when it changed: at most the panes
    // since the last snapshot.
    if (foreign_batches_++ == 0) {
      spdlog::warn(
          "the configuration changed: panes measured before and not yet decided are left out");
    }
    return;
  }
  if (!appended.ok()) {
    // One record of the log; those behind it are decided all the same.
    ++unreadable_;
    spdlog::error("a record of the batch log is left out: {}", std::string(appended.message()));
    return;
  }
  Decision decision;
  while (options_.decider->Step(&decision)) {
    auto incident = decision.incidents.begin();  // in the order of their lines
    for (OutputLine& line : decision.lines) {
      Write(line, line.kind == LineKind::kIncident ? &*incident++ : nullptr);
      Remember(std::move(line));
    }
    if (!decision.notifications.empty()) options_.deliverer->Submit(decision.notifications);
    if (options_.on_decision) options_.on_decision(decision);
  }
}

void DecisionLoop::Take(const BatchLog::Set& batches) {
  // Here what the last one submitted has been written, as a rule.
  SaveSnapshotWhenDue();
  for (const std::string& record : batches.records()) Append(record);
  through_ = batches.sequence;
  Publish();
  SaveSnapshotWhenDue();
}

bool DecisionLoop::SnapshotIsPossible() const {
  return options_.log->durable() >= through_ && options_.deliverer->AllWritten();
}

void DecisionLoop::SaveSnapshotWhenDue() {
  const TimeUs now = options_.time->Monotonic();
  const bool due = now >= snapshot_due_ || (lines_.size() >= kLinesMax && complain_at_ == 0);
  if (!due || !SnapshotIsPossible()) return;
  const absl::Status saved = SaveSnapshot();
  if (saved.ok()) {
    complain_at_ = 0;
    return;
  }
  snapshot_due_ = now + kSnapshotRetry;
  if (now < complain_at_) return;
  complain_at_ = now + kComplainEvery;
  spdlog::error("a snapshot could not be written, and is tried again: {}",
                std::string(saved.message()));
}

absl::Status DecisionLoop::SaveSnapshot() {
  Snapshot snapshot;
  snapshot.through = through_;
  snapshot.state = options_.decider->Encode();
  snapshot.tick = options_.decider->last_tick();
  TOCSIN_RETURN_IF_ERROR(options_.journal->SaveSnapshot(snapshot, lines_));
  lines_.clear();
  newest_.clear();
  snapshot_through_ = through_;
  ++snapshots_;
  const DurationUs at_speed =
      static_cast<std::int64_t>(snapshot.state.size()) * kSecondUs / kSnapshotBytesPerSecond;
  snapshot_due_ = options_.time->Monotonic() + std::max(kSnapshotEvery, at_speed);
  ForgetAbsent();
  usage_ = options_.journal->Usage();
  return absl::OkStatus();
}

void DecisionLoop::ForgetAbsent() {
  const TimeUs now = options_.time->Monotonic();
  if (!options_.sources || (forgot_at_ != kNoTime && now < forgot_at_ + kForgetEvery)) return;
  const std::vector<std::string> sources = options_.sources();
  if (sources.empty()) {
    // What nobody knows to be absent is not: this time does not count.
    forgot_at_ = kNoTime;
    return;
  }
  const absl::StatusOr<std::vector<std::string>> forgotten =
      options_.journal->ForgetAbsent({.sources = sources,
                                      .sinks = options_.sinks,
                                      .elapsed = forgot_at_ == kNoTime ? 0 : now - forgot_at_});
  // It comes again with the next snapshot.
  if (!forgotten.ok()) return;
  forgot_at_ = now;
  for (const std::string& what : *forgotten) {
    spdlog::info("forgot {}: it has not been configured for a week", what);
  }
  if (options_.forget) options_.forget(sources);
}

absl::Status DecisionLoop::Finish() {
  for (int i = 0; i < kFinishLooks && !SnapshotIsPossible(); ++i) absl::SleepFor(kFinishLook);
  if (through_ != snapshot_through_ && SnapshotIsPossible()) {
    // Without it the next start decides again what came after the last one.
    if (const absl::Status saved = SaveSnapshot(); !saved.ok()) {
      spdlog::error("the last snapshot could not be written: {}", std::string(saved.message()));
    }
  }
  Publish();
  return CloseOutputs();
}

absl::Status DecisionLoop::CloseOutputs() {
  const TimeUs until = options_.time->Monotonic() + kOutputGrace;
  const auto left = [&] {
    return absl::Microseconds(std::max<DurationUs>(0, until - options_.time->Monotonic()));
  };
  absl::Status closed = incidents_->Close(left());
  if (signals_ != nullptr) closed.Update(signals_->Close(left()));
  return closed;
}

void DecisionLoop::Publish() {
  View view;
  view.counters = options_.decider->counters();
  view.series = options_.decider->series();
  view.series_over_limit = options_.decider->series_over_limit();
  view.open_incidents = options_.decider->correlator().Open().size();
  view.last_tick = options_.decider->last_tick();
  view.snapshots = snapshots_;
  view.through = through_;
  view.unreadable = unreadable_;
  view.gaps = options_.decider->assembler().gaps();
  view.lines_left_out = incidents_->left_out() + (signals_ == nullptr ? 0 : signals_->left_out());
  view.journal = usage_;
  view.times = options_.decider->correlator().times();
  view.silences = options_.decider->correlator().Silences();
  absl::MutexLock lock(&mutex_);
  view_ = view;
}

DecisionLoop::View DecisionLoop::Status() const {
  absl::MutexLock lock(&mutex_);
  return view_;
}

}  // namespace tocsin
