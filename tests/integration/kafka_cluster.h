// A real Apache Kafka (KRaft, one node) for a test: started on free ports, gone with the object.
//
//   KafkaCluster kafka;  ASSERT_TRUE(kafka.Start());
//   kafka.CreateTopic("events", 4, {{"message.timestamp.type", "LogAppendTime"}});
//   KafkaProducer producer(kafka.brokers());  producer.Send("events", 0, json, 0);
//
// The jars are those of the directory in TOCSIN_KAFKA_LIBS, which ./dev test fetches through Maven.
#pragma once

#include <librdkafka/rdkafka.h>
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace tocsin {

// A child process with its output in a file; killed with the object.
class Process {
 public:
  Process() = default;
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  bool Start(const std::vector<std::string>& arguments, const std::string& log_path);
  void Signal(int signal) const;
  // The exit code; 128 + n after signal n. Waits at most `seconds`, then −1.
  int Wait(int seconds);
  bool running();
  pid_t pid() const { return pid_; }

 private:
  bool Reap(int options);

  pid_t pid_ = -1;
  bool reaped_ = true;
  int code_ = -1;
};

class KafkaCluster {
 public:
  ~KafkaCluster();
  // False with a message on stderr when Kafka does not come up.
  bool Start();
  const std::string& brokers() const { return brokers_; }
  bool CreateTopic(const std::string& topic, int partitions,
                   const std::map<std::string, std::string>& settings);
  // Returns when no broker knows it any more.
  bool DeleteTopic(const std::string& topic);
  bool AddPartitions(const std::string& topic, int partitions_total);
  // As a signal would do it to a real one: SIGSTOP, SIGCONT.
  void Signal(int signal) const { process_.Signal(signal); }
  // Ends the broker, and starts it again with its data and ports.
  void Kill();
  bool Restart();
  // The sum of the end offsets of a topic's partitions.
  std::int64_t Records(const std::string& topic, int partitions);

 private:
  bool WaitUntilUp();

  std::string directory_;
  std::string brokers_;
  std::vector<std::string> server_;  // its command
  Process process_;
};

class KafkaProducer {
 public:
  explicit KafkaProducer(const std::string& brokers);
  // Begins a transaction; what is sent is part of it.
  KafkaProducer(const std::string& brokers, const std::string& transactional_id);
  ~KafkaProducer();
  KafkaProducer(const KafkaProducer&) = delete;
  KafkaProducer& operator=(const KafkaProducer&) = delete;

  // `timestamp_ms` 0: now. Blocks while the local queue is full.
  void Send(const std::string& topic, int partition, const std::string& value,
            std::int64_t timestamp_ms);
  bool Flush();
  bool CommitTransaction();

 private:
  rd_kafka_t* producer_ = nullptr;
};

// A port that was free a moment ago.
int FreePort();

// Polls until `condition` holds; false after `seconds`.
template <typename Condition>
bool WaitFor(int seconds, const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace tocsin
