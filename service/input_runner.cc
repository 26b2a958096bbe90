#include "service/input_runner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <exception>
#include <set>
#include <utility>

#include "absl/time/clock.h"

#include "core/status_macros.h"
#include "panes/pane_batch.h"
#include "system/await_for.h"

namespace tocsin {
namespace {

constexpr DurationUs kPollWait = 50 * kMillisecondUs;
constexpr DurationUs kIdleCloseEvery = 200 * kMillisecondUs;
constexpr DurationUs kPublishEvery = 20 * kMillisecondUs;
// Commits only save re-reading after a restart, so one a second per partition is enough.
constexpr DurationUs kCommitEvery = kSecondUs;
// An input that has run this long has recovered; the pause starts at its minimum again.
constexpr DurationUs kSoundAfter = kMinuteUs;
// The part of the stop's grace that is reserved for the source's answer to the last commit.
constexpr DurationUs kLastCommitTime = 2 * kSecondUs;
constexpr DurationUs kDurableCheckEvery = 5 * kMillisecondUs;

}  // namespace

InputRunner::InputRunner(Options options) : options_(std::move(options)) {
  absl::MutexLock lock(&mutex_);
  status_.name = options_.name;
  status_.down_since = options_.time->Monotonic();
}

InputRunner::~InputRunner() {
  Stop(absl::ZeroDuration());
  if (thread_.joinable()) thread_.join();
}

void InputRunner::ExpectKnown(const std::vector<std::string>& sources) {
  for (const std::string& source : sources) {
    sources_[source] = {.id = options_.board->Add(source), .announced = true};
  }
}

void InputRunner::Start() {
  {
    absl::MutexLock lock(&mutex_);
    done_ = false;
  }
  MarkTurn();
  thread_ = std::thread([this] { Run(); });
}

bool InputRunner::HasArrived() const {
  absl::MutexLock lock(&mutex_);
  return arrived_;
}

std::vector<std::string> InputRunner::TakePresent() {
  absl::MutexLock lock(&mutex_);
  present_taken_ = true;
  return present_;
}

void InputRunner::Open() {
  absl::MutexLock lock(&mutex_);
  opened_ = true;
}

void InputRunner::AskToStop(absl::Duration grace) {
  absl::MutexLock lock(&mutex_);
  stop_by_ = std::min(stop_by_, options_.time->Monotonic() + absl::ToInt64Microseconds(grace));
  stopping_.store(true, std::memory_order_relaxed);
}

bool InputRunner::Stop(absl::Duration grace) {
  AskToStop(grace);
  absl::MutexLock lock(&mutex_);
  return AwaitFor(&mutex_, absl::Condition(&done_), grace + absl::Seconds(1));
}

InputStatus InputRunner::Status() const {
  absl::MutexLock lock(&mutex_);
  InputStatus status = status_;
  const TimeUs turned_at = turned_at_.load(std::memory_order_relaxed);
  const DurationUs silent = options_.time->Monotonic() - turned_at;
  if (done_ || silent <= kHangsAfter) return status;
  if (status.down_since == kNoTime) status.down_since = turned_at;
  status.reason =
      "it hangs in a call that has not returned for " + FormatDuration(FloorTo(silent, kSecondUs));
  return status;
}

std::vector<std::string> InputRunner::TakeLosses() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(losses_, {});
}

std::int64_t InputRunner::received() const {
  absl::MutexLock lock(&mutex_);
  return received_before_ + (counted_ == nullptr ? 0 : counted_->received());
}

void InputRunner::Run() {
  while (!stopping() && !ended()) {
    MarkTurn();
    const TimeUs begun = options_.time->Monotonic();
    absl::Status failed;
    try {
      failed = RunInput();
    } catch (const std::exception& error) {
      // From a library or the allocator: treated as a failure of this input.
      failed = absl::ResourceExhaustedError(error.what());
    }
    {
      absl::MutexLock lock(&mutex_);
      if (input_ != nullptr) received_before_ += input_->received();
      counted_ = nullptr;
    }
    rows_.clear();
    input_.reset();
    if (stopping() || ended()) break;
    if (options_.time->Monotonic() - begun > kSoundAfter) pause_ = kPauseMin;
    Fail(failed);
    Sleep(std::exchange(pause_, std::min(2 * pause_, kPauseMax)));
  }
  absl::MutexLock lock(&mutex_);
  if (ended()) status_.state = InputStatus::State::kEnded;
  arrived_ = done_ = true;
}

