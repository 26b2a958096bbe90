// Appends HTTP request bodies to the log that their input reads, and reports when they are durable.
//
//   std::unique_ptr<Appender> appender = NewLocalAppender(log, now);
//   appender->Append(body, [respond](const absl::Status& status) { … });
//
// Each appender has one thread. Payloads that arrive while it waits for the disk or the broker are
// written together next, with one fsync for all. `done` is called once, by that thread, or at once
// with ResourceExhausted when more than kQueuedBytesMax would wait. Append is thread-safe.
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
  // Waiting payloads are still written; later ones fail with Unavailable.
  virtual void Stop() = 0;
};

// Appends to a local log, which outlives the appender.
std::unique_ptr<Appender> NewLocalAppender(RecordLog* log, std::function<TimeUs()> now);
// Appends to the topic of a Kafka input; durable when all in-sync replicas have the record. Fails
// if a secret cannot be read.
absl::StatusOr<std::unique_ptr<Appender>> NewKafkaAppender(const KafkaInputConfig& kafka);

}  // namespace tocsin
