#include "service/kafka_input.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

#include "core/hash.h"
#include "core/status_macros.h"
#include "ingest/decoder.h"

namespace tocsin {
namespace {

// Time-out for requests during an assignment, while the group waits for this member.
constexpr DurationUs kQuestionTimeout = 5 * kSecondUs;
// Feeding fewer records takes less time than starting a thread.
constexpr std::size_t kBackgroundRecordsMin = 2'000;
constexpr absl::Duration kTakeEvery = absl::Milliseconds(1);
// Batches become durable, commits are made and partitions paused at least this often.
constexpr DurationUs kFeedingMax = 100 * kMillisecondUs;
// Without a sign of a partition's broker for kAskAfter its end is requested; after kAwayAfter it
// counts as away. An answer takes at most EndWatch::kTimeout.
constexpr DurationUs kAskAfter = kSecondUs;
constexpr DurationUs kAwayAfter = 5 * kSecondUs;
// After an outage producers send their delayed records within this time. It is shorter than the
// time after which a partition is excluded.
constexpr DurationUs kSettleTime = 15 * kSecondUs;
// A group returns revoked partitions within its session time-out; after that another member has
// them.
constexpr DurationUs kLostAfter = 60 * kSecondUs;
// Limit of the records that wait for the commit of a close; beyond it they are fed without waiting.
constexpr std::size_t kHeldBytesMax = 16u << 20;

// A group.instance.id that survives restarts: with static membership the broker returns the
// partitions at once, without waiting for the session of a killed process to expire.
std::string InstanceId(const std::string& state_dir, const std::string& input) {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  std::error_code error;
  const std::string directory = std::filesystem::weakly_canonical(state_dir, error).string();
  return "tocsin-" + HashParts({host.data(), directory, input}).Hex();
}

std::string AndMore(std::span<const KafkaPartition> partitions) {
  const std::size_t others = partitions.size() - 1;
  return partitions[0].ToString() + (others > 0 ? " and " + std::to_string(others) + " more" : "");
}

}  // namespace

KafkaInput::KafkaInput(const InputConfig* config, const EngineSetup* setup,
                       DeadLetterObserver* dead_letters, const TimeSource* time,
                       Executor partition_executor, Earlier earlier)
    : config_(config),
      setup_(setup),
      dead_letters_(dead_letters),
      time_(time),
      earlier_(std::move(earlier)),
      feeder_(std::move(partition_executor)),
      now_(time->Now()) {}

KafkaInput::~KafkaInput() { Stop(); }

absl::Status KafkaInput::Start() {
  KafkaSource::Options options;
  options.brokers = config_->kafka->brokers;
  options.topics = config_->kafka->topics;
  options.group = config_->kafka->group;
  options.instance_id = InstanceId(setup_->config->state_dir, config_->name);
  TOCSIN_ASSIGN_OR_RETURN(options.properties, config_->kafka->AllProperties());
  TOCSIN_ASSIGN_OR_RETURN(probe_, KafkaProbe::New(options.brokers, options.properties,
                                                  [this] { return time_->Monotonic(); }));
  source_ = std::make_unique<KafkaSource>(std::move(options), static_cast<KafkaCallbacks*>(this));
  TOCSIN_RETURN_IF_ERROR(source_->Start());
  for (const KafkaPartition& kafka : source_->AllPartitions()) {
    TOCSIN_RETURN_IF_ERROR(FindOrAdd(kafka).status());
  }
  ends_ = std::make_unique<EndWatch>(probe_.get());
  return absl::OkStatus();
}

absl::StatusOr<KafkaInput::Partition*> KafkaInput::FindOrAdd(const KafkaPartition& kafka) {
  if (Partition* const known = Find(kafka)) return known;
  auto partition = std::make_unique<Partition>();
  partition->kafka = kafka;
  partition->append_time = source_->AppendTime(kafka.topic).value_or(false);
  TOCSIN_ASSIGN_OR_RETURN(
      partition->stage1,
      setup_->NewPartition(*config_, config_->name + '/' + kafka.ToString(), dead_letters_));
  partition->queue = feeder_.AddQueue(partition->stage1.get());
  return (partitions_[kafka] = std::move(partition)).get();
}

KafkaInput::Partition* KafkaInput::Find(const KafkaPartition& kafka) {
  const auto found = partitions_.find(kafka);
  return found == partitions_.end() ? nullptr : found->second.get();
}

absl::Status KafkaInput::Poll(absl::Duration wait) {
  now_ = time_->Now();
  const TimeUs begin = now_.monotonic;
  if (!feeder_.feeding()) {
    Take(wait);
    return failure_.ok() ? source_->status() : failure_;
  }
  // While records are being fed in the background, take more and feed them, too.
  do {
    std::size_t taken = 0;
    if (feeder_.queued_records() < kKafkaPollMessagesMax &&
        feeder_.queued_bytes() < kKafkaPollBytes) {
      taken = Take(absl::ZeroDuration());
      HandOverAll();
    }
    if (feeder_.WaitUntilIdle(kTakeEvery) && taken == 0) break;
    // An assignment ends the loop, too, because it drains the feeder.
  } while (feeder_.feeding() && now_.monotonic - begin < kFeedingMax);
  feeder_.Rest();
  return failure_.ok() ? source_->status() : failure_;
}

std::size_t KafkaInput::Take(absl::Duration wait) {
  newest_append_ = newest_producer_ = kNoTime;
  const TimeUs asked_at = now_.monotonic;
  const std::size_t taken = source_->Poll(wait);
  CountReceived(taken);
  // Read the clock after the records: if the process was stopped in between, an earlier reading
  // would make the broker time too late.
  now_ = time_->Now();
  if (newest_append_ != kNoTime) {
    broker_offset_ = std::max(broker_offset_, newest_append_ - now_.monotonic);
  }
  if (now_.monotonic - asked_at > kAwayAfter) settled_at_ = now_.monotonic + kSettleTime;
  // Records that waited during a pause do not show how old records usually are.
  if (newest_producer_ != kNoTime && !(live_ && now_.monotonic < settled_at_)) {
    const DurationUs distance = newest_producer_ - now_.wall;
    live_ = distance < kLiveDistanceMax && distance > -kLiveDistanceMax;
  }
  return taken;
}

std::vector<InputPartition*> KafkaInput::Partitions() {
  std::vector<InputPartition*> all;
  for (const auto& [kafka, partition] : partitions_) all.push_back(partition.get());
  return all;
}

absl::Status KafkaInput::OnAssigned(std::span<KafkaAssignment> assigned) {
  // Positions are known only after all taken records have been fed.
  HandOverAll();
  feeder_.Drain();
  const std::vector<KafkaPartition> at_start = source_->AllPartitions();
  std::vector<KafkaAssignment*> to_check, to_begin, to_go_on;
  std::vector<KafkaPartition> without_position;
  for (KafkaAssignment& assignment : assigned) {
    TOCSIN_ASSIGN_OR_RETURN(Partition* const partition, FindOrAdd(assignment.partition));
    partition->end_offset = -1;
    partition->at_end = false;
    const bool is_new = !std::binary_search(at_start.begin(), at_start.end(), assignment.partition);
    if (partition->begun) {
      // Returned by a rebalance: this process still has its state.
      assignment.start = partition->stage1->next_offset();
      to_check.push_back(&assignment);
    } else if (assignment.committed) {
      const SourceCommit from = {.offset = assignment.committed->offset,
                                 .metadata = assignment.committed->metadata};
      if (failure_ = partition->stage1->Restore(from); !failure_.ok()) return failure_;
      live_ = live_ || partition->stage1->live();
      settled_at_ = now_.monotonic + kSettleTime;
      assignment.start = from.offset;
      to_check.push_back(&assignment);
    } else if (WasRead(assignment.partition)) {
      to_go_on.push_back(&assignment);
    } else {
      // Starts at its first record by default. A partition that was added later has only new
      // records.
      without_position.push_back(assignment.partition);
      if (config_->kafka->start != StartAt::kEarliest && !is_new) to_begin.push_back(&assignment);
    }
  }
  TOCSIN_RETURN_IF_ERROR(BeginAtEnds(to_begin));
  TOCSIN_RETURN_IF_ERROR(BeginWhereDecided(to_go_on));
  LogStartPositions(without_position, to_begin.size());
  CheckLogs(to_check);
  for (const KafkaAssignment& assignment : assigned) {
    Partition* const partition = Find(assignment.partition);
    partition->begun = partition->ours = true;
    partition->lost_at = kNoTime;
  }
  assigned_ = std::all_of(partitions_.begin(), partitions_.end(),
                          [](const auto& entry) { return entry.second->ours; });
  return absl::OkStatus();
}

absl::Status KafkaInput::BeginAtEnds(std::span<KafkaAssignment* const> assigned) {
  return BeginWhere(assigned, [this](std::span<const KafkaPartition> partitions, Visit visit) {
    probe_->EndOffsets(partitions, kQuestionTimeout, visit);
  });
}

absl::Status KafkaInput::BeginWhereDecided(std::span<KafkaAssignment* const> assigned) {
  if (assigned.empty()) return absl::OkStatus();
  // The beginning of the newest pane of the last decided tick.
  const DurationUs pane = setup_->plan.pane();
  const TimeUs since = earlier_.tick - DelayOf(*config_, pane) - pane;
  TOCSIN_RETURN_IF_ERROR(
      BeginWhere(assigned, [&](std::span<const KafkaPartition> partitions, Visit visit) {
        probe_->OffsetsSince(partitions, since, kQuestionTimeout, visit);
      }));
  std::vector<KafkaPartition> partitions;
  for (const KafkaAssignment* assignment : assigned) partitions.push_back(assignment->partition);
  losses_.push_back("the group " + config_->kafka->group + " has no position any more in " +
                    AndMore(partitions) +
                    ": the topic was made again, or the group was away for too long; it is read "
                    "from " +
                    FormatTime(since) + " on, and what was not read before may be lost");
  spdlog::error("input {}: {}", config_->name, losses_.back());
  return absl::OkStatus();
}

absl::Status KafkaInput::BeginWhere(std::span<KafkaAssignment* const> assigned, Question ask) {
  std::vector<KafkaPartition> partitions;
  for (const KafkaAssignment* assignment : assigned) partitions.push_back(assignment->partition);
  std::map<KafkaPartition, KafkaProbe::End> answers;
  ask(partitions, [&](const KafkaProbe::End& answer) { answers[answer.partition] = answer; });
  std::vector<KafkaAssignment*> at_end;
  for (KafkaAssignment* const assignment : assigned) {
    const auto found = answers.find(assignment->partition);
    const auto answer =
        found == answers.end() ? KafkaProbe::End::Answer::kNoAnswer : found->second.answer;
    if (answer == KafkaProbe::End::Answer::kNone) {
      at_end.push_back(assignment);
      continue;
    }
    if (answer != KafkaProbe::End::Answer::kOffset) {
      return absl::UnavailableError("no broker answered where to start reading " +
                                    assignment->partition.ToString());
    }
    Partition* const partition = Find(assignment->partition);
    TOCSIN_RETURN_IF_ERROR(
        partition->stage1->Restore({.offset = found->second.offset, .metadata = ""}));
    assignment->start = found->second.offset;
    // So that a crash before the first commit does not start at a later "now".
    partition->commit_due = true;
  }
  return at_end.empty() ? absl::OkStatus() : BeginAtEnds(at_end);
}

bool KafkaInput::WasRead(const KafkaPartition& kafka) const {
  return earlier_.tick != kNoTime &&
         std::find(earlier_.sources.begin(), earlier_.sources.end(),
                   config_->name + '/' + kafka.ToString()) != earlier_.sources.end();
}

void KafkaInput::LogStartPositions(std::span<const KafkaPartition> partitions,
                                   std::size_t at_end) const {
  if (partitions.empty()) return;
  spdlog::info(
      "input {}: the group {} has no position in {} yet: {} start at the end, {} at the first "
      "record",
      config_->name, config_->kafka->group, AndMore(partitions), at_end,
      partitions.size() - at_end);
}

void KafkaInput::CheckLogs(std::span<KafkaAssignment* const> assigned) {
  std::vector<KafkaProbe::RecordQuestion> questions;
  for (const KafkaAssignment* assignment : assigned) {
    const auto& last = Find(assignment->partition)->stage1->last_record();
    if (last) questions.push_back({.partition = assignment->partition, .offset = last->offset});
  }
  // Without an answer reading continues; offsets that the log does not have are detected later.
  if (const absl::Status asked = probe_->RecordsAt(questions, kQuestionTimeout); !asked.ok()) {
    OnError(std::string(asked.message()));
  }
  for (const KafkaProbe::RecordQuestion& question : questions) {
    Partition* const partition = Find(question.partition);
    const RecordPrint last = *partition->stage1->last_record();
    // If the log was compacted or does not have the offset, the record proves nothing.
    if (!question.record || question.record->offset != last.offset) continue;
    const RecordPrint found = {.offset = question.record->offset,
                               .timestamp = question.record->timestamp,
                               .bytes = question.record->bytes};
    if (found == last) continue;
    StartOver(partition, 0);
    for (KafkaAssignment* const assignment : assigned) {
      if (assignment->partition == question.partition) assignment->start.reset();
    }
  }
}

void KafkaInput::StartOver(Partition* partition, std::int64_t offset) {
  partition->stage1->StartOver(offset);
  partition->commit_due = true;
  losses_.push_back(partition->kafka.ToString() +
                    " was created anew: it is read from its beginning, and what was not read of "
                    "the old one is lost");
  spdlog::error("input {}: {}", config_->name, losses_.back());
}

void KafkaInput::OnRevoked(const KafkaPartition& kafka) {
  Partition* const partition = Find(kafka);
  if (partition == nullptr || stopping_) return;
  partition->ours = assigned_ = false;
  partition->lost_at = now_.monotonic;
}

void KafkaInput::OnRecord(const KafkaPartition& kafka, const KafkaRecord& record) {
  if (last_ == nullptr || last_->kafka != kafka) {
    Partition* const found = Find(kafka);
    if (found == nullptr) return;
    last_ = found;
  }
  Partition& partition = *last_;
  partition.end_offset = -1;
  partition.at_end = false;
  Answered(&partition);
  if (record.append_time) {
    partition.append_time = true;
    newest_append_ = std::max(newest_append_, record.timestamp);
  } else if (record.timestamp != kNoTime) {
    newest_producer_ = record.timestamp;
  }
  partition.taken.Add(record);
  if (partition.closing && partition.taken.bytes() > kHeldBytesMax) partition.closing.reset();
  if (partition.taken.size() == RecordFeeder::kSliceRecords ||
      partition.taken.bytes() >= RecordFeeder::kSliceBytes) {
    HandOver(&partition);
  }
}

void KafkaInput::HandOver(Partition* partition) {
  if (partition->taken.empty() || partition->closing) return;
  partition->commit_due = true;
  RecordSlice next(/*bytes_hint=*/partition->taken.bytes());
  feeder_.Add(partition->queue, std::exchange(partition->taken, std::move(next)));
}

void KafkaInput::HandOverAll() {
  for (const auto& [kafka, partition] : partitions_) HandOver(partition.get());
}

void KafkaInput::Feed() {
  HandOverAll();
  for (const auto& [kafka, partition] : partitions_) {
    // Earlier commits do not include the records that are still queued.
    if (feeder_.busy(partition->queue)) partition->commit_due = true;
  }
  if (feeder_.queued_records() >= kBackgroundRecordsMin) {
    feeder_.Start();
  } else {
    feeder_.Drain();
  }
}

void KafkaInput::Settle() { feeder_.Drain(); }

void KafkaInput::OnEnd(const KafkaPartition& kafka, std::int64_t end_offset) {
  Partition* const partition = Find(kafka);
  if (partition == nullptr) return;
  partition->end_offset = end_offset;
  partition->at_end = true;
  Answered(partition);
}

void KafkaInput::OnSkipped(const KafkaPartition& kafka, std::int64_t from, std::int64_t to,
                           std::string_view reason) {
  Partition* const partition = Find(kafka);
  if (partition == nullptr) return;
  if (to < from) {
    // The taken records belong to the old log.
    HandOver(partition);
    feeder_.Drain();
    return StartOver(partition, to);
  }
  skipped_ += to - from;
  losses_.push_back(kafka.ToString() + ": offsets " + std::to_string(from) + " to " +
                    std::to_string(to - 1) + " are lost: " + std::string(reason));
  spdlog::error("input {}: {}", config_->name, losses_.back());
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

TimeUs KafkaInput::BrokerTime(const Partition& partition, TimeUs at) const {
  if (!partition.append_time) {
    return live_ ? now_.wall - (now_.monotonic - at) : kNoTime;
  }
  return broker_offset_ == INT64_MIN ? kNoTime : at + broker_offset_;
}

void KafkaInput::Answered(Partition* partition) {
  const TimeUs now = now_.monotonic;
  const bool was_away =
      partition->answered_at != kNoTime && now - partition->answered_at > kAwayAfter;
  if (was_away) partition->settled_at = settled_at_ = now + kSettleTime;
  partition->answered_at = now;
}

void KafkaInput::WatchReach(Partition* partition) {
  const TimeUs now = now_.monotonic;
  const bool answers =
      partition->answered_at != kNoTime && now - partition->answered_at <= kAwayAfter;
  partition->reach =
      partition->ours && answers ? SourceBoard::Reach::kReadable : SourceBoard::Reach::kAway;
  partition->problem = !partition->ours ? "the group has not assigned it"
                       : answers        ? ""
                                        : "no broker answers";
  if (partition->lost_at == kNoTime || now - partition->lost_at < kLostAfter) return;
  partition->lost_at = kNoTime;
  spdlog::warn(
      "{} was taken away by the group {}: another member of it must be reading the topic; "
      "only one instance may",
      partition->kafka.ToString(), config_->kafka->group);
}

bool KafkaInput::IsIdle(const Partition& partition) const {
  return partition.ours && partition.end_offset >= 0 && !partition.paused && !partition.closing &&
         partition.taken.empty() && !feeder_.busy(partition.queue);
}

TimeUs KafkaInput::IdleTick(const Partition& partition, TimeUs asked_at) const {
  const TimeUs time = BrokerTime(partition, asked_at);
  if (time == kNoTime) return kNoTime;
  const bool settled = partition.settled_at == kNoTime || asked_at >= partition.settled_at;
  if (!partition.append_time && !settled) return kNoTime;
  const TimeUs tick = FloorTo(time - kIdleGrace, setup_->plan.pane());
  const TimeUs last = partition.stage1->last_tick();
  return last == kNoTime || tick > last ? tick : kNoTime;
}

absl::Status KafkaInput::CloseIdle(std::uint64_t released) {
  now_ = time_->Now();
  TakeEnds(released);
  for (const auto& [kafka, partition] : partitions_) {
    WatchReach(partition.get());
    partition->stage1->set_live(live_);
  }
  AskForEnds();
  return absl::OkStatus();
}

void KafkaInput::TakeEnds(std::uint64_t released) {
  for (const KafkaProbe::End& end : ends_->Take()) {
    Partition* const partition = Find(end.partition);
    if (partition == nullptr || end.answer == KafkaProbe::End::Answer::kNoAnswer) continue;
    Answered(partition);
    const bool idle = end.answer == KafkaProbe::End::Answer::kOffset &&
                      end.offset == partition->end_offset && IsIdle(*partition);
    const TimeUs tick = idle ? IdleTick(*partition, end.asked_at) : kNoTime;
    if (tick == kNoTime) continue;
    // From here on: no record that was appended before the tick is missing.
    if (!partition->append_time) {
      if (partition->appended <= released) BeginClose(partition, tick);
      continue;
    }
    partition->stage1->CloseIdle(tick);
    partition->commit_due = true;
  }
}

void KafkaInput::AskForEnds() {
  if (ends_->busy()) return;
  std::vector<KafkaPartition> partitions;
  for (const auto& [kafka, partition] : partitions_) {
    if (!partition->ours) continue;
    const bool unheard_of =
        partition->answered_at == kNoTime || now_.monotonic - partition->answered_at >= kAskAfter;
    const bool closes = IsIdle(*partition) && IdleTick(*partition, now_.monotonic) != kNoTime;
    if (unheard_of || closes) partitions.push_back(kafka);
  }
  if (!partitions.empty()) ends_->Ask(std::move(partitions));
}

void KafkaInput::BeginClose(Partition* partition, TimeUs tick) {
  const SourceCommit commit = partition->stage1->CommitBefore(tick);
  const KafkaPosition position = {partition->kafka,
                                  {.offset = commit.offset, .metadata = commit.metadata}};
  const absl::StatusOr<std::uint64_t> ticket = source_->Commit(std::span(&position, 1));
  if (!ticket.ok()) return OnError(std::string(ticket.status().message()));
  partition->closing = PendingClose{.tick = tick, .ticket = *ticket};
}

void KafkaInput::OnCommitted(std::uint64_t ticket, const absl::Status& status) {
  if (!status.ok()) OnError(std::string(status.message()));
  for (const auto& [kafka, partition] : partitions_) {
    if (!status.ok()) partition->commit_due = true;
    if (!partition->closing || partition->closing->ticket != ticket) continue;
    const TimeUs tick = std::exchange(partition->closing, std::nullopt)->tick;
    if (!status.ok()) return;
    partition->stage1->CloseIdle(tick);
    partition->commit_due = true;
    return;
  }
}

void KafkaInput::OnDurable(std::span<const InputCommit> commits) {
  std::vector<KafkaPosition> positions;
  for (const InputCommit& one : commits) {
    const Partition& partition = static_cast<const Partition&>(*one.partition);
    // A pending close commits more than this.
    if (!partition.ours || partition.closing) continue;
    positions.push_back(
        {partition.kafka, {.offset = one.commit.offset, .metadata = one.commit.metadata}});
  }
  if (positions.empty()) return;
  // After a failed commit more records are read again, which is harmless.
  if (const auto sent = source_->Commit(positions); !sent.ok()) {
    OnError(std::string(sent.status().message()));
  }
}

absl::Status KafkaInput::CommitLast(std::span<const InputCommit> commits, absl::Duration timeout) {
  std::vector<KafkaPosition> positions;
  for (const InputCommit& one : commits) {
    const Partition& partition = static_cast<const Partition&>(*one.partition);
    if (!partition.ours) continue;
    positions.push_back(
        {partition.kafka, {.offset = one.commit.offset, .metadata = one.commit.metadata}});
  }
  if (positions.empty()) return absl::OkStatus();
  return source_->CommitAndWait(positions, timeout);
}

void KafkaInput::Stop() {
  if (source_ == nullptr) return;
  // Taken records that were not fed are not committed either, so they can be dropped.
  feeder_.Clear();
  for (const auto& [kafka, partition] : partitions_) partition->taken = RecordSlice();
  stopping_ = true;
  ends_.reset();
  source_->Stop();
}

}  // namespace tocsin
