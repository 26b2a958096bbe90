// mismatch: two numbers that must agree differ, such as messages stored and messages expected.
//
//   kind: mismatch
//   where: {type: metric, name: messages_stored}      # the default type
//   by: [service]
//   compare: {labels.source: [database, application]} # a field and two of its values
//   critical: {above: 0, above_share: 0.1%, for: 5m, level: 1}
//
// Judged whenever both have a new sample: breaches while they differ by more than `above` and by
// more than `above_share` of the larger. The two are rarely sampled at the same moment; `for`
// distinguishes a lasting difference from a temporary one. If one number stops arriving the verdict
// is unknown.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/number_text.h"
#include "detectors/evidence.h"
#include "detectors/gauge_hold.h"
#include "detectors/stanza.h"
#include "detectors/statistics/window.h"

namespace tocsin {
namespace {

// The numbers are not known to have differed during a longer pause between two comparisons.
constexpr DurationUs kCoversMax = 5 * kMinuteUs;

struct Comparison {
  FieldRef field;
  std::array<std::string, 2> values;
};

class Mismatch;

class MismatchSeries : public SeriesState {
 public:
  explicit MismatchSeries(const Mismatch* detector) : detector_(detector) {}
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  double Difference() const { return std::max(Gain(0, 1), Gain(1, 0)); }
  double Gain(std::size_t a, std::size_t b) const { return holds_[a].value() - holds_[b].value(); }

  const Mismatch* detector_;
  std::array<GaugeHold, 2> holds_;
  std::array<bool, 2> sampled_ = {false, false};  // since they were last compared
  TimeUs compared_ = kNoTime;                     // end of that pane
  PlotRing plot_;
};

class Mismatch : public Detector {
 public:
  Mismatch(DetectorCommon common, Comparison detector_comparison,
           const std::array<double, 2>& above_shares)
      : Detector(std::move(common)),
        comparison(std::move(detector_comparison)),
        shares(above_shares) {
    DefaultType(EventType::kMetric, &common_.where);
  }
  SeriesSpec Spec() const override {
    const auto gauge_of = [&](std::size_t i) {
      return Measure::Gauge().Where(comparison.field, comparison.values[i]);
    };
    return SpecOf(common_, {gauge_of(0), gauge_of(1)});
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<MismatchSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    return absl::StrCat(comparison.values[0], " and ", comparison.values[1], " of ",
                        SeriesText(signal), " differ by ", ShortNumber(signal.value));
  }

  Comparison comparison;
  std::array<double, 2> shares;
};

Reading MismatchSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  static const GaugeValue kEmpty;
  for (std::size_t i = 0; i < 2; ++i) {
    const GaugeValue& gauge = cells.cell.present() ? cells.Gauge(i) : kEmpty;
    holds_[i].Update(pane, gauge, gauge.last);
    sampled_[i] = holds_[i].held() && (sampled_[i] || holds_[i].fresh());
  }
  const bool known = holds_[0].held() && holds_[1].held();
  const bool compare = sampled_[0] && sampled_[1];
  const DurationUs covers =
      compare && compared_ != kNoTime ? std::min(pane.end - compared_, kCoversMax) : 0;
  if (compare) {
    sampled_ = {false, false};
    compared_ = pane.end;
  }
  plot_.Push(known ? Difference() : std::numeric_limits<double>::quiet_NaN());
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const LevelConfig& level = detector_->common().level[slot];
    if (!level.set) continue;
    LevelReading& out = reading.level[slot];
    out = {.value = Difference(), .threshold = level.above, .covers = covers};
    if (!compare) continue;
    const double larger = std::max({holds_[0].value(), holds_[1].value(), 0.0});
    const bool differ =
        Difference() > level.above && Difference() > detector_->shares[slot] * larger;
    out.verdict = differ ? Verdict::kBreach : Verdict::kClear;
  }
  return reading;
}

std::vector<Evidence> MismatchSeries::Explain() const {
  const DetectorCommon& common = detector_->common();
  const LevelConfig& level = common.level[1].set ? common.level[1] : common.level[0];
  return EvidenceList()
      .Text("window", "for", FormatDuration(level.hold))
      .Number("samples", detector_->comparison.values[0], holds_[0].value())
      .Number("samples", detector_->comparison.values[1], holds_[1].value())
      .Number("threshold", "difference", level.above)
      .Json("panes", "difference", plot_.Json())
      .Take();
}

void MismatchSeries::Encode(ByteWriter* out) const {
  for (const GaugeHold& hold : holds_) hold.Encode(out);
  for (const bool sampled : sampled_) out->Bool(sampled);
  out->Signed(compared_);
  plot_.Encode(out);
}

void MismatchSeries::Decode(ByteReader* in) {
  for (GaugeHold& hold : holds_) hold.Decode(in);
  for (bool& sampled : sampled_) sampled = in->Bool();
  compared_ = in->Signed();
  plot_.Decode(in);
}

std::optional<Comparison> ReadComparison(ConfigReader* reader) {
  const ConfigNode* node = reader->Node("compare");
  constexpr const char* kExpected =
      "compare: expected a field and two of its values, such as {labels.source: [a, b]}";
  if (node == nullptr) {
    reader->Missing("compare", kExpected);
    return std::nullopt;
  }
  if (node->kind != ConfigNode::Kind::kMap || node->map.size() != 1) {
    reader->Error("compare", kExpected);
    return std::nullopt;
  }
  const auto& [name, values] = node->map.front();
  const std::optional<FieldRef> field = FieldRef::Parse(name);
  if (!field) {
    reader->errors()->Add(node->key_locations.front(),
                          absl::StrCat("compare: unknown field '", name, "'"));
    return std::nullopt;
  }
  std::vector<std::string> texts;
  for (const ConfigNode& value : values.list) {
    if (value.kind == ConfigNode::Kind::kScalar) texts.push_back(value.scalar);
  }
  if (texts.size() != 2 || texts[0] == texts[1] || values.list.size() != 2) {
    reader->Error("compare", kExpected);
    return std::nullopt;
  }
  return Comparison{.field = *field, .values = {texts[0], texts[1]}};
}

}  // namespace

std::unique_ptr<Detector> NewMismatch(const DetectorConfig& stanza, const DetectorEnvironment&,
                                      ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  std::optional<Comparison> comparison = ReadComparison(&reader);
  std::array<double, 2> shares = {0, 0};
  DetectorCommon common = ReadCommon(stanza, {.category = Category::kData}, &reader, errors,
                                     [&](ConfigReader& level, int slot, LevelConfig* config) {
                                       config->above = level.Number("above", 0, 0, 1e18);
                                       shares[static_cast<std::size_t>(slot)] =
                                           level.Ratio("above_share", 0);
                                     });
  reader.Finish();
  if (!comparison) return nullptr;
  return std::make_unique<Mismatch>(std::move(common), *std::move(comparison), shares);
}

}  // namespace tocsin
