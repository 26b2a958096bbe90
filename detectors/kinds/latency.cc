// latency: too many responses are slow, by a fixed threshold or relative to the usual.
//
//   kind: latency
//   where: {type: request}            # the default type; query too
//   by: [service]
//   warn: {p95_above: 2s, window: 5m, for: 5m, level: 2}
//   warn: {p95_above_baseline: 3, at_least: 50ms, window: 5m, for: 5m}
//
// "p95 > T" means "more than 5 % take longer than T", so slow responses are counted and judged like
// errors (ratio_level.h): is their share 5 %, or the share that may be usual above a useful T? The
// usual share is assumed to be the same for every T: if it were learned, a low T that is often
// exceeded would need more evidence, and page later, than a high one. A fixed T is counted by stage
// 1; a factor of the learned p95 needs the histogram and a warm baseline. With both keys T is the
// larger of the two: both must hold. Values are in ms.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/number_text.h"
#include "detectors/change_point.h"
#include "detectors/evidence.h"
#include "detectors/ratio_level.h"
#include "detectors/stanza.h"
#include "detectors/statistics/baseline.h"

namespace tocsin {
namespace {

// By definition of the 95th percentile.
constexpr double kSlowShare = 0.05;
// Evidence is against this share, so that a share of up to 3.7 % is no evidence
// (RatioEvidence::UsualMax), and such a series can clear.
constexpr double kUsualSlowShare = 0.0175;
constexpr double kClearShare = 0.0375;

enum MeasureIndex : std::size_t { kTimed, kDurations, kFirstAbove };

struct LatencyLimits {
  std::optional<DurationUs> above;
  std::optional<double> factor;
  DurationUs at_least = 0;
  RatioLimits ratio;
  std::size_t measure = 0;  // index of the count above T, if there is no factor
};

double Milliseconds(std::int64_t duration_us) { return static_cast<double>(duration_us) / 1000; }

class Latency;

// One level of one series.
struct LatencyLevel {
  LatencyLevel(const LatencyLimits* level_limits, int ring_capacity)
      : limits(level_limits), ring(ring_capacity), ratio(&level_limits->ratio) {}

  LevelReading Update(const PaneContext& pane, const SpecCells& cells, double h,
                      const QuantileBaseline& usual);
  bool suspicious() const { return evidence.Suspected(kSlowShare); }
  OnsetInterval Began(const PaneContext& pane) const {
    return RatioChange(ring, pane, {.usual = evidence.UsualMax(), .changed = kSlowShare});
  }
  void Show(LevelReading* reading) const;
  // nullopt: the baseline is not warm yet.
  std::optional<DurationUs> Threshold(const QuantileBaseline& usual) const;
  void Encode(ByteWriter* out) const;
  void Decode(ByteReader* in);

  const LatencyLimits* limits;
  CountRing ring;
  RatioLevel ratio;
  RatioEvidence evidence;    // that more than usual are above the threshold
  DurationUs threshold = 0;  // of the last Update
  std::int64_t p95 = 0;      // over the window; a minute old unless something is suspicious
};

class LatencySeries : public SeriesState {
 public:
  explicit LatencySeries(const Latency* detector);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  const Latency* detector_;
  std::array<std::unique_ptr<LatencyLevel>, 2> levels_;
  SketchWindow<LogHistogram> durations_;     // over the longest window
  std::unique_ptr<QuantileBaseline> usual_;  // null unless a level needs it
  PlotRing plot_;
  int explained_ = 0;
};

class Latency : public Detector {
 public:
  Latency(DetectorCommon common, const DetectorEnvironment& environment,
          const std::array<LatencyLimits, 2>& level_limits)
      : Detector(std::move(common)),
        limits(level_limits),
        pace(environment.pane),
        h(environment.EvidenceThreshold()) {
    DefaultType(EventType::kRequest, &common_.where);
    std::size_t next = kFirstAbove;
    for (std::size_t slot = 0; slot < 2; ++slot) {
      if (!common_.level[slot].set) continue;
      LatencyLimits& level = limits[slot];
      level.ratio = RatioLimits(common_.level[slot], kSlowShare, kClearShare, common_.min_volume,
                                environment);
      longest_window = std::max(longest_window, level.ratio.window);
      needs_baseline = needs_baseline || level.factor.has_value();
      if (!level.factor) level.measure = next++;
    }
  }

