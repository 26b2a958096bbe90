#include "ingest/sources/kafka_member.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "core/status_macros.h"
#include "core/string_hash.h"
#include "system/host_clock.h"

namespace tocsin {
namespace {

// The number of messages taken from the queue at a time.
constexpr std::size_t kSliceMessages = 8'192;
constexpr DurationUs kWakeEvery = 5 * kMillisecondUs;
constexpr int kSeekTimeoutMs = 5'000;
// The timeout of querying the beginning of a log, and the pause after a failed query.
constexpr int kResetTimeoutMs = 2'000;
constexpr DurationUs kResetEvery = kSecondUs;

int Milliseconds(absl::Duration duration) {
  return static_cast<int>(
      std::clamp<std::int64_t>(absl::ToInt64Milliseconds(duration), 0, 3'600'000));
}

absl::Status ToStatus(rd_kafka_resp_err_t error, const std::string& what) {
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  return absl::UnavailableError(what + ": " + rd_kafka_err2str(error));
}

bool IsBroken(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR__BAD_MSG || error == RD_KAFKA_RESP_ERR__BAD_COMPRESSION ||
         error == RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED ||
         error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE || error == RD_KAFKA_RESP_ERR_INVALID_MSG;
}

}  // namespace

std::string KafkaPartition::ToString() const { return topic + "/" + std::to_string(partition); }

std::size_t KafkaMember::Poll(absl::Duration wait) {
  if (!handle_) return 0;
  AssignWhenDue();
  if (commits_sent_ > 0) rd_kafka_queue_poll_callback(commits_.get(), 0);
  ResetOffsetsDue();
  // A request for many messages with a timeout would wait for all of them. So take what is
  // available first, and wait for a single message only if there is none.
  Taken total = Take(kSliceMessages, absl::ZeroDuration());
  if (total.messages == 0 && wait > absl::ZeroDuration()) {
    if (wake_due_) WakeFetchers();
    total = Take(1, wait);
  }
  bool more = total.messages == kSliceMessages;
  while (more && total.messages < kKafkaPollMessagesMax && total.bytes < kKafkaPollBytes) {
    const Taken taken = Take(kSliceMessages, absl::ZeroDuration());
    total.messages += taken.messages;
    total.records += taken.records;
    total.bytes += taken.bytes;
    // After a revocation return first: the delivered records must be processed before a partition
    // is assigned again.
    more = taken.messages == kSliceMessages && !taken.revoked;
  }
  wake_due_ = wakes_fetchers_ && (wake_due_ || total.records > 0);
  if (wake_due_ && HostMonotonic() - woken_at_ >= kWakeEvery) WakeFetchers();
  return total.records;
}

KafkaMember::Taken KafkaMember::Take(std::size_t max, absl::Duration wait) {
  batch_.resize(kSliceMessages);
  taking_many_ = max > 1;
  const ssize_t count =
      rd_kafka_consume_batch_queue(queue_.get(), Milliseconds(wait), batch_.data(), max);
  taking_many_ = false;
  Taken taken = {.revoked = std::exchange(revoked_while_taking_, false)};
  ++batch_number_;
  for (ssize_t i = 0; i < count; ++i) {
    const rd_kafka_message_t* const message = batch_[static_cast<std::size_t>(i)];
    ++taken.messages;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
      ++taken.records;
      taken.bytes += message->len;
    }
    Handle(*message);
  }
  // Destroy the messages together. Each releases a reference to its partition, and the fetching
  // thread takes one per message: the cost is that cache line moving between the threads.
  for (ssize_t i = 0; i < count; ++i) {
    rd_kafka_message_destroy(batch_[static_cast<std::size_t>(i)]);
  }
  return taken;
}

// When the queue was full, librdkafka before 2.2 checks it again only after up to a second, however
// fast it empties. Few public calls wake the fetching threads. This one has no other effect: it
// sets the configured credentials again, or unused ones.
void KafkaMember::WakeFetchers() {
  wake_due_ = false;
  woken_at_ = HostMonotonic();
  const auto property = [&](const char* name) {
    const auto found = options_.properties.find(name);
    return found == options_.properties.end() ? "" : found->second.c_str();
  };
  const KafkaError error(rd_kafka_sasl_set_credentials(handle_.get(), property("sasl.username"),
                                                       property("sasl.password")));
}

