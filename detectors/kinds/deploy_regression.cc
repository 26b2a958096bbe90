// deploy_regression: since a deploy, a service fails more often or responds more slowly than
// before.
//
//   kind: deploy_regression
//   where: {type: request}                      # the default type; query, transaction … too
//   by: [service]
//   warn: {error_ratio: 3, error_above: 1%, p95_ratio: 1.5, p95_above: 100ms, for: 2m, level: 3}
//
// For an hour after a release of the series' service (or of one that names no service) the series
// is compared with the hour before the release and with the long-term usual. The limit is the worse
// of the two, times `error_ratio` for the share of failures and times `p95_ratio` for the 95th
// percentile of the duration, and at least `error_above` and `p95_above`. Either pair may be left
// out. Each is judged like a ratio (ratio_level.h); more than 5 % of responses above a duration
// means that the p95 is above it. A firing series is compared until it has recovered, a day at
// most; a rollback starts no comparison of its own. Without 50 events in the hour before there is
// no verdict.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/math.h"
#include "core/number_text.h"
#include "detectors/change_point.h"
#include "detectors/evidence.h"
#include "detectors/ratio_level.h"
#include "detectors/stanza.h"
#include "detectors/statistics/baseline.h"

namespace tocsin {
namespace {

constexpr DurationUs kBefore = kHourUs;
// A series that is still worse after a day stays so: that is the new normal.
constexpr DurationUs kCompareMax = kDayUs;
constexpr std::int64_t kBeforeEventsMin = 50;
constexpr double kErrorAboveDefault = 0.01;
// By definition of the 95th percentile; and the share of responses that are slower than 1.5 times
// the p95 or more while nothing is wrong.
constexpr double kSlowShare = 0.05;
constexpr double kUsualSlowShare = 0.01;
constexpr double kSlowClearShare = 0.0375;
constexpr double kUsualMin = 1e-4;
// One-sided 90 %, as for all baselines.
constexpr double kUpperZ = 1.2815515655446004;
constexpr std::uint32_t kTopFailing = 16;

enum MeasureIndex : std::size_t { kTotal, kFailed, kEndpoints, kVersions, kDurations };

struct RegressionLimits {
  std::optional<double> error_ratio, p95_ratio;
  double error_above = kErrorAboveDefault;
  DurationUs p95_above = 0;
};

double Milliseconds(DurationUs duration) { return static_cast<double>(duration) / 1000; }

// Counts of events and failures, in the form of a sketch for SketchWindow.
struct FailureCount {
  std::int64_t failed = 0, total = 0;
  void Merge(const FailureCount& other) {
    failed += other.failed;
    total += other.total;
  }
  void Clear() { *this = {}; }
  // 90 % upper bound of the share, 0 without events.
  double Upper() const {
    if (total == 0) return 0;
    const auto bad = static_cast<double>(failed);
    return std::min(1.0, (bad + kUpperZ * SquareRoot(bad + 1)) / static_cast<double>(total));
  }
  void Encode(ByteWriter* out) const {
    out->Signed(failed);
    out->Signed(total);
  }
  static FailureCount Decode(ByteReader* in) {
    FailureCount count;
    count.failed = in->Signed();
    count.total = in->Signed();
    if (count.failed < 0 || count.total < count.failed) in->Fail();
    return count;
  }
};

// One of the two ratios at one level, since the release. Not movable: `level` points into it.
struct Judged {
  // `usual` is the share of bad events before. p0 is at most a third of the limit: a rise by less
  // than a factor of about two could not be distinguished from it.
  Judged(const RatioLimits& of, double usual, double evidence_wanted)
      : limits(of),
        known_usual(usual),
        p0(std::max(kUsualMin, std::min(usual, limits.above / 3))),
        h(evidence_wanted),
        ring(of.RingCapacity()),
        level(&limits) {}
  Judged(const Judged&) = delete;
  Judged& operator=(const Judged&) = delete;

