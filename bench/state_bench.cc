// What keeping the state of 200,000 series costs: encoding it, storing it, starting from it.
//
//   ./dev bench state_bench
//
// Encoding and what follows it on the deciding thread hold up decisions; other users of the journal
// (positions, batches, deliveries) wait at most as long as `longest_wait_ms` says.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detectors/registry.h"
#include "engine/decider.h"
#include "journal/journal.h"

namespace tocsin {
namespace {

constexpr DurationUs kPane = 10 * kSecondUs;
constexpr TimeUs kBegin = 1'772'409'600 * kSecondUs;
constexpr int kSources = 4;
constexpr int kSeriesPerSource = 50'000;

constexpr const char* kYaml = R"(
inputs: [{name: app, file: app.log}]
detectors:
  - {name: errors, kind: error_rate, by: [endpoint], critical: {above: 50%, window: 1m, level: 2}}
)";

class Engine {
 public:
  Engine() {
    ErrorList errors;
    std::optional<Config> config = LoadConfigText(kYaml, "bench.yaml", &errors);
    if (!config) std::abort();
    config_ = *std::move(config);
    detectors_ = NewDetectors(config_, &errors);
    plan_ = CompilePlan(config_, detectors_);
    decider_ = New();
    std::vector<std::string> sources;
    for (int source = 0; source < kSources; ++source) sources.push_back(Source(source));
    records_.push_back(EncodeControl({.sources = sources}));
    for (int tick = 0; tick < 40; ++tick) {
      for (int source = 0; source < kSources; ++source) {
        for (std::string& chunk : EncodeBatch(Batch(source, tick), plan_)) {
          if (tick >= 38) records_.push_back(chunk);
          Take(chunk);
        }
      }
      if (tick == 0) Take(records_[0]);
    }
  }
  std::unique_ptr<Decider> New() const {
    return std::make_unique<Decider>(&config_, &plan_, &detectors_, SequentialExecutor());
  }
  Decider& decider() { return *decider_; }
  const std::vector<std::string>& records() const { return records_; }

 private:
  static std::string Source(int source) { return absl::StrCat("app/", source); }
  PaneBatch Batch(int source, int tick) const {
    PaneBatch batch;
    batch.source = Source(source);
    batch.tick = kBegin + tick * kPane;
    if (tick > 0) batch.first_tick = batch.tick;
    const std::size_t index = plan_.AggregationOf(0);
    const Aggregation& aggregation = plan_.aggregations()[index];
    PaneTable table(&aggregation.layout);
    for (int i = 0; i < kSeriesPerSource; ++i) {
      const std::string endpoint = absl::StrCat("/endpoint/", source, "/", i);
      Event event;
      event.time = batch.tick - 2 * kPane;
      event.type = EventType::kRequest;
      event.status = (i + tick) % 50 == 0 ? 500 : 200;
      event.weight = 20;
      event.Set(Field::kEnv, "prod");
      event.Set(Field::kEndpoint, endpoint);
      event.Normalize();
      std::string key;
      std::array<char, 12> scratch;
      for (const FieldRef& field : aggregation.by) AppendKeyPart(field.Get(event, scratch), &key);
      table.Accumulate(table.Row(key), event);
    }
    batch.tables.emplace_back(static_cast<std::uint32_t>(index), std::move(table));
    return batch;
  }
  void Take(const std::string& record) {
    decider_->Append(record).IgnoreError();
    Decision decision;
    while (decider_->Step(&decision)) {
    }
  }

  Config config_;
  std::vector<std::unique_ptr<Detector>> detectors_;
  Plan plan_;
  std::unique_ptr<Decider> decider_;
  std::vector<std::string> records_;  // of the last two ticks
};

Engine& TheEngine() {
  static Engine* const engine = new Engine;
  return *engine;
}

// On a disk, not in memory.
class Directory {
 public:
  Directory() : path_(absl::StrCat("state_bench_", getpid())) {
    std::filesystem::remove_all(path_);
    journal_ = *OpenSqliteJournal(path_);
    journal_->AppendBatches(TheEngine().records()).status().IgnoreError();
  }
  ~Directory() {
    journal_.reset();
    std::filesystem::remove_all(path_);
  }
  Journal* journal() { return journal_.get(); }
  void Reopen() {
    journal_.reset();
    journal_ = *OpenSqliteJournal(path_);
  }

 private:
  std::string path_;
  std::unique_ptr<Journal> journal_;
};

void Encode(benchmark::State& state) {
  std::size_t bytes = 0;
  for (auto _ : state) bytes = TheEngine().decider().Encode().size();
  state.counters["series"] = static_cast<double>(TheEngine().decider().series());
  state.counters["MB"] = static_cast<double>(bytes) / 1e6;
}
BENCHMARK(Encode)->Unit(benchmark::kMillisecond)->UseRealTime();

void Save(benchmark::State& state) {
  Directory directory;
  const std::uint64_t through = TheEngine().records().size();
  const std::string snapshot = TheEngine().decider().Encode();
  std::atomic<bool> stop = false;  // relaxed: only ends the loop
  double longest_ms = 0;
  std::thread other([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      const auto begin = std::chrono::steady_clock::now();
      directory.journal()->WritePosition("app", "1").IgnoreError();
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - begin;
      longest_ms = std::max(longest_ms, took.count());
    }
  });
  for (auto _ : state) {
    Snapshot one;
    one.through = through;
    one.state = snapshot;
    directory.journal()->SaveSnapshot(one, {}).IgnoreError();
  }
  stop.store(true, std::memory_order_relaxed);
  other.join();
  state.counters["longest_wait_ms"] = longest_ms;
}
BENCHMARK(Save)->Unit(benchmark::kMillisecond)->UseRealTime();

void Start(benchmark::State& state) {
  Directory directory;
  Snapshot one;
  one.through = TheEngine().records().size();
  one.state = TheEngine().decider().Encode();
  directory.journal()->SaveSnapshot(one, {}).IgnoreError();
  for (auto _ : state) {
    directory.Reopen();
    const std::optional<Snapshot> snapshot = *directory.journal()->LoadSnapshot();
    const std::unique_ptr<Decider> decider = TheEngine().New();
    if (!snapshot || !decider->Restore(snapshot->state).ok()) std::abort();
  }
}
BENCHMARK(Start)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace tocsin
