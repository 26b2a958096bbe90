// What one pane of one series costs in stage 2, and what a series takes in memory, by kind.
//
//   build/release/bench/detect_bench
//
// "quiet" is a series on which all is well, the state of nearly all series at nearly all times;
// "firing" is one in an incident. bytes_per_series counts heap allocations of 64 warm series.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "core/event.h"
#include "detectors/registry.h"
#include "detectors/state_machine.h"

namespace {

std::size_t allocated_bytes = 0;

}  // namespace

// Counts what is requested, less what is returned: blocks carry their size in front.
void* operator new(std::size_t size) {
  auto* block = static_cast<std::size_t*>(std::malloc(size + alignof(std::max_align_t)));
  if (block == nullptr) std::abort();
  *block = size;
  allocated_bytes += size;
  return reinterpret_cast<char*>(block) + alignof(std::max_align_t);
}
void operator delete(void* pointer) noexcept {
  if (pointer == nullptr) return;
  auto* block =
      reinterpret_cast<std::size_t*>(static_cast<char*>(pointer) - alignof(std::max_align_t));
  allocated_bytes -= *block;
  std::free(block);
}
void operator delete(void* pointer, std::size_t) noexcept { operator delete(pointer); }

namespace tocsin {
namespace {

constexpr DurationUs kPane = 10 * kSecondUs;

struct Traffic {
  const char* name;
  const char* stanza;
  Event event;
  int events;   // a pane
  int failing;  // of them, in an incident
  Event bad;
};

Event Request(bool failed) {
  Event event;
  event.type = EventType::kRequest;
  event.status = failed ? 500 : 200;
  event.duration = failed ? 4'000'000 : 80'000;
  event.Set(Field::kVersion, "v1");
  event.Normalize();
  return event;
}

Event Gauge(double value) {
  Event event;
  event.type = EventType::kMetric;
  event.value = value;
  event.limit = 100;
  event.Normalize();
  return event;
}

Event Connection(const char* address) {
  Event event;
  event.type = EventType::kConnection;
  event.action = ConnectionAction::kOpen;
  event.Set(Field::kClientIp, address);
  event.Set(Field::kUserAgent, "MobileApp/2.0.0");
  event.Normalize();
  return event;
}

Event FailedLogin(const char* address) {
  Event event;
  event.type = EventType::kAuth;
  event.outcome = Outcome::kFailure;
  event.Set(Field::kClientIp, address);
  event.Normalize();
  return event;
}

std::vector<Traffic> Kinds() {
  return {
      {"error_rate",
       "{name: e, kind: error_rate, by: [service, endpoint], warn: {above: 1.5%, for: 5m},"
       " critical: {above: 50%, window: 1m}}",
       Request(false), 100, 100, Request(true)},
      {"latency_absolute", "{name: l, kind: latency, warn: {p95_above: 2s, for: 5m}}",
       Request(false), 100, 100, Request(true)},
      {"latency_baseline", "{name: l, kind: latency, warn: {p95_above_baseline: 3, for: 5m}}",
       Request(false), 100, 100, Request(true)},
      {"saturation", "{name: s, kind: saturation, warn: {above: 80%}, critical: {above: 95%}}",
       Gauge(50), 1, 1, Gauge(99)},
      {"burn_rate", "{name: b, kind: burn_rate, objective: 99.9%, critical: {level: 2}}",
       Request(false), 100, 100, Request(true)},
      {"absence", "{name: a, kind: absence, critical: {level: 1}}", Request(false), 100, 0,
       Request(false)},
      {"leak", "{name: m, kind: leak, critical: {left: 30m}}", Gauge(50), 1, 1, Gauge(99)},
      {"state", "{name: s, kind: state, where: {type: metric}, critical: {below: 1}}", Gauge(50), 1,
       1, Gauge(0)},
      {"burst", "{name: b, kind: burst, where: {type: request}, critical: {count: 700}}",
       Request(false), 100, 200, Request(false)},
      {"burst_per_address",
       "{name: b, kind: burst, where: {type: auth, outcome: failure}, per: client_ip,"
       " critical: {count: 10}}",
       FailedLogin("10.0.0.1"), 1, 12, FailedLogin("10.9.9.9")},
      {"storm", "{name: t, kind: storm, critical: {above: 1000, for: 5m}}", Connection("10.0.0.1"),
       7, 70, Connection("10.9.9.9")},
  };
}

// One detector, its pane of traffic, and `count` warm series.
class Setup {
 public:
  Setup(const Traffic& traffic, bool incident, std::size_t count) {
    ErrorList errors;
    DetectorConfig stanza;
    stanza.node = ParseYaml(traffic.stanza, "bench", &errors);
    stanza.name = stanza.node.Find("name")->scalar;
    stanza.kind = stanza.node.Find("kind")->scalar;
    detector_ = NewDetector(stanza, {}, &errors);
    if (detector_ == nullptr) std::abort();
    const SeriesSpec spec = detector_->Spec();
    layout_ = TableLayout::Of(spec.measures);
    for (const Measure& measure : spec.measures) slots_.push_back(layout_.SlotOf(measure));
    quiet_ = std::make_unique<PaneTable>(&layout_);
    bad_ = std::make_unique<PaneTable>(&layout_);
    const std::uint32_t row = quiet_->Row(""), bad_row = bad_->Row("");
    for (int i = 0; i < traffic.events; ++i) quiet_->Accumulate(row, traffic.event);
    for (int i = 0; i < traffic.failing; ++i) bad_->Accumulate(bad_row, traffic.bad);
    const std::size_t before = allocated_bytes;
    for (std::size_t i = 0; i < count; ++i) series_.push_back(detector_->NewSeries());
    rules_.resize(count);
    for (int i = 0; i < 400; ++i) Pane(*quiet_);
    bytes_per_series_ = (allocated_bytes - before) / count;
    if (incident) {
      for (int i = 0; i < 100; ++i) Pane(*bad_);
    }
    current_ = incident ? bad_.get() : quiet_.get();
  }

