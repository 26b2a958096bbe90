// How often faults that have nothing to do with one another are taken for one outage because they
// begin together, and how often one outage is taken for two.
//
//   ./dev bench coincidence                # seed 1
//   ./dev bench coincidence 2 0.1          # another seed, a tenth of it
//
// First what the detectors know of when a fault began, which the rest is drawn from: the width of
// the interval, how often it has the true moment in it, give or take a pane, and how late the
// signal is. Then independent faults, a Poisson process at one and ten a day and scope, each of one
// of 60 services, told by one to four detectors and over after 5 to 60 min; a fault is joined
// falsely when a signal of it is in an incident that another fault opened. Then outages of two to
// six services that begin within so much of one another; one is missed when it is more than one
// page. Decided by the real correlator, with the signals' own intervals and delays.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "bench/onset_samples.h"
#include "bench/seed_and_scale.h"
#include "core/labels.h"
#include "correlate/coincidence.h"
#include "correlate/correlator.h"

namespace tocsin {
namespace {

constexpr TimeUs kBegin = 1'772'409'600 * kSecondUs;
constexpr int kServices = 60;
constexpr int kPartServices = 6;  // that share databases, where the topology is known
constexpr DurationUs kPane = kQualityPane;

double Seconds(DurationUs duration) { return static_cast<double>(duration) / kSecondUs; }

template <typename Value>
Value Percentile(std::vector<Value> values, double share) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto last = static_cast<double>(values.size() - 1);
  return values[static_cast<std::size_t>(share * last + 0.5)];
}

// Of all cases whose kind has a moment and whose harm is a fault's; prints a line a case and rate.
std::vector<OnsetSample> AllSamples(const SeedAndScale& arguments) {
  std::printf("%-34s %-16s %8s %6s %9s %9s %9s %9s\n", "rule", "fault", "a minute", "fired",
              "width p50", "p95", "covers", "late p50");
  std::vector<OnsetSample> all;
  std::uint64_t number = 0;
  for (const QualityCase& one : QualityCases()) {
    ErrorList errors;
    const std::optional<QualityRule> rule = MakeQualityRule(one.profile, one.stanza, &errors);
    if (!rule) std::abort();
    const DetectorCommon& common = rule->setup->detector().common();
    ++number;
    if (rule->setup->detector().Drifts({}) || common.category == Category::kSecurity ||
        common.category == Category::kData) {
      continue;
    }
    for (const QualityFault& fault : one.faults) {
      for (const double rate : one.rates) {
        const int trials = std::max(4, static_cast<int>(40 * arguments.scale));
        const std::vector<OnsetSample> samples = SampleOnsets(
            one, *rule, fault.strength,
            {.rate = rate,
             .seed = StreamSeed(arguments.seed,
                                {number, static_cast<std::uint64_t>(fault.strength * 1000),
                                 static_cast<std::uint64_t>(rate)}),
             .trials = trials});
        std::vector<double> widths, late;
        int covering = 0;
        for (const OnsetSample& sample : samples) {
          widths.push_back(Seconds(sample.latest - sample.earliest));
          late.push_back(Seconds(sample.fired));
          covering += sample.earliest <= kPane && sample.latest >= -kPane ? 1 : 0;
        }
        const double share =
            samples.empty() ? 0
                            : static_cast<double>(covering) / static_cast<double>(samples.size());
        std::printf("%-34s %-16s %8g %6zu %8.0fs %8.0fs %9.3f %8.0fs\n",
                    absl::StrCat(rule->kind, " ", common.name).c_str(), fault.name, rate,
                    samples.size(), Percentile(widths, 0.5), Percentile(widths, 0.95), share,
                    Percentile(late, 0.5));
        all.insert(all.end(), samples.begin(), samples.end());
      }
    }
  }
  return all;
}

// The correlator under faults that are planned ahead.
class World {
 public:
  World(const Config& config, const std::vector<OnsetSample>& samples, std::uint64_t seed)
      : correlator_(config), samples_(samples), rng_(seed) {}

  Rng& rng() { return rng_; }

