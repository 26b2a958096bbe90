// Appends what arrives by HTTP to the log that is its input's source, and says when it is durable.
//
//   std::unique_ptr<Appender> appender = NewLocalAppender(log, now);
//   appender->Append(body, [respond](const absl::Status& status) { … });
//
// One thread an appender; what comes while it waits for the disk, or the broker, goes along with
// the next turn, so that one fsync answers for all of it. `done` is called once, by that thread, or
// at once with ResourceExhausted when kQueuedBytesMax wait. Append is thread-safe.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "config/config.h"
#include "core/time.h"
#include "ingest/sources/record_log.h"

namespace tocsin {

class Appender {
 public:
  static constexpr std::size_t kQueuedBytesMax = 64 << 20;
  using Done = std::function<void(const absl::Status& status)>;

  virtual ~Appender() = default;
  virtual void Append(std::string payload, Done done) = 0;
  // What waits is still written; what comes later is Unavailable.
  virtual void Stop() = 0;
};

// To a local log, which outlives it.
std::unique_ptr<Appender> NewLocalAppender(RecordLog* log, std::function<TimeUs()> now);
// To the topic of a Kafka input: durable when all in-sync replicas have it. Fails where a secret
// cannot be read.
absl::StatusOr<std::unique_ptr<Appender>> NewKafkaAppender(const KafkaInputConfig& kafka);

}  // namespace tocsin
