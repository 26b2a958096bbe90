// error_rate: the share of failed events is too high for what is usual and for what is tolerable.
//
//   kind: error_rate
//   where: {type: request}                      # the default type; session, auth … too
//   by: [service, endpoint]
//   warn: {above: 1.5%, clear: 0.5%, window: 5m, for: 5m, level: 2}
//   critical: {above: 50%, window: 1m, level: 1}
//   baseline: 0.2%                              # optional: fixes p0 instead of learning it
//
// Works from the first pane: until the baseline is warm p0 is min(0.2 %, above / 4). The evidence
// names the endpoints, versions and exceptions of the failures, counted while there is any
// evidence.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/string_hash.h"
#include "detectors/baseline.h"
#include "detectors/evidence.h"
#include "detectors/ratio_level.h"
#include "detectors/stanza.h"

namespace tocsin {
namespace {

// What a service loses on a good day: the start of a series about which nothing is known.
constexpr double kUsualErrorRate = 0.002;
constexpr std::uint32_t kTopFailing = 16;

enum MeasureIndex : std::size_t { kTotal, kFailed, kFirstTop };

class ErrorRate;

class ErrorRateSeries : public SeriesState {
 public:
  explicit ErrorRateSeries(const ErrorRate* detector);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  double P0() const;
  bool Suspicious() const;
  void CountTops(const SpecCells& cells, std::int64_t failed);

  const ErrorRate* detector_;
  CountRing ring_;
  std::array<std::optional<RatioLevel>, 2> levels_;
  RatioBaseline baseline_;
  double p0_ = 0;      // of the last Update
  int explained_ = 0;  // the level that Explain is about
  // Failures by each top field since the evidence began; most series have none.
  std::unique_ptr<std::vector<SpaceSaving>> tops_;
};

class ErrorRate : public Detector {
 public:
  ErrorRate(DetectorCommon common, const DetectorEnvironment& environment,
            std::optional<double> fixed_p0)
      : Detector(std::move(common)), pace(environment.pane), p0(fixed_p0) {
    DefaultType(EventType::kRequest, &common_.where);
    double lowest = 1;
    for (std::size_t slot = 0; slot < 2; ++slot) {
      const LevelConfig& level = common_.level[slot];
      if (!level.set) continue;
      limits[slot] = RatioLimits(level, level.above, level.clear, common_.min_volume, environment);
      lowest = std::min(lowest, level.above);
      ring_capacity = std::max(ring_capacity, limits[slot].RingCapacity());
    }
    prior = std::min(kUsualErrorRate, lowest / 4);
    const auto reads = [&](EventType type) { return common_.where.MatchesType(type); };
    if (reads(EventType::kRequest) && !GroupsBy(common_, Field::kEndpoint)) {
      top_fields.push_back(Field::kEndpoint);
    }
    if (!GroupsBy(common_, Field::kVersion)) top_fields.push_back(Field::kVersion);
    if (reads(EventType::kSession)) top_fields.push_back(Field::kException);
  }

  SeriesSpec Spec() const override {
    std::vector<Measure> measures = {Measure::Count(), Measure::CountFailed()};
    for (const Field field : top_fields) {
      measures.push_back(Measure::TopK(field, kTopFailing, MeasureFilter::kFailed));
    }
    return SpecOf(common_, std::move(measures));
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<ErrorRateSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    const LevelConfig& level = LevelOf(common_, signal);
    return absl::StrCat("error rate of ", SeriesText(signal), " is ", PercentText(signal.value),
                        " (above ", PercentText(signal.threshold), " over ",
                        FormatDuration(level.window), ")");
  }

  std::array<RatioLimits, 2> limits;
  std::vector<Field> top_fields;
  BaselinePace pace;
  std::optional<double> p0;  // from the stanza
  double prior = kUsualErrorRate;
  int ring_capacity = 1;
};

ErrorRateSeries::ErrorRateSeries(const ErrorRate* detector)
    : detector_(detector), ring_(detector->ring_capacity), p0_(P0()) {
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!detector->common().level[slot].set) continue;
    levels_[slot].emplace(&detector->limits[slot]);
    if (!levels_[0]) explained_ = 1;
  }
}

double ErrorRateSeries::P0() const {
  return detector_->p0 ? *detector_->p0 : baseline_.Upper(detector_->prior);
}

