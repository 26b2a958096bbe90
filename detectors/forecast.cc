#include "detectors/forecast.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "detectors/evidence.h"
#include "detectors/stanza.h"
#include "detectors/statistics/trend.h"
#include "detectors/statistics/window.h"

namespace tocsin {
namespace {

constexpr std::array<DurationUs, 2> kLeftDefault = {6 * kHourUs, 30 * kMinuteUs};
constexpr std::array<double, 2> kAtLeastDefault = {0, 0.8};
// No longer urgent when this many times `left` remains.
constexpr double kClearFactor = 2;
// The trend is not known to have continued during a longer pause between two samples.
constexpr DurationUs kCoversMax = 3 * Trend::kSlot;

class ForecastDetector;

class ForecastSeries : public SeriesState {
 public:
  explicit ForecastSeries(const ForecastDetector* detector) : detector_(detector) {}
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  const ForecastDetector* detector_;
  Trend trend_;
  PlotRing plot_;  // a value every five minutes: trends are slow
  TimeUs plotted_ = kNoTime;
  TimeUs sampled_ = kNoTime;  // end of the last pane with samples
  double level_ = 0;          // of the last pane with samples
  double left_ = 0;           // seconds left as of the last Update; 0 unless it rises
  int explained_ = 0;
};

class ForecastDetector : public Detector {
 public:
  ForecastDetector(DetectorCommon common, Forecast detector_forecast)
      : Detector(std::move(common)), forecast(std::move(detector_forecast)) {
    DefaultType(EventType::kMetric, &common_.where);
  }
  SeriesSpec Spec() const override { return SpecOf(common_, {Measure::Gauge()}); }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<ForecastSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    const auto minutes = static_cast<std::int64_t>(signal.value / 60);
    return absl::StrCat(SeriesText(signal), " ", forecast.verb, ": full in about ",
                        minutes < 1 ? "a minute" : FormatDuration(minutes * kMinuteUs));
  }

  Forecast forecast;
};

Reading ForecastSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const bool present = cells.cell.present() && cells.Gauge(0).samples > 0;
  const double level = present ? detector_->forecast.scale.Level(cells.Gauge(0).min, cells.Gauge(0))
                               : std::numeric_limits<double>::quiet_NaN();
  const bool known = level >= 0;  // false for NaN
  DurationUs covers = 0;
  if (known) {
    if (sampled_ != kNoTime && pane.end - sampled_ <= kCoversMax) covers = pane.end - sampled_;
    sampled_ = pane.end;
    trend_.Add(pane.start, level);
    level_ = level;
    if (plotted_ == kNoTime || pane.start >= plotted_ + Trend::kSlot) {
      plotted_ = FloorTo(pane.start, Trend::kSlot);
      plot_.Push(level);
    }
  }
  const std::optional<DurationUs> left = trend_.TimeLeft(pane.end);
  left_ = left ? static_cast<double>(*left) / static_cast<double>(kSecondUs) : 0;
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const LevelConfig& config = detector_->common().level[slot];
    if (!config.set) continue;
    LevelReading& out = reading.level[slot];
    out = {.value = left_, .threshold = config.above, .covers = covers};
    if (!known || trend_.slots() == 0) continue;
    const bool urgent = left && left_ <= config.above;
    if (urgent && level_ >= detector_->forecast.at_least[slot]) {
      out.verdict = Verdict::kBreach;
      explained_ = static_cast<int>(slot);
    } else if (!left || left_ >= kClearFactor * config.above) {
      out.verdict = Verdict::kClear;
    } else {
      out.verdict = Verdict::kBetween;
    }
  }
  return reading;
}

std::vector<Evidence> ForecastSeries::Explain() const {
  const DetectorCommon& common = detector_->common();
  const auto slot = common.level[static_cast<std::size_t>(explained_)].set
                        ? static_cast<std::size_t>(explained_)
                        : static_cast<std::size_t>(1 - explained_);
  EvidenceList list;
  list.Text("window", "duration",
            FormatDuration(static_cast<DurationUs>(trend_.slots()) * Trend::kSlot))
      .Number("samples", "level", level_)
      .Number("baseline", "per_hour", trend_.per_hour())
      .Number("baseline", "per_hour_low", trend_.per_hour_low())
      .Number("baseline", "per_hour_high", trend_.per_hour_high());
  if (trend_.restarts() > 0) list.Int("baseline", "restarts", trend_.restarts());
  return list.Number("threshold", "seconds_left", common.level[slot].above)
      .Number("value", "seconds_left", left_)
      .Json("panes", "level", plot_.Json())
      .Take();
}

void ForecastSeries::Encode(ByteWriter* out) const {
  trend_.Encode(out);
  plot_.Encode(out);
  out->Signed(plotted_);
  out->Signed(sampled_);
  out->Double(level_);
  out->Double(left_);
  out->Varint(static_cast<std::uint64_t>(explained_));
}

void ForecastSeries::Decode(ByteReader* in) {
  trend_.Decode(in);
  plot_.Decode(in);
  plotted_ = in->Signed();
  sampled_ = in->Signed();
  level_ = in->Double();
  left_ = in->Double();
  const std::uint64_t explained = in->Varint();
  if (explained > 1) in->Fail();
  explained_ = in->ok() ? static_cast<int>(explained) : 0;
}

}  // namespace

std::unique_ptr<Detector> ReadForecast(const DetectorConfig& stanza, const DetectorEnvironment&,
                                       std::string verb, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  Forecast forecast = {.verb = std::move(verb),
                       .scale = ReadGaugeScale({"ratio", "percent"}, &reader)};
  DetectorCommon common = ReadCommon(
      stanza, {.category = Category::kCapacity, .drift = Drift::kAlways}, &reader, errors,
      [&](ConfigReader& level, int slot, LevelConfig* config) {
        const auto at = static_cast<std::size_t>(slot);
        const DurationUs left = level.Duration("left", kLeftDefault[at], kMinuteUs, 30 * kDayUs);
        config->above = static_cast<double>(left) / static_cast<double>(kSecondUs);
        forecast.at_least[at] = level.Ratio("at_least", kAtLeastDefault[at]);
      });
  reader.Finish();
  return std::make_unique<ForecastDetector>(std::move(common), std::move(forecast));
}

}  // namespace tocsin