  // A fault of the service: one to four signals, over after a while. Returns its number.
  int Add(TimeUs onset, int service) {
    const int fault = faults_++;
    const auto length = static_cast<DurationUs>(rng_.LogNormal(15, 0.8) * kMinuteUs);
    const DurationUs lasts = std::clamp(length, 5 * kMinuteUs, kHourUs);
    TimeUs last = onset;
    for (std::int64_t i = rng_.Below(4); i >= 0; --i) {
      const OnsetSample& sample =
          samples_[static_cast<std::size_t>(rng_.Below(std::ssize(samples_)))];
      Signal signal;
      signal.detector = absl::StrCat("d", i);
      AppendKeyPart("prod", &signal.scope);
      signal.series = {{"env", "prod"}, {"service", absl::StrCat("service-", service)}};
      signal.level = 2;
      signal.began = {.earliest = onset + sample.earliest, .latest = onset + sample.latest};
      signal.onset = FloorTo(signal.began.latest, kPane);
      signal.fired_at = FloorTo(std::max(onset + sample.fired, signal.began.latest), kPane) + kPane;
      signal.id = SignalId(signal.detector, absl::StrCat(fault), signal.fired_at);
      fault_of_[signal.id] = fault;
      Plan(SignalChangeKind::kFired, signal.fired_at, signal);
      signal.cleared_at = std::max(signal.fired_at, FloorTo(onset + lasts, kPane)) + kMinuteUs;
      Plan(SignalChangeKind::kCleared, signal.cleared_at, signal);
      last = std::max(last, signal.cleared_at);
    }
    busy_until_[service] = last + 10 * kMinuteUs;
    return fault;
  }
  bool Busy(int service, TimeUs at) const {
    const auto found = busy_until_.find(service);
    return found != busy_until_.end() && at < found->second;
  }

  // Decides everything that is planned.
  void Run() {
    for (auto next = plan_.begin(); next != plan_.end();) {
      const TimeUs tick = next->first;
      std::vector<TitledChange> changes;
      for (; next != plan_.end() && next->first == tick; ++next) changes.push_back(next->second);
      Tick(tick, changes);
      const TimeUs until = next == plan_.end() ? tick + kHourUs : next->first;
      // What is over resolves in between.
      for (TimeUs time = tick + kPane; time < until && !correlator_.Open().empty();
           time += time < tick + kMinuteUs ? kPane : kMinuteUs) {
        Tick(time, {});
      }
    }
    plan_.clear();
  }

  // The incidents that a fault's signals are in, by the fault that opened each.
  const std::map<int, std::set<std::string>>& incidents_of() const { return incidents_of_; }
  const std::map<std::string, int>& opened_by() const { return opened_by_; }
  bool Paged(const std::string& incident) const { return paged_.contains(incident); }
  int faults() const { return faults_; }

 private:
  void Plan(SignalChangeKind kind, TimeUs at, const Signal& signal) {
    plan_.emplace(at, TitledChange{.change = {.kind = kind, .signal = signal}, .title = {}});
  }

  void Tick(TimeUs tick, const std::vector<TitledChange>& changes) {
    correlator_.Tick({.tick = tick,
                      .pane_end = tick - kPane,
                      .partial = false,
                      .changes = changes,
                      .impacts = {},
                      .facts = {},
                      .users = {}},
                     &out_);
    for (const Notification& told : out_.notifications) {
      if (told.action == NotificationAction::kTrigger) paged_.insert(told.incident.id.Hex());
    }
    for (const Incident& line : out_.lines) {
      const std::string id = line.id.Hex();
      if (!line.merged_into.empty()) continue;
      for (const Signal& signal : line.signals) incidents_of_[fault_of_.at(signal.id)].insert(id);
      if (line.revision == 1) {
        const auto first =
            std::min_element(line.signals.begin(), line.signals.end(),
                             [](const Signal& a, const Signal& b) { return a.onset < b.onset; });
        opened_by_[id] = fault_of_.at(first->id);
      }
    }
  }

