#include "bench/quality_thresholds.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/quality_run.h"

namespace tocsin {
namespace {

constexpr double kThresholds[] = {0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.12, 0.25, 0.5};
constexpr std::int64_t kPanesPerWeek = kWeekUs / kQualityPane;
constexpr double kPi = 3.141592653589793;

std::unique_ptr<DetectorSetup> MakeSetup(double above, const char* rest) {
  ErrorList errors;
  return std::make_unique<DetectorSetup>(MakeDetector(
      absl::StrCat("{name: x, kind: error_rate, warn: {above: ", above, ", ", rest, "}}"),
      &errors));
}

// One threshold's two rules.
struct Rung {
  explicit Rung(double above_ratio)
      : above(above_ratio),
        quick_setup(MakeSetup(above, "window: 2m")),
        slow_setup(MakeSetup(above, "window: 5m, for: 5m")),
        quick(quick_setup.get()),
        slow(slow_setup.get()) {}

  double above;
  std::unique_ptr<DetectorSetup> quick_setup, slow_setup;
  SeriesDriver quick, slow;
  std::int64_t pages = 0, pages_with_for = 0;
  std::vector<DurationUs> took;
};

bool Fires(const SeriesDriver::Step& step) {
  return step.change && step.change->kind == SignalChangeKind::kFired;
}

struct World {
  World(const ThresholdTraffic& of)
      : traffic(of),
        rng(StreamSeed(of.seed, {0})),
        climate(StreamSeed(of.seed, {1})),
        usual(rng.Between(0.001, 0.003)) {}

  // The next pane's requests and how many of them fail; `hit` of them belong to an incident.
  void Next(double incident, double hit_share) {
    moment = climate.Next(now);
    const double panes_per_minute = static_cast<double>(kMinuteUs) / kQualityPane;
    total = moment.gap
                ? 0
                : rng.NegativeBinomial(
                      traffic.per_minute / panes_per_minute * moment.load * moment.seen, 1.5);
    const double hours = static_cast<double>(now % kDayUs) / static_cast<double>(kHourUs);
    const double share = usual * (1 + std::cos(2 * kPi * (hours - 12) / 24) / 3) * rng.Gamma(2) / 2;
    const std::int64_t hit = rng.Binomial(total, hit_share);
    calm = rng.Binomial(total - hit, std::min(0.5, share)) + rng.Binomial(hit, incident);
    blip = rng.Binomial(total - hit, std::min(0.5, (moment.cold ? 2 * share : 0) + moment.failing));
    now += kQualityPane;
  }
  SpecCells Cells(PaneFill* fill, std::int64_t bad) const {
    bad = std::min(bad, total);
    fill->AddOutcomes(EventType::kRequest, "", total - bad, bad);
    return fill->Cells();
  }

  const ThresholdTraffic& traffic;
  Rng rng;
  Climate climate;
  double usual;
  TimeUs now = kQualityStart;
  Moment moment;
  std::int64_t total = 0, calm = 0, blip = 0;
};

void Quiet(World* world, std::vector<Rung>* rungs) {
  for (std::int64_t pane = 0; pane < world->traffic.weeks * kPanesPerWeek; ++pane) {
    const TimeUs start = world->now;
    world->Next(0, 0);
    PaneFill calm(rungs->front().quick_setup.get(), start);
    PaneFill busy(rungs->front().quick_setup.get(), start);
    const SpecCells calm_cells = world->Cells(&calm, world->calm);
    const SpecCells busy_cells = world->Cells(&busy, world->calm + world->blip);
    const PaneContext context = QualityContext(world->moment);
    for (Rung& rung : *rungs) {
      rung.pages += Fires(rung.quick.Update(context, calm_cells)) ? 1 : 0;
      rung.pages_with_for += Fires(rung.slow.Update(context, busy_cells)) ? 1 : 0;
    }
  }
}

// The incidents follow one another at distances of hours, so that each begins from quiet.
void Incidents(World* world, std::vector<Rung>* rungs) {
  for (int i = 0; i < world->traffic.incidents; ++i) {
    const std::int64_t quiet = 720 + world->rng.Below(720);
    const std::int64_t lasts = 30 + world->rng.Below(90);
    const double share = std::exp(world->rng.Between(std::log(0.13), 0));
    const double phase = world->rng.Uniform();
    const TimeUs onset = world->now + quiet * kQualityPane +
                         static_cast<DurationUs>(phase * static_cast<double>(kQualityPane));
    std::vector<bool> caught(rungs->size(), false);
    for (std::int64_t pane = 0; pane < quiet + lasts; ++pane) {
      const TimeUs start = world->now;
      const bool hit = pane >= quiet;
      world->Next(share, !hit ? 0 : pane == quiet ? 1 - phase : 1);
      PaneFill fill(rungs->front().quick_setup.get(), start);
      const SpecCells cells = world->Cells(&fill, world->calm);
      const PaneContext context = QualityContext(world->moment);
      for (std::size_t r = 0; r < rungs->size(); ++r) {
        Rung& rung = (*rungs)[r];
        rung.quick.Update(context, cells);
        if (!hit || caught[r] || !rung.quick.rule().firing()) continue;
        caught[r] = true;
        rung.took.push_back(world->now - onset);
      }
    }
  }
}

}  // namespace

std::vector<ThresholdTally> RunThresholds(const ThresholdTraffic& traffic) {
  World world(traffic);
  std::vector<Rung> rungs;
  for (const double above : kThresholds) rungs.emplace_back(above);
  Quiet(&world, &rungs);
  Incidents(&world, &rungs);
  std::vector<ThresholdTally> tallies;
  for (Rung& rung : rungs) {
    tallies.push_back({.above = rung.above,
                       .pages = rung.pages,
                       .pages_with_for = rung.pages_with_for,
                       .took = std::move(rung.took)});
  }
  return tallies;
}

}  // namespace tocsin
