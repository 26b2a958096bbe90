#include "detectors/failure_ratio.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/number_text.h"
#include "core/space_saving.h"
#include "detectors/change_point.h"
#include "detectors/evidence.h"
#include "detectors/ratio_level.h"
#include "detectors/stanza.h"
#include "detectors/statistics/baseline.h"

namespace tocsin {
namespace {

// The failures of a service on a good day: the start value of a series without history.
constexpr double kUsualFailures = 0.002;
// Bounds of p0: a larger share is never usual, and a share below one in ten thousand is never
// known.
constexpr double kUsualMax = 0.2, kUsualMin = 1e-4;
// With this many failures expected and no more than usual seen, the fault goes on only once in
// 3,000 times.
constexpr double kOverExpected = 8;
constexpr std::uint32_t kTopFailing = 16;
// From this share of failed requests a service counts as down.
constexpr double kDownShare = 0.5;

enum MeasureIndex : std::size_t { kTotal, kFailed, kFirstTop };

class FailureRatioDetector;

class FailureRatioSeries : public SeriesState {
 public:
  explicit FailureRatioSeries(const FailureRatioDetector* detector);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  double P0() const;
  // The failures that caused the evidence are over.
  bool IsOver() const;
  // Whether `holds` is true of the evidence at any level's threshold.
  bool AnyLevel(bool (RatioEvidence::*holds)(double above) const) const;
  void CountTops(bool firing, const SpecCells& cells, std::int64_t failed);

  const FailureRatioDetector* detector_;
  CountRing ring_;
  std::array<std::optional<RatioLevel>, 2> levels_;
  RatioBaseline baseline_;
  RatioEvidence evidence_;
  // The usual was known when the firing signal began, or has been learned for a day since.
  // Otherwise a share that is usual by now may be that of the fault.
  bool usual_known_ = false;
  int explained_ = 0;  // the level that Explain describes
  // Failures by top field, from the beginning of the evidence to the end of the signal; null for
  // most series.
  std::unique_ptr<std::vector<SpaceSaving>> tops_;
};

class FailureRatioDetector : public Detector {
 public:
  FailureRatioDetector(DetectorCommon common, const DetectorEnvironment& environment,
                       FailureRatio failure_ratio)
      : Detector(std::move(common)),
        ratio(std::move(failure_ratio)),
        pace(environment.pane),
        h(environment.EvidenceThreshold()),
        minute(PanesOf(kMinuteUs, environment.pane)) {
    DefaultType(ratio.type, &common_.where);
    for (std::size_t slot = 0; slot < 2; ++slot) {
      const LevelConfig& level = common_.level[slot];
      if (!level.set) continue;
      limits[slot] = RatioLimits(level, Share(level.above), Share(level.clear), common_.min_volume,
                                 environment);
      ring_capacity = std::max(ring_capacity, limits[slot].RingCapacity());
    }
    std::erase_if(ratio.top_fields, [&](Field field) { return GroupsBy(common_, field); });
  }

  // Converts a share of failures to the kind's own unit, and back.
  double Share(double share) const { return ratio.of_successes ? 1 - share : share; }

  SeriesSpec Spec() const override {
    const auto of_failures = [&](Measure measure) {
      if (ratio.counted)
        return std::move(measure).Where(ratio.counted->first, ratio.counted->second);
      measure.filter = MeasureFilter::kFailed;
      return measure;
    };
    std::vector<Measure> measures = {Measure::Count(), of_failures(Measure::Count())};
    for (const Field field : ratio.top_fields) {
      measures.push_back(of_failures(Measure::TopK(field, kTopFailing)));
    }
    return SpecOf(common_, std::move(measures));
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<FailureRatioSeries>(this);
  }
  bool MeansDown(const Signal& signal) const override {
    const bool of_service = common_.where.MatchesType(EventType::kRequest) && !ratio.counted &&
                            !GroupsBy(common_, Field::kEndpoint) &&
                            !GroupsBy(common_, Field::kDependency);
    return of_service && Share(signal.value) >= kDownShare;
  }
  std::string Title(const Signal& signal) const override {
    const LevelConfig& level = LevelOf(common_, signal);
    return absl::StrCat(ratio.noun, " of ", SeriesText(signal), " is ", PercentText(signal.value),
                        ratio.of_successes ? " (below " : " (above ", PercentText(signal.threshold),
                        " over ", FormatDuration(level.window), ")");
  }