void InputRunner::Fail(const absl::Status& status) {
  spdlog::error("input {}: {}; trying again in {}", options_.name, std::string(status.message()),
                FormatDuration(pause_));
  for (auto& [name, source] : sources_) {
    options_.board->Report(source.id, {.tick = options_.board->TickOf(source.id),
                                       .data_tick = source.data_tick,
                                       .reach = SourceBoard::Reach::kAway,
                                       .ended = source.ended});
  }
  absl::MutexLock lock(&mutex_);
  status_.state = InputStatus::State::kFailed;
  status_.reason = std::string(status.message());
  status_.refused = absl::IsInvalidArgument(status);
  status_.assigned = false;
  ++status_.failures;
  if (status_.down_since == kNoTime) status_.down_since = options_.time->Monotonic();
  for (SourceStatus& source : status_.sources) source.problem = "its input has failed";
  arrived_ = true;
}

void InputRunner::Sleep(DurationUs duration) {
  const TimeUs until = options_.time->Monotonic() + duration;
  while (!stopping() && options_.time->Monotonic() < until) {
    MarkTurn();
    absl::SleepFor(absl::Microseconds(std::min(duration, kPollWait)));
  }
}

absl::Status InputRunner::RunInput() {
  input_ = options_.make();
  input_->SetTicks(options_.board->GetTicks());
  TOCSIN_RETURN_IF_ERROR(input_->Start());
  for (auto& [name, source] : sources_) source.waiting.reset();
  {
    absl::MutexLock lock(&mutex_);
    counted_ = input_.get();
    arrived_ = true;
    if (!present_taken_) present_.clear();
    for (const InputPartition* partition : input_->Partitions()) {
      const std::string& name = partition->stage1->source();
      Source& source = sources_[name];
      if (source.id == 0) source.id = options_.board->Add(name);
      if (present_taken_) continue;
      present_.push_back(name);
      source.announced = true;
    }
  }
  if (!WaitForOpen()) {
    input_->Stop();
    return absl::OkStatus();
  }
  absl::Status turned;
  bool at_end = false;
  while (turned.ok() && !stopping() && !at_end) {
    turned = Turn();
    at_end = turned.ok() && input_->ended();
  }
  if (!turned.ok()) {
    input_->Stop();
    return turned;
  }
  Finish();
  if (at_end) ended_.store(true, std::memory_order_release);
  return absl::OkStatus();
}

bool InputRunner::WaitForOpen() {
  absl::MutexLock lock(&mutex_);
  while (!opened_ && !stopping()) {
    MarkTurn();
    AwaitFor(&mutex_, absl::Condition(&opened_), absl::Microseconds(kPollWait));
  }
  return opened_;
}

absl::Status InputRunner::Turn() {
  MarkTurn();
  Balance();
  input_->SetTicks(options_.board->GetTicks());
  // Wait briefly if the previous turn has not been published yet.
  TOCSIN_RETURN_IF_ERROR(input_->Poll(absl::Microseconds(published_ ? kPollWait : kPublishEvery)));
  Send(/*all=*/false);
  Report();
  if (const std::vector<InputCommit> durable = TakeDurable(); !durable.empty()) {
    input_->OnDurable(durable);
  }
  const TimeUs now = options_.time->Monotonic();
  if (idle_closed_at_ == kNoTime || now - idle_closed_at_ >= kIdleCloseEvery) {
    idle_closed_at_ = now;
    TOCSIN_RETURN_IF_ERROR(input_->CloseIdle(options_.log->released()));
  }
  published_ = published_at_ == kNoTime || now - published_at_ >= kPublishEvery;
  if (published_) Publish();
  input_->Feed();
  return absl::OkStatus();
}

