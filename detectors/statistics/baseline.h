// What is usual for a series, learned from it: ratios, rates, latencies.
//
//   RatioBaseline baseline;
//   double p0 = baseline.Upper(default_p0);          // before this pane is judged
//   baseline.Update({.frozen = frozen, .partial = pane.partial}, bad, total, pace);
//
// Exponentially weighted with a half-life of one week. A baseline is *warm* after 30 samples and
// 30 min, whichever is later; before that callers use a default. It freezes while its series is
// firing or suspect, and in partial panes; after 24 h of freezing what it sees is the new normal:
// it forgets most of the past and learns again, and says so for a day (`relearning`). Value types;
// not thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/histogram.h"
#include "core/time.h"
#include "core/wire.h"
#include "detectors/statistics/window.h"

namespace tocsin {

// Per pane factors of the decay, computed once a detector.
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

// The gate that all baselines share: warm-up, freezing, re-learning.
class LearnGate {
 public:
  enum class Step : std::uint8_t { kSkip, kLearn, kStartAnew };
  // `sample`: the pane has something to learn from.
  Step Pass(const LearnPolicy& policy, bool sample, DurationUs pane);
  bool warm() const { return samples_ >= kSamplesMin && age_ >= kAgeMin; }
  // Has learned for a day.
  bool mature() const { return warm() && age_ >= kDayUs; }
  // Started anew less than a day ago.
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
  DurationUs anew_for_ = kDayUs;  // since it started anew, up to a day
};

// A ratio of counts. The seasonal form (two integers an hour-of-week slot) would add 1.3 KiB to
// each of up to 200,000 series; instead it learns how far the ratio swings from hour to hour, beyond
// chance: √2 times the deviation of its hours, which is the amplitude of a sine.
class RatioBaseline {
 public:
  void Update(const LearnPolicy& policy, std::int64_t bad, std::int64_t total,
              const BaselinePace& pace);
  bool warm() const { return gate_.warm(); }
  bool mature() const { return gate_.mature(); }
  bool relearning() const { return gate_.relearning(); }
  // Shrunk towards `prior` by the weight of kPriorEvents.
  double Mean(double prior) const;
  // 90 % upper bound of the shrunk mean in the hours in which it is highest, at least 1e-4; `prior`
  // until warm.
  double Upper(double prior) const;
  // How far the hours' means are above and below that of all, as a part of it: within [0, 1], 0 where
  // chance may have made it.
  double Swing() const;
  // How much more the bad events of a pane vary than those of a binomial. Pearson χ²/df of the panes
  // that there were, within [1, 64]; 1 until there are enough of them.
  double Dispersion() const;
  // Of a pane of so many events: more where it has more than others, as far as it is the share
  // itself that varies from pane to pane (1 + ρ·n·p).
  double Dispersion(std::int64_t total) const;
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

 private:
  // The bad events of the hour that is being learned.
  struct Hour {
    float seen = 0, expected = 0;
    std::int32_t panes = 0;
  };
  // Of many hours: squares of what was beyond the expected, without what chance does; squares of the
  // expected.
  struct Hours {
    float beyond = 0, expected = 0;
  };
  double Share() const;
  void LearnSwing();

  LearnGate gate_;
  double bad_ = 0, total_ = 0;
  Hour hour_;
  Hours hours_;
  // Of the last days: the sums of χ² − 1 and of the bad events that were expected, and the panes.
  float excess_ = 0, expected_ = 0, panes_ = 0;
};

// Events per pane, or the value of a gauge. Seasonal once an hour of the week was visited 3 times.
// Until then the larger of the mean of all that was and of the last hour: a series that is first
// seen at night must not be surprised, hour by hour, by its first morning. 1.3 KiB of season.
class RateBaseline {
 public:
  // `time` is the pane's start.
  void Update(const LearnPolicy& policy, TimeUs time, double count, const BaselinePace& pace);
  bool warm() const { return gate_.warm(); }
  bool relearning() const { return gate_.relearning(); }
  // This hour of the week was visited often enough.
  bool Knows(TimeUs time) const;
  double Mean(TimeUs time) const;
  // Variance ÷ mean, within [1, 100]: about the mean of this hour where that is known, else about
  // that of all hours, so that a day's rise and fall is part of it.
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
    double squares = 0;   // of the distances from the mean
    double expected = 0;  // the sum of the means
  };
  void Visit(TimeUs time, double count);

  LearnGate gate_;
  double sum_ = 0, weight_ = 0;
  double recent_ = 0;                  // exponentially weighted over an hour
  std::array<Spread, 2> spread_ = {};  // of hours that were unknown, and known
  TimeUs last_ = kNoTime;              // the pane learned last
  TimeUs hour_ = kNoTime;              // start of the hour being learned
  std::vector<Slot> slots_;            // 168, or none before the first sample
};

// A high quantile of a latency: two generations of thinned histograms, a day each.
class QuantileBaseline {
 public:
  void Update(const LearnPolicy& policy, const LogHistogram* pane_histogram,
              const BaselinePace& pace);
  bool warm() const { return gate_.warm(); }
  bool relearning() const { return gate_.relearning(); }
  // µs; as of the last full minute of learning.
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
