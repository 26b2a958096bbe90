#include "bench/quality_run.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace tocsin {
namespace {

constexpr std::int64_t kPanesPerWeek = kWeekUs / kQualityPane;
// By then an hour of the week was visited three times (baseline.h).
constexpr int kLearningWeeks = 3;
constexpr double kFloorMargin = 1.5;

// A series with the world around it.
struct World {
  const QualityRule* rule;
  Rng rng;
  Climate climate;
  std::unique_ptr<Traffic> traffic;
  SeriesDriver series;
  TimeUs now = kQualityStart;
  bool paging = false;

  // True when a page goes out in this pane.
  bool Pane(const Fault& fault, bool clear_sight, Sign* sign) {
    Moment moment = climate.Next(now);
    if (clear_sight) {
      // A restart would end what is being looked for.
      moment.gap = moment.partial = moment.restarted = false;
      moment.seen = 1;
    }
    PaneFill fill(rule->setup.get(), now);
    *sign = traffic->Fill(moment, fault, &rng, &fill);
    now += kQualityPane;
    const SeriesDriver::Step step = series.Update(QualityContext(moment), fill.Cells());
    if (!step.change) return false;
    if (step.change->kind == SignalChangeKind::kCleared) {
      paging = false;
      return false;
    }
    const bool pages = rule->Pages(step.change->slot, series.state().Classification());
    return pages && !std::exchange(paging, true);
  }
};

// Of a ratio or a latency, as its evidence says; else 1.
double DispersionOf(const SeriesState& state) {
  for (const Evidence& evidence : state.Explain()) {
    if (evidence.kind == "baseline" && evidence.name == "dispersion") {
      return std::strtod(evidence.json.c_str(), nullptr);
    }
  }
  return 1;
}

Trial RunTrial(const QualityCase& quality_case, const World& world, const QualityFault& injected,
               double rate, std::uint64_t seed) {
  std::optional<SeriesDriver> series = world.series.Copy();
  if (!series) std::abort();
  World copy = {.rule = world.rule,
                .rng = Rng(seed),
                .climate = world.climate,
                .traffic = world.traffic->Clone(),
                .series = *std::move(series),
                .now = world.now,
                .paging = false};
  const LevelConfig& level =
      world.rule->setup->detector().common().level[static_cast<std::size_t>(injected.slot)];
  const double needed =
      kFloorMargin * DispersionOf(copy.series.state()) * quality_case.floor(level, *copy.traffic);
  const DurationUs fill =
      quality_case.fill ? quality_case.fill(level, injected.strength, copy.traffic->usual()) / 2 * 3
                        : 0;
  const double phase = copy.rng.Uniform();
  const TimeUs onset =
      copy.now + static_cast<DurationUs>(phase * static_cast<double>(kQualityPane));
  Fault fault = {.strength = injected.strength, .share = 1 - phase, .onset = onset};
  const auto interval = static_cast<DurationUs>(static_cast<double>(kMinuteUs) / rate);
  const DurationUs grain =
      quality_case.grain + (quality_case.sampled && interval > kQualityPane ? interval : 0);
  double evidence = 0;
  std::optional<TimeUs> holds;  // since when
  Trial trial;
  const TimeUs end = onset + quality_case.lasts;
  while (copy.now < end && !(trial.paged && trial.floor_met)) {
    Sign sign;
    const bool paged = copy.Pane(fault, /*clear_sight=*/true, &sign);
    fault.share = 1;
    if (sign.holds && !holds) holds = std::max(onset, copy.now - kQualityPane);
    evidence += sign.evidence;
    if (paged && !trial.paged) {
      trial.paged = true;
      trial.took = copy.now;
    }
    const bool in_time = copy.now <= onset + quality_case.within;
    if (!trial.floor_met && holds && in_time && evidence >= needed) {
      trial.floor_met = true;
      const DurationUs known = copy.now - *holds;
      trial.plain_bound = std::max(level.hold, known) + kQualityPane;
      trial.bound = std::max({level.hold, fill, known}) + grain;
    }
    if (sign.over) break;
  }
  // It was over before anybody could know.
  if (!trial.paged && copy.now - holds.value_or(onset) < trial.bound) trial.floor_met = false;
  trial.took = std::max<DurationUs>(0, trial.took - holds.value_or(onset));
  return trial;
}

}  // namespace

PaneContext QualityContext(const Moment& moment) {
  PaneContext pane;
  pane.start = moment.start;
  pane.end = moment.start + kQualityPane;
  pane.tick = pane.end + kQualityPane;
  pane.pane = kQualityPane;
  pane.partial = moment.partial;
  pane.others_alive = !moment.gap;
  pane.recent_deploy = moment.recent_deploy;
  return pane;
}

SeriesResult RunSeries(const QualityCase& quality_case, const QualityRule& rule,
                       const SeriesOptions& options) {
  World world = {.rule = &rule,
                 .rng = Rng(StreamSeed(options.seed, {0})),
                 .climate = Climate(StreamSeed(options.seed, {1})),
                 .traffic = nullptr,
                 .series = SeriesDriver(rule.setup.get())};
  world.traffic = quality_case.traffic(options.rate, &world.rng);
  SeriesResult result;
  result.trials.resize(quality_case.faults.size());
  const std::int64_t panes = options.weeks * kPanesPerWeek;
  const std::int64_t learned = std::min<std::int64_t>(kLearningWeeks * kPanesPerWeek, panes / 2);
  Rng when(StreamSeed(options.seed, {2}));
  std::vector<std::int64_t> forks;
  for (int i = 0; i < options.trials; ++i) forks.push_back(learned + when.Below(panes - learned));
  std::sort(forks.begin(), forks.end());
  auto next = forks.begin();
  for (std::int64_t i = 0; i < panes; ++i) {
    // Where something is firing there is nothing to detect; the trial waits.
    for (; next != forks.end() && *next <= i && !world.series.rule().firing(); ++next) {
      for (std::size_t f = 0; f < quality_case.faults.size(); ++f) {
        const auto number = static_cast<std::uint64_t>(next - forks.begin());
        result.trials[f].push_back(RunTrial(quality_case, world, quality_case.faults[f],
                                            options.rate,
                                            StreamSeed(options.seed, {3, f, number})));
      }
    }
    Sign sign;
    if (!world.Pane(Fault(), /*clear_sight=*/false, &sign)) continue;
    ++result.false_pages;
    result.paged_at.push_back(world.now);
  }
  return result;
}

}  // namespace tocsin