  void Pane() { Pane(*current_); }
  std::size_t size() const { return series_.size(); }
  std::size_t bytes_per_series() const { return bytes_per_series_; }

 private:
  void Pane(const PaneTable& table) {
    PaneContext pane;
    pane.start = now_;
    pane.end = now_ += kPane;
    pane.tick = pane.end + kPane;
    SpecCells cells;
    cells.cell = table.Cell(0);
    cells.slots = &slots_;
    for (std::size_t i = 0; i < series_.size(); ++i) {
      pane.firing = rules_[i].firing();
      const Reading reading = series_[i]->Update(pane, cells);
      benchmark::DoNotOptimize(rules_[i].Step(detector_->common(), pane, reading));
    }
  }

  std::unique_ptr<Detector> detector_;
  TableLayout layout_;
  std::vector<MeasureSlot> slots_;
  std::unique_ptr<PaneTable> quiet_, bad_;
  const PaneTable* current_ = nullptr;
  std::vector<std::unique_ptr<SeriesState>> series_;
  std::vector<RuleState> rules_;
  TimeUs now_ = 1'772'409'600 * kSecondUs;
  std::size_t bytes_per_series_ = 0;
};

void Update(benchmark::State& state, const Traffic& traffic, bool incident) {
  Setup setup(traffic, incident, 64);
  for (auto _ : state) setup.Pane();
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(setup.size()));
  state.counters["time_per_update"] = benchmark::Counter(
      static_cast<double>(state.iterations()) * static_cast<double>(setup.size()),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["bytes_per_series"] = static_cast<double>(setup.bytes_per_series());
}

const bool kRegistered = [] {
  for (const Traffic& traffic : Kinds()) {
    for (const bool incident : {false, true}) {
      benchmark::RegisterBenchmark(
          (std::string(traffic.name) + (incident ? "/firing" : "/quiet")).c_str(),
          [traffic, incident](benchmark::State& state) { Update(state, traffic, incident); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace tocsin
