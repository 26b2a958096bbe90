#include "app/decision_loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "app/monotonic.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

// A snapshot at most every minute, and rarer when it is large: at 5 MB/s writing it must stay
// cheap.
constexpr DurationUs kSnapshotEvery = 60 * kSecondUs;
constexpr std::int64_t kSnapshotBytesPerSecond = 5'000'000;
// Lines kept in memory between snapshots; past it the snapshot comes early.
constexpr std::size_t kLinesMax = 100'000;
// What is not written when the program ends gets this long; a pipe that nobody reads, no longer.
constexpr absl::Duration kOutputGrace = absl::Seconds(1);

}  // namespace

absl::Status DecisionLoop::OpenOutputs() {
  TOCSIN_ASSIGN_OR_RETURN(incidents_, LineOutput::Open(options_.incidents_path));
  // Both on standard output keep their order.
  if (options_.signals_path == options_.incidents_path) return absl::OkStatus();
  TOCSIN_ASSIGN_OR_RETURN(signals_, LineOutput::Open(options_.signals_path));
  return absl::OkStatus();
}

absl::Status DecisionLoop::Recover() {
  TOCSIN_RETURN_IF_ERROR(OpenOutputs());
  TOCSIN_ASSIGN_OR_RETURN(const std::optional<Snapshot> snapshot, options_.journal->LoadSnapshot());
  if (snapshot) {
    TOCSIN_RETURN_IF_ERROR(options_.decider->Restore(snapshot->state));
    through_ = snapshot_through_ = snapshot->through;
    TOCSIN_RETURN_IF_ERROR(options_.journal->ReadLines([this](const OutputLine& line) {
      Write(line);
      return absl::OkStatus();
    }));
  }
  TOCSIN_RETURN_IF_ERROR(options_.journal->ReadBatches(
      through_, [this](std::uint64_t sequence, std::string_view record) {
        through_ = sequence;
        return Append(record);
      }));
  recovered_ = true;
  snapshot_at_ = Monotonic();
  Publish();
  return absl::OkStatus();
}

void DecisionLoop::Write(const OutputLine& line) {
  const bool signal = line.kind == LineKind::kSignal;
  LineOutput& output = signal && signals_ != nullptr ? *signals_ : *incidents_;
  if (recovered_) {
    output.Write(line.text);
  } else {
    output.Rebuild(line.text);
  }
  if (!signal && options_.book != nullptr) options_.book->Put(line.text);
}

absl::Status DecisionLoop::Append(std::string_view record) {
  const absl::Status appended = options_.decider->Append(record);
  if (absl::IsFailedPrecondition(appended)) {
    // Measured by an earlier configuration and not yet decided when it changed: at most the panes
    // since the last snapshot.
    if (foreign_batches_++ == 0) {
      spdlog::warn(
          "the configuration changed: panes measured before and not yet decided are left out");
    }
    return absl::OkStatus();
  }
  TOCSIN_RETURN_IF_ERROR(appended);
  Decision decision;
  while (options_.decider->Step(&decision)) {
    for (OutputLine& line : decision.lines) {
      Write(line);
      lines_.push_back(std::move(line));
    }
    if (!decision.notifications.empty()) {
      TOCSIN_RETURN_IF_ERROR(options_.deliverer->Submit(decision.notifications));
    }
    if (options_.on_decision) options_.on_decision(decision);
  }
  return absl::OkStatus();
}

absl::Status DecisionLoop::Take(const DurableBatches& batches) {
  for (const std::string& record : batches.records) TOCSIN_RETURN_IF_ERROR(Append(record));
  through_ = batches.sequence;
  Publish();
  if (Monotonic() >= snapshot_at_ + kSnapshotEvery || lines_.size() >= kLinesMax) {
    return SaveSnapshot();
  }
  return absl::OkStatus();
}

absl::Status DecisionLoop::SaveSnapshot() {
  Snapshot snapshot;
  snapshot.through = through_;
  snapshot.state = options_.decider->Encode();
  TOCSIN_RETURN_IF_ERROR(options_.journal->SaveSnapshot(snapshot, lines_));
  lines_.clear();
  snapshot_through_ = through_;
  ++snapshots_;
  const DurationUs extra =
      static_cast<std::int64_t>(snapshot.state.size()) * kSecondUs / kSnapshotBytesPerSecond;
  snapshot_at_ = Monotonic() + std::max<DurationUs>(0, extra - kSnapshotEvery);
  return absl::OkStatus();
}

absl::Status DecisionLoop::Finish() {
  if (through_ != snapshot_through_) TOCSIN_RETURN_IF_ERROR(SaveSnapshot());
  Publish();
  const absl::Status signals =
      signals_ == nullptr ? absl::OkStatus() : signals_->Close(kOutputGrace);
  TOCSIN_RETURN_IF_ERROR(incidents_->Close(kOutputGrace));
  return signals;
}

void DecisionLoop::Publish() {
  View view;
  view.counters = options_.decider->counters();
  view.series = options_.decider->series();
  view.series_over_limit = options_.decider->series_over_limit();
  view.open_incidents = options_.decider->correlator().Open().size();
  view.last_tick = options_.decider->last_tick();
  view.snapshots = snapshots_;
  view.lines_left_out = incidents_->left_out() + (signals_ == nullptr ? 0 : signals_->left_out());
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
