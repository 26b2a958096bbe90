// What is usual for a series, learned from it: ratios, rates, latencies.
//
//   RatioBaseline baseline;
//   double p0 = baseline.Upper(default_p0);          // before this pane is judged
//   baseline.Update({.frozen = frozen, .partial = pane.partial}, bad, total, pace);
//
// Exponentially weighted with a half-life of one week. A baseline is *warm* after 30 samples and 30
// min, whichever is later; before that callers use a default. It freezes while its series is firing
// or suspect, and in partial panes. After 24 h of freezing the current level becomes the new
// normal: the baseline forgets most of the past and relearns, which `relearning` reports for a day.
// Value types; not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/histogram.h"
#include "core/time.h"
#include "core/wire.h"
#include "detectors/statistics/window.h"

namespace tocsin {

// Decay factors per pane, computed once a detector.
struct BaselinePace {
  explicit BaselinePace(DurationUs pane_length);
  DurationUs pane;
  double week;  // keeps one half after a week
  double day;
  double hour;  // keeps 1/e after an hour
  int hour_panes;
};

struct LearnPolicy {
  bool frozen = false;   // suspect or firing
  bool partial = false;  // never learned from
};

// Decides whether a pane is learned, for all baselines: warm-up, freezing, relearning.
class LearnGate {
 public:
  enum class Step : std::uint8_t { kSkip, kLearn, kStartAnew };
  // `sample`: the pane has data to learn from.
  Step Pass(const LearnPolicy& policy, bool sample, DurationUs pane);
  bool warm() const { return samples_ >= kSamplesMin && age_ >= kAgeMin; }
  // Warm, and has learned for a day.
  bool mature() const { return warm() && age_ >= kDayUs; }
  // Started to relearn less than a day ago.
  bool relearning() const { return anew_for_ < kDayUs; }
  std::int64_t samples() const { return samples_; }
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  static constexpr std::int64_t kSamplesMin = 30;
  static constexpr DurationUs kAgeMin = 30 * kMinuteUs;
  std::int64_t samples_ = 0;
  DurationUs age_ = 0;  // learning time since the first sample
  DurationUs frozen_for_ = 0;
  DurationUs anew_for_ = kDayUs;  // since it started to relearn, up to a day
};

// A ratio of counts. It is not seasonal, because two integers per hour of the week would add 1.3
// KiB to each of up to 200,000 series. Instead it learns how far the ratio swings from hour to
// hour, beyond chance: √2 times the standard deviation over its hours, which is the amplitude of a
// sine.
class RatioBaseline {
 public:
  void Update(const LearnPolicy& policy, std::int64_t bad, std::int64_t total,
              const BaselinePace& pace);
  bool warm() const { return gate_.warm(); }
  bool mature() const { return gate_.mature(); }
  bool relearning() const { return gate_.relearning(); }
  // The mean, shrunk towards `prior` with the weight of kPriorEvents.
  double Mean(double prior) const;
  // 90 % upper bound of the shrunk mean in its highest hours, at least 1e-4; `prior` until warm.
  double Upper(double prior) const;
  // How far the means of single hours lie above and below the overall mean, relative to it: within
  // [0, 1]; 0 if chance explains the difference.
  double Swing() const;
  // How much more the bad events of a pane vary than binomial ones: Pearson χ²/df over past panes,
  // within [1, 64]; 1 until there are enough panes.
  double Dispersion() const;
  // The same for a pane of `total` events: higher for larger panes, as far as the share itself
  // varies from pane to pane (1 + ρ·n·p).
  double Dispersion(std::int64_t total) const;
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  // Bad events of the current hour.
  struct Hour {
    float seen = 0, expected = 0;
    std::int32_t panes = 0;
  };
  // Sums over many hours: of the squared differences from the expected bad events, less those due
  // to chance; and of the squared expectations.
  struct Hours {
    float beyond = 0, expected = 0;
  };
  double Share() const;
  void LearnSwing();

  LearnGate gate_;
  double bad_ = 0, total_ = 0;
  Hour hour_;
  Hours hours_;
  // Decayed sums over the last days: of χ² − 1, of the expected bad events, and of panes.
  float excess_ = 0, expected_ = 0, panes_ = 0;
};

// Events per pane, or the value of a gauge. Seasonal once an hour of the week was visited 3 times.
// Until then the mean is the larger of the overall mean and the mean of the last hour: a series
// that is first seen at night must not be surprised, hour by hour, by its first morning. The season
// takes 1.3 KiB.
class RateBaseline {
 public:
  // `time` is the pane's start.
  void Update(const LearnPolicy& policy, TimeUs time, double count, const BaselinePace& pace);
  bool warm() const { return gate_.warm(); }
  bool relearning() const { return gate_.relearning(); }
  // This hour of the week was visited often enough.
  bool Knows(TimeUs time) const;
  double Mean(TimeUs time) const;
  // Variance ÷ mean, within [1, 100]: around the mean of this hour if that is known, else around
  // the overall mean, so that the daily rise and fall is part of it.
  double Dispersion(TimeUs time) const;
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  struct Slot {
    float mean = 0;
    std::uint16_t panes = 0;
    std::uint16_t visits = 0;
  };
  struct Spread {
    double squares = 0;   // sum of the squared distances from the mean
    double expected = 0;  // the sum of the means
  };
  void Visit(TimeUs time, double count);

  LearnGate gate_;
  double sum_ = 0, weight_ = 0;
  double recent_ = 0;                  // exponentially weighted over an hour
  std::array<Spread, 2> spread_ = {};  // in unknown hours, in known hours
  TimeUs last_ = kNoTime;              // the last learned pane
  TimeUs hour_ = kNoTime;              // start of the hour being learned
  std::vector<Slot> slots_;            // 168, or none before the first sample
};

// The 95th percentile of a latency, from two generations of thinned histograms, a day each.
class QuantileBaseline {
 public:
  void Update(const LearnPolicy& policy, const LogHistogram* pane_histogram,
              const BaselinePace& pace);
  bool warm() const { return gate_.warm(); }
  bool relearning() const { return gate_.relearning(); }
  // In µs; updated once a minute of learning.
  std::int64_t p95() const { return p95_; }
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  LearnGate gate_;
  PackedSketch<LogHistogram> current_, previous_;
  DurationUs current_age_ = 0, since_quantile_ = 0;
  std::int64_t p95_ = 0;
};

}  // namespace tocsin
