// The inside of KafkaSource: a consumer-group member and what it knows of its partitions.
//
// Everything runs on the thread that calls Poll; librdkafka's own threads only fill its queues
// (logs are dropped, errors, rebalances and commit results are served from Poll).
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
  // the whole batch, and its length is not known. So the first offset that can be read is searched,
  // doubling the step, then halving the interval; records seen on the way are dropped and read
  // again.
  struct BrokenBatch {
    std::int64_t from = 0;   // first offset lost
    std::int64_t bad = 0;    // the highest known to be inside the batch
    std::int64_t good = -1;  // the lowest known to be behind it; −1: none yet
    std::int64_t probe = 0;  // where we have sought to
    std::string reason;
  };
  struct Assigned {
    KafkaPartition partition;
    const rd_kafka_topic_t* topic = nullptr;  // once a message has shown it
    // Records below were delivered, or are not wanted. Where none has come yet it may still be
    // RD_KAFKA_OFFSET_BEGINNING, which is negative.
    std::int64_t position = 0;
    bool paused = false;
    std::int64_t error_offset = -1;  // of the last broken batch, until a record comes
    std::string error_reason;
    std::optional<BrokenBatch> broken;
    // Its offset is out of range, and where the log begins is to be asked at this time.
    std::optional<TimeUs> reset_at;
    std::uint64_t sought_in_batch = 0;  // the rest of that batch stems from before the seek
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
  // Whether the partitions that the group has given us are read from now on.
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
  // Takes what is there, at most `max` messages, and hands it over; with `wait`, waits for one.
  Taken Take(std::size_t max, absl::Duration wait);
  void WakeFetchers();
  void Handle(const rd_kafka_message_t& message);
  void HandleError(const rd_kafka_message_t& message, Assigned* assigned);
  // A record came after all: at once, or behind what was broken.
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
  KafkaQueue commits_;  // answers
  std::uint64_t last_ticket_ = 0;
  int commits_sent_ = 0;                // and not answered
  std::uint64_t awaited_ = 0;           // the ticket that CommitAndWait waits for, …
  std::optional<absl::Status> answer_;  // … and its answer
  std::vector<KafkaPartition> all_partitions_;
  std::map<std::string, bool> append_time_;
  std::vector<std::unique_ptr<Assigned>> assigned_;
  Assigned* last_found_ = nullptr;
  std::vector<rd_kafka_message_t*> batch_;
  std::uint64_t batch_number_ = 0;
  bool wakes_fetchers_ = false;  // the library would look again only after a second
  bool wake_due_ = false;        // something was taken since the last time
  TimeUs woken_at_ = 0;
  bool started_ = false;
  KafkaPartitionList to_assign_;       // given to us by the group, and not begun yet
  TimeUs assign_at_ = 0;               // when that is tried again
  bool taking_many_ = false;           // inside the call that takes a batch from the queue …
  bool revoked_while_taking_ = false;  // … which has served a revocation
  std::string last_error_;             // while starting, for the message
  absl::Status status_;
};

}  // namespace tocsin