  FailureRatio ratio;
  std::array<RatioLimits, 2> limits;
  BaselinePace pace;
  double h;    // evidence required
  int minute;  // panes
  int ring_capacity = 1;
};

FailureRatioSeries::FailureRatioSeries(const FailureRatioDetector* detector)
    : detector_(detector), ring_(detector->ring_capacity) {
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!detector->common().level[slot].set) continue;
    levels_[slot].emplace(&detector->limits[slot]);
    if (!levels_[0]) explained_ = 1;
  }
}

double FailureRatioSeries::P0() const {
  const double usual = detector_->ratio.p0.value_or(baseline_.Upper(kUsualFailures));
  return std::clamp(usual, kUsualMin, kUsualMax);
}

bool FailureRatioSeries::IsOver() const {
  std::int64_t bad = 0, total = 0, all_bad = 0, all_total = 0;
  ring_.AddTo(kPlotPanes, &all_bad, &all_total);
  for (int age = 0; age < kPlotPanes; ++age) {
    bad += ring_.At(age).bad;
    total += ring_.At(age).total;
    const auto now = static_cast<double>(total), rest = static_cast<double>(all_total - total);
    if (age + 1 < detector_->minute || static_cast<double>(bad) > evidence_.UsualMax() * now) {
      continue;
    }
    if (now * static_cast<double>(all_bad - bad) >= kOverExpected * rest && rest > 0) return true;
  }
  return false;
}

bool FailureRatioSeries::AnyLevel(bool (RatioEvidence::*holds)(double above) const) const {
  return std::any_of(levels_.begin(), levels_.end(), [&](const auto& level) {
    return level && (evidence_.*holds)(level->limits().above);
  });
}

Reading FailureRatioSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const bool present = cells.cell.present();
  const std::int64_t total = present ? cells.Count(kTotal) : 0;
  const std::int64_t failed = present ? cells.Count(kFailed) : 0;
  ring_.Push(failed, total);
  const double p0 = P0();
  const double dispersion = detector_->ratio.p0 ? 1 : baseline_.Dispersion(total);
  if (!pane.partial) {
    evidence_.Update(failed, total,
                     {.p0 = p0,
                      .dispersion = dispersion,
                      .h = detector_->h,
                      .enough = EnoughEvidence(detector_->h, pane)});
    if (evidence_.HeldOfAny() && IsOver()) evidence_.Forget();
  }
  const bool known = detector_->ratio.p0 || (pane.firing ? baseline_.mature() : baseline_.warm());
  usual_known_ = known || (pane.firing && usual_known_);
  const double usual_max = usual_known_ ? evidence_.UsualMax() : 0;
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!levels_[slot]) continue;
    LevelReading& level = reading.level[slot];
    level = levels_[slot]->Update(pane, ring_, evidence_, usual_max);
    const double above = levels_[slot]->limits().above;
    if (evidence_.Suspected(above) && !pane.firing) {
      reading.began =
          RatioChange(ring_, pane, {.usual = p0, .changed = above, .dispersion = dispersion});
    }
    if (level.verdict >= Verdict::kBreach) explained_ = static_cast<int>(slot);
    level.value = detector_->Share(level.value);
    level.threshold = detector_->common().level[slot].above;
  }
  reading.suspicious = AnyLevel(&RatioEvidence::Suspected);
  // Until the baseline is warm, evidence is against the prior, which may not be what is usual here.
  const bool frozen = baseline_.warm() ? evidence_.Unusual() : evidence_.Outage();
  baseline_.Update({.frozen = frozen, .partial = pane.partial}, failed, total, detector_->pace);
  CountTops(pane.firing, cells, failed);
  return reading;
}

