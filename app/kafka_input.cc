#include "app/kafka_input.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>

#include "core/hash.h"
#include "core/status_macros.h"

namespace tocsin {
namespace {

constexpr absl::Duration kQueryTimeout = absl::Seconds(2);
// Fewer are fed sooner than a thread is started.
constexpr std::size_t kBackgroundRecordsMin = 2'000;
constexpr std::chrono::milliseconds kTakeEvery(1);
constexpr std::size_t kPrefetchAhead = 3;

// The fetching thread was the last to touch a record's memory. The beginning is enough: the rest
// follows in order.
void Prefetch(const KafkaRecord& record) {
  constexpr std::size_t kCacheLine = 64;
  for (std::size_t at = 0; at < 5 * kCacheLine; at += kCacheLine) {
    __builtin_prefetch(record.value.data() + at);
  }
  __builtin_prefetch(record.message.get());
}

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
      partition_executor_(std::move(partition_executor)) {}

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
    partitions_[kafka] = std::move(partition);
  }
  return absl::OkStatus();
}

absl::Status KafkaInput::Poll(absl::Duration wait, const InputClock& clock) {
  using std::chrono::steady_clock;
  const steady_clock::time_point begin = steady_clock::now();
  clock_ = clock;
  source_->Poll(fed_.valid() ? absl::ZeroDuration() : wait);
  // As long as the last batch is being fed there is time to take more.
  while (fed_.valid() && taken_records_ < KafkaSource::kBatchMessagesMax &&
         taken_bytes_ < KafkaSource::kBatchBytes &&
         fed_.wait_for(kTakeEvery) == std::future_status::timeout) {
    const auto elapsed =
        std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - begin).count();
    clock_ = {.monotonic = clock.monotonic + elapsed, .wall = clock.wall + elapsed};
    source_->Poll(absl::ZeroDuration());
  }
  Settle();
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
  Feed();
  Settle();
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

void KafkaInput::OnRecord(const KafkaPartition& kafka, KafkaRecord record) {
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
  if (partition.taken.empty()) taken_.push_back(&partition);
  ++taken_records_;
  taken_bytes_ += record.value.size();
  partition.taken.push_back(std::move(record));
}

void KafkaInput::Feed() {
  Settle();
  feeding_.swap(taken_);
  for (Partition* partition : feeding_) {
    partition->feeding.swap(partition->taken);
    partition->commit_due = true;
  }
  const bool large = taken_records_ >= kBackgroundRecordsMin;
  taken_records_ = taken_bytes_ = 0;
  if (large) {
    fed_ = std::async(std::launch::async, [this] { FeedPartitions(); });
  } else {
    FeedPartitions();
  }
}

void KafkaInput::Settle() {
  if (fed_.valid()) fed_.get();
}

void KafkaInput::FeedPartitions() {
  // A partition is fed by one thread, in log order; partitions share nothing.
  partition_executor_(feeding_.size(), [this](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i) {
      std::vector<KafkaRecord>& records = feeding_[i]->feeding;
      for (std::size_t r = 0; r < records.size(); ++r) {
        KafkaRecord& record = records[r];
        if (r + kPrefetchAhead < records.size()) Prefetch(records[r + kPrefetchAhead]);
        feeding_[i]->stage1->Feed({.offset = record.offset,
                                   .next_offset = record.offset + 1,
                                   .timestamp = record.timestamp,
                                   .append_time = record.append_time,
                                   .bytes = record.value});
        record.message.reset();
      }
      feeding_[i]->feeding.clear();
    }
  });
  feeding_.clear();
}

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
                      partition->taken.empty();
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
  Settle();
  // What was taken and not fed is not committed either.
  for (Partition* partition : taken_) partition->taken.clear();
  taken_.clear();
  stopping_ = true;
  source_->Stop();
}

}  // namespace tocsin
