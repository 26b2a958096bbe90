// The implementation of KafkaSource: a consumer-group member and the state of its partitions.
//
// Everything runs on the thread that calls Poll; librdkafka's own threads only fill its queues.
// Logs are dropped; errors, rebalances and commit results are served from Poll.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ingest/sources/kafka_handles.h"
#include "ingest/sources/kafka_records.h"

namespace tocsin {

class KafkaMember {
 public:
  KafkaMember(KafkaSourceOptions options, KafkaCallbacks* callbacks)
      : options_(std::move(options)), callbacks_(callbacks) {}
  ~KafkaMember() { Stop(); }

  absl::Status Start(absl::Duration timeout);
  std::size_t Poll(absl::Duration wait);
  void SetPaused(const KafkaPartition& partition, bool paused);
  absl::StatusOr<std::uint64_t> Commit(std::span<const KafkaPosition> positions);
  absl::Status CommitAndWait(std::span<const KafkaPosition> positions, absl::Duration timeout);
  absl::StatusOr<std::int64_t> QueryEndOffset(const KafkaPartition& partition,
                                              absl::Duration timeout);
  std::size_t queued() const;
  const absl::Status& status() const { return status_; }
  void Stop();

  const std::vector<KafkaPartition>& all_partitions() const { return all_partitions_; }
  std::optional<bool> AppendTime(const std::string& topic) const;

 private:
  // A batch that cannot be read stalls its partition: the broker answers any offset inside it with
  // the whole batch, and its length is unknown. So we search for the first readable offset, by
  // doubling the step and then halving the interval. Records seen on the way are dropped and read
  // again.
  struct BrokenBatch {
    std::int64_t from = 0;   // first offset lost
    std::int64_t bad = 0;    // the highest offset known to be inside the batch
    std::int64_t good = -1;  // the lowest offset known to be after it; −1: none yet
    std::int64_t probe = 0;  // the offset that we last sought to
    std::string reason;
  };
  struct Assigned {
    KafkaPartition partition;
    const rd_kafka_topic_t* topic = nullptr;  // known after the first message
    // Records below were delivered or are not wanted. Before the first record it may be
    // RD_KAFKA_OFFSET_BEGINNING, which is negative.
    std::int64_t position = 0;
    bool paused = false;
    std::int64_t error_offset = -1;  // of the last broken batch, until a record arrives
    std::string error_reason;
    std::optional<BrokenBatch> broken;
    // Set if the offset is out of range: when to ask the broker for the beginning of the log.
    std::optional<TimeUs> reset_at;
    std::uint64_t sought_in_batch = 0;  // the rest of that batch is from before the seek
  };

  // kafka_setup.cc
  absl::Status CreateHandle();
  absl::Status ConnectAndListPartitions(absl::Duration timeout);
  absl::Status ListPartitions(const std::string& topic, TimeUs deadline);
  absl::Status NoAnswer(absl::Duration timeout);
  void ReadTimestampTypes(absl::Duration timeout);
  absl::Status Join();
  absl::Status Subscribe();

  // kafka_rebalance.cc
  static void OnRebalance(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                          rd_kafka_topic_partition_list_t* partitions, void* self);
  absl::Status Assign(rd_kafka_topic_partition_list_t* partitions);
  // Assigns the partitions in to_assign_ if a (re)try is due. Returns whether they are read now.
  bool AssignWhenDue();
  absl::Status FetchCommitted(rd_kafka_topic_partition_list_t* partitions);
  void Revoke(const rd_kafka_topic_partition_list_t& partitions);

  // kafka_member.cc
  static void OnErrorEvent(rd_kafka_t* handle, int error, const char* reason, void* self);
  static void OnCommitted(rd_kafka_t* handle, rd_kafka_resp_err_t error,
                          rd_kafka_topic_partition_list_t* offsets, void* ticket);
  Assigned* Find(const rd_kafka_message_t& message);
  Assigned* Find(const KafkaPartition& partition);
  struct Taken {
    std::size_t messages = 0;
    std::size_t records = 0;
    std::size_t bytes = 0;
    bool revoked = false;
  };
  // Takes up to `max` messages from the queue and delivers them. Waits up to `wait` for the first.
  Taken Take(std::size_t max, absl::Duration wait);
  void WakeFetchers();
  void Handle(const rd_kafka_message_t& message);
  void HandleError(const rd_kafka_message_t& message, Assigned* assigned);
  // A record arrived: reports the offsets skipped since the error, if any.
  void EndError(Assigned* assigned, std::int64_t offset);
  void HandleBroken(Assigned* assigned, std::int64_t offset, std::string_view reason);
  // The partition could be read at broken->probe.
  void ProbeWasGood(Assigned* assigned);
  void ContinueSearch(Assigned* assigned);
  void ResetOffset(Assigned* assigned);
  void ResetOffsetsDue();
  void Seek(Assigned* assigned, std::int64_t offset);
  void Reassign(const Assigned& sought, std::int64_t offset);

  KafkaSourceOptions options_;
  KafkaCallbacks* callbacks_;
  KafkaHandle handle_;
  KafkaQueue queue_;
  KafkaQueue commits_;  // results of commits
  std::uint64_t last_ticket_ = 0;
  int commits_sent_ = 0;                // and not answered yet
  std::uint64_t awaited_ = 0;           // the ticket that CommitAndWait waits for
  std::optional<absl::Status> answer_;  // the result of that commit
  std::vector<KafkaPartition> all_partitions_;
  std::map<std::string, bool> append_time_;
  std::vector<std::unique_ptr<Assigned>> assigned_;
  Assigned* last_found_ = nullptr;
  std::vector<rd_kafka_message_t*> batch_;
  std::uint64_t batch_number_ = 0;
  bool wakes_fetchers_ = false;  // librdkafka would check its full queue only once a second
  bool wake_due_ = false;        // messages were taken since the last wake-up
  TimeUs woken_at_ = 0;
  bool started_ = false;
  KafkaPartitionList to_assign_;       // assigned by the group but not started yet
  TimeUs assign_at_ = 0;               // when to try that again
  bool taking_many_ = false;           // a batch is being taken from the queue
  bool revoked_while_taking_ = false;  // that call has served a revocation
  std::string last_error_;             // during Start, for its error message
  absl::Status status_;
};

}  // namespace tocsin
