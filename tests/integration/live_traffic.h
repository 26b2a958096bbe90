// Requests of two services, sent to Kafka as they happen, with a fault in the middle.
//
//   LiveTraffic traffic(&producer, {.topics = {"orders", "search"}, .partitions = 4});
//   traffic.Run({{8, 0.0}, {6, 0.3}, {6, 0.95}, {14, 0.0}});     // seconds, share that fails
//
// Runs in real time because the topics carry the broker's append time. Only `checkout` fails. What
// is injected beside good events is counted, so that a test can ask for exact numbers.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "system/host_clock.h"
#include "tests/integration/kafka_cluster.h"

namespace tocsin {

class LiveTraffic {
 public:
  struct Options {
    std::vector<std::string> topics;  // [0] carries checkout, the last one search
    int partitions = 4;
    bool disturbed = false;  // out of order, late, far future, not JSON, one fast clock
  };
  struct Phase {
    double seconds = 0;
    double failing = 0;
  };

  LiveTraffic(KafkaProducer* producer, Options options)
      : producer_(producer), options_(std::move(options)) {}

  void Run(const std::vector<Phase>& phases) {
    for (const Phase& phase : phases) {
      const auto end = std::chrono::steady_clock::now() +
                       std::chrono::milliseconds(static_cast<int>(phase.seconds * 1000));
      while (std::chrono::steady_clock::now() < end) {
        Send(phase.failing);
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    }
    producer_->Flush();
  }

  std::int64_t records() const { return records_; }
  std::int64_t late() const { return late_; }
  std::int64_t ahead() const { return ahead_; }
  std::int64_t not_json() const { return not_json_; }

 private:
  static std::int64_t NowMs() { return HostWall() / kMillisecondUs; }

  double Random() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<double>(state_ >> 40) / static_cast<double>(1 << 24);
  }

  void Emit(const std::string& topic, const std::string& text) {
    producer_->Send(topic, static_cast<int>(records_ % options_.partitions), text, 0);
    ++records_;
  }

  void Event(const std::string& topic, std::int64_t time_ms, const std::string& service,
             bool failed, const std::string& host) {
    Emit(topic, "{\"time\":" + std::to_string(time_ms) + ",\"type\":\"request\",\"service\":\"" +
                    service + "\",\"host\":\"" + host + "\",\"endpoint\":\"/buy\",\"status\":" +
                    (failed ? "503" : "200") + ",\"duration_ms\":12.5,\"user\":\"u" +
                    std::to_string(static_cast<int>(Random() * 500)) + "\"}");
  }

  void Send(double failing) {
    const std::string& orders = options_.topics.front();
    const std::string& search = options_.topics.back();
    const std::int64_t now = NowMs();
    const bool shuffle = options_.disturbed && Random() < 0.05;
    Event(orders, now - (shuffle ? static_cast<std::int64_t>(Random() * 1500) : 0), "checkout",
          Random() < failing, "a1");
    Event(search, now, "search", false, "b1");
    ++turn_;
    if (!options_.disturbed) return;
    if (turn_ % 50 == 0) {
      Event(orders, now - 90'000, "checkout", false, "a2");
      ++late_;
    }
    if (turn_ % 97 == 0) {
      Event(search, now + 600'000, "search", false, "b2");
      ++ahead_;
    }
    if (turn_ % 61 == 0) {
      Emit(orders, "level=warn msg=\"not JSON\"");
      ++not_json_;
    }
    if (turn_ % 10 == 0) Event(search, now + 40'000, "search", false, "fast-clock");
  }

  KafkaProducer* producer_;
  const Options options_;
  std::uint64_t state_ = 42;
  std::int64_t turn_ = 0;
  std::int64_t records_ = 0;
  std::int64_t late_ = 0;
  std::int64_t ahead_ = 0;
  std::int64_t not_json_ = 0;
};

}  // namespace tocsin
