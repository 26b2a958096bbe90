// Kafka as a source: a consumer-group member over librdkafka's C API, driven by one polling thread.
//
//   KafkaSource source(options, &callbacks);
//   TOCSIN_RETURN_IF_ERROR(source.Start());
//   while (running) source.Poll(absl::Milliseconds(100));      // calls back on this thread
//   source.Stop();
//
// Everything, callbacks, Pause, Resume and Commit included, happens on the thread that calls Poll
// (librdkafka 2.0.2 loses records when a partition is paused from another one). Offsets are
// committed with rd_kafka_commit and carry metadata text (offsets_store would drop it). Settings
// that measured well are in kafka_setup.cc with their reason.
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
#include "core/time.h"

namespace tocsin {

struct KafkaPartition {
  std::string topic;
  std::int32_t partition = 0;
  auto operator<=>(const KafkaPartition&) const = default;
  std::string ToString() const;  // "topic/3"
};

// Lives until the callback returns.
struct KafkaRecord {
  std::int64_t offset = 0;
  TimeUs timestamp = kNoTime;
  bool append_time = false;  // the broker's LogAppendTime; else the producer's
  std::string_view value;
};

struct KafkaCommit {
  std::int64_t offset = 0;
  std::string metadata;
};

// Everything before `commit.offset` need not be read again.
struct KafkaPosition {
  KafkaPartition partition;
  KafkaCommit commit;
};

// A partition that became ours.
struct KafkaAssignment {
  KafkaPartition partition;
  std::optional<KafkaCommit> committed;  // the group's, if there is one
  // Where to begin, for the callback to say; nullopt: at the first record that the log has.
  std::optional<std::int64_t> start;
};

class KafkaCallbacks {
 public:
  virtual ~KafkaCallbacks() = default;
  // These partitions became ours. To be answered with where each begins; an error is told by
  // OnError, and the same are given again a little later.
  virtual absl::Status OnAssigned(std::span<KafkaAssignment> assigned) = 0;
  // About to be taken away.
  virtual void OnRevoked(const KafkaPartition& partition) = 0;
  virtual void OnRecord(const KafkaPartition& partition, const KafkaRecord& record) = 0;
  // Everything up to `end_offset` was delivered. librdkafka reports it once per end offset.
  virtual void OnEnd(const KafkaPartition& partition, std::int64_t end_offset) = 0;
  // A broken record or batch that was skipped (bad CRC, inflated size …), or an offset that the log
  // does not have any more: offsets [from, to). Where a log was created anew, `to` is below `from`.
  virtual void OnSkipped(const KafkaPartition& partition, std::int64_t from, std::int64_t to,
                         std::string_view reason) = 0;
  virtual void OnError(std::string_view message) = 0;
  // What became of a Commit.
  virtual void OnCommitted(std::uint64_t ticket, const absl::Status& status) {
    (void)ticket, (void)status;
  }
};

class KafkaSource {
 public:
  // What one Poll takes: at most so many messages, and so many bytes after which it takes no more.
  // Little enough to be still near the caches when it is read; four times as much measured slower.
  static constexpr std::size_t kBatchMessagesMax = 16'384;
  static constexpr std::size_t kBatchBytes = 8u << 20;

  struct Options {
    std::string brokers;
    std::vector<std::string> topics;
    std::string group;
    std::string instance_id;  // group.instance.id; empty: dynamic membership
    // Without a group: assign all partitions of the topics (replay, offsets never committed).
    bool assign_all = false;
    std::map<std::string, std::string> properties;
  };

  KafkaSource(Options options, KafkaCallbacks* callbacks);
  ~KafkaSource();
  KafkaSource(const KafkaSource&) = delete;
  KafkaSource& operator=(const KafkaSource&) = delete;

  // Fails with a message that names the brokers when none answers within `timeout`, or a topic does
  // not exist.
  absl::Status Start(absl::Duration timeout = absl::Seconds(10));
  // Delivers what is there, waiting at most `wait`. Returns the number of records.
  std::size_t Poll(absl::Duration wait);
  // Not OK once the client cannot go on, such as a static member that another one has taken the
  // place of: a new source has to be made.
  absl::Status status() const;

  // Records that Poll has taken from the queue already are still delivered.
  void Pause(const KafkaPartition& partition);
  void Resume(const KafkaPartition& partition);
  // All in one request; OnCommitted says from a later Poll what became of it, under the ticket that
  // is given here.
  absl::StatusOr<std::uint64_t> Commit(std::span<const KafkaPosition> positions);
  // The same, and waits for the answer.
  absl::Status CommitAndWait(std::span<const KafkaPosition> positions, absl::Duration timeout);

  // All partitions of the topics, sorted, as of Start. The expected source partitions.
  std::vector<KafkaPartition> AllPartitions() const;
  // Whether the topic's message.timestamp.type is LogAppendTime as the broker says; nullopt if it
  // would not tell (then the records do).
  std::optional<bool> AppendTime(const std::string& topic) const;
  // Asks the broker for a partition's end offset. Blocks for at most `timeout`.
  absl::StatusOr<std::int64_t> QueryEndOffset(const KafkaPartition& partition,
                                              absl::Duration timeout);
  // Records waiting in librdkafka's queue, for metrics.
  std::size_t queued() const;

  // Leaves the group; no callbacks afterwards.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