  SeriesSpec Spec() const override {
    std::vector<Measure> measures = {Measure::CountWithDuration(), Measure::Histogram()};
    for (std::size_t slot = 0; slot < 2; ++slot) {
      if (!common_.level[slot].set || limits[slot].factor) continue;
      measures.push_back(Measure::CountAbove(*limits[slot].above));
    }
    return SpecOf(common_, std::move(measures));
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<LatencySeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    return absl::StrCat("p95 latency of ", SeriesText(signal), " is ", ShortNumber(signal.value),
                        " ms (above ", ShortNumber(signal.threshold), " ms over ",
                        FormatDuration(LevelOf(common_, signal).window), ")");
  }

  std::array<LatencyLimits, 2> limits;
  BaselinePace pace;
  double h;  // evidence required
  bool needs_baseline = false;
  int longest_window = 1;  // panes
};

std::optional<DurationUs> LatencyLevel::Threshold(const QuantileBaseline& usual) const {
  if (!limits->factor) return limits->above;
  if (!usual.warm()) return limits->above;
  const auto scaled = static_cast<DurationUs>(*limits->factor * static_cast<double>(usual.p95()));
  return std::max({scaled, limits->above.value_or(0), limits->at_least});
}

LevelReading LatencyLevel::Update(const PaneContext& pane, const SpecCells& cells, double h,
                                  const QuantileBaseline& usual) {
  const bool present = cells.cell.present();
  const std::optional<DurationUs> limit = Threshold(usual);
  threshold = limit.value_or(0);
  std::int64_t slow = 0;
  const std::int64_t timed = present ? cells.Count(kTimed) : 0;
  if (present && limit) {
    slow = limits->factor ? cells.Histogram(kDurations).CountAbove(*limit)
                          : cells.Count(limits->measure);
  }
  // Without a threshold yet, no response may count as fast.
  ring.Push(slow, limit ? timed : 0);
  if (!pane.partial && limit) {
    evidence.Update(slow, timed,
                    {.p0 = kUsualSlowShare, .h = h, .enough = EnoughEvidence(h, pane)});
  }
  return ratio.Update(pane, ring, evidence, /*usual_max=*/0);
}

void LatencyLevel::Show(LevelReading* reading) const {
  reading->value = Milliseconds(p95);
  reading->threshold = Milliseconds(threshold);
  // By the counts the p95 of exactly the window is above the threshold; the merged histograms reach
  // a little further back, so their p95 may still be below it.
  if (reading->verdict >= Verdict::kBreach) {
    reading->value = std::max(reading->value, reading->threshold);
  }
}

void LatencyLevel::Encode(ByteWriter* out) const {
  ring.Encode(out);
  ratio.Encode(out);
  evidence.Encode(out);
  out->Signed(threshold);
  out->Signed(p95);
}

void LatencyLevel::Decode(ByteReader* in) {
  ring.Decode(in);
  ratio.Decode(ring, in);
  if (in->format() >= 6) {
    evidence.Decode(in);
  } else {
    RatioBaseline().Decode(in);  // format 5: baseline of the share
  }
  threshold = in->Signed();
  p95 = in->Signed();
}

LatencySeries::LatencySeries(const Latency* detector)
    : detector_(detector), durations_(detector->longest_window, LogHistogram()) {
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!detector->common().level[slot].set) continue;
    const LatencyLimits& limits = detector->limits[slot];
    levels_[slot] = std::make_unique<LatencyLevel>(&limits, limits.ratio.RingCapacity());
    if (levels_[0] == nullptr) explained_ = 1;
  }
  if (detector->needs_baseline) usual_ = std::make_unique<QuantileBaseline>();
}