  LevelReading Update(const PaneContext& pane, std::int64_t bad, std::int64_t total) {
    ring.Push(bad, total);
    if (!pane.partial) {
      evidence.Update(bad, total, {.p0 = p0, .h = h, .enough = EnoughEvidence(h, pane)});
    }
    return level.Update(pane, ring, evidence, /*usual_max=*/0);
  }
  bool suspicious() const { return evidence.Suspected(limits.above); }
  OnsetInterval Began(const PaneContext& pane) const {
    return RatioChange(
        ring, pane, {.usual = std::max(known_usual, evidence.UsualMax()), .changed = limits.above});
  }
  void Encode(ByteWriter* out) const {
    ring.Encode(out);
    level.Encode(out);
    evidence.Encode(out);
  }
  void Decode(ByteReader* in) {
    ring.Decode(in);
    level.Decode(ring, in);
    if (in->format() >= 6) evidence.Decode(in);
  }

  RatioLimits limits;
  double known_usual;  // share of bad events before the release
  double p0, h;
  CountRing ring;
  RatioLevel level;
  RatioEvidence evidence;
};

class DeployRegression;

// The state of a series before a release, and the limits derived from it.
struct Comparison {
  // The worse of the hour before and the long-term usual.
  struct Before {
    TimeUs deployed_at = kNoTime;
    FailureCount count;
    double error_rate = 0;
    std::int64_t timed = 0;  // responses with a duration
    DurationUs p95 = 0;
  };
  Comparison(const DeployRegression& detector, const Before& state);

  bool judges_errors() const { return before.count.total >= kBeforeEventsMin; }
  bool judges_durations() const { return before.timed >= kBeforeEventsMin; }

  Before before;
  std::array<std::unique_ptr<Judged>, 2> errors, slow;
  std::array<DurationUs, 2> p95_limit{};
};

class DeployRegressionSeries : public SeriesState {
 public:
  explicit DeployRegressionSeries(const DeployRegression* detector);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  void StartOrEnd(const PaneContext& pane);
  Reading Judge(const PaneContext& pane, const SpecCells& cells);
  const LogHistogram* Durations(const SpecCells& cells) const;

  const DeployRegression* detector_;
  SketchWindow<FailureCount> counts_;
  RatioBaseline usual_errors_;
  // Set if a level judges durations.
  std::unique_ptr<SketchWindow<LogHistogram>> durations_;
  std::unique_ptr<QuantileBaseline> usual_durations_;
  std::unique_ptr<Comparison> comparison_;
  // Since the release: endpoints and versions of failures, and durations.
  PackedSketch<SpaceSaving> endpoints_, versions_;
  PackedSketch<LogHistogram> since_;
  CountRing rates_;
  PlotRing p95s_;
  int explained_ = 0;
  bool explains_durations_ = false;
};

class DeployRegression : public Detector {
 public:
  DeployRegression(DetectorCommon common, const DetectorEnvironment& settings,
                   const std::array<RegressionLimits, 2>& level_limits)
      : Detector(std::move(common)),
        limits(level_limits),
        environment(settings),
        pace(settings.pane),
        h(settings.EvidenceThreshold()),
        before_panes(PanesOf(kBefore, settings.pane)) {
    DefaultType(EventType::kRequest, &common_.where);
    for (std::size_t slot = 0; slot < 2; ++slot) {
      times_durations = times_durations || (common_.level[slot].set && limits[slot].p95_ratio);
    }
  }

  SeriesSpec Spec() const override {
    std::vector<Measure> measures = {
        Measure::Count(), Measure::CountFailed(),
        Measure::TopK(Field::kEndpoint, kTopFailing, MeasureFilter::kFailed),
        Measure::TopK(Field::kVersion, kTopFailing, MeasureFilter::kFailed)};
    if (times_durations) measures.push_back(Measure::Histogram());
    return SpecOf(common_, std::move(measures));
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<DeployRegressionSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    const bool durations =
        std::any_of(signal.evidence.begin(), signal.evidence.end(), [](const Evidence& evidence) {
          return evidence.kind == "threshold" && evidence.name == "p95_ms";
        });
    if (durations) {
      return absl::StrCat("p95 latency of ", SeriesText(signal), " is ", ShortNumber(signal.value),
                          " ms since the deploy (above ", ShortNumber(signal.threshold), " ms)");
    }
    return absl::StrCat("error rate of ", SeriesText(signal), " is ", PercentText(signal.value),
                        " since the deploy (above ", PercentText(signal.threshold), ")");
  }
  RatioLimits RatioOf(std::size_t slot, double above, double clear) const {
    return RatioLimits(common_.level[slot], above, clear, common_.min_volume, environment);
  }

