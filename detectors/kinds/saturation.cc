// saturation: something is nearly full, or says in the log that it is.
//
//   kind: saturation
//   where: {type: metric, name: db_connections}   # the default type is metric
//   by: [dependency]
//   max: 100                                      # where samples carry no `limit`
//   unit: ratio                                   # value ÷ limit; percent: the value is 0–100;
//                                                 # absolute: above and clear in its own unit
//   warn: {above: 80%, clear: 75%, for: 5m, level: 3}
//   critical: {above: 95%, clear: 90%, level: 2}
//
//   kind: saturation                              # the other form: k log lines within a window
//   pattern: "(?i)no connection available"        # the default type is log
//   critical: {count: 3, window: 1m, level: 2}    # `above` means the same as `count`
//
// A gauge is judged by its largest value in the pane and holds between samples (gauge_hold.h).
// Lines are counted over the window and one pane more, so that no burst is cut in two, and the
// signal clears when the window has none.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "detectors/evidence.h"
#include "detectors/gauge_hold.h"
#include "detectors/stanza.h"
#include "detectors/window.h"

namespace tocsin {
namespace {

enum class Unit { kRatio, kPercent, kAbsolute };

// Of full, where a stanza says nothing: early enough to act, and late enough not to be load.
constexpr std::array<double, 2> kAboveDefault = {0.80, 0.95};
// Clears this much lower: 75 and 90 %.
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
  // NaN where there is no limit to compare with.
  double Level(const GaugeValue& gauge) const;

  const Gauge* detector_;
  GaugeHold hold_;
  PlotRing plot_;
  double last_value_ = 0, last_limit_ = 0;  // raw, for people
  int explained_ = 0;
};

class Gauge : public Detector {
 public:
  Gauge(DetectorCommon common, Unit unit, std::optional<double> max)
      : Detector(std::move(common)), unit_(unit), max_(max) {
    DefaultType(EventType::kMetric, &common_.where);
  }
  SeriesSpec Spec() const override { return SpecOf(common_, {Measure::Gauge()}); }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<GaugeSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    const auto text = [&](double value) {
      return unit_ == Unit::kAbsolute ? ShortNumber(value) : PercentText(value);
    };
    return absl::StrCat(SeriesText(signal), " is at ", text(signal.value), " (above ",
                        text(signal.threshold), ")");
  }
  Unit unit() const { return unit_; }
  std::optional<double> max() const { return max_; }

 private:
  Unit unit_;
  std::optional<double> max_;
};

double GaugeSeries::Level(const GaugeValue& gauge) const {
  if (detector_->unit() == Unit::kAbsolute) return gauge.max;
  if (detector_->unit() == Unit::kPercent) return gauge.max / 100;
  const double limit = detector_->max().value_or(gauge.limit.value_or(0));
  return limit > 0 ? gauge.max / limit : std::numeric_limits<double>::quiet_NaN();
}

Reading GaugeSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  static const GaugeValue kEmpty;
  const GaugeValue& sampled = cells.cell.present() ? cells.Gauge(0) : kEmpty;
  const double now = sampled.samples > 0 ? Level(sampled) : 0;
  // A sample without a limit says nothing; NaN compares false to everything.
  const GaugeValue& gauge = now >= 0 || now < 0 ? sampled : kEmpty;
  hold_.Update(pane, gauge, now);
  if (hold_.fresh()) {
    last_value_ = gauge.max;
    last_limit_ = detector_->max().value_or(gauge.limit.value_or(0));
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
      out.verdict = hold_.value() < level.clear ? Verdict::kClear : Verdict::kBetween;
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

class Lines;

class LinesSeries : public SeriesState {
 public:
  explicit LinesSeries(const Lines* detector);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override { ring_.Encode(out); }
  void Decode(ByteReader* in) override {
    ring_.Decode(in);
    for (WindowSum& sum : sums_) sum.Recount(ring_);
  }

 private:
  const Lines* detector_;
  CountRing ring_;
  std::array<WindowSum, 2> sums_;  // the window and a pane
};

class Lines : public Detector {
 public:
  Lines(DetectorCommon common, const DetectorEnvironment& environment, std::string pattern_text)
      : Detector(std::move(common)), pattern(std::move(pattern_text)) {
    DefaultType(EventType::kLog, &common_.where);
    for (std::size_t slot = 0; slot < 2; ++slot) {
      if (!common_.level[slot].set) continue;
      panes[slot] = PanesOf(common_.level[slot].window, environment.pane);
      ring_capacity = std::max(ring_capacity, panes[slot] + 2);
    }
  }
  SeriesSpec Spec() const override { return SpecOf(common_, {Measure::Count()}); }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<LinesSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    return absl::StrCat(ShortNumber(signal.value), " log lines of ", SeriesText(signal), " within ",
                        FormatDuration(LevelOf(common_, signal).window),
                        " say that it is exhausted");
  }

  std::string pattern;
  std::array<int, 2> panes = {1, 1};
  int ring_capacity = kPlotPanes + 1;
};