KafkaMember::Assigned* KafkaMember::Find(const rd_kafka_message_t& message) {
  // Consecutive messages are mostly from the same partition.
  if (last_found_ != nullptr && last_found_->topic == message.rkt &&
      last_found_->partition.partition == message.partition) {
    return last_found_;
  }
  if (message.rkt == nullptr) return nullptr;
  for (const std::unique_ptr<Assigned>& assigned : assigned_) {
    if (assigned->partition.partition != message.partition) continue;
    if (assigned->topic != message.rkt &&
        assigned->partition.topic != rd_kafka_topic_name(message.rkt)) {
      continue;
    }
    assigned->topic = message.rkt;
    return last_found_ = assigned.get();
  }
  return nullptr;
}

KafkaMember::Assigned* KafkaMember::Find(const KafkaPartition& partition) {
  for (const std::unique_ptr<Assigned>& assigned : assigned_) {
    if (assigned->partition == partition) return assigned.get();
  }
  return nullptr;
}

void KafkaMember::Handle(const rd_kafka_message_t& message) {
  Assigned* const assigned = Find(message);
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    HandleError(message, assigned);
    return;
  }
  // A rebalance or a seek may happen while a batch is taken from the queue. Records in the batch
  // from before it are not wanted, or will be fetched again.
  if (assigned == nullptr || assigned->sought_in_batch == batch_number_) return;
  if (assigned->broken) {
    ProbeWasGood(assigned);
    return;
  }
  if (message.offset < assigned->position) return;
  if (assigned->error_offset >= 0) EndError(assigned, message.offset);
  assigned->position = message.offset + 1;

  KafkaRecord record;
  record.offset = message.offset;
  rd_kafka_timestamp_type_t type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp_ms = rd_kafka_message_timestamp(&message, &type);
  record.timestamp = KafkaTimestamp(type, timestamp_ms);
  record.append_time = record.timestamp != kNoTime && type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
  if (message.payload != nullptr) {
    record.value = {static_cast<const char*>(message.payload), message.len};
  }
  callbacks_->OnRecord(assigned->partition, record);
}

void KafkaMember::HandleError(const rd_kafka_message_t& message, Assigned* assigned) {
  if (assigned == nullptr) {
    if (message.err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      callbacks_->OnError(rd_kafka_message_errstr(&message));
    }
    return;
  }
  if (assigned->sought_in_batch == batch_number_) return;
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    if (assigned->broken) {
      ProbeWasGood(assigned);
    } else {
      callbacks_->OnEnd(assigned->partition, message.offset);
    }
  } else if (message.err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
             message.err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
    if (assigned->broken) {
      ProbeWasGood(assigned);  // Nothing is broken beyond the end.
    } else {
      ResetOffset(assigned);
    }
  } else if (IsBroken(message.err)) {
    HandleBroken(assigned, message.offset, rd_kafka_message_errstr(&message));
  } else {
    callbacks_->OnError(assigned->partition.ToString() + ": " + rd_kafka_message_errstr(&message));
  }
}

void KafkaMember::EndError(Assigned* assigned, std::int64_t offset) {
  const std::int64_t from = std::max(assigned->position, assigned->error_offset);
  assigned->error_offset = -1;
  if (from >= offset) return;
  callbacks_->OnSkipped(assigned->partition, from, offset, assigned->error_reason);
}

void KafkaMember::HandleBroken(Assigned* assigned, std::int64_t offset, std::string_view reason) {
  if (assigned->broken) {
    assigned->broken->bad = assigned->broken->probe;
    ContinueSearch(assigned);
    return;
  }
  // The first time it may be a network error, or librdkafka may continue after the batch by itself.
  if (std::exchange(assigned->error_offset, offset) != offset) {
    assigned->error_reason = reason;
    return;
  }
  const std::int64_t from = std::max(assigned->position, offset);
  assigned->broken = BrokenBatch{.from = from, .bad = from, .reason = std::string(reason)};
  ContinueSearch(assigned);
}

void KafkaMember::ProbeWasGood(Assigned* assigned) {
  assigned->broken->good = assigned->broken->probe;
  ContinueSearch(assigned);
}

void KafkaMember::ContinueSearch(Assigned* assigned) {
  BrokenBatch& broken = *assigned->broken;
  if (broken.good < 0) {
    broken.probe = broken.bad + std::max<std::int64_t>(1, broken.bad - broken.from + 1);
    Seek(assigned, broken.probe);
    return;
  }
  if (broken.good - broken.bad > 1) {
    broken.probe = broken.bad + (broken.good - broken.bad) / 2;
    Seek(assigned, broken.probe);
    return;
  }
  const BrokenBatch found = *std::exchange(assigned->broken, std::nullopt);
  assigned->position = found.good;
  assigned->error_offset = -1;
  Seek(assigned, found.good);
  callbacks_->OnSkipped(assigned->partition, found.from, found.good, found.reason);
}