void InputRunner::Balance() {
  const TimeUs limit = options_.board->Limit();
  const bool full = options_.log->full();
  for (const Row& row : rows_) {
    const TimeUs tick = row.partition->stage1->last_tick();
    input_->Pause(row.partition, full || (tick != kNoTime && tick > limit));
  }
}

bool InputRunner::RowsAreOf(const std::vector<InputPartition*>& partitions) const {
  return rows_.size() == sources_.size() &&
         std::equal(partitions.begin(), partitions.end(), rows_.begin(), rows_.end(),
                    [](const InputPartition* partition, const Row& row) {
                      const bool joins_again = row.source->ended && !partition->ended;
                      return partition == row.partition && !joins_again;
                    });
}

void InputRunner::UpdateRows(BatchLog::Entry* entry) {
  const std::vector<InputPartition*> partitions = input_->Partitions();
  if (RowsAreOf(partitions)) return;
  rows_.clear();
  std::set<std::string> gone;
  for (const auto& [name, source] : sources_) gone.insert(name);
  std::vector<const InputPartition*> joining;
  for (InputPartition* const partition : partitions) {
    const std::string& name = partition->stage1->source();
    Source& source = sources_[name];
    gone.erase(name);
    if (source.id == 0) source.id = options_.board->Add(name);
    if (source.ended && !partition->ended) source.announced = false;
    if (!std::exchange(source.announced, true)) joining.push_back(partition);
    rows_.push_back({partition, &source});
  }
  ControlRecord retire = {.kind = ControlRecord::Kind::kRetire};
  for (const std::string& name : gone) {
    retire.sources.push_back(name);
    options_.board->Remove(sources_[name].id);
    sources_.erase(name);
  }
  if (!retire.sources.empty()) entry->records.push_back(EncodeControl(retire));
  Expect(joining, entry);
}

void InputRunner::Expect(const std::vector<const InputPartition*>& joining,
                         BatchLog::Entry* entry) const {
  const TimeUs furthest = options_.board->GetTicks().furthest;
  std::map<TimeUs, ControlRecord> expected;  // by tick
  for (const InputPartition* const partition : joining) {
    // If the partition does not know, ticks that others have reported are decided without it.
    const TimeUs behind = partition->joined_at != kNoTime ? partition->joined_at : furthest;
    const TimeUs tick = behind == kNoTime ? kNoTime : behind + options_.plan->pane();
    ControlRecord& record = expected[tick];
    record.kind = ControlRecord::Kind::kExpect;
    record.tick = tick;
    record.sources.push_back(partition->stage1->source());
  }
  for (const auto& [tick, record] : expected) entry->records.push_back(EncodeControl(record));
}

void InputRunner::Send(bool all) {
  BatchLog::Entry entry;
  UpdateRows(&entry);
  const TimeUs now = options_.time->Monotonic();
  std::vector<Row> senders, committers;
  for (const Row& row : rows_) {
    Source& source = *row.source;
    source.ended = row.partition->ended;
    const std::vector<PaneBatch> batches = row.partition->stage1->TakeBatches();
    for (const PaneBatch& batch : batches) {
      if (!batch.tables.empty() || !batch.facts.empty()) source.data_tick = batch.tick;
      for (std::string& chunk : EncodeBatch(batch, *options_.plan)) {
        entry.records.push_back(std::move(chunk));
      }
    }
    if (!batches.empty()) senders.push_back(row);
    const bool due = row.partition->commit_due &&
                     (source.committed_at == kNoTime || now - source.committed_at >= kCommitEvery);
    if (batches.empty() && !due && !all) continue;
    SourceCommit commit = row.partition->stage1->Commit();
    std::optional<std::string> position = input_->Position(row.partition, commit);
    // Only one commit to a source is pending at a time. Positions in the journal are written with
    // their batches.
    if (!position && source.waiting && !all) continue;
    if (position) {
      entry.positions.push_back({row.partition->stage1->source(), *std::move(position)});
    }
    row.partition->commit_due = false;
    source.committed_at = now;
    source.waiting = std::move(commit);
    committers.push_back(row);
  }
  if (!entry.records.empty() || !entry.positions.empty()) {
    appended_ = options_.log->Append(std::move(entry));
  }
  for (const Row& row : senders) row.partition->appended = appended_;
  for (const Row& row : committers) row.source->waits_for = appended_;
}

