// What correlating and listing incidents cost, far beyond what a real night brings.
//
//   ./dev bench correlate_bench
//
// One scope of 10,000 series in 100 services that need 10 databases; 100,000 signals a minute begin
// or end: the share of one core. All of them begin together, group by group of services that the
// topology keeps apart. Then 100,000 open incidents: how long listing them takes, what an act on
// one of them costs, and what one takes in memory, in the correlator and in the book that the API
// reads, without evidence. Exit status 1 when a limit is missed.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/allocated_bytes.h"
#include "correlate/correlator.h"
#include "service/incident_book.h"

namespace tocsin {
namespace {

constexpr int kServices = 100, kDatabases = 10;
constexpr std::size_t kSeries = 10'000;
constexpr std::size_t kSignalsPerMinute = 100'000;
constexpr int kMinutes = 5;
constexpr std::size_t kIncidents = 100'000;
constexpr std::size_t kActs = 10'000;
// Between the onsets of incidents that nothing else keeps apart.
constexpr DurationUs kApart = 2 * kMinuteUs;

constexpr double kCoreShareMax = 0.10;
constexpr double kListSecondsMax = 0.1;
constexpr double kActionMicrosecondsMax = 50;
constexpr double kBytesMax = 4096;

constexpr TimeUs kStart = 1'772'409'600 * kSecondUs;

double CpuSeconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

std::string Scope() {
  std::string scope;
  AppendKeyPart("prod", &scope);
  return scope;
}

Config NewConfig() {
  Config config;
  config.scope = {FieldRef{.kind = FieldRef::Kind::kField, .field = Field::kEnv, .label = {}}};
  for (int service = 0; service < kServices; ++service) {
    config.correlate.topology[absl::StrCat("service-", service)] = {
        absl::StrCat("database-", service % kDatabases)};
  }
  return config;
}

Signal NewSignal(const std::string& service, std::size_t series, TimeUs tick, DurationUs pane) {
  Signal signal;
  signal.detector = "endpoint-errors";
  signal.kind = "error_rate";
  signal.scope = Scope();
  signal.series = {{"env", "prod"},
                   {"service", service},
                   {"endpoint", absl::StrCat("/api/resource/", series, "/:id")}};
  signal.level = 2;
  signal.onset = tick - 2 * pane;
  signal.began = {.earliest = signal.onset, .latest = signal.onset + pane};
  signal.fired_at = tick;
  signal.value = 0.42;
  signal.threshold = 0.05;
  signal.id = SignalId(signal.detector, LabelsText(signal.series), tick);
  return signal;
}

bool Report(const char* what, double value, const char* unit, double limit) {
  const bool met = value <= limit;
  std::printf("%-64s %10.4g %s (limit %g)%s\n", what, value, unit, limit, met ? "" : "  MISSED");
  return met;
}

// Notes on incidents all over the place.
bool Acting(Correlator* correlator) {
  std::vector<OperatorAction> acts(kActs);
  const std::vector<const Incident*> open = correlator->Open();
  for (std::size_t i = 0; i < kActs; ++i) {
    acts[i] = {.kind = OperatorActionKind::kNote,
               .id = absl::StrCat(i),
               .incident = open[i * 7919 % open.size()]->id,
               .author = "ana",
               .text = "seen"};
  }
  CorrelatorOutput out;
  std::size_t lines = 0;
  const double before = CpuSeconds();
  for (const OperatorAction& act : acts) {
    correlator->Apply(act, kStart, &out);
    lines += out.lines.size();
  }
  const double each = (CpuSeconds() - before) / static_cast<double>(kActs) * 1e6;
  return Report("an act on one of 100,000 open incidents", each, "us", kActionMicrosecondsMax) &&
         lines == kActs;
}

// Every series fires and clears in turn, as often as makes up the rate.
bool Correlating() {
  const Config config = NewConfig();
  Correlator correlator(config);
  CorrelatorOutput out;
  const std::size_t per_tick =
      kSignalsPerMinute / static_cast<std::size_t>(kMinuteUs / config.pane);
  std::vector<Signal> firing(kSeries);
  std::size_t next = 0;
  std::size_t changed = 0;
  double seconds = 0;
  TimeUs tick = kStart;
  for (; tick < kStart + kMinutes * kMinuteUs; tick += config.pane) {
    std::vector<TitledChange> changes;
    for (std::size_t i = 0; i < per_tick && changes.size() < kSeries; ++i, ++next) {
      Signal& signal = firing[next % kSeries];
      if (signal.fired_at == kNoTime) {
        const std::size_t service = next % kSeries % kServices;
        signal = NewSignal(absl::StrCat("service-", service), next % kSeries, tick, config.pane);
        changes.push_back({.change = {.kind = SignalChangeKind::kFired, .signal = signal},
                           .title = "Requests of an endpoint fail"});
      } else if (signal.fired_at < tick) {
        signal.cleared_at = tick;
        changes.push_back(
            {.change = {.kind = SignalChangeKind::kCleared, .signal = signal}, .title = {}});
        signal = Signal();
      }
    }
    changed += changes.size();
    const double before = CpuSeconds();
    correlator.Tick({.tick = tick,
                     .pane_end = tick - config.pane,
                     .partial = false,
                     .changes = changes,
                     .impacts = {},
                     .facts = {},
                     .users = {}},
                    &out);
    seconds += CpuSeconds() - before;
  }
  std::printf("%zu changes of %zu series in %d min, %zu incidents open at the end\n", changed,
              kSeries, kMinutes, correlator.Open().size());
  const double rate = static_cast<double>(changed) / kMinutes;
  // A series cannot change twice in a tick: what is missing of the rate is charged in proportion.
  const double share = seconds / (kMinutes * 60.0) * static_cast<double>(kSignalsPerMinute) / rate;
  return Report("correlating 100,000 signals a minute, of one core", share, "", kCoreShareMax);
}

bool Keeping() {
  const Config config = NewConfig();
  const std::size_t empty = AllocatedBytes();
  Correlator correlator(config);
  std::vector<std::string> lines;
  {
    std::vector<TitledChange> changes;
    for (std::size_t i = 0; i < kIncidents; ++i) {
      Signal signal = NewSignal(absl::StrCat("lonely-", i), i, kStart, config.pane);
      signal.onset -= static_cast<DurationUs>(i) * kApart;
      signal.began = {.earliest = signal.onset, .latest = signal.onset + config.pane};
      changes.push_back({.change = {.kind = SignalChangeKind::kFired, .signal = signal},
                         .title = "Requests of an endpoint fail"});
    }
    CorrelatorOutput out;
    correlator.Tick({.tick = kStart,
                     .pane_end = kStart - config.pane,
                     .partial = false,
                     .changes = changes,
                     .impacts = {},
                     .facts = {},
                     .users = {}},
                    &out);
    for (const Incident& incident : out.lines) lines.push_back(incident.ToJson());
  }
  std::size_t text_bytes = 0;
  for (const std::string& line : lines) text_bytes += line.capacity() + sizeof line;
  const auto each = [](std::size_t bytes) { return static_cast<double>(bytes) / kIncidents; };
  const double in_correlator = each(AllocatedBytes() - empty - text_bytes);
  IncidentBook book;
  for (const std::string& line : lines) book.Put(line);
  lines = {};
  const double bytes = each(AllocatedBytes() - empty);
  std::vector<double> seconds;
  std::size_t listed = 0;
  for (int i = 0; i < 9; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    listed = book.ListJson({.resolved = false, .limit = kIncidents}).size();
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  std::printf(
      "%zu open incidents, listed in %zu bytes of JSON; %.0f bytes in the correlator each\n",
      correlator.Open().size(), listed, in_correlator);
  const bool fast =
      Report("listing 100,000 open incidents, median", seconds[4], "s", kListSecondsMax);
  const bool small = Report("memory of an open incident with one signal, without evidence", bytes,
                            "bytes", kBytesMax);
  return Acting(&correlator) && fast && small;
}

}  // namespace
}  // namespace tocsin

int main() {
  const bool correlating = tocsin::Correlating();
  const bool keeping = tocsin::Keeping();
  return correlating && keeping ? 0 : 1;
}
