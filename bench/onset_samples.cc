#include "bench/onset_samples.h"

#include <memory>
#include <optional>

#include "bench/quality_run.h"

namespace tocsin {
namespace {

// Long enough for every baseline, at an hour of the day that the seed draws.
constexpr int kWarmPanes = 3 * kHourUs / kQualityPane;

std::optional<OnsetSample> RunTrial(const QualityCase& quality_case, const QualityRule& rule,
                                    double strength, double rate, std::uint64_t seed) {
  Rng rng(StreamSeed(seed, {0}));
  Climate climate(StreamSeed(seed, {1}));
  const std::unique_ptr<Traffic> traffic = quality_case.traffic(rate, &rng);
  SeriesDriver series(rule.setup.get());
  TimeUs now = kQualityStart + rng.Below(7 * 24) * kHourUs;
  Fault fault;
  const auto pane = [&]() -> std::optional<RuleChange> {
    Moment moment = climate.Next(now);
    moment.gap = moment.partial = moment.restarted = false;
    moment.seen = 1;
    PaneFill fill(rule.setup.get(), now);
    traffic->Fill(moment, fault, &rng, &fill);
    now += kQualityPane;
    return series.Update(QualityContext(moment), fill.Cells()).change;
  };
  for (int i = 0; i < kWarmPanes; ++i) {
    if (pane()) return std::nullopt;
  }
  const double phase = rng.Uniform();
  const TimeUs onset = now + static_cast<DurationUs>(phase * static_cast<double>(kQualityPane));
  fault = {.strength = strength, .share = 1 - phase, .onset = onset};
  while (now < onset + quality_case.lasts) {
    const std::optional<RuleChange> change = pane();
    fault.share = 1;
    if (!change) continue;
    // A tick comes a pane's delay after its pane.
    return OnsetSample{.earliest = change->began.earliest - onset,
                       .latest = change->began.latest - onset,
                       .fired = now + kQualityPane - onset};
  }
  return std::nullopt;
}

}  // namespace

std::vector<OnsetSample> SampleOnsets(const QualityCase& quality_case, const QualityRule& rule,
                                      double strength, const OnsetOptions& options) {
  std::vector<OnsetSample> samples;
  for (int i = 0; i < options.trials; ++i) {
    const std::optional<OnsetSample> sample =
        RunTrial(quality_case, rule, strength, options.rate,
                 StreamSeed(options.seed, {static_cast<std::uint64_t>(i)}));
    if (sample) samples.push_back(*sample);
  }
  return samples;
}

}  // namespace tocsin
