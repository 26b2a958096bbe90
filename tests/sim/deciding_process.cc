#include "tests/sim/deciding_process.h"

#include <optional>
#include <utility>

#include "core/check.h"

namespace tocsin::testing {

bool DecidingProcess::Start(Journal* journal) {
  journal_ = journal;
  decider_ = std::make_unique<Decider>(&setup_->config, &setup_->plan, &setup_->detectors,
                                       SequentialExecutor());
  lines_.clear();
  state_.clear();
  through_ = 0;
  const absl::StatusOr<std::optional<Snapshot>> snapshot = journal_->LoadSnapshot();
  TOCSIN_CHECK(snapshot.ok());
  if (!*snapshot) return false;
  TOCSIN_CHECK(decider_->Restore((*snapshot)->state).ok());
  through_ = (*snapshot)->through;
  return true;
}

void DecidingProcess::Read(std::uint64_t records_max) {
  const absl::Status read = journal_->ReadBatches(
      through_, [&](std::uint64_t sequence, std::string_view record) -> absl::Status {
        if (records_max-- == 0) return absl::CancelledError();
        Decide(sequence, record);
        return absl::OkStatus();
      });
  TOCSIN_CHECK(read.ok() || absl::IsCancelled(read) || Passes(read));
}

void DecidingProcess::Decide(std::uint64_t sequence, std::string_view record) {
  TOCSIN_CHECK(sequence == through_ + 1);
  through_ = sequence;
  state_.clear();
  TOCSIN_CHECK(decider_->Append(record).ok());
  Decision decision;
  while (decider_->Step(&decision)) {
    for (OutputLine& line : decision.lines) lines_.push_back(std::move(line));
    output_.Add(decision.notifications);
  }
}

absl::Status DecidingProcess::TakeSnapshot() {
  // Most of them are taken while nothing new is there to read.
  if (state_.empty()) state_ = decider_->Encode();
  absl::Status saved = journal_->SaveSnapshot({.through = through_, .state = state_}, lines_);
  if (saved.ok()) lines_.clear();
  return saved;
}

SimOutput DecidingProcess::Finish() {
  TOCSIN_CHECK(decider_->assembler().Finished());
  const absl::Status read = journal_->ReadLines([&](const OutputLine& line) {
    output_.Add(line);
    return absl::OkStatus();
  });
  TOCSIN_CHECK(read.ok());
  return output_;
}

}  // namespace tocsin::testing