void KafkaMember::ResetOffset(Assigned* assigned) {
  std::int64_t low = 0;
  std::int64_t high = 0;
  const rd_kafka_resp_err_t error =
      rd_kafka_query_watermark_offsets(handle_.get(), assigned->partition.topic.c_str(),
                                       assigned->partition.partition, &low, &high, kResetTimeoutMs);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // Try again later; librdkafka does not fetch the partition meanwhile. Without an answer we
    // could not tell whether the topic was recreated.
    callbacks_->OnError(assigned->partition.ToString() + ": " + rd_kafka_err2str(error));
    assigned->reset_at = HostMonotonic() + kResetEvery;
    return;
  }
  assigned->reset_at.reset();
  const std::int64_t expected = std::exchange(assigned->position, low);
  Seek(assigned, low);
  callbacks_->OnSkipped(
      assigned->partition, expected, low,
      "the offset is out of range: records were deleted or the topic was recreated");
}

void KafkaMember::ResetOffsetsDue() {
  for (const std::unique_ptr<Assigned>& assigned : assigned_) {
    if (assigned->reset_at && *assigned->reset_at <= HostMonotonic()) ResetOffset(assigned.get());
  }
}

void KafkaMember::Seek(Assigned* assigned, std::int64_t offset) {
  assigned->sought_in_batch = batch_number_;
  const KafkaPartitionList list = NewPartitionList(1);
  rd_kafka_topic_partition_list_add(list.get(), assigned->partition.topic.c_str(),
                                    assigned->partition.partition)
      ->offset = offset;
  const KafkaError error(rd_kafka_seek_partitions(handle_.get(), list.get(), kSeekTimeoutMs));
  const rd_kafka_resp_err_t code = error ? rd_kafka_error_code(error.get()) : list->elems[0].err;
  if (code == RD_KAFKA_RESP_ERR__STATE) {
    // After an offset out of range librdkafka has stopped fetching the partition and rejects a
    // seek.
    Reassign(*assigned, offset);
  } else if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    callbacks_->OnError(assigned->partition.ToString() +
                        ": seek failed: " + rd_kafka_err2str(code));
  }
}