  std::array<RegressionLimits, 2> limits;
  DetectorEnvironment environment;
  BaselinePace pace;
  double h;  // evidence required
  int before_panes;
  bool times_durations = false;
};

Comparison::Comparison(const DeployRegression& detector, const Before& state) : before(state) {
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!detector.common().level[slot].set) continue;
    const RegressionLimits& limits = detector.limits[slot];
    if (limits.error_ratio && judges_errors()) {
      const double above =
          std::min(1.0, std::max(limits.error_above, *limits.error_ratio * before.error_rate));
      // Clears halfway between the limit and the rate before.
      const double clear = std::min(above, (before.error_rate + above) / 2);
      errors[slot] = std::make_unique<Judged>(detector.RatioOf(slot, above, clear),
                                              before.error_rate, detector.h);
    }
    if (limits.p95_ratio && judges_durations()) {
      const double scaled = *limits.p95_ratio * static_cast<double>(before.p95);
      p95_limit[slot] = std::max(static_cast<DurationUs>(scaled), limits.p95_above);
      slow[slot] = std::make_unique<Judged>(detector.RatioOf(slot, kSlowShare, kSlowClearShare),
                                            kUsualSlowShare, detector.h);
    }
  }
}

DeployRegressionSeries::DeployRegressionSeries(const DeployRegression* detector)
    : detector_(detector), counts_(detector->before_panes, FailureCount()), rates_(kPlotPanes + 1) {
  if (!detector->common().level[0].set) explained_ = 1;
  if (!detector->times_durations) return;
  durations_ = std::make_unique<SketchWindow<LogHistogram>>(detector->before_panes, LogHistogram());
  usual_durations_ = std::make_unique<QuantileBaseline>();
}

const LogHistogram* DeployRegressionSeries::Durations(const SpecCells& cells) const {
  return durations_ != nullptr && cells.cell.present() ? &cells.Histogram(kDurations) : nullptr;
}

void DeployRegressionSeries::StartOrEnd(const PaneContext& pane) {
  if (comparison_ != nullptr) {
    const DurationUs length = pane.end - comparison_->before.deployed_at;
    if (length > (pane.firing ? kCompareMax : kDeployWatch)) comparison_.reset();
  }
  if (pane.deployed_at == kNoTime || pane.firing) return;
  if (comparison_ != nullptr && comparison_->before.deployed_at >= pane.deployed_at) return;
  Comparison::Before before = {.deployed_at = pane.deployed_at, .count = counts_.Merged()};
  before.error_rate =
      std::max(before.count.Upper(), usual_errors_.warm() ? usual_errors_.Upper(0) : 0);
  if (durations_ != nullptr) {
    const LogHistogram durations = durations_->Merged();
    before.timed = durations.count();
    before.p95 = std::max(durations.Quantile(0.95), usual_durations_->p95());
  }
  comparison_ = std::make_unique<Comparison>(*detector_, before);
  endpoints_.Clear();
  versions_.Clear();
  since_.Clear();
}

void Suspect(const PaneContext& pane, const Judged& judged, Reading* reading) {
  if (!judged.suspicious()) return;
  reading->suspicious = true;
  if (!pane.firing) reading->began = judged.Began(pane);
}

