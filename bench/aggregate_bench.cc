// Stage 1 on one core: decode and accumulate, with the detectors of the built-in profiles.

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "bench/sample_events.h"
#include "runtime/engine_setup.h"

namespace tocsin {
namespace {

constexpr int kEvents = 20'000;

// 1,000 events a second of event time, so a pane holds 10,000.
std::vector<std::string> Events() {
  std::vector<std::string> events;
  for (int i = 0; i < kEvents; ++i) {
    events.push_back(SampleEvent(static_cast<std::uint64_t>(i), 1'767'225'600'000 + i));
  }
  return events;
}

void Aggregate(benchmark::State& state, const std::string& yaml) {
  ErrorList errors;
  std::optional<Config> config = LoadConfigText(yaml, "bench", &errors);
  std::unique_ptr<EngineSetup> setup = config ? EngineSetup::Build(&*config, &errors) : nullptr;
  if (setup == nullptr) {
    state.SkipWithError(ErrorsText(errors).c_str());
    return;
  }
  const std::vector<std::string> events = Events();
  for (auto _ : state) {
    auto partition = setup->NewPartition(config->inputs.front(), "bench/0").value();
    for (std::size_t i = 0; i < events.size(); ++i) {
      const auto offset = static_cast<std::int64_t>(i);
      partition->Feed({.offset = offset, .next_offset = offset + 1, .bytes = events[i]});
    }
    partition->End();
    std::size_t bytes = 0;
    for (const PaneBatch& batch : partition->TakeBatches()) {
      for (const std::string& chunk : EncodeBatch(batch, setup->plan)) bytes += chunk.size();
    }
    benchmark::DoNotOptimize(bytes);
    state.counters["batch_bytes"] = static_cast<double>(bytes);
  }
  const auto total = static_cast<std::int64_t>(state.iterations()) * kEvents;
  state.SetItemsProcessed(total);
  state.SetBytesProcessed(total * static_cast<std::int64_t>(kSampleEventBytes));
}

constexpr const char* kInput = "inputs: [{name: a, file: unused}]\n";

void BM_OneErrorRate(benchmark::State& state) {
  Aggregate(state, std::string(kInput) +
                       "detectors: [{name: e, kind: error_rate, by: [service, endpoint], critical: "
                       "{above: 50%, window: 1m}}]\n");
}
BENCHMARK(BM_OneErrorRate)->Unit(benchmark::kMillisecond);

void BM_RupayaProfile(benchmark::State& state) {
  Aggregate(state, std::string("extends: \"@rupaya\"\n") + kInput);
}
BENCHMARK(BM_RupayaProfile)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace tocsin