void FailureRatioSeries::CountTops(bool firing, const SpecCells& cells, std::int64_t failed) {
  if (!firing && !AnyLevel(&RatioEvidence::Any)) {
    tops_.reset();
    return;
  }
  const std::size_t fields = detector_->ratio.top_fields.size();
  if (failed == 0 || fields == 0) return;
  if (tops_ == nullptr) {
    tops_ = std::make_unique<std::vector<SpaceSaving>>(fields, SpaceSaving(kTopFailing));
  }
  for (std::size_t i = 0; i < fields; ++i) (*tops_)[i].Merge(cells.Top(kFirstTop + i));
}

std::vector<Evidence> FailureRatioSeries::Explain() const {
  const auto slot = static_cast<std::size_t>(explained_);
  const RatioLevel& level = *levels_[slot];
  const LevelConfig& config = detector_->common().level[slot];
  const double p0 = P0();
  EvidenceList list;
  list.Text("window", "duration", FormatDuration(config.window))
      .Int("samples", "events", level.window().total())
      .Int("samples", "failed", level.window().bad())
      .Number("baseline", "rate", detector_->Share(p0));
  if (baseline_.relearning()) list.Text("baseline", "state", "learning anew after 24 h");
  const double dispersion = detector_->ratio.p0 ? 1 : baseline_.Dispersion();
  if (dispersion > 1) list.Number("baseline", "dispersion", dispersion);
  list.Number("threshold", "rate", config.above)
      .Number("evidence_floor", "events",
              dispersion * EvidenceFloor(detector_->h, p0, level.limits().above));
  if (tops_ != nullptr) {
    for (std::size_t i = 0; i < tops_->size(); ++i) {
      list.Top(FieldName(detector_->ratio.top_fields[i]), (*tops_)[i], 5);
    }
  }
  const bool successes = detector_->ratio.of_successes;
  return list.Json("panes", "rate", successes ? ring_.ComplementsJson() : ring_.RatesJson()).Take();
}

void FailureRatioSeries::Encode(ByteWriter* out) const {
  ring_.Encode(out);
  baseline_.Encode(out);
  evidence_.Encode(out);
  out->Bool(usual_known_);
  out->Varint(static_cast<std::uint64_t>(explained_));
  for (const auto& level : levels_) {
    if (level) level->Encode(out);
  }
  out->Bool(tops_ != nullptr);
  if (tops_ == nullptr) return;
  for (const SpaceSaving& top : *tops_) top.Encode(out);
}

void FailureRatioSeries::Decode(ByteReader* in) {
  ring_.Decode(in);
  baseline_.Decode(in);
  if (in->format() >= 6) {
    evidence_.Decode(in);
    usual_known_ = in->Bool();
  } else {
    in->Double();  // p0; older evidence has to accumulate again
  }
  const std::uint64_t explained = in->Varint();
  if (explained > 1 || !levels_[explained]) in->Fail();
  if (in->ok()) explained_ = static_cast<int>(explained);
  for (auto& level : levels_) {
    if (level) level->Decode(ring_, in);
  }
  tops_.reset();
  if (!in->Bool()) return;
  tops_ = std::make_unique<std::vector<SpaceSaving>>();
  for (std::size_t i = 0; i < detector_->ratio.top_fields.size(); ++i) {
    tops_->push_back(SpaceSaving::Decode(in));
  }
}

}  // namespace

std::unique_ptr<Detector> NewFailureRatio(DetectorCommon common,
                                          const DetectorEnvironment& environment,
                                          FailureRatio ratio) {
  return std::make_unique<FailureRatioDetector>(std::move(common), environment, std::move(ratio));
}

}  // namespace tocsin
