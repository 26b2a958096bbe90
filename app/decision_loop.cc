#include "app/decision_loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>

#include "core/bounded_line.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

// A snapshot at most every minute, and rarer when it is large: at 5 MB/s writing it must stay
// cheap.
constexpr DurationUs kSnapshotEvery = 60 * kSecondUs;
constexpr std::int64_t kSnapshotBytesPerSecond = 5'000'000;
// Lines kept in memory between snapshots; past it the snapshot comes early.
constexpr std::size_t kLinesMax = 100'000;

TimeUs Monotonic() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

absl::Status DecisionLoop::Recover() {
  TOCSIN_ASSIGN_OR_RETURN(signals_, LineFile::Create(options_.signals_path));
  TOCSIN_ASSIGN_OR_RETURN(incidents_, LineFile::Create(options_.incidents_path));
  TOCSIN_ASSIGN_OR_RETURN(const std::optional<Snapshot> snapshot, options_.journal->LoadSnapshot());
  if (snapshot) {
    TOCSIN_RETURN_IF_ERROR(options_.decider->Restore(snapshot->state));
    through_ = snapshot_through_ = snapshot->through;
    TOCSIN_RETURN_IF_ERROR(options_.journal->ReadLines([this](const OutputLine& line) {
      Write(line, nullptr);
      return absl::OkStatus();
    }));
    CompleteBook();
  }
  TOCSIN_RETURN_IF_ERROR(options_.journal->ReadBatches(
      through_, [this](std::uint64_t sequence, std::string_view record) {
        through_ = sequence;
        return Append(record);
      }));
  snapshot_at_ = Monotonic();
  signals_.Flush();
  incidents_.Flush();
  Publish();
  return absl::OkStatus();
}

void DecisionLoop::Write(const OutputLine& line, const Incident* incident) {
  const bool signal = line.kind == LineKind::kSignal;
  (signal ? signals_ : incidents_).Write(line.text);
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
    auto incident = decision.incidents.begin();  // in the order of their lines
    for (OutputLine& line : decision.lines) {
      Write(line, line.kind == LineKind::kIncident ? &*incident++ : nullptr);
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
  signals_.Flush();
  incidents_.Flush();
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
  TOCSIN_RETURN_IF_ERROR(signals_.Close());
  return incidents_.Close();
}

void DecisionLoop::Publish() {
  View view;
  view.counters = options_.decider->counters();
  view.series = options_.decider->series();
  view.series_over_limit = options_.decider->series_over_limit();
  view.open_incidents = options_.decider->correlator().Open().size();
  view.last_tick = options_.decider->last_tick();
  view.snapshots = snapshots_;
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
