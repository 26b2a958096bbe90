// What one pane of one series costs in stage 2, and what a series takes in memory, by kind.
//
//   ./dev bench detect_bench [--benchmark_filter=storm]
//
// "quiet" is a series on which all is well, the state of nearly all series at nearly all times;
// "firing" is one in an incident. Memory is what the allocator set aside for what the detector
// keeps of a warm series (detect_cases.h says with what); beside it the engine has the key, the
// labels and the 80 bytes of the rule. A series that only counts has 1 KiB, 2 KiB more for its
// season, and 1 us a pane; one with sketches (histogram, distinct, top-k; of many kinds only while
// there is something to explain) has 12 KiB. Exit status 1 when a limit is missed.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/allocated_bytes.h"
#include "bench/detect_cases.h"
#include "detectors/registry.h"
#include "detectors/state_machine.h"
#include "detectors/statistics/baseline.h"

namespace tocsin {
namespace {

constexpr DurationUs kPane = 10 * kSecondUs;
constexpr TimeUs kStart = 1'772'409'600 * kSecondUs;
constexpr std::size_t kSeries = 16;
// Enough for the longest window that is kept pane by pane, with the next one half full.
constexpr std::size_t kPanesMade = 75;
// Less than a day of panes: an incident that lasts longer is the new normal.
constexpr int kFiringPanes = 6000;

constexpr std::size_t kCountsMax = 1024, kSeasonMax = 2048, kSketchesMax = 12 * 1024;
constexpr double kCountsSecondsMax = 1e-6;

std::size_t SeasonBytes() {
  const std::size_t before = AllocatedBytes();
  RateBaseline baseline;
  baseline.Update({}, kStart, 1, BaselinePace(kPane));
  return AllocatedBytes() - before;
}

// One detector, its traffic, and warm series.
class Setup {
 public:
  Setup(const DetectCase& detect_case, bool incident) : case_(detect_case) {
    ErrorList errors;
    DetectorConfig stanza;
    stanza.node = ParseYaml(case_.stanza, "bench", &errors);
    stanza.name = stanza.node.Find("name")->scalar;
    stanza.kind = stanza.node.Find("kind")->scalar;
    detector_ = NewDetector(stanza, {}, &errors);
    for (const ConfigError& error : errors.Sorted()) {
      std::fprintf(stderr, "%s: %s\n", case_.name, error.ToString().c_str());
    }
    if (detector_ == nullptr) std::abort();
    own_.Measure(detector_->Spec());
    if (case_.explain) explaining_.Measure(*detector_->Explaining());
    for (std::size_t i = 0; i < kPanesMade; ++i) {
      const auto n = static_cast<int>(i);
      for (const bool of_incident : {false, true}) {
        if (!case_.timed)
          own_.Of(of_incident).push_back(MakePane(case_.fill, own_, of_incident, n));
        if (!case_.explain) continue;
        explaining_.Of(of_incident).push_back(MakePane(case_.explain, explaining_, of_incident, n));
      }
    }
    series_.reserve(kSeries);
    rules_.resize(kSeries);
    const std::size_t before = AllocatedBytes();
    for (std::size_t i = 0; i < kSeries; ++i) series_.push_back(detector_->NewSeries());
    for (int i = 0; i < case_.quiet_panes; ++i) Pane();
    if (incident) {
      if (case_.deployed) deployed_at_ = now_;
      incident_ = true;
      n_ = 0;
      for (int i = 0; i < case_.incident_panes; ++i) Pane();
    }
    bytes_per_series_ = (AllocatedBytes() - before) / kSeries;
  }

  void Pane() {
    std::unique_ptr<PaneTable> made;
    if (case_.timed) made = MakePane(case_.fill, own_, incident_, n_);
    const SpecCells cells = CellsOf(own_, made ? *made : own_.Pane(incident_, n_));
    SpecCells explaining;
    if (case_.explain) explaining = CellsOf(explaining_, explaining_.Pane(incident_, n_));
    ++n_;
    PaneContext pane;
    pane.start = now_;
    pane.end = now_ += kPane;
    pane.tick = pane.end + kPane;
    pane.deployed_at = deployed_at_;
    for (std::size_t i = 0; i < series_.size(); ++i) {
      pane.firing = rules_[i].firing();
      if (case_.explain) series_[i]->AddExplaining(pane, explaining);
      const Reading reading = series_[i]->Update(pane, cells);
      benchmark::DoNotOptimize(rules_[i].Step(detector_->common(), pane, reading));
    }
  }
  bool firing() const { return rules_[0].firing(); }
  std::size_t bytes_per_series() const { return bytes_per_series_; }