void InputRunner::Report() {
  for (const Row& row : rows_) {
    options_.board->Report(row.source->id, {.tick = row.partition->stage1->last_tick(),
                                            .data_tick = row.source->data_tick,
                                            .reach = row.partition->reach,
                                            .ended = row.partition->ended});
  }
}

std::vector<InputCommit> InputRunner::TakeDurable() {
  const std::uint64_t durable = options_.log->durable();
  std::vector<InputCommit> commits;
  for (const Row& row : rows_) {
    if (!row.source->waiting || row.source->waits_for > durable) continue;
    commits.push_back({row.partition, *std::exchange(row.source->waiting, std::nullopt)});
  }
  return commits;
}

void InputRunner::Finish() {
  input_->Feed();
  input_->Settle();
  Send(/*all=*/true);
  Report();
  TimeUs until = 0;
  {
    absl::MutexLock lock(&mutex_);
    until = stop_by_ == INT64_MAX ? INT64_MAX : stop_by_ - kLastCommitTime;
  }
  while (options_.log->durable() < appended_ && options_.time->Monotonic() < until) {
    MarkTurn();
    absl::SleepFor(absl::Microseconds(kDurableCheckEvery));
    absl::MutexLock lock(&mutex_);
    if (stop_by_ != INT64_MAX) until = stop_by_ - kLastCommitTime;
  }
  // Records that are not durable are read again after the next start.
  const absl::Status committed =
      input_->CommitLast(TakeDurable(), absl::Microseconds(kLastCommitTime));
  if (!committed.ok()) {
    spdlog::warn("input {}: the last commit failed, records will be read again after a restart: {}",
                 options_.name, std::string(committed.message()));
  }
  Publish();
  input_->Stop();
}

void InputRunner::Publish() {
  published_at_ = options_.time->Monotonic();
  InputStatus status = {.name = options_.name, .state = InputStatus::State::kRunning};
  status.assigned = input_->assigned();
  status.errors = input_->errors();
  status.skipped = input_->skipped();
  status.reason = input_->Missing();
  const bool is_missing = !status.reason.empty();
  bool readable = rows_.empty();
  for (const Row& row : rows_) {
    const InputPartition& partition = *row.partition;
    const SourcePartition& stage1 = *partition.stage1;
    readable = readable || partition.reach == SourceBoard::Reach::kReadable;
    if (status.reason.empty()) status.reason = partition.problem;
    status.sources.push_back({.input = options_.name,
                              .source = stage1.source(),
                              .counters = stage1.counters(),
                              .clock = stage1.clock(),
                              .last_tick = stage1.last_tick(),
                              .paused = partition.paused,
                              .at_end = partition.at_end,
                              .excluded = options_.board->Excluded(row.source->id),
                              .problem = partition.problem});
  }
  for (const SourceState& state : input_->States()) {
    status.known.push_back(state.source);
    if (state.reason.empty()) continue;
    if (status.reason.empty()) status.reason = state.reason;
    if (!state.failing || sources_.contains(state.source)) continue;
    readable = readable && !rows_.empty();
    status.sources.push_back(
        {.input = options_.name, .source = state.source, .at_end = true, .problem = state.reason});
  }
  std::vector<std::string> losses = input_->TakeLosses();
  absl::MutexLock lock(&mutex_);
  status.failures = status_.failures;
  if (is_missing || !readable) {
    status.down_since = status_.down_since == kNoTime ? published_at_ : status_.down_since;
  }
  status_ = std::move(status);
  for (std::string& loss : losses) {
    if (losses_.size() < kLossesMax) losses_.push_back(std::move(loss));
  }
}

}  // namespace tocsin
