// What decoding costs, format by format: MB/s and events/s over the seeds of the fuzz targets that
// hold events. The seeds are small, so that what a record costs by itself counts fully. JSON and
// its presets are decode_bench's.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "core/time.h"
#include "ingest/decoder.h"
#include "ingest/fields/field_presets.h"

namespace tocsin {
namespace {

class CountingSink final : public EventSink {
 public:
  void OnEvent(const Event& event) override {
    ++events;
    benchmark::DoNotOptimize(event.time);
  }
  void OnUndecodable(std::string_view, std::string_view) override { ++undecodable; }
  std::int64_t events = 0;
  std::int64_t undecodable = 0;
};

constexpr TimeUs kRecordTime = 1'767'225'600 * kSecondUs;

struct Format {
  InputConfig input;
  std::string folder;  // of its seeds
};

std::vector<Format> Formats() {
  std::vector<Format> formats;
  const std::vector<std::string> presets = JsonPresetNames();
  for (const std::string& name : DecoderNames()) {
    const bool is_preset = std::find(presets.begin(), presets.end(), name) != presets.end();
    if (name == "json" || is_preset) continue;
    Format format;
    format.input.name = name;
    format.input.format = name;
    format.folder = name;
    std::replace(format.folder.begin(), format.folder.end(), '-', '_');
    if (name == "regex") format.input.pattern = "(?P<service>[a-z]+) (?P<message>.*)";
    if (name != "otlp-proto") {
      formats.push_back(format);
      continue;
    }
    for (const char* signal : {"logs", "metrics"}) {
      format.input.name = name + "-" + signal;
      format.input.signal = signal;
      format.folder = std::string("otlp_") + signal;
      formats.push_back(format);
    }
  }
  return formats;
}

// Those in which everything can be read, and something is an event.
std::vector<std::string> Seeds(const Format& format, Decoder* decoder) {
  std::vector<std::string> seeds;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(
           std::string(TOCSIN_FUZZ_CORPUS) + "/" + format.folder, none)) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::string seed{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    CountingSink sink;
    decoder->Decode(seed, kRecordTime, &sink);
    if (sink.events > 0 && sink.undecodable == 0) seeds.push_back(std::move(seed));
  }
  std::sort(seeds.begin(), seeds.end());
  return seeds;
}

void Run(benchmark::State& state, const Format& format) {
  ErrorList errors;
  const std::unique_ptr<Decoder> decoder = NewDecoder(format.input, &errors);
  if (decoder == nullptr) return state.SkipWithError("the decoder cannot be made");
  const std::vector<std::string> seeds = Seeds(format, decoder.get());
  if (seeds.empty()) return state.SkipWithError("no seed holds events");
  std::size_t bytes = 0;
  for (const std::string& seed : seeds) bytes += seed.size();
  CountingSink sink;
  for (auto _ : state) {
    for (const std::string& seed : seeds) decoder->Decode(seed, kRecordTime, &sink);
  }
  state.SetItemsProcessed(sink.events);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) *
                          static_cast<std::int64_t>(state.iterations()));
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  for (const tocsin::Format& format : tocsin::Formats()) {
    benchmark::RegisterBenchmark(format.input.name.c_str(),
                                 [format](benchmark::State& state) { tocsin::Run(state, format); });
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
