// Hours of requests of ten services, some of which fail for minutes now and then: to a Kafka topic,
// to a log that is rotated, and by HTTP.
//
//   SoakTraffic traffic({.brokers = …, .topic = "app", .partitions = 4,
//                        .logs = …, .http_port = …});
//   traffic.Start();
//   traffic.Poison();                  // now and then: something that nobody can read
//   traffic.Calm();                    // all are well from now on
//   traffic.Stop();
//
// Six services write to Kafka (four fifths of the events), two to the log, two post. One thread for
// each way; where the receiver does not take more, a thread waits, and what it should have sent
// meanwhile is never sent. A body that was posted is posted again until it is answered with
// success. Which service fails when is a function of the seed. Start, Calm and Stop from one
// thread, Poison from any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "tests/ingest/sources/log_rotator.h"
#include "tests/integration/kafka_cluster.h"

namespace tocsin {

class SoakTraffic {
 public:
  struct Options {
    std::string brokers, topic;
    int partitions = 4;
    std::string logs;  // a folder
    int http_port = 0;
    int events_per_second = 20'000;
    std::uint64_t seed = 1;
    std::chrono::seconds outages_until{0};  // since Start
  };
  explicit SoakTraffic(Options options);
  ~SoakTraffic();

  void Start();
  void Calm() { calm_ = true; }
  void Stop();
  // Sends one of the unreadable things. What it was.
  std::string Poison();

  std::int64_t sent() const { return sent_; }
  std::int64_t rotations() const { return rotations_; }
  std::size_t outages() const { return outages_.size(); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Outage {
    std::chrono::seconds begin{0}, end{0};
    int service = 0;
    double share = 0;
  };
  // Draws numbers for one thread.
  struct Dice {
    std::mt19937_64 random;
    std::uint64_t Below(std::uint64_t n) { return random() % n; }
    bool OneIn(std::uint64_t n) { return Below(n) == 0; }
    double Share() { return static_cast<double>(random() >> 11) * 0x1p-53; }
  };

  void DrawOutages();
  double Failing(int service) const;
  std::string Event(int service, Dice* dice) const;
  // Calls `send` with the number of events that are due, a hundred times a second.
  template <typename Send>
  void Paced(int events_per_second, const Send& send);
  void WriteToKafka();
  void WriteToLog();
  void Post();
  bool PostOnce(const std::string& body) const;

  const Options options_;
  KafkaProducer producer_;
  Clock::time_point begin_;
  std::vector<Outage> outages_;
  std::atomic<bool> calm_{false}, stop_{false};
  std::atomic<std::int64_t> sent_{0}, rotations_{0};
  absl::Mutex log_mutex_;
  LogRotator log_ ABSL_GUARDED_BY(log_mutex_);
  absl::Mutex dice_mutex_;
  Dice dice_ ABSL_GUARDED_BY(dice_mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace tocsin
