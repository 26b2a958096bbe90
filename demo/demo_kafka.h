// A Kafka cluster inside this process and a producer for it: librdkafka's mock cluster.
//
//   TOCSIN_ASSIGN_OR_RETURN(std::unique_ptr<DemoKafka> kafka, DemoKafka::New({"requests"}, 4));
//   kafka->brokers();                                              // "127.0.0.1:41235"
//   TOCSIN_RETURN_IF_ERROR(kafka->Produce("requests", 0, time, json));
//
// Good for a demo, no proof of reliability: a broker that keeps everything in memory and drops the
// head of a partition past 5 MiB, so whoever produces must not run far ahead of who consumes. It
// speaks the real protocol over TCP on the loopback interface, on a free port. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "core/time.h"

namespace tocsin {

class DemoKafka {
 public:
  static absl::StatusOr<std::unique_ptr<DemoKafka>> New(const std::vector<std::string>& topics,
                                                        int partitions);
  ~DemoKafka();
  DemoKafka(const DemoKafka&) = delete;
  DemoKafka& operator=(const DemoKafka&) = delete;

  std::string brokers() const;
  // The record's timestamp is `time` (the topics have the producer's time), cut to milliseconds.
  // Waits while the producer's queue is full.
  absl::Status Produce(std::string_view topic, int partition, TimeUs time, std::string_view value);
  // Returns once everything that was produced has arrived.
  absl::Status Flush(absl::Duration timeout);

 private:
  class Impl;
  explicit DemoKafka(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin
