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
  const std::unique_ptr<KafkaMember> member_;
};

}  // namespace tocsin
