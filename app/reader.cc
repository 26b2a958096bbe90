#include "app/reader.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "core/limits.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

constexpr absl::Duration kPollWait = absl::Milliseconds(50);
constexpr DurationUs kIdleCheckEvery = 200 * kMillisecondUs;
constexpr DurationUs kPublishEvery = 20 * kMillisecondUs;
// Commits only save re-reading after a restart, so once a second a partition is plenty.
constexpr DurationUs kCommitEvery = kSecondUs;
constexpr DurationUs kExcludeAfter = 30 * kSecondUs;

}  // namespace

Reader::Reader(Options options)
    : inputs_(std::move(options.inputs)),
      plan_(options.plan),
      journal_(options.journal),
      out_(options.out),
      known_sources_(std::move(options.known_sources)),
      due_tick_(options.decided_tick) {}

InputClock Reader::ReadClock() {
  using std::chrono::duration_cast;
  using std::chrono::microseconds;
  return {
      .monotonic =
          duration_cast<microseconds>(std::chrono::steady_clock::now().time_since_epoch()).count(),
      .wall =
          duration_cast<microseconds>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

absl::Status Reader::Start() {
  std::vector<std::string> present;
  for (const std::unique_ptr<Input>& input : inputs_) {
    TOCSIN_RETURN_IF_ERROR(input->Start());
    for (const InputPartition* partition : input->Partitions()) {
      present.push_back(partition->stage1->source());
    }
  }
  std::vector<std::string> records;
  ControlRecord retire = {.kind = ControlRecord::Kind::kRetire, .sources = {}};
  for (const std::string& known : known_sources_) {
    if (std::count(present.begin(), present.end(), known) == 0) retire.sources.push_back(known);
  }
  if (!retire.sources.empty()) records.push_back(EncodeControl(retire));
  records.push_back(EncodeControl({.kind = ControlRecord::Kind::kExpect, .sources = present}));
  TOCSIN_ASSIGN_OR_RETURN(const std::uint64_t sequence, journal_->AppendBatches(records));
  out_->Push({.sequence = sequence, .records = std::move(records)});
  Publish();
  return absl::OkStatus();
}

void Reader::FindTicks() {
  TimeUs slowest = INT64_MAX;
  bool waits = false;  // for one that has not begun
  for (const std::unique_ptr<Input>& input : inputs_) {
    for (const InputPartition* partition : input->Partitions()) {
      const TimeUs tick = partition->stage1->last_tick();
      furthest_tick_ = std::max(furthest_tick_, tick);
      if (partition->ended || partition->excluded) continue;
      waits = waits || tick == kNoTime;
      slowest = std::min(slowest, tick);
    }
  }
  if (slowest == INT64_MAX) slowest = furthest_tick_;
  if (!waits) due_tick_ = std::max(due_tick_, slowest);
}

absl::Status Reader::Turn() {
  FindTicks();
  clock_ = ReadClock();
  clock_.due_tick = due_tick_;
  clock_.furthest_tick = furthest_tick_;
  // What the turn before did is soon to be seen.
  const absl::Duration wait = (published_ ? kPollWait : absl::Microseconds(kPublishEvery)) /
                              static_cast<std::int64_t>(inputs_.size());
  for (const std::unique_ptr<Input>& input : inputs_) {
    TOCSIN_RETURN_IF_ERROR(input->Poll(wait, clock_));
  }
  clock_ = ReadClock();
  TOCSIN_RETURN_IF_ERROR(SendBatches());
  TOCSIN_RETURN_IF_ERROR(CommitDue(/*all=*/false));
  Balance();
  if (clock_.monotonic - idle_checked_at_ >= kIdleCheckEvery) {
    idle_checked_at_ = clock_.monotonic;
    for (const std::unique_ptr<Input>& input : inputs_) {
      TOCSIN_RETURN_IF_ERROR(input->CloseIdle(clock_));
    }
  }
  published_ = clock_.monotonic - published_at_ >= kPublishEvery;
  if (published_) Publish();
  for (const std::unique_ptr<Input>& input : inputs_) input->Feed();
  return absl::OkStatus();
}

absl::Status Reader::SendBatches() {
  std::vector<std::string> records;
  ControlRecord expect = {.kind = ControlRecord::Kind::kExpect, .sources = {}};
  if (due_tick_ != kNoTime) expect.tick = due_tick_ + plan_->pane();
  for (const std::unique_ptr<Input>& input : inputs_) {
    std::vector<std::string> joined = input->TakeJoined();
    std::move(joined.begin(), joined.end(), std::back_inserter(expect.sources));
  }
  if (!expect.sources.empty()) records.push_back(EncodeControl(expect));
  for (const std::unique_ptr<Input>& input : inputs_) {
    for (InputPartition* partition : input->Partitions()) {
      const std::vector<PaneBatch> batches = partition->stage1->TakeBatches();
      if (batches.empty()) continue;
      for (const PaneBatch& batch : batches) {
        for (std::string& chunk : EncodeBatch(batch, *plan_)) records.push_back(std::move(chunk));
      }
    }
  }
  Exclude(&records);
  {
    absl::MutexLock lock(&mutex_);
    std::move(acts_.begin(), acts_.end(), std::back_inserter(records));
    acts_.clear();
  }
  if (records.empty()) return absl::OkStatus();
  TOCSIN_ASSIGN_OR_RETURN(const std::uint64_t sequence, journal_->AppendBatches(records));
  out_->Push({.sequence = sequence, .records = std::move(records)});
  return absl::OkStatus();
}

absl::Status Reader::CommitDue(bool all) {
  for (const std::unique_ptr<Input>& input : inputs_) {
    for (InputPartition* partition : input->Partitions()) {
      const bool due =
          partition->commit_due && clock_.monotonic - partition->committed_at >= kCommitEvery;
      if (!due && !all) continue;
      partition->commit_due = false;
      partition->committed_at = clock_.monotonic;
      const absl::Status committed = input->Commit(partition, /*sync=*/all);
      // A lost commit only means that more is read again; the broker being away must not stop us.
      if (!committed.ok()) {
        partition->commit_due = true;
        spdlog::warn("commit of {} failed: {}", partition->stage1->source(),
                     std::string(committed.message()));
      }
    }
  }
  return absl::OkStatus();
}

void Reader::Balance() {
  TimeUs slowest = INT64_MAX;
  for (const std::unique_ptr<Input>& input : inputs_) {
    for (const InputPartition* partition : input->Partitions()) {
      if (partition->ended || partition->excluded) continue;
      slowest = std::min(slowest, partition->stage1->last_tick());
    }
  }
  // Before every partition has a time of its own, those that have one wait a little further on.
  for (const std::unique_ptr<Input>& input : inputs_) {
    for (InputPartition* partition : input->Partitions()) {
      const TimeUs tick = partition->stage1->last_tick();
      const bool ahead = slowest != kNoTime && slowest != INT64_MAX && tick != kNoTime &&
                         tick > slowest + limits::kTicksAheadMax * plan_->pane();
      input->Pause(partition, ahead);
    }
  }
}

void Reader::Exclude(std::vector<std::string>* records) {
  TimeUs furthest = kNoTime;
  for (const std::unique_ptr<Input>& input : inputs_) {
    for (InputPartition* partition : input->Partitions()) {
      const TimeUs tick = partition->stage1->last_tick();
      if (partition->seen_tick_at == 0 || tick != partition->seen_tick) {
        partition->seen_tick = tick;
        partition->seen_tick_at = clock_.monotonic;
      }
      furthest = std::max(furthest, tick);
    }
  }
  for (const std::unique_ptr<Input>& input : inputs_) {
    for (InputPartition* partition : input->Partitions()) {
      const TimeUs tick = partition->stage1->last_tick();
      const bool stuck = !partition->ended && tick < furthest &&
                         clock_.monotonic - partition->seen_tick_at >= kExcludeAfter;
      // Paused partitions stand still because of us, not because their broker is away.
      if (stuck && !partition->excluded && !partition->paused) {
        partition->excluded = true;
        const TimeUs from = tick == kNoTime ? kNoTime : tick + plan_->pane();
        records->push_back(EncodeControl({.kind = ControlRecord::Kind::kExclude,
                                          .tick = from,
                                          .sources = {partition->stage1->source()}}));
        spdlog::warn("{} has not advanced for 30 s: deciding without it, marked partial",
                     partition->stage1->source());
      } else if (partition->excluded && tick != kNoTime && tick >= furthest) {
        partition->excluded = false;
        records->push_back(EncodeControl({.kind = ControlRecord::Kind::kRejoin,
                                          .tick = furthest + plan_->pane(),
                                          .sources = {partition->stage1->source()}}));
        spdlog::info("{} is back", partition->stage1->source());
      }
    }
  }
}

absl::Status Reader::Submit(const Act& act) {
  absl::MutexLock lock(&mutex_);
  if (acts_.size() >= limits::kQueueElementsMax) {
    return absl::ResourceExhaustedError("too many acts wait to be written");
  }
  acts_.push_back(EncodeControl({.kind = ControlRecord::Kind::kAct, .act = act}));
  return absl::OkStatus();
}

std::int64_t Reader::received() const {
  std::int64_t received = 0;
  for (const std::unique_ptr<Input>& input : inputs_) received += input->received();
  return received;
}

bool Reader::ended() const {
  return std::all_of(inputs_.begin(), inputs_.end(),
                     [](const std::unique_ptr<Input>& input) { return input->ended(); });
}

absl::Status Reader::Finish() {
  for (const std::unique_ptr<Input>& input : inputs_) {
    input->Feed();
    input->Settle();
  }
  clock_ = ReadClock();
  TOCSIN_RETURN_IF_ERROR(SendBatches());
  TOCSIN_RETURN_IF_ERROR(CommitDue(/*all=*/true));
  Publish();
  for (const std::unique_ptr<Input>& input : inputs_) input->Stop();
  return absl::OkStatus();
}

void Reader::Abandon() {
  for (const std::unique_ptr<Input>& input : inputs_) input->Stop();
}

void Reader::Publish() {
  published_at_ = clock_.monotonic;
  View view;
  view.assigned = true;
  for (const std::unique_ptr<Input>& input : inputs_) {
    view.assigned = view.assigned && input->assigned();
    view.errors += input->errors();
    view.skipped += input->skipped();
    for (const InputPartition* partition : input->Partitions()) {
      view.sources.push_back({.input = input->config().name,
                              .source = partition->stage1->source(),
                              .counters = partition->stage1->counters(),
                              .clock = partition->stage1->clock(),
                              .last_tick = partition->stage1->last_tick(),
                              .paused = partition->paused,
                              .at_end = partition->at_end});
    }
  }
  absl::MutexLock lock(&mutex_);
  view_ = std::move(view);
}

Reader::View Reader::Sources() const {
  absl::MutexLock lock(&mutex_);
  return view_;
}

}  // namespace tocsin
