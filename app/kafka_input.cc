#include "app/kafka_input.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "absl/time/clock.h"
#include "core/hash.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

constexpr absl::Duration kQueryTimeout = absl::Seconds(2);
// Fewer are fed sooner than a thread is started.
constexpr std::size_t kBackgroundRecordsMin = 2'000;
constexpr absl::Duration kTakeEvery = absl::Milliseconds(1);
// Batches become durable, commits are made and partitions paused at least this often.
constexpr absl::Duration kFeedingMax = absl::Milliseconds(100);

// The same instance after a restart: with static membership the broker gives its partitions back at
// once instead of waiting for the session of the killed process to run out.
std::string InstanceId(const std::string& state_dir, const std::string& input) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  std::error_code error;
  const std::string directory = std::filesystem::weakly_canonical(state_dir, error).string();
  return "tocsin-" + HashParts({host.data(), directory, input}).Hex();
}

}  // namespace

KafkaInput::KafkaInput(const InputConfig* config, const EngineSetup* setup,
                       DeadLetterObserver* dead_letters, Executor partition_executor)
    : config_(config),
      setup_(setup),
      dead_letters_(dead_letters),
      feeder_(std::move(partition_executor)) {}

KafkaInput::~KafkaInput() { Stop(); }

absl::Status KafkaInput::Start() {
  KafkaSource::Options options;
  options.brokers = config_->kafka->brokers;
  options.topics = config_->kafka->topics;
  options.group = config_->kafka->group;
  options.instance_id = InstanceId(setup_->config->state_dir, config_->name);
  options.start_earliest = config_->kafka->start == StartAt::kEarliest;
  options.properties = config_->kafka->properties;
  source_ = std::make_unique<KafkaSource>(std::move(options), static_cast<KafkaCallbacks*>(this));
  TOCSIN_RETURN_IF_ERROR(source_->Start());
  for (const KafkaPartition& kafka : source_->AllPartitions()) {
    auto partition = std::make_unique<Partition>();
    partition->kafka = kafka;
    partition->append_time = source_->AppendTime(kafka.topic).value_or(false);
    TOCSIN_ASSIGN_OR_RETURN(
        partition->stage1,
        setup_->NewPartition(*config_, config_->name + '/' + kafka.ToString(), dead_letters_));
    partition->lane = feeder_.AddLane(partition->stage1.get());
    partitions_[kafka] = std::move(partition);
  }
  return absl::OkStatus();
}

absl::Status KafkaInput::Poll(absl::Duration wait, const InputClock& clock) {
  const absl::Time begin = absl::Now();
  clock_ = clock;
  if (!feeder_.feeding()) {
    CountReceived(source_->Poll(wait));
    return failure_;
  }
  // As long as records are being fed there is time to take more, and they are fed along.
  absl::Duration elapsed;
  do {
    std::size_t taken = 0;
    if (feeder_.queued_records() < KafkaSource::kBatchMessagesMax &&
        feeder_.queued_bytes() < KafkaSource::kBatchBytes) {
      taken = source_->Poll(absl::ZeroDuration());
      CountReceived(taken);
      HandOverAll();
    }
    if (feeder_.WaitUntilIdle(kTakeEvery) && taken == 0) break;
    elapsed = absl::Now() - begin;
    const DurationUs elapsed_us = absl::ToInt64Microseconds(elapsed);
    clock_ = {.monotonic = clock.monotonic + elapsed_us, .wall = clock.wall + elapsed_us};
    // An assignment ends it, too: it drains the feeder.
  } while (feeder_.feeding() && elapsed < kFeedingMax);
  feeder_.Rest();
  return failure_;
}

std::vector<InputPartition*> KafkaInput::Partitions() {
  std::vector<InputPartition*> all;
  for (const auto& [kafka, partition] : partitions_) all.push_back(partition.get());
  return all;
}

std::optional<std::int64_t> KafkaInput::OnAssigned(const KafkaPartition& kafka,
                                                   const std::optional<KafkaCommit>& committed) {
  const auto found = partitions_.find(kafka);
  if (found == partitions_.end()) {
    spdlog::warn("{} appeared after the start: restart to read it", kafka.ToString());
    return std::nullopt;
  }
  Partition& partition = *found->second;
  // Where to go on is known when what was taken before is fed.
  HandOverAll();
  feeder_.Drain();
  const bool again = partition.ours || partition.stage1->last_tick() != kNoTime;
  partition.ours = true;
  partition.end_offset = -1;
  partition.at_end = false;
  assigned_ = std::all_of(partitions_.begin(), partitions_.end(),
                          [](const auto& entry) { return entry.second->ours; });
  // Ours before (a rebalance that gave it back): go on where we were, the state is still here.
  if (again) return partition.stage1->next_offset();

  SourceCommit from;
  if (committed) {
    from = {.offset = committed->offset, .metadata = committed->metadata};
  } else if (config_->kafka->start == StartAt::kEarliest) {
    return std::nullopt;
  } else {
    absl::StatusOr<std::int64_t> end = source_->QueryEndOffset(kafka, kQueryTimeout);
    if (!end.ok()) {
      failure_ = end.status();
      return std::nullopt;
    }
    from.offset = *end;
    // So that a crash before the first commit does not start at a later "now".
    partition.commit_due = true;
  }
  failure_.Update(partition.stage1->Restore(from));
  return from.offset;
}

void KafkaInput::OnRevoked(const KafkaPartition& kafka) {
  const auto found = partitions_.find(kafka);
  if (found == partitions_.end()) return;
  found->second->ours = false;
  assigned_ = false;
  if (stopping_) return;
  spdlog::warn("{} was taken away by the group: only one instance may read it", kafka.ToString());
}

