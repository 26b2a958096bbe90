// Value types and callbacks of KafkaSource: partitions, records, commits, options.
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

// Valid until the callback returns.
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

// A partition that the group assigned to us.
struct KafkaAssignment {
  KafkaPartition partition;
  std::optional<KafkaCommit> committed;  // the group's last commit, if there is one
  // Set by the callback: where to begin reading; nullopt: at the first record of the log.
  std::optional<std::int64_t> start;
};

class KafkaCallbacks {
 public:
  virtual ~KafkaCallbacks() = default;
  // Partitions were assigned to us: set the `start` of each. An error is reported to OnError, and
  // the same assignment is offered again after a second.
  virtual absl::Status OnAssigned(std::span<KafkaAssignment> assigned) = 0;
  // The partition is about to be revoked.
  virtual void OnRevoked(const KafkaPartition& partition) = 0;
  virtual void OnRecord(const KafkaPartition& partition, const KafkaRecord& record) = 0;
  // Everything up to `end_offset` was delivered. librdkafka reports it once per end offset.
  virtual void OnEnd(const KafkaPartition& partition, std::int64_t end_offset) = 0;
  // Offsets [from, to) were skipped: a broken record or batch (bad CRC, wrong size …), or offsets
  // that the log no longer has. If the topic was recreated, `to` is below `from`.
  virtual void OnSkipped(const KafkaPartition& partition, std::int64_t from, std::int64_t to,
                         std::string_view reason) = 0;
  virtual void OnError(std::string_view message) = 0;
  // The result of a Commit.
  virtual void OnCommitted(std::uint64_t ticket, const absl::Status& status) {
    (void)ticket, (void)status;
  }
};

// Limits of one Poll: at most this many messages, and no more slices once it has this many bytes.
// Small enough to stay in the CPU caches; four times as much measured slower.
inline constexpr std::size_t kKafkaPollMessagesMax = 16'384;
inline constexpr std::size_t kKafkaPollBytes = 8u << 20;

struct KafkaSourceOptions {
  std::string brokers;
  std::vector<std::string> topics;
  std::string group;
  std::string instance_id;  // group.instance.id; empty: dynamic membership
  // Read all partitions of the topics without a group, for replay. Offsets are never committed.
  bool assign_all = false;
  std::map<std::string, std::string> properties;
};

}  // namespace tocsin