 private:
  using Panes = std::vector<std::unique_ptr<PaneTable>>;
  // What is measured for the detector, or of the events that explain it, in panes that were made
  // beforehand.
  struct Measured {
    TableLayout layout;
    std::vector<MeasureSlot> slots;
    Panes quiet, bad;

    void Measure(const SeriesSpec& spec) {
      layout = TableLayout::Of(spec.measures);
      for (const auto& measure : spec.measures) slots.push_back(layout.SlotOf(measure));
    }
    Panes& Of(bool incident) { return incident ? bad : quiet; }
    const PaneTable& Pane(bool incident, int n) {
      const Panes& panes = Of(incident);
      return *panes[static_cast<std::size_t>(n) % panes.size()];
    }
  };

  std::unique_ptr<PaneTable> MakePane(const DetectCase::Fill& fill, const Measured& measured,
                                      bool incident, int n) {
    auto table = std::make_unique<PaneTable>(&measured.layout);
    fill(incident, n, now_, &rng_, table.get());
    return table;
  }
  static SpecCells CellsOf(const Measured& measured, const PaneTable& table) {
    SpecCells cells;
    if (table.rows() > 0) cells.cell = table.Cell(0);
    cells.slots = &measured.slots;
    return cells;
  }

  const DetectCase& case_;
  Rng rng_{1};
  std::unique_ptr<Detector> detector_;
  Measured own_, explaining_;
  std::vector<std::unique_ptr<SeriesState>> series_;
  std::vector<RuleState> rules_;
  bool incident_ = false;
  int n_ = 0;  // panes of this kind so far
  TimeUs now_ = kStart;
  TimeUs deployed_at_ = kNoTime;
  std::size_t bytes_per_series_ = 0;
};

void Update(benchmark::State& state, const DetectCase& detect_case, bool incident) {
  Setup setup(detect_case, incident);
  if (setup.firing() != incident) {
    state.SkipWithError(incident ? "does not fire" : "fires");
    return;
  }
  for (auto _ : state) setup.Pane();
  if (setup.firing() != incident) state.SkipWithError("did not stay as it was");
  const Keeps keeps = incident ? detect_case.firing : detect_case.quiet;
  const std::size_t season = keeps == Keeps::kSeason ? SeasonBytes() : 0;
  state.counters["bytes"] = static_cast<double>(setup.bytes_per_series() - season);
  state.counters["season"] = static_cast<double>(season);
  state.counters["sketches"] = keeps == Keeps::kSketches ? 1 : 0;
}

// The table, and whether every line of it keeps its limits.
class Table : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override {
    std::printf("%-36s %10s %8s %8s %8s %8s\n", "series", "ns a pane", "bytes", "season", "limit",
                "");
    return true;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      const std::string name = run.run_name.function_name;
      if (run.error_occurred) {
        std::printf("%-36s %s\n", name.c_str(), run.error_message.c_str());
        missed_ = true;
        continue;
      }
      const auto counter = [&run](const char* key) { return run.counters.at(key).value; };
      const double seconds = run.cpu_accumulated_time / static_cast<double>(run.iterations) /
                             static_cast<double>(kSeries);
      const bool sketches = counter("sketches") > 0;
      const std::size_t limit = sketches ? kSketchesMax : kCountsMax;
      const bool met = counter("bytes") <= static_cast<double>(limit) &&
                       counter("season") <= static_cast<double>(kSeasonMax) &&
                       (sketches || seconds <= kCountsSecondsMax);
      missed_ = missed_ || !met;
      std::printf("%-36s %10.0f %8.0f %8.0f %8zu %8s\n", name.c_str(), seconds * 1e9,
                  counter("bytes"), counter("season"), limit, met ? "met" : "MISSED");
      std::fflush(stdout);
    }
  }
  bool missed() const { return missed_; }

 private:
  bool missed_ = false;
};

int Main(int argc, char** argv) {
  const std::vector<DetectCase> cases = DetectCases();
  for (const DetectCase& detect_case : cases) {
    for (const bool incident : {false, true}) {
      benchmark::internal::Benchmark* registered = benchmark::RegisterBenchmark(
          (std::string(detect_case.name) + (incident ? ": firing" : ": quiet")).c_str(),
          [&detect_case, incident](benchmark::State& state) {
            Update(state, detect_case, incident);
          });
      if (incident) registered->Iterations(kFiringPanes);
    }
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Table table;
  benchmark::RunSpecifiedBenchmarks(&table);
  return table.missed() ? 1 : 0;
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) { return tocsin::Main(argc, argv); }
