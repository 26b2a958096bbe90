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

// At most one snapshot a minute, and fewer if they are large: on average at most 5 MB/s are
// written.
constexpr DurationUs kSnapshotEvery = 60 * kSecondUs;
constexpr std::int64_t kSnapshotBytesPerSecond = 5'000'000;
// A failed snapshot is retried after kSnapshotRetry, and logged again after kComplainEvery.
constexpr DurationUs kSnapshotRetry = 5 * kSecondUs;
constexpr DurationUs kComplainEvery = kMinuteUs;
// Limit of the lines kept in memory between snapshots. At the limit the snapshot is taken early; if
// that fails, lines are dropped, and output files cannot be rebuilt completely after a crash.
constexpr std::size_t kLinesMax = 100'000;
constexpr DurationUs kForgetEvery = kHourUs;
// How much of an output file is searched for the oldest line that the journal has: enough for the
// lines that the journal keeps and those written since the last snapshot.
constexpr std::int64_t kSearchBytesMax = 4 * limits::kLinesBytesMax;
// The last snapshot waits at most a second for the data that it covers to be durable.
constexpr int kFinishLooks = 200;
constexpr absl::Duration kFinishLook = absl::Milliseconds(5);
// Total time for writing pending lines when the program ends, in case nobody reads a pipe.
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
    spdlog::info("detector {}: {}; its series are relearned from the panes in the journal",
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
    // A partial baseline is better than none, and later records are read separately.
    spdlog::warn("relearning stopped early: {}", std::string(read.message()));
  }
  spdlog::info("relearned from {} records of the batch log; skipped {} of another configuration",
               learned, foreign);
  return absl::OkStatus();
}

// How much of an output file is kept: the part before the first line that the journal can rewrite.
std::int64_t DecisionLoop::BytesToKeep(const std::string& path,
                                       const std::optional<std::string>& oldest) const {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return 0;
  const auto size = static_cast<std::int64_t>(std::filesystem::file_size(path, error));
  const std::int64_t all = error ? 0 : size;
  // If the oldest line is not in the file, the whole file is kept.
  return oldest ? FindLine(path, *oldest, kSearchBytesMax).value_or(all) : all;
}

absl::Status DecisionLoop::OpenOutputs() {
  // If the journal has deleted lines: the oldest line of each kind that it still has.
  std::array<std::optional<std::string>, 2> oldest;
  const bool incomplete = options_.journal->Usage().lines_incomplete;
  if (incomplete) {
    const absl::Status looked = options_.journal->ReadLines([&](const OutputLine& line) {
      std::optional<std::string>& of_kind = oldest[static_cast<std::size_t>(line.kind)];
      if (!line.alone && !of_kind) of_kind = line.text;
      return oldest[0] && oldest[1] ? absl::CancelledError() : absl::OkStatus();
    });
    looked.IgnoreError();  // RestoreLines reads the lines again and reports errors
  }
  const auto open = [&](const std::string& path, LineKind kind) {
    return LineOutput::Open(
        path, incomplete ? BytesToKeep(path, oldest[static_cast<std::size_t>(kind)]) : 0);
  };
  TOCSIN_ASSIGN_OR_RETURN(incidents_, open(options_.incidents_path, LineKind::kIncident));
  // With one output for both, for example standard output, lines keep their order.
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
  // No decision depends on the lines, so this is not fatal.
  if (!read.ok() && !Passes(read)) {
    spdlog::error("cannot restore output lines: {}", std::string(read.message()));
  }
  CompleteBook();
  return Passes(read) ? read : absl::OkStatus();
}

void DecisionLoop::Write(const OutputLine& line, const Incident* incident) {
  const bool signal = line.kind == LineKind::kSignal;
  LineOutput& output = signal && signals_ != nullptr ? *signals_ : *incidents_;
  if (line.alone) {
    // Only for the book, not for the output files.
  } else if (recovered_) {
    output.Write(line.text);
  } else {
    output.Rebuild(line.text);
  }
  if (signal || options_.book == nullptr) return;
  const bool has_more = incident != nullptr && IsBounded(line.text);
  options_.book->Put(line.text, has_more ? incident->ToJson() : "");
}

// The journal keeps bounded lines; the whole open incidents come from the snapshot.
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
    // Without output files only the API needs lines: the newest of each incident.
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
    // Measured with an earlier configuration and not decided when it changed: at most the panes
    // since the last snapshot.
    if (foreign_batches_++ == 0) {
      spdlog::warn(
          "the configuration changed: skipping undecided panes that were measured with the old "
          "one");
    }
    return;
  }
  if (!appended.ok()) {
    // Only this record is lost; later ones are decided as usual.
    ++unreadable_;
    spdlog::error("skipped a record of the batch log: {}", std::string(appended.message()));
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
  // By now the notifications of the previous set are usually durable.
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
  spdlog::error("cannot write a snapshot, will retry: {}", std::string(saved.message()));
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
    // Not all sources are known, so none counts as absent; this time does not count.
    forgot_at_ = kNoTime;
    return;
  }
  const absl::StatusOr<std::vector<std::string>> forgotten =
      options_.journal->ForgetAbsent({.sources = sources,
                                      .sinks = options_.sinks,
                                      .elapsed = forgot_at_ == kNoTime ? 0 : now - forgot_at_});
  // It is retried with the next snapshot.
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
    // Without it the next start repeats the decisions since the previous snapshot.
    if (const absl::Status saved = SaveSnapshot(); !saved.ok()) {
      spdlog::error("cannot write the last snapshot: {}", std::string(saved.message()));
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
