#include "detectors/failure_ratio.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/number_text.h"
#include "core/space_saving.h"
#include "detectors/baseline.h"
#include "detectors/change_point.h"
#include "detectors/evidence.h"
#include "detectors/ratio_level.h"
#include "detectors/stanza.h"

namespace tocsin {
namespace {

// What a service loses on a good day: the start of a series about which nothing is known.
constexpr double kUsualFailures = 0.002;
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
  double Dispersion() const;
  bool Suspicious() const;
  void CountTops(bool firing, const SpecCells& cells, std::int64_t failed);

  const FailureRatioDetector* detector_;
  CountRing ring_;
  std::array<std::optional<RatioLevel>, 2> levels_;
  RatioBaseline baseline_;
  double p0_ = 0;      // of the last Update
  int explained_ = 0;  // the level that Explain is about
  // Failures by each top field since the evidence began, to the end of what fires; most series have
  // none.
  std::unique_ptr<std::vector<SpaceSaving>> tops_;
};

class FailureRatioDetector : public Detector {
 public:
  FailureRatioDetector(DetectorCommon common, const DetectorEnvironment& environment,
                       FailureRatio failure_ratio)
      : Detector(std::move(common)), ratio(std::move(failure_ratio)), pace(environment.pane) {
    DefaultType(ratio.type, &common_.where);
    double lowest = 1;
    for (std::size_t slot = 0; slot < 2; ++slot) {
      const LevelConfig& level = common_.level[slot];
      if (!level.set) continue;
      limits[slot] = RatioLimits(level, Share(level.above), Share(level.clear), common_.min_volume,
                                 environment);
      lowest = std::min(lowest, limits[slot].above);
      ring_capacity = std::max(ring_capacity, limits[slot].RingCapacity());
    }
    prior = std::min(kUsualFailures, lowest / 4);
    std::erase_if(ratio.top_fields, [&](Field field) { return GroupsBy(common_, field); });
  }

  // Of failures into what the kind speaks of, and back.
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
  double prior = kUsualFailures;
  int ring_capacity = 1;
};

FailureRatioSeries::FailureRatioSeries(const FailureRatioDetector* detector)
    : detector_(detector), ring_(detector->ring_capacity), p0_(P0()) {
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!detector->common().level[slot].set) continue;
    levels_[slot].emplace(&detector->limits[slot]);
    if (!levels_[0]) explained_ = 1;
  }
}

double FailureRatioSeries::P0() const {
  return detector_->ratio.p0 ? *detector_->ratio.p0 : baseline_.Upper(detector_->prior);
}

double FailureRatioSeries::Dispersion() const {
  return detector_->ratio.p0 ? 1 : baseline_.Dispersion();
}

bool FailureRatioSeries::Suspicious() const {
  return std::any_of(levels_.begin(), levels_.end(),
                     [](const auto& level) { return level && level->suspicious(); });
}

Reading FailureRatioSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const bool present = cells.cell.present();
  const std::int64_t total = present ? cells.Count(kTotal) : 0;
  const std::int64_t failed = present ? cells.Count(kFailed) : 0;
  ring_.Push(failed, total);
  p0_ = P0();
  const double dispersion = Dispersion();
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!levels_[slot]) continue;
    LevelReading& level = reading.level[slot];
    level = levels_[slot]->Update(pane, ring_, p0_, dispersion);
    if (levels_[slot]->suspicious() && !pane.firing) {
      const double above = detector_->limits[slot].above;
      reading.began =
          RatioChange(ring_, pane, {.usual = p0_, .changed = above, .dispersion = dispersion});
    }
    if (level.verdict >= Verdict::kBreach) explained_ = static_cast<int>(slot);
    level.value = detector_->Share(level.value);
    level.threshold = detector_->common().level[slot].above;
  }
  reading.suspicious = Suspicious();
  // Until it is warm a suspicion is one against the prior, which may simply not be usual here.
  const LearnPolicy policy = {.frozen = pane.firing || (reading.suspicious && baseline_.warm()),
                              .partial = pane.partial};
  baseline_.Update(policy, failed, total, detector_->pace);
  CountTops(pane.firing, cells, failed);
  return reading;
}

void FailureRatioSeries::CountTops(bool firing, const SpecCells& cells, std::int64_t failed) {
  const bool evidence =
      firing || std::any_of(levels_.begin(), levels_.end(),
                            [](const auto& level) { return level && level->evidence() > 0; });
  if (!evidence) {
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
  const double p0 = level.limits().ClampP0(p0_);
  EvidenceList list;
  list.Text("window", "duration", FormatDuration(config.window))
      .Int("samples", "events", level.window().total())
      .Int("samples", "failed", level.window().bad())
      .Number("baseline", "rate", detector_->Share(p0));
  if (baseline_.relearning()) list.Text("baseline", "state", "learning anew after 24 h");
  const double dispersion = Dispersion();
  if (dispersion > 1) list.Number("baseline", "dispersion", dispersion);
  list.Number("threshold", "rate", config.above)
      .Number("evidence_floor", "events",
              dispersion * EvidenceFloor(level.limits().h, p0, level.limits().above));
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
  out->Double(p0_);
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
  p0_ = in->Double();
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