void KafkaInput::OnRecord(const KafkaPartition& kafka, const KafkaRecord& record) {
  if (last_ == nullptr || last_->kafka != kafka) {
    const auto found = partitions_.find(kafka);
    if (found == partitions_.end()) return;
    last_ = found->second.get();
  }
  Partition& partition = *last_;
  partition.end_offset = -1;
  partition.at_end = false;
  if (record.append_time) {
    partition.append_time = true;
    broker_offset_ = std::max(broker_offset_, record.timestamp - clock_.monotonic);
  } else if (record.timestamp != kNoTime) {
    const DurationUs distance = record.timestamp - clock_.wall;
    live_ = distance < kLiveDistanceMax && distance > -kLiveDistanceMax;
  }
  partition.taken.Add(record);
  if (partition.taken.size() == RecordFeeder::kSliceRecords ||
      partition.taken.bytes() >= RecordFeeder::kSliceBytes) {
    HandOver(&partition);
  }
}

void KafkaInput::HandOver(Partition* partition) {
  if (partition->taken.empty()) return;
  partition->commit_due = true;
  RecordSlice next(/*bytes_hint=*/partition->taken.bytes());
  feeder_.Add(partition->lane, std::exchange(partition->taken, std::move(next)));
}

void KafkaInput::HandOverAll() {
  for (const auto& [kafka, partition] : partitions_) HandOver(partition.get());
}

void KafkaInput::Feed() {
  HandOverAll();
  for (const auto& [kafka, partition] : partitions_) {
    // Commits since it was handed over did not hold what is still queued.
    if (feeder_.busy(partition->lane)) partition->commit_due = true;
  }
  if (feeder_.queued_records() >= kBackgroundRecordsMin) {
    feeder_.Start();
  } else {
    feeder_.Drain();
  }
}

void KafkaInput::Settle() { feeder_.Drain(); }

void KafkaInput::OnEnd(const KafkaPartition& kafka, std::int64_t end_offset) {
  const auto found = partitions_.find(kafka);
  if (found == partitions_.end()) return;
  found->second->end_offset = end_offset;
  found->second->at_end = true;
}

void KafkaInput::OnSkipped(const KafkaPartition& kafka, std::int64_t from, std::int64_t to,
                           std::string_view reason) {
  skipped_ += to - from;
  spdlog::error("{}: skipped offsets {} to {}: {}", kafka.ToString(), from, to - 1, reason);
}

void KafkaInput::OnError(std::string_view message) {
  ++errors_;
  spdlog::warn("kafka input {}: {}", config_->name, message);
}

void KafkaInput::Pause(InputPartition* partition, bool pause) {
  if (partition->paused == pause) return;
  partition->paused = pause;
  const KafkaPartition& kafka = static_cast<Partition*>(partition)->kafka;
  if (pause) {
    source_->Pause(kafka);
  } else {
    source_->Resume(kafka);
  }
}

TimeUs KafkaInput::BrokerTime(const Partition& partition, const InputClock& clock) const {
  if (!partition.append_time) return live_ ? clock.wall : kNoTime;
  return broker_offset_ == INT64_MIN ? kNoTime : clock.monotonic + broker_offset_;
}

absl::Status KafkaInput::CloseIdle(const InputClock& clock) {
  for (const auto& [kafka, partition] : partitions_) {
    const bool idle = partition->ours && partition->end_offset >= 0 && !partition->paused &&
                      partition->taken.empty() && !feeder_.busy(partition->lane);
    if (idle) CloseIdlePartition(partition.get(), clock);
  }
  return absl::OkStatus();
}

void KafkaInput::CloseIdlePartition(Partition* partition, const InputClock& clock) {
  const TimeUs now = BrokerTime(*partition, clock);
  if (now == kNoTime) return;
  const TimeUs tick = FloorTo(now - kIdleGrace, setup_->plan.pane());
  const TimeUs last = partition->stage1->last_tick();
  if (last != kNoTime && tick <= last) return;
  // Asked after broker time tick + grace: if the end is still where we stand, nothing that was
  // appended before the tick is missing.
  const absl::StatusOr<std::int64_t> end = source_->QueryEndOffset(partition->kafka, kQueryTimeout);
  if (!end.ok() || *end != partition->end_offset) return;
  if (!partition->append_time) {
    // Nothing in the log says that we closed now: whoever goes on after a crash has to know.
    const absl::Status committed =
        CommitNow(*partition, partition->stage1->CommitBefore(tick), /*sync=*/true);
    if (!committed.ok()) return OnError(std::string(committed.message()));
  }
  partition->stage1->CloseIdle(tick);
  partition->commit_due = true;
}

absl::Status KafkaInput::Commit(InputPartition* base, bool sync) {
  Partition* partition = static_cast<Partition*>(base);
  if (!partition->ours) return absl::OkStatus();
  return CommitNow(*partition, partition->stage1->Commit(), sync);
}

absl::Status KafkaInput::CommitNow(const Partition& partition, const SourceCommit& commit,
                                   bool sync) {
  return source_->Commit(partition.kafka, {.offset = commit.offset, .metadata = commit.metadata},
                         sync);
}

void KafkaInput::Stop() {
  if (source_ == nullptr) return;
  // What was taken and not fed is not committed either.
  feeder_.Clear();
  for (const auto& [kafka, partition] : partitions_) partition->taken = RecordSlice();
  stopping_ = true;
  source_->Stop();
}

}  // namespace tocsin