bool ErrorRateSeries::Suspicious() const {
  return std::any_of(levels_.begin(), levels_.end(),
                     [](const auto& level) { return level && level->suspicious(); });
}

Reading ErrorRateSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const bool present = cells.cell.present();
  const std::int64_t total = present ? cells.Count(kTotal) : 0;
  const std::int64_t failed = present ? cells.Count(kFailed) : 0;
  ring_.Push(failed, total);
  p0_ = P0();
  const double dispersion = detector_->p0 ? 1 : baseline_.Dispersion();
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!levels_[slot]) continue;
    reading.level[slot] = levels_[slot]->Update(pane, ring_, p0_, dispersion);
    if (reading.level[slot].verdict >= Verdict::kBreach) explained_ = static_cast<int>(slot);
  }
  reading.suspicious = Suspicious();
  // Until it is warm a suspicion is one against the prior, which may simply not be usual here.
  const LearnPolicy policy = {.frozen = pane.firing || (reading.suspicious && baseline_.warm()),
                              .partial = pane.partial};
  baseline_.Update(policy, failed, total, detector_->pace);
  CountTops(cells, failed);
  return reading;
}

void ErrorRateSeries::CountTops(const SpecCells& cells, std::int64_t failed) {
  const bool evidence = std::any_of(levels_.begin(), levels_.end(), [](const auto& level) {
    return level && level->evidence() > 0;
  });
  if (!evidence) {
    tops_.reset();
    return;
  }
  const std::size_t fields = detector_->top_fields.size();
  if (failed == 0 || fields == 0) return;
  if (tops_ == nullptr) {
    tops_ = std::make_unique<std::vector<SpaceSaving>>(fields, SpaceSaving(kTopFailing));
  }
  for (std::size_t i = 0; i < fields; ++i) (*tops_)[i].Merge(cells.Top(kFirstTop + i));
}

std::vector<Evidence> ErrorRateSeries::Explain() const {
  const auto slot = static_cast<std::size_t>(explained_);
  const RatioLevel& level = *levels_[slot];
  const LevelConfig& config = detector_->common().level[slot];
  const double p0 = level.limits().ClampP0(p0_);
  EvidenceList list;
  list.Text("window", "duration", FormatDuration(config.window))
      .Int("samples", "events", level.window().total())
      .Int("samples", "failed", level.window().bad())
      .Number("baseline", "rate", p0);
  if (baseline_.relearning()) list.Text("baseline", "state", "learning anew after 24 h");
  list.Number("threshold", "rate", config.above)
      .Number("evidence_floor", "events",
              EvidenceFloor(level.limits().h, p0, level.limits().above));
  if (tops_ != nullptr) {
    for (std::size_t i = 0; i < tops_->size(); ++i) {
      list.Top(FieldName(detector_->top_fields[i]), (*tops_)[i], 5);
    }
  }
  return list.Json("panes", "rate", ring_.RatesJson()).Take();
}

void ErrorRateSeries::Encode(ByteWriter* out) const {
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

void ErrorRateSeries::Decode(ByteReader* in) {
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
  for (std::size_t i = 0; i < detector_->top_fields.size(); ++i) {
    tops_->push_back(SpaceSaving::Decode(in));
  }
}

}  // namespace

std::unique_ptr<Detector> NewErrorRate(const DetectorConfig& stanza,
                                       const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  DetectorCommon common = ReadCommon(
      stanza, {.category = Category::kAvailability}, &reader, errors,
      [](ConfigReader& level, int, LevelConfig* config) {
        if (!level.Has("above")) level.Error("", "error_rate needs 'above', such as above: 5%");
        config->above = level.Ratio("above", 0.05);
        if (config->above <= 0 || config->above >= 1) {
          level.Error("above", "above: expected a share between 0 and 100 %, both excluded");
          config->above = 0.05;
        }
        config->clear = level.Ratio("clear", config->above / 2);
        if (config->clear > config->above) level.Error("clear", "clear is larger than above");
      });
  const std::optional<double> baseline = reader.OptionalRatio("baseline");
  reader.Finish();
  return std::make_unique<ErrorRate>(std::move(common), environment, baseline);
}

}  // namespace tocsin
