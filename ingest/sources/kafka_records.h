// What a KafkaSource is given and hands out: partitions, records, commits. Values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
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

// What one Poll takes: at most so many messages, and so many bytes after which it takes no more.
// Little enough to be still near the caches when it is read; four times as much measured slower.
inline constexpr std::size_t kKafkaPollMessagesMax = 16'384;
inline constexpr std::size_t kKafkaPollBytes = 8u << 20;

struct KafkaSourceOptions {
  std::string brokers;
  std::vector<std::string> topics;
  std::string group;
  std::string instance_id;  // group.instance.id; empty: dynamic membership
  // Without a group: assign all partitions of the topics (replay, offsets never committed).
  bool assign_all = false;
  std::map<std::string, std::string> properties;
};

}  // namespace tocsin