// Assigns our partitions again: the only way to restart a single partition under an assignment
// strategy that is not cooperative. Queued records of the other partitions are fetched again.
void KafkaMember::Reassign(const Assigned& sought, std::int64_t offset) {
  const KafkaPartitionList list = NewPartitionList(static_cast<int>(assigned_.size()));
  for (const std::unique_ptr<Assigned>& assigned : assigned_) {
    rd_kafka_topic_partition_list_add(list.get(), assigned->partition.topic.c_str(),
                                      assigned->partition.partition)
        ->offset = assigned.get() == &sought ? offset
                   : assigned->broken        ? assigned->broken->probe
                                             : assigned->position;
  }
  if (const rd_kafka_resp_err_t error = rd_kafka_assign(handle_.get(), list.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    callbacks_->OnError(std::string("reassigning partitions failed: ") + rd_kafka_err2str(error));
  }
  for (const std::unique_ptr<Assigned>& assigned : assigned_) {
    if (assigned->paused) SetPaused(assigned->partition, true);
  }
}

void KafkaMember::SetPaused(const KafkaPartition& partition, bool paused) {
  Assigned* const assigned = Find(partition);
  if (assigned == nullptr) return;
  assigned->paused = paused;
  const KafkaPartitionList list = NewPartitionList(1);
  rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
  if (paused) {
    rd_kafka_pause_partitions(handle_.get(), list.get());
  } else {
    rd_kafka_resume_partitions(handle_.get(), list.get());
  }
}

absl::Status KafkaMember::CommitAndWait(std::span<const KafkaPosition> positions,
                                        absl::Duration timeout) {
  answer_.reset();
  TOCSIN_ASSIGN_OR_RETURN(awaited_, Commit(positions));
  const TimeUs deadline = HostMonotonic() + absl::ToInt64Microseconds(timeout);
  while (!answer_ && HostMonotonic() < deadline) {
    rd_kafka_queue_poll_callback(commits_.get(),
                                 Milliseconds(absl::Microseconds(deadline - HostMonotonic())));
  }
  awaited_ = 0;
  if (answer_) return *answer_;
  return absl::DeadlineExceededError("no broker answered a commit within " +
                                     absl::FormatDuration(timeout));
}

absl::StatusOr<std::uint64_t> KafkaMember::Commit(std::span<const KafkaPosition> positions) {
  if (!handle_ || options_.assign_all) {
    return absl::FailedPreconditionError(
        "this Kafka source is not running or has no consumer group: it cannot commit");
  }
  const KafkaPartitionList list = NewPartitionList(static_cast<int>(positions.size()));
  for (const auto& [partition, commit] : positions) {
    rd_kafka_topic_partition_t* const element =
        rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
    element->offset = commit.offset;
    if (commit.metadata.empty()) continue;
    // The list frees it with librdkafka's own allocator.
    element->metadata = rd_kafka_mem_malloc(handle_.get(), commit.metadata.size());
    std::memcpy(element->metadata, commit.metadata.data(), commit.metadata.size());
    element->metadata_size = commit.metadata.size();
  }
  const std::uint64_t ticket = ++last_ticket_;
  const rd_kafka_resp_err_t error =
      rd_kafka_commit_queue(handle_.get(), list.get(), commits_.get(), OnCommitted,
                            reinterpret_cast<void*>(static_cast<std::uintptr_t>(ticket)));
  TOCSIN_RETURN_IF_ERROR(ToStatus(error, "committing"));
  ++commits_sent_;
  return ticket;
}

absl::StatusOr<std::int64_t> KafkaMember::QueryEndOffset(const KafkaPartition& partition,
                                                         absl::Duration timeout) {
  if (!handle_) return absl::FailedPreconditionError("the Kafka source is not running");
  std::int64_t low = 0;
  std::int64_t high = 0;
  const absl::Status status = ToStatus(
      rd_kafka_query_watermark_offsets(handle_.get(), partition.topic.c_str(), partition.partition,
                                       &low, &high, Milliseconds(timeout)),
      "the end offset of " + partition.ToString());
  if (!status.ok()) return status;
  return high;
}

std::optional<bool> KafkaMember::AppendTime(const std::string& topic) const {
  const auto found = append_time_.find(topic);
  return found == append_time_.end() ? std::nullopt : std::optional<bool>(found->second);
}

std::size_t KafkaMember::queued() const { return queue_ ? rd_kafka_queue_length(queue_.get()) : 0; }

void KafkaMember::Stop() {
  if (!handle_) return;
  // Leaves the group, which revokes our partitions: the last chance to commit.
  if (started_) rd_kafka_consumer_close(handle_.get());
  assigned_.clear();
  last_found_ = nullptr;
  started_ = false;
  to_assign_.reset();
  queue_.reset();
  commits_.reset();
  commits_sent_ = 0;
  handle_.reset();
}

void KafkaMember::OnErrorEvent(rd_kafka_t* handle, int error, const char* reason, void* self) {
  auto* const impl = static_cast<KafkaMember*>(self);
  std::string message = reason;
  if (error == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> text{};
    rd_kafka_fatal_error(handle, text.data(), text.size());
    message = std::string("fatal error of the Kafka client: ") + text.data();
    impl->status_ = absl::UnavailableError(message);
  }
  if (impl->started_) {
    impl->callbacks_->OnError(message);
  } else if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    impl->last_error_ = std::move(message);
  }
}

void KafkaMember::OnCommitted(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                              rd_kafka_topic_partition_list_t* offsets, void* ticket) {
  auto* const impl = static_cast<KafkaMember*>(rd_kafka_opaque(handle));
  --impl->commits_sent_;
  for (int i = 0; error == RD_KAFKA_RESP_ERR_NO_ERROR && offsets != nullptr && i < offsets->cnt;
       ++i) {
    error = offsets->elems[i].err;
  }
  if (error == RD_KAFKA_RESP_ERR__NO_OFFSET) error = RD_KAFKA_RESP_ERR_NO_ERROR;
  const absl::Status status = ToStatus(error, "committing");
  const std::uint64_t number = reinterpret_cast<std::uintptr_t>(ticket);
  if (number == impl->awaited_) {
    impl->answer_ = status;
  } else {
    impl->callbacks_->OnCommitted(number, status);
  }
}

}  // namespace tocsin
