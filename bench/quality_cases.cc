#include "bench/quality_cases.h"

#include <algorithm>
#include <array>

#include "core/math.h"
#include "detectors/statistics/ratio_evidence.h"

namespace tocsin {
namespace {

const double kEvidence = DetectorEnvironment().EvidenceThreshold();
// 14.4 times the budget over an hour, or 6 times over six.
constexpr double kBudget = 0.005;
constexpr const char* kBurnRate =
    "{name: budget, kind: burn_rate, where: {type: request}, by: [service], objective: 99.5%,"
    " critical: {level: 2}}";

const std::vector<double> kEventRates = {2, 10, 100, 1000};
const std::vector<double> kSampleRates = {1, 2, 10, 100};
const std::vector<double> kCheckRates = {1, 2, 6, 10};

// Nothing is known to be rarer than one in ten thousand (baseline.cc).
double RatioFloor(double p0, double p1) { return EvidenceFloor(kEvidence, std::max(p0, 1e-4), p1); }
double ErrorFloor(const LevelConfig& level, const Traffic& traffic) {
  return RatioFloor(traffic.usual(), level.above);
}
double SuccessFloor(const LevelConfig& level, const Traffic& traffic) {
  return RatioFloor(traffic.usual(), 1 - level.above);
}
double LatencyFloor(const LevelConfig&, const Traffic& traffic) {
  return RatioFloor(traffic.usual(), 0.05);
}
// A step to `strength` lifts the rate over a window above the threshold after this much of it.
DurationUs Filled(DurationUs window, double threshold, double strength, double usual) {
  const double share = std::clamp((threshold - usual) / (strength - usual), 0.0, 1.0);
  return static_cast<DurationUs>(share * static_cast<double>(window));
}
DurationUs ErrorFill(const LevelConfig& level, double strength, double usual) {
  return Filled(level.window, level.above, strength, usual);
}
DurationUs SuccessFill(const LevelConfig& level, double strength, double usual) {
  return Filled(level.window, 1 - level.above, strength, usual);
}
DurationUs BurnFill(const LevelConfig&, double strength, double usual) {
  return std::min(Filled(kHourUs, 14.4 * kBudget, strength, usual),
                  Filled(6 * kHourUs, 6 * kBudget, strength, usual));
}
// Events at three times the usual rate until h is reached.
double StormFloor(const LevelConfig&, const Traffic&) { return kEvidence / (Log(3) - 1 + 1.0 / 3); }
double BurstFloor(const LevelConfig& level, const Traffic&) { return level.above; }
// The counts' dispersion of 1.5 makes pauses longer: D^(−λ/(D−1)) for e^−λ.
double AbsenceFloor(const LevelConfig& level, const Traffic&) {
  return level.above * 0.5 / Log(1.5);
}
double OneSample(const LevelConfig&, const Traffic&) { return 1; }
// Below seven minima no order of them is surprising enough.
double TrendFloor(const LevelConfig&, const Traffic&) { return 7; }

auto Ratios(EventType type, const char* name, double usual_low, double usual_high) {
  return [=](double rate, Rng* rng) {
    return NewRatioTraffic({.type = type,
                            .name = name,
                            .per_minute = rate,
                            .usual_low = usual_low,
                            .usual_high = usual_high},
                           rng);
  };
}
auto Requests() { return Ratios(EventType::kRequest, "", 0.001, 0.003); }
auto Volume(EventType type, double at_least) {
  return [=](double rate, Rng*) { return NewVolumeTraffic(type, rate, at_least); };
}
auto LogLines(const char* message) {
  return [=](double rate, Rng*) { return NewLogTraffic(rate, message); };
}

void AddRatios(std::vector<QualityCase>* cases) {
  const std::vector<QualityFault> errors = {{"10 % fail", 0.1, 0}, {"30 % fail", 0.3, 0}};
  std::vector<QualityFault> all = errors;
  all.push_back({"all fail", 1, 1});
  cases->push_back(
      {"@rupaya", "api-errors", "requests", kEventRates, Requests(), all, ErrorFloor, ErrorFill});
  cases->push_back({"@chat-backend", "service-errors", "requests", kEventRates, Requests(), all,
                    ErrorFloor, ErrorFill});
  cases->push_back({"@generic",
                    "service-errors",
                    "requests",
                    kEventRates,
                    Requests(),
                    {{"all fail", 1, 1}},
                    ErrorFloor,
                    ErrorFill});
  cases->push_back({"@generic",
                    "payments",
                    "payments",
                    kEventRates,
                    Ratios(EventType::kTransaction, "payment", 0.01, 0.03),
                    {{"30 % fail", 0.3, 0}, {"all fail", 1, 1}},
                    SuccessFloor,
                    SuccessFill});
  cases->push_back({"@rodistaa",
                    "payments",
                    "payments",
                    kEventRates,
                    Ratios(EventType::kTransaction, "payment", 0.01, 0.03),
                    {{"70 % fail", 0.7, 1}, {"all fail", 1, 1}},
                    SuccessFloor,
                    SuccessFill});
  cases->push_back({"@rupaya",
                    "app-crashes",
                    "sessions",
                    kEventRates,
                    Ratios(EventType::kSession, "", 0.001, 0.003),
                    {{"3 % crash", 0.03, 1}, {"10 % crash", 0.1, 1}},
                    ErrorFloor,
                    ErrorFill});
  cases->push_back({"",
                    kBurnRate,
                    "requests",
                    kEventRates,
                    Requests(),
                    {{"10 % fail", 0.1, 1}, {"all fail", 1, 1}},
                    [](const LevelConfig&, const Traffic&) {
                      return EvidenceFloor(kEvidence, kBudget, 14.4 * kBudget);
                    },
                    BurnFill,
                    3 * kHourUs,
                    kHourUs});
}

void AddLatencies(std::vector<QualityCase>* cases) {
  cases->push_back(
      {"@rupaya",
       "api-latency",
       "requests",
       kEventRates,
       [](double rate, Rng* rng) { return NewLatencyTraffic(rate, 2 * kSecondUs, rng); },
       {{"p95 × 30", 30, 0}},
       LatencyFloor});
  cases->push_back({"@generic",
                    "service-latency",
                    "requests",
                    kEventRates,
                    [](double rate, Rng* rng) { return NewLatencyTraffic(rate, 0, rng); },
                    {{"p95 × 2", 2, 1}, {"p95 × 4", 4, 1}},
                    LatencyFloor});
}

void AddGauges(std::vector<QualityCase>* cases) {
  QualityCase gauge = {
      .unit = "samples", .rates = kSampleRates, .floor = OneSample, .sampled = true};
  const auto add = [&](const char* profile, const char* stanza, auto traffic,
                       std::vector<QualityFault> faults) -> QualityCase& {
    gauge.profile = profile;
    gauge.stanza = stanza;
    gauge.traffic = traffic;
    gauge.faults = std::move(faults);
    return cases->emplace_back(gauge);
  };
  add("@rupaya", "db-pool", NewPoolTraffic, {{"at 97 %", 0.97, 1}});
  add("@rupaya", "healthy-targets", NewTargetTraffic, {{"none healthy", 1, 1}});
  add("@chat-backend", "stored-messages", NewStoredTraffic, {{"1 % missing", 0.01, 1}});
  QualityCase& health =
      add("@rupaya", "health", [](double rate, Rng*) { return NewCheckTraffic(rate); },
          {{"down", 1, 1}});
  health.unit = "checks";
  health.rates = kCheckRates;
  health.floor = BurstFloor;
  gauge.floor = TrendFloor;
  gauge.lasts = 4 * kHourUs;
  gauge.grain = 5 * kMinuteUs + kQualityPane;
  add("@rupaya", "memory-leak", NewMemoryTraffic,
      {{"15 % an hour", 15, 1}, {"30 % an hour", 30, 1}});
  add("@chat-backend", "disk-forecast", NewDiskTraffic,
      {{"15 % an hour", 15, 0}, {"30 % an hour", 30, 0}});
}

void AddCounts(std::vector<QualityCase>* cases) {
  // A storm has 1.5 times what the runbook calls one, at least.
  cases->push_back({"@chat-backend",
                    "connection-storm",
                    "connections",
                    kEventRates,
                    Volume(EventType::kConnection, 300),
                    {{"× 5", 5, 1}, {"× 10", 10, 1}},
                    StormFloor});
  cases->push_back({"@rupaya",
                    "request-storm",
                    "requests",
                    kEventRates,
                    Volume(EventType::kRequest, 9000),
                    {{"× 10", 10, 1}, {"× 50", 50, 1}},
                    StormFloor});
  cases->push_back({"@chat-backend",
                    "failed-logins",
                    "logins",
                    kEventRates,
                    [](double rate, Rng*) { return NewLoginTraffic(rate); },
                    {{"20 a minute", 20, 1}, {"100 a minute", 100, 1}},
                    BurstFloor});
  cases->push_back({"@rupaya",
                    "db-pool-log",
                    "requests",
                    kEventRates,
                    LogLines("connection pool exhausted"),
                    {{"12 lines a minute", 12, 1}, {"60 lines a minute", 60, 1}},
                    BurstFloor});
  cases->push_back({"@rupaya",
                    "dependency-timeouts",
                    "requests",
                    kEventRates,
                    LogLines("connect ETIMEDOUT"),
                    {{"12 lines a minute", 12, 1}, {"60 lines a minute", 60, 1}},
                    BurstFloor});
  cases->push_back({"@generic",
                    "traffic",
                    "requests",
                    kEventRates,
                    [](double rate, Rng*) { return NewArrivalTraffic(rate); },
                    {{"traffic gone", 0, 1}},
                    AbsenceFloor});
}

}  // namespace

std::vector<QualityCase> QualityCases() {
  std::vector<QualityCase> cases;
  AddRatios(&cases);
  AddLatencies(&cases);
  AddGauges(&cases);
  AddCounts(&cases);
  return cases;
}

bool QualityRule::Pages(int slot, const std::string& classification) const {
  const Detector& detector = setup->detector();
  const int level = detector.common().level[static_cast<std::size_t>(slot)].level;
  return pages[static_cast<std::size_t>(detector.CapLevel(level, classification) - 1)];
}

std::optional<QualityRule> MakeQualityRule(const std::string& profile, const std::string& stanza,
                                           ErrorList* errors) {
  QualityRule rule;
  std::unique_ptr<Detector> detector;
  if (profile.empty()) {
    detector = MakeDetector(stanza, errors);
  } else {
    const std::optional<Config> config = LoadConfig(profile, errors);
    if (!config) return std::nullopt;
    rule.pages = config->severity.pages;
    for (const DetectorConfig& candidate : config->detectors) {
      if (candidate.name == stanza) detector = NewDetector(candidate, {}, errors);
    }
  }
  if (detector == nullptr) return std::nullopt;
  rule.kind = detector->common().kind;
  rule.setup = std::make_unique<DetectorSetup>(std::move(detector));
  return rule;
}

}  // namespace tocsin