Reading LatencySeries::Update(const PaneContext& pane, const SpecCells& cells) {
  static const QuantileBaseline kNone;
  const QuantileBaseline& usual = usual_ != nullptr ? *usual_ : kNone;
  const LogHistogram* histogram = cells.cell.present() ? &cells.Histogram(kDurations) : nullptr;
  const bool part_complete = durations_.NextPane();
  if (histogram != nullptr) durations_.Add(*histogram);
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    LatencyLevel* level = levels_[slot].get();
    if (level == nullptr) continue;
    reading.level[slot] = level->Update(pane, cells, detector_->h, usual);
    // Merging the window's histograms costs microseconds: do it only if the result is needed.
    if (part_complete || pane.firing || level->suspicious()) {
      level->p95 = durations_.Merged(level->limits->ratio.window).Quantile(0.95);
    }
    level->Show(&reading.level[slot]);
    if (level->suspicious()) {
      reading.suspicious = true;
      if (!pane.firing) reading.began = level->Began(pane);
    }
    if (reading.level[slot].verdict >= Verdict::kBreach) explained_ = static_cast<int>(slot);
  }
  if (usual_ != nullptr) {
    const bool frozen = pane.firing || (reading.suspicious && usual_->warm());
    usual_->Update({.frozen = frozen, .partial = pane.partial}, histogram, detector_->pace);
  }
  plot_.Push(histogram != nullptr && histogram->count() > 0
                 ? Milliseconds(histogram->Quantile(0.95))
                 : std::numeric_limits<double>::quiet_NaN());
  return reading;
}

std::vector<Evidence> LatencySeries::Explain() const {
  const auto slot = static_cast<std::size_t>(explained_);
  const LatencyLevel& level = *levels_[slot];
  const LogHistogram window = durations_.Merged(level.limits->ratio.window);
  EvidenceList list;
  list.Text("window", "duration", FormatDuration(detector_->common().level[slot].window))
      .Int("samples", "events", level.ratio.window().total())
      .Int("samples", "slow", level.ratio.window().bad());
  if (usual_ != nullptr) {
    list.Number("baseline", "p95_ms", Milliseconds(usual_->p95()));
    if (usual_->relearning()) list.Text("baseline", "state", "learning anew after 24 h");
  }
  return list.Number("baseline", "slow_share", kUsualSlowShare)
      .Number("threshold", "p95_ms", Milliseconds(level.threshold))
      .Number("evidence_floor", "events", EvidenceFloor(detector_->h, kUsualSlowShare, kSlowShare))
      .Number("value", "p50_ms", Milliseconds(window.Quantile(0.5)))
      .Number("value", "p99_ms", Milliseconds(window.Quantile(0.99)))
      .Json("panes", "p95_ms", plot_.Json())
      .Take();
}

void LatencySeries::Encode(ByteWriter* out) const {
  durations_.Encode(out);
  for (const auto& level : levels_) {
    if (level != nullptr) level->Encode(out);
  }
  if (usual_ != nullptr) usual_->Encode(out);
  plot_.Encode(out);
  out->Varint(static_cast<std::uint64_t>(explained_));
}

void LatencySeries::Decode(ByteReader* in) {
  durations_.Decode(in);
  for (const auto& level : levels_) {
    if (level != nullptr) level->Decode(in);
  }
  if (usual_ != nullptr) usual_->Decode(in);
  plot_.Decode(in);
  const std::uint64_t explained = in->Varint();
  if (explained > 1 || levels_[explained] == nullptr) in->Fail();
  if (in->ok()) explained_ = static_cast<int>(explained);
}

}  // namespace

std::unique_ptr<Detector> NewLatency(const DetectorConfig& stanza,
                                     const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  std::array<LatencyLimits, 2> limits;
  DetectorCommon common =
      ReadCommon(stanza, {.category = Category::kPerformance, .degraded_only = true}, &reader,
                 errors, [&limits](ConfigReader& level, int slot, LevelConfig* config) {
                   LatencyLimits& limit = limits[static_cast<std::size_t>(slot)];
                   if (level.Has("p95_above")) {
                     limit.above = level.Duration("p95_above", kSecondUs, 1, kDayUs);
                     config->above = Milliseconds(*limit.above);
                     config->clear = config->above;
                   }
                   limit.factor = level.OptionalNumber("p95_above_baseline", 1, 1000);
                   if (limit.factor && !limit.above) config->above = *limit.factor;
                   limit.at_least = level.Duration("at_least", 0, 0, kDayUs);
                   const bool relative = level.Has("p95_above_baseline");
                   if (level.Has("at_least") && !relative) {
                     level.Error("at_least", "at_least requires p95_above_baseline");
                   }
                   if (!limit.above && !relative) {
                     level.Missing("",
                                   "latency needs 'p95_above' (a duration, such as 2s) or "
                                   "'p95_above_baseline' (a factor, such as 3)");
                   }
                   if (!limit.above && !limit.factor) limit.above = kSecondUs;
                 });
  reader.Finish();
  return std::make_unique<Latency>(std::move(common), environment, limits);
}

}  // namespace tocsin