LinesSeries::LinesSeries(const Lines* detector)
    : detector_(detector),
      ring_(detector->ring_capacity),
      sums_{WindowSum(0, detector->panes[0] + 1), WindowSum(0, detector->panes[1] + 1)} {}

Reading LinesSeries::Update(const PaneContext&, const SpecCells& cells) {
  ring_.Push(0, cells.cell.present() ? cells.Count(0) : 0);
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    sums_[slot].Slide(ring_);
    const LevelConfig& level = detector_->common().level[slot];
    if (!level.set) continue;
    const auto count = static_cast<double>(sums_[slot].total());
    const std::int64_t within =
        sums_[slot].total() - ring_.At(detector_->panes[slot]).total;  // without the extra pane
    reading.level[slot] = {.verdict = count >= level.above ? Verdict::kBreach
                                      : within == 0        ? Verdict::kClear
                                                           : Verdict::kBetween,
                           .value = count,
                           .threshold = level.above};
  }
  return reading;
}

std::vector<Evidence> LinesSeries::Explain() const {
  const std::array<LevelConfig, 2>& levels = detector_->common().level;
  const bool critical =
      !levels[0].set || (levels[1].set && static_cast<double>(sums_[1].total()) >= levels[1].above);
  const std::size_t slot = critical ? 1 : 0;
  return EvidenceList()
      .Text("window", "duration", FormatDuration(levels[slot].window))
      .Int("samples", "lines", sums_[slot].total())
      .Number("threshold", "lines", levels[slot].above)
      .Text("pattern", "message", detector_->pattern)
      .Json("panes", "lines", ring_.TotalsJson())
      .Take();
}

// The stanza with `message: {matches: pattern}` in its `where`.
DetectorConfig WithPattern(const DetectorConfig& stanza, ErrorList* errors) {
  DetectorConfig merged = stanza;
  const ConfigNode* pattern = stanza.node.Find("pattern");
  const ConfigNode* where = stanza.node.Find("where");
  if (where != nullptr && where->Find("message") != nullptr) {
    errors->Add(where->Find("message")->at, "a pattern is a condition on the message: use one");
    return merged;
  }
  if (pattern->kind != ConfigNode::Kind::kScalar) return merged;
  const auto map_of = [&](const char* key, ConfigNode value) {
    ConfigNode node;
    node.kind = ConfigNode::Kind::kMap;
    node.at = pattern->at;
    node.map.emplace_back(key, std::move(value));
    node.key_locations.push_back(pattern->at);
    return node;
  };
  merged.node =
      MergeNodes(stanza.node, map_of("where", map_of("message", map_of("matches", *pattern))));
  return merged;
}

std::unique_ptr<Detector> NewLines(const DetectorConfig& original,
                                   const DetectorEnvironment& environment, ErrorList* errors) {
  const DetectorConfig stanza = WithPattern(original, errors);
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  std::string pattern = reader.RequiredString("pattern");
  DetectorCommon common = ReadCommon(
      stanza, {.category = Category::kCapacity, .window = kMinuteUs}, &reader, errors,
      [](ConfigReader& level, int, LevelConfig* config) {
        const bool alias = level.Has("above");
        if (alias && level.Has("count")) level.Error("above", "count and above mean the same here");
        config->above =
            static_cast<double>(level.Int(alias ? "above" : "count", 1, 1, 1'000'000'000));
        config->clear = 1;
      });
  reader.Finish();
  return std::make_unique<Lines>(std::move(common), environment, std::move(pattern));
}

}  // namespace

std::unique_ptr<Detector> NewSaturation(const DetectorConfig& stanza,
                                        const DetectorEnvironment& environment, ErrorList* errors) {
  if (stanza.node.Find("pattern") != nullptr) return NewLines(stanza, environment, errors);
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  const std::string name = reader.Choice("unit", {"ratio", "percent", "absolute"}, "ratio");
  const Unit unit = name == "percent"    ? Unit::kPercent
                    : name == "absolute" ? Unit::kAbsolute
                                         : Unit::kRatio;
  const std::optional<double> max = reader.OptionalNumber("max", 1e-9, 1e18);
  if (max && unit != Unit::kRatio) reader.Error("max", "max goes with unit: ratio");
  DetectorCommon common = ReadCommon(
      stanza, {.category = Category::kCapacity}, &reader, errors,
      [unit](ConfigReader& level, int slot, LevelConfig* config) {
        if (unit == Unit::kAbsolute) {
          if (!level.Has("above")) level.Error("", "unit: absolute needs 'above', a number");
          config->above = level.Number("above", 1, -1e18, 1e18);
          config->clear = level.Number("clear", config->above, -1e18, 1e18);
        } else {
          config->above = level.Ratio("above", kAboveDefault[static_cast<std::size_t>(slot)]);
          config->clear = level.Ratio("clear", std::max(0.0, config->above - kHysteresis));
        }
        if (config->clear > config->above) level.Error("clear", "clear is larger than above");
      });
  reader.Finish();
  return std::make_unique<Gauge>(std::move(common), unit, max);
}

}  // namespace tocsin
