// The whole engine against a bare librdkafka consumer: same broker, topic, settings and process.
//
//   ./dev bench end_to_end                 # 2,000,000 events, 5 pairs
//   build/release/bench/end_to_end EVENTS PAIRS
//
// Starts a real Kafka, fills a topic of 4 partitions with lz4 batches of 287-byte JSON events, then
// reads it alternately with a loop that only counts records and with the pipeline of `tocsin run`
// (@rupaya's detectors, SQLite journal). Prints events per second, processor time per event, and
// the ratio of each pair; the median ratio is the figure to quote.

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "bench/sample_events.h"
#include "service/pipeline.h"
#include "tests/integration/kafka_cluster.h"

namespace tocsin {
namespace {

constexpr int kPartitions = 4;
constexpr const char* kTopic = "bench";

struct Measured {
  double seconds = 0;
  double cpu_seconds = 0;
  bool ok = false;
};

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Fill(KafkaCluster* kafka, std::int64_t events) {
  KafkaProducer producer(kafka->brokers());
  for (std::int64_t i = 0; i < events; ++i) {
    const std::int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                                 std::chrono::system_clock::now().time_since_epoch())
                                 .count();
    producer.Send(kTopic, static_cast<int>(i / 1000 % kPartitions),
                  SampleEvent(static_cast<std::uint64_t>(i), now), 0);
  }
  while (!producer.Flush()) {
  }
}

rd_kafka_t* NewConsumer(const std::string& brokers) {
  static constexpr std::pair<const char*, const char*> kSettings[] = {
      {"group.id", "bare"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"fetch.min.bytes", "100000"},
      {"fetch.message.max.bytes", "1048576"},
      {"queued.min.messages", "200000"},
      {"queued.max.messages.kbytes", "131072"},
      {"check.crcs", "true"}};
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  rd_kafka_conf_set(conf, "bootstrap.servers", brokers.c_str(), error.data(), error.size());
  for (const auto& [name, value] : kSettings) {
    rd_kafka_conf_set(conf, name, value, error.data(), error.size());
  }
  rd_kafka_t* consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error.data(), error.size());
  rd_kafka_poll_set_consumer(consumer);
  return consumer;
}

Measured Bare(const std::string& brokers, std::int64_t events) {
  rd_kafka_t* consumer = NewConsumer(brokers);
  rd_kafka_topic_partition_list_t* all = rd_kafka_topic_partition_list_new(kPartitions);
  for (int p = 0; p < kPartitions; ++p) {
    rd_kafka_topic_partition_list_add(all, kTopic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  }
  rd_kafka_assign(consumer, all);
  rd_kafka_topic_partition_list_destroy(all);
  rd_kafka_queue_t* queue = rd_kafka_queue_get_consumer(consumer);
  std::vector<rd_kafka_message_t*> batch(10'000);
  std::int64_t seen = 0;
  std::size_t bytes = 0;
  double begin = 0;
  double cpu = 0;
  while (seen < events) {
    const ssize_t n = rd_kafka_consume_batch_queue(queue, 1000, batch.data(), batch.size());
    if (n > 0 && seen == 0) {
      begin = Now();
      cpu = CpuSeconds();
    }
    for (ssize_t i = 0; i < n; ++i) {
      rd_kafka_message_t* message = batch[static_cast<std::size_t>(i)];
      if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        ++seen;
        bytes += message->len;
      }
      rd_kafka_message_destroy(message);
    }
  }
  Measured measured = {.seconds = Now() - begin, .cpu_seconds = CpuSeconds() - cpu};
  measured.ok = bytes == static_cast<std::size_t>(events) * kSampleEventBytes;
  rd_kafka_queue_destroy(queue);
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return measured;
}

Measured Engine(const std::string& brokers, std::int64_t events, int run) {
  const std::string state =
      std::filesystem::temp_directory_path().string() + "/tocsin-bench-" + std::to_string(run);
  std::filesystem::remove_all(state);
  ErrorList errors;
  const std::optional<Config> config =
      LoadConfigText("extends: \"@rupaya\"\ninputs: [{name: b, kafka: {brokers: \"" + brokers +
                         "\", topics: [" + kTopic + "], group: g" + std::to_string(run) +
                         ", start: earliest}}]\nstate_dir: " + state,
                     "bench", &errors);
  Measured measured;
  if (!config) return measured;
  Pipeline::Options options;
  options.config = &*config;
  Pipeline pipeline(std::move(options));
  if (!pipeline.Start().ok()) return measured;
  double begin = Now();
  double cpu = CpuSeconds();
  std::int64_t seen = 0;
  bool arrived = false;
  while (seen < events && pipeline.status().ok()) {
    // The last moment at which nothing had arrived: our time is measured a little too long, not
    // short. Events are counted only now and then, records as they arrive.
    if (!arrived) {
      begin = Now();
      cpu = CpuSeconds();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const PipelineStatus status = pipeline.Snapshot();
    arrived = status.received > 0;
    seen = 0;
    for (const SourceStatus& source : status.sources) seen += source.counters.events;
  }
  measured = {.seconds = Now() - begin, .cpu_seconds = CpuSeconds() - cpu, .ok = seen == events};
  measured.ok = pipeline.Stop().ok() && measured.ok;
  std::filesystem::remove_all(state);
  return measured;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(std::int64_t events, int pairs) {
  KafkaCluster kafka;
  if (!kafka.Start() ||
      !kafka.CreateTopic(kTopic, kPartitions, {{"message.timestamp.type", "LogAppendTime"}})) {
    return 3;
  }
  std::printf("filling: %lld events of %zu bytes, lz4, %d partitions\n",
              static_cast<long long>(events), kSampleEventBytes, kPartitions);
  Fill(&kafka, events);
  Bare(kafka.brokers(), events);  // warms the broker's page cache
  std::vector<double> bare_rates, engine_rates, ratios, bare_cpu, engine_cpu;
  const auto count = static_cast<double>(events);
  for (int pair = 0; pair < pairs; ++pair) {
    const Measured bare = Bare(kafka.brokers(), events);
    const Measured engine = Engine(kafka.brokers(), events, pair);
    if (!bare.ok || !engine.ok) {
      std::printf("pair %d failed\n", pair);
      return 1;
    }
    bare_rates.push_back(count / bare.seconds);
    engine_rates.push_back(count / engine.seconds);
    ratios.push_back(bare.seconds / engine.seconds);
    bare_cpu.push_back(bare.cpu_seconds / count * 1e9);
    engine_cpu.push_back(engine.cpu_seconds / count * 1e9);
    std::printf(
        "pair %d: bare %.0f events/s (%.0f ns CPU), tocsin %.0f events/s (%.0f ns CPU), ratio "
        "%.3f\n",
        pair + 1, bare_rates.back(), bare_cpu.back(), engine_rates.back(), engine_cpu.back(),
        ratios.back());
  }
  std::printf(
      "median: bare %.0f events/s (%.0f ns CPU), tocsin %.0f events/s (%.0f ns CPU), ratio %.3f\n",
      Median(bare_rates), Median(bare_cpu), Median(engine_rates), Median(engine_cpu),
      Median(ratios));
  return 0;
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  const std::int64_t events = argc > 1 ? std::atoll(argv[1]) : 2'000'000;
  const int pairs = argc > 2 ? std::atoi(argv[2]) : 5;
  return tocsin::Main(events, pairs);
}
