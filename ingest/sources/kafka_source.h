// Kafka as a source: a consumer-group member over librdkafka's C API, driven by one polling thread.
//
//   KafkaSource source(options, &callbacks);
//   TOCSIN_RETURN_IF_ERROR(source.Start());
//   while (running) source.Poll(absl::Milliseconds(100));      // calls back on this thread
//   source.Stop();
//
// Call everything from the thread that calls Poll, including Pause, Resume and Commit: librdkafka
// 2.0.2 loses records when a partition is paused from another thread. Callbacks run on that thread,
// too. Offsets are committed with rd_kafka_commit_queue and carry a metadata string, which
// offsets_store would drop. kafka_setup.cc has the tuned settings with their reasons.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "ingest/sources/kafka_records.h"

namespace tocsin {

class KafkaMember;

class KafkaSource {
 public:
  using Options = KafkaSourceOptions;

  KafkaSource(Options options, KafkaCallbacks* callbacks);
  ~KafkaSource();
  KafkaSource(const KafkaSource&) = delete;
  KafkaSource& operator=(const KafkaSource&) = delete;

  // Fails if no broker answers within `timeout` or a topic does not exist; the message names the
  // brokers.
  absl::Status Start(absl::Duration timeout = absl::Seconds(10));
  // Delivers available records; waits at most `wait` for the first. Returns the number of records.
  std::size_t Poll(absl::Duration wait);
  // Not OK after a fatal client error, such as a static member that another client has replaced.
  // Then create a new source.
  absl::Status status() const;

  // Records that Poll has already taken from the queue are still delivered.
  void Pause(const KafkaPartition& partition);
  void Resume(const KafkaPartition& partition);
  // Commits all positions in one request and returns its ticket. A later Poll reports the result to
  // OnCommitted with that ticket.
  absl::StatusOr<std::uint64_t> Commit(std::span<const KafkaPosition> positions);
  // The same, but waits for the result.
  absl::Status CommitAndWait(std::span<const KafkaPosition> positions, absl::Duration timeout);

  // All partitions of the topics as of Start, sorted: the expected source partitions.
  std::vector<KafkaPartition> AllPartitions() const;
  // Whether the topic's message.timestamp.type is LogAppendTime, as reported by the broker; nullopt
  // if it did not report that: then use KafkaRecord::append_time.
  std::optional<bool> AppendTime(const std::string& topic) const;
  // Asks the broker for a partition's end offset. Blocks for at most `timeout`.
  absl::StatusOr<std::int64_t> QueryEndOffset(const KafkaPartition& partition,
                                              absl::Duration timeout);
  // Records waiting in librdkafka's queue, for metrics.
  std::size_t queued() const;

  // Leaves the group; no callbacks afterwards.
  void Stop();

 private:
  const std::unique_ptr<KafkaMember> member_;
};

}  // namespace tocsin