Reading DeployRegressionSeries::Judge(const PaneContext& pane, const SpecCells& cells) {
  const bool present = cells.cell.present();
  const LogHistogram* durations = Durations(cells);
  if (present) {
    if (cells.Count(kFailed) > 0) {
      endpoints_.Merge(cells.Top(kEndpoints), SpaceSaving(kTopFailing));
      versions_.Merge(cells.Top(kVersions), SpaceSaving(kTopFailing));
    }
    if (durations != nullptr) since_.Merge(*durations, {});
  }
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    LevelReading& level = reading.level[slot];
    bool by_duration = false;
    if (Judged* errors = comparison_->errors[slot].get()) {
      level = errors->Update(pane, present ? cells.Count(kFailed) : 0,
                             present ? cells.Count(kTotal) : 0);
      Suspect(pane, *errors, &reading);
    }
    if (Judged* slow = comparison_->slow[slot].get()) {
      const DurationUs limit = comparison_->p95_limit[slot];
      LevelReading other =
          slow->Update(pane, durations != nullptr ? durations->CountAbove(limit) : 0,
                       durations != nullptr ? durations->count() : 0);
      Suspect(pane, *slow, &reading);
      by_duration = comparison_->errors[slot] == nullptr || other.verdict > level.verdict;
      if (by_duration) {
        other.threshold = Milliseconds(limit);
        other.value = Milliseconds(since_.Unpacked({}).Quantile(0.95));
        // The window is above the limit; the p95 since the release may still be below it.
        if (other.verdict >= Verdict::kBreach) other.value = std::max(other.value, other.threshold);
        level = other;
      }
    }
    if (level.verdict < Verdict::kBreach) continue;
    explained_ = static_cast<int>(slot);
    explains_durations_ = by_duration;
  }
  return reading;
}

Reading DeployRegressionSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const bool present = cells.cell.present();
  const LogHistogram* durations = Durations(cells);
  StartOrEnd(pane);
  Reading reading;
  if (comparison_ != nullptr) {
    reading = Judge(pane, cells);
  } else {
    for (std::size_t slot = 0; slot < 2; ++slot) {
      if (detector_->common().level[slot].set && !pane.partial) {
        reading.level[slot].verdict = Verdict::kClear;
      }
    }
  }
  const FailureCount count = {.failed = present ? cells.Count(kFailed) : 0,
                              .total = present ? cells.Count(kTotal) : 0};
  rates_.Push(count.failed, count.total);
  counts_.NextPane();
  counts_.Add(count);
  const LearnPolicy policy = {.frozen = pane.firing || reading.suspicious, .partial = pane.partial};
  usual_errors_.Update(policy, count.failed, count.total, detector_->pace);
  if (durations_ != nullptr) {
    durations_->NextPane();
    if (durations != nullptr) durations_->Add(durations->Thinned());
    usual_durations_->Update(policy, durations, detector_->pace);
    p95s_.Push(durations != nullptr && durations->count() > 0
                   ? Milliseconds(durations->Quantile(0.95))
                   : std::numeric_limits<double>::quiet_NaN());
  }
  return reading;
}

std::vector<Evidence> DeployRegressionSeries::Explain() const {
  const auto slot = static_cast<std::size_t>(explained_);
  EvidenceList list;
  list.Text("window", "duration", FormatDuration(detector_->common().level[slot].window));
  if (comparison_ != nullptr) {
    const Comparison::Before& before = comparison_->before;
    const Judged* judged =
        (explains_durations_ ? comparison_->slow : comparison_->errors)[slot].get();
    if (judged != nullptr) {
      list.Int("samples", "events", judged->level.window().total())
          .Int("samples", explains_durations_ ? "slow" : "failed", judged->level.window().bad());
    }
    list.Text("baseline", "deployed_at", FormatTime(before.deployed_at))
        .Int("baseline", "events", before.count.total);
    if (explains_durations_) {
      list.Number("baseline", "p95_ms", Milliseconds(before.p95))
          .Number("threshold", "p95_ms", Milliseconds(comparison_->p95_limit[slot]));
    } else {
      list.Number("baseline", "rate", before.error_rate);
      if (judged != nullptr) list.Number("threshold", "rate", judged->limits.above);
    }
    if (judged != nullptr) {
      list.Number("evidence_floor", "events",
                  EvidenceFloor(judged->h, judged->p0, judged->limits.above));
    }
    if (!explains_durations_) {
      list.Top("endpoint", endpoints_.Unpacked(SpaceSaving(kTopFailing)), 5)
          .Top("version", versions_.Unpacked(SpaceSaving(kTopFailing)), 5);
    }
  } else {
    list.Text("baseline", "state", "not compared any more, 24 h after the deploy");
  }
  return explains_durations_ ? list.Json("panes", "p95_ms", p95s_.Json()).Take()
                             : list.Json("panes", "rate", rates_.RatesJson()).Take();
}

