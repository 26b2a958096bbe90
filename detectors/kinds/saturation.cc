// saturation: a resource is nearly full, or logs that it is.
//
//   kind: saturation
//   where: {type: metric, name: db_connections}   # the default type is metric
//   by: [dependency]
//   max: 100                                      # if samples carry no `limit`
//   unit: ratio                                   # value ÷ limit; percent: the value is 0–100;
//                                                 # absolute: above and clear in its own unit
//   warn: {above: 80%, clear: 75%, for: 5m, level: 3}
//   critical: {above: 95%, clear: 90%, level: 2}
//
//   kind: saturation                              # the other form: k log lines within a window
//   pattern: "(?i)no connection available"        # as kind burst
//   critical: {count: 3, window: 1m, level: 2}
//
// A gauge is judged by its largest value in the pane and holds between samples (gauge_hold.h).
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "core/number_text.h"
#include "detectors/evidence.h"
#include "detectors/gauge_hold.h"
#include "detectors/gauge_scale.h"
#include "detectors/stanza.h"
#include "detectors/statistics/window.h"

namespace tocsin {

std::unique_ptr<Detector> NewBurst(const DetectorConfig& stanza,
                                   const DetectorEnvironment& environment, ErrorList* errors);

namespace {

// Default shares of the limit: early enough to act, and late enough not to fire on normal load.
constexpr std::array<double, 2> kAboveDefault = {0.80, 0.95};
// Clears this much lower, 75 and 90 %, or at half of a level that is low.
constexpr double kHysteresis = 0.05;

class Gauge;

class GaugeSeries : public SeriesState {
 public:
  explicit GaugeSeries(const Gauge* detector) : detector_(detector) {}
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  const Gauge* detector_;
  GaugeHold hold_;
  PlotRing plot_;
  double last_value_ = 0, last_limit_ = 0;  // unscaled, for the evidence
  int explained_ = 0;
};

class Gauge : public Detector {
 public:
  Gauge(DetectorCommon common, const GaugeScale& gauge_scale)
      : Detector(std::move(common)), scale(gauge_scale) {
    DefaultType(EventType::kMetric, &common_.where);
  }
  SeriesSpec Spec() const override { return SpecOf(common_, {Measure::Gauge()}); }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<GaugeSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    const auto text = [&](double value) {
      return scale.unit == GaugeScale::Unit::kAbsolute ? ShortNumber(value) : PercentText(value);
    };
    return absl::StrCat(SeriesText(signal), " is at ", text(signal.value), " (above ",
                        text(signal.threshold), ")");
  }

  GaugeScale scale;
};

Reading GaugeSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  static const GaugeValue kEmpty;
  const GaugeValue& sampled = cells.cell.present() ? cells.Gauge(0) : kEmpty;
  const double now = sampled.samples > 0 ? detector_->scale.Level(sampled.max, sampled) : 0;
  // Ignore a sample without a valid level: NaN compares false to everything.
  const GaugeValue& gauge = now >= 0 || now < 0 ? sampled : kEmpty;
  hold_.Update(pane, gauge, now);
  if (hold_.fresh()) {
    last_value_ = gauge.max;
    last_limit_ = detector_->scale.LimitOf(gauge);
  }
  plot_.Push(hold_.held() ? hold_.value() : std::numeric_limits<double>::quiet_NaN());
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const LevelConfig& level = detector_->common().level[slot];
    if (!level.set) continue;
    LevelReading& out = reading.level[slot];
    out = {.value = hold_.value(), .threshold = level.above, .covers = hold_.covers()};
    if (!hold_.fresh()) continue;
    if (hold_.value() >= level.above) {
      out.verdict = Verdict::kBreach;
      explained_ = static_cast<int>(slot);
    } else {
      out.verdict = hold_.value() <= level.clear ? Verdict::kClear : Verdict::kBetween;
    }
  }
  return reading;
}

std::vector<Evidence> GaugeSeries::Explain() const {
  const DetectorCommon& common = detector_->common();
  const std::size_t slot = common.level[static_cast<std::size_t>(explained_)].set
                               ? static_cast<std::size_t>(explained_)
                               : static_cast<std::size_t>(1 - explained_);
  EvidenceList list;
  list.Text("window", "for", FormatDuration(common.level[slot].hold))
      .Text("samples", "interval", FormatDuration(hold_.Interval()))
      .Number("samples", "value", last_value_);
  if (last_limit_ > 0) list.Number("baseline", "limit", last_limit_);
  return list.Number("threshold", "level", common.level[slot].above)
      .Json("panes", "level", plot_.Json())
      .Take();
}

void GaugeSeries::Encode(ByteWriter* out) const {
  hold_.Encode(out);
  plot_.Encode(out);
  out->Double(last_value_);
  out->Double(last_limit_);
  out->Varint(static_cast<std::uint64_t>(explained_));
}

void GaugeSeries::Decode(ByteReader* in) {
  hold_.Decode(in);
  plot_.Decode(in);
  last_value_ = in->Double();
  last_limit_ = in->Double();
  const std::uint64_t explained = in->Varint();
  if (explained > 1) in->Fail();
  explained_ = in->ok() ? static_cast<int>(explained) : 0;
}

}  // namespace

std::unique_ptr<Detector> NewSaturation(const DetectorConfig& stanza,
                                        const DetectorEnvironment& environment, ErrorList* errors) {
  if (stanza.node.Find("pattern") != nullptr) return NewBurst(stanza, environment, errors);
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  const GaugeScale scale = ReadGaugeScale({"ratio", "percent", "absolute"}, &reader);
  const bool unit_known = reader.Sound("unit");
  DetectorCommon common = ReadCommon(
      stanza, {.category = Category::kCapacity, .drift = Drift::kByName}, &reader, errors,
      [&](ConfigReader& level, int slot, LevelConfig* config) {
        if (!unit_known) {  // the unit of `above` is unknown, so do not check it
          level.Node("above");
          level.Node("clear");
        } else if (scale.unit == GaugeScale::Unit::kAbsolute) {
          if (!level.Has("above")) level.Missing("", "unit: absolute needs 'above', a number");
          config->above = level.Number("above", 1, -1e18, 1e18);
          config->clear = level.Number("clear", config->above, -1e18, 1e18);
        } else {
          config->above = level.Ratio("above", kAboveDefault[static_cast<std::size_t>(slot)]);
          config->clear =
              level.Ratio("clear", std::max(config->above / 2, config->above - kHysteresis));
        }
        if (config->clear > config->above && level.Sound("above") && level.Sound("clear")) {
          level.Error("clear", "clear is larger than above");
        }
      });
  reader.Finish();
  return std::make_unique<Gauge>(std::move(common), scale);
}

}  // namespace tocsin