  Correlator correlator_;
  CorrelatorOutput out_;
  const std::vector<OnsetSample>& samples_;
  Rng rng_;
  int faults_ = 0;
  std::multimap<TimeUs, TitledChange> plan_;
  std::map<Hash128, int> fault_of_;
  std::map<int, TimeUs> busy_until_;
  std::map<int, std::set<std::string>> incidents_of_;
  std::map<std::string, int> opened_by_;
  std::set<std::string> paged_;
};

Config NewConfig(DurationUs coincidence, bool topology) {
  Config config;
  config.scope = {FieldRef{.kind = FieldRef::Kind::kField, .field = Field::kEnv, .label = {}}};
  config.correlate.coincidence = coincidence;
  for (int service = 0; topology && service < kServices; ++service) {
    config.correlate.topology[absl::StrCat("service-", service)] = {
        absl::StrCat("database-", service), absl::StrCat("shared-", service / kPartServices)};
  }
  return config;
}

void Independent(const std::vector<OnsetSample>& samples, const SeedAndScale& arguments) {
  std::printf("\n%-28s %10s %10s %12s %12s\n", "independent faults", "a day", "faults", "joined",
              "of 1,000");
  for (const DurationUs coincidence : {DurationUs{0}, 45 * kSecondUs}) {
    for (const bool topology : {false, true}) {
      for (const double per_day : {1.0, 10.0}) {
        const Config config = NewConfig(coincidence, topology);
        World world(config, samples, StreamSeed(arguments.seed, {1, topology ? 1U : 0U}));
        const int faults = static_cast<int>(40'000 * arguments.scale);
        double at = 0;
        for (int i = 0; i < faults; ++i) {
          at += -std::log(1 - world.rng().Uniform()) / per_day;
          const TimeUs onset = kBegin + static_cast<TimeUs>(at * static_cast<double>(kDayUs));
          int service = static_cast<int>(world.rng().Below(kServices));
          while (world.Busy(service, onset)) service = (service + 1) % kServices;
          world.Add(onset, service);
        }
        world.Run();
        int joined = 0;
        for (const auto& found : world.incidents_of()) {
          joined += std::any_of(
              found.second.begin(), found.second.end(),
              [&](const std::string& id) { return world.opened_by().at(id) != found.first; });
        }
        std::printf("%-28s %10g %10d %12d %12.2f\n",
                    coincidence == 0 ? "without coincidence"
                    : topology       ? "with a topology of 10 parts"
                                     : "nothing is known",
                    per_day, world.faults(), joined, 1000.0 * joined / world.faults());
      }
    }
  }
}

void Common(const std::vector<OnsetSample>& samples, const SeedAndScale& arguments) {
  std::printf("\n%-28s %10s %12s %12s\n", "one outage of 2-6 services", "outages", "several pages",
              "pages (mean)");
  for (const DurationUs spread :
       {DurationUs{0}, 15 * kSecondUs, 30 * kSecondUs, 60 * kSecondUs, 120 * kSecondUs}) {
    const Config config = NewConfig(45 * kSecondUs, /*topology=*/false);
    World world(config, samples, StreamSeed(arguments.seed, {2}));
    const int outages = static_cast<int>(4'000 * arguments.scale);
    std::vector<std::vector<int>> faults(static_cast<std::size_t>(outages));
    for (int i = 0; i < outages; ++i) {
      // So far apart that no two meet.
      const TimeUs onset = kBegin + i * 6 * kHourUs;
      const auto services = static_cast<int>(2 + world.rng().Below(5));
      for (int service = 0; service < services; ++service) {
        const auto jitter =
            static_cast<DurationUs>(world.rng().Uniform() * static_cast<double>(spread));
        faults[static_cast<std::size_t>(i)].push_back(world.Add(onset + jitter, service));
      }
    }
    world.Run();
    int missed = 0;
    std::size_t pages = 0;
    for (const std::vector<int>& outage : faults) {
      std::set<std::string> of;
      for (const int fault : outage) {
        for (const std::string& id : world.incidents_of().at(fault)) {
          if (world.Paged(id)) of.insert(id);
        }
      }
      missed += of.size() > 1 ? 1 : 0;
      pages += of.size();
    }
    std::printf("%-28s %10d %12.3f %12.2f\n",
                absl::StrCat("begins within ", FormatDuration(spread)).c_str(), outages,
                static_cast<double>(missed) / outages, static_cast<double>(pages) / outages);
  }
}

int Run(const SeedAndScale& arguments) {
  const std::vector<OnsetSample> samples = AllSamples(arguments);
  if (samples.empty()) return 1;
  Independent(samples, arguments);
  Common(samples, arguments);
  return 0;
}

}  // namespace
}  // namespace tocsin

int main(int argc, char** argv) {
  tocsin::SeedAndScale arguments;
  if (argc > 3 || !tocsin::ReadSeedAndScale(argc, argv, &arguments)) {
    std::fprintf(stderr, "usage: coincidence [SEED [SCALE]]\n");
    return 2;
  }
  return tocsin::Run(arguments);
}