void DeployRegressionSeries::Encode(ByteWriter* out) const {
  counts_.Encode(out);
  usual_errors_.Encode(out);
  rates_.Encode(out);
  out->Varint(static_cast<std::uint64_t>(explained_));
  out->Bool(explains_durations_);
  if (durations_ != nullptr) {
    durations_->Encode(out);
    usual_durations_->Encode(out);
    p95s_.Encode(out);
  }
  out->Bool(comparison_ != nullptr);
  if (comparison_ == nullptr) return;
  const Comparison::Before& before = comparison_->before;
  out->Signed(before.deployed_at);
  before.count.Encode(out);
  out->Double(before.error_rate);
  out->Signed(before.timed);
  out->Signed(before.p95);
  endpoints_.Encode(SpaceSaving(kTopFailing), out);
  versions_.Encode(SpaceSaving(kTopFailing), out);
  since_.Encode({}, out);
  for (const auto& judged : {&comparison_->errors, &comparison_->slow}) {
    for (const std::unique_ptr<Judged>& one : *judged) {
      if (one != nullptr) one->Encode(out);
    }
  }
}

void DeployRegressionSeries::Decode(ByteReader* in) {
  counts_.Decode(in);
  usual_errors_.Decode(in);
  rates_.Decode(in);
  const std::uint64_t explained = in->Varint();
  if (explained > 1 || !detector_->common().level[explained].set) in->Fail();
  if (in->ok()) explained_ = static_cast<int>(explained);
  explains_durations_ = in->Bool();
  if (durations_ != nullptr) {
    durations_->Decode(in);
    usual_durations_->Decode(in);
    p95s_.Decode(in);
  }
  comparison_.reset();
  if (!in->Bool()) return;
  Comparison::Before before;
  before.deployed_at = in->Signed();
  before.count = FailureCount::Decode(in);
  before.error_rate = in->Double();
  before.timed = in->Signed();
  before.p95 = in->Signed();
  endpoints_.Decode(in);
  versions_.Decode(in);
  since_.Decode(in);
  if (!(before.error_rate >= 0 && before.error_rate <= 1)) in->Fail();
  if (!in->ok()) return;
  comparison_ = std::make_unique<Comparison>(*detector_, before);
  for (const auto& judged : {&comparison_->errors, &comparison_->slow}) {
    for (const std::unique_ptr<Judged>& one : *judged) {
      if (one != nullptr) one->Decode(in);
    }
  }
}

void ReadRegression(ConfigReader& reader, RegressionLimits* limits, LevelConfig* level) {
  limits->error_ratio = reader.OptionalNumber("error_ratio", 1.5, 1000);
  limits->p95_ratio = reader.OptionalNumber("p95_ratio", 1.2, 1000);
  limits->error_above = reader.Ratio("error_above", kErrorAboveDefault);
  limits->p95_above = reader.Duration("p95_above", 0, 0, kDayUs);
  if (reader.Has("error_above") && !reader.Has("error_ratio")) {
    reader.Error("error_above", "error_above requires error_ratio");
  }
  if (reader.Has("p95_above") && !reader.Has("p95_ratio")) {
    reader.Error("p95_above", "p95_above requires p95_ratio");
  }
  if (limits->error_above <= 0) reader.Error("error_above", "error_above: expected more than 0");
  if (!reader.Has("error_ratio") && !reader.Has("p95_ratio")) {
    reader.Missing(
        "",
        "deploy_regression needs 'error_ratio' or 'p95_ratio' (a factor relative to before "
        "the deploy, such as 3)");
  }
  level->above = limits->error_ratio.value_or(limits->p95_ratio.value_or(0));
}

}  // namespace

std::unique_ptr<Detector> NewDeployRegression(const DetectorConfig& stanza,
                                              const DetectorEnvironment& environment,
                                              ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  std::array<RegressionLimits, 2> limits;
  DetectorCommon common =
      ReadCommon(stanza, {.category = Category::kAvailability}, &reader, errors,
                 [&limits](ConfigReader& level, int slot, LevelConfig* config) {
                   ReadRegression(level, &limits[static_cast<std::size_t>(slot)], config);
                 });
  reader.Finish();
  return std::make_unique<DeployRegression>(std::move(common), environment, limits);
}

}  // namespace tocsin
