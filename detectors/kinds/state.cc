// state: something reports by itself that it is broken.
//
//   kind: state                                 # alarms: from alarm to ok; the default type
//   where: {type: alarm, name: circuit_breaker}
//   by: [service]
//   critical: {level: 2}
//
//   kind: state                                 # checks: failed this often in a row
//   where: {type: check, name: /health}
//   by: [service]
//   critical: {failures: 3, level: 1}
//
//   kind: state                                 # a gauge that must not fall below a value
//   where: {type: metric, name: healthy_targets}
//   critical: {below: 1, level: 1}
//
//   kind: state                                 # an alarm about a vulnerability
//   critical: {cvss_above: 9.0, level: 1}
//
// A detector has one of these four forms, for both its levels. An alarm without a state counts as
// raised. An unknown state and silence change nothing: a broken series stays broken until a sample
// says that it is well. If samples of one pane differ the newest counts, by event time; a check
// that succeeds in between restarts the count of failures in a row.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/number_text.h"
#include "detectors/evidence.h"
#include "detectors/gauge_hold.h"
#include "detectors/stanza.h"
#include "detectors/statistics/window.h"

namespace tocsin {
namespace {

enum class Form { kCondition, kBelow, kCvss };

constexpr double kDownFailures = 3;  // checks in a row
// A first or rare report is assumed to be about a condition that was watched for this long before.
constexpr DurationUs kWatchedMax = 5 * kMinuteUs;

class State;

class StateSeries : public SeriesState {
 public:
  explicit StateSeries(const State* detector) : detector_(detector) {}
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  void Take(const GaugeValue& condition);
  LevelReading ConditionReading(const LevelConfig& level) const;

  const State* detector_;
  GaugeHold hold_;
  PlotRing plot_;
  TimeUs newest_ = kNoTime;    // event time of the newest sample
  bool broken_ = false;        // as of newest_
  std::int64_t in_a_row_ = 0;  // consecutive broken samples
  double cvss_ = 0;            // the highest since it broke
  OnsetInterval broke_;        // between the last good sample and the first broken one
};

class State : public Detector {
 public:
  State(DetectorCommon common, Form detector_form)
      : Detector(std::move(common)), form(detector_form) {
    DefaultType(form == Form::kBelow ? EventType::kMetric : EventType::kAlarm, &common_.where);
  }
  SeriesSpec Spec() const override {
    if (form == Form::kBelow) return SpecOf(common_, {Measure::Gauge()});
    return SpecOf(common_, {Measure::Condition(), Measure::Cvss()});
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<StateSeries>(this);
  }
  bool MeansDown(const Signal& signal) const override {
    if (form == Form::kBelow) return signal.value == 0;
    return form == Form::kCondition && common_.where.MatchesType(EventType::kCheck) &&
           signal.value >= kDownFailures;
  }
  std::string Title(const Signal& signal) const override {
    const std::string series = SeriesText(signal);
    switch (form) {
      case Form::kBelow:
        return absl::StrCat(series, " is at ", ShortNumber(signal.value), " (below ",
                            ShortNumber(signal.threshold), ")");
      case Form::kCvss:
        return absl::StrCat(series, " has CVSS ", ShortNumber(signal.value), " (above ",
                            ShortNumber(signal.threshold), ")");
      case Form::kCondition:
        break;
    }
    if (signal.threshold > 1) {
      return absl::StrCat(series, " failed ", ShortNumber(signal.value), " times in a row");
    }
    return absl::StrCat(series, " is in alarm");
  }

  Form form;
};

void StateSeries::Take(const GaugeValue& condition) {
  // Late alarms arrive with the earliest open pane; an old one changes nothing.
  if (condition.samples == 0 || condition.last_time < newest_) return;
  const TimeUs before = std::max(newest_, condition.last_time - kWatchedMax);
  newest_ = condition.last_time;
  const bool was_well = condition.min == 0 || !broken_;
  broken_ = condition.last > 0;
  if (!broken_) {
    in_a_row_ = 0;
    cvss_ = 0;
  } else if (was_well) {
    // Counts the last sample, and the earlier ones of the pane if none of them was well.
    in_a_row_ = condition.min > 0 ? condition.samples : 1;
    broke_ = {.earliest = before, .latest = newest_};
  } else {
    in_a_row_ += condition.samples;
  }
}

LevelReading StateSeries::ConditionReading(const LevelConfig& level) const {
  const bool cvss = detector_->form == Form::kCvss;
  LevelReading reading = {.value = cvss ? cvss_ : static_cast<double>(in_a_row_),
                          .threshold = level.above};
  // An alarm lasts until it ends, however rarely it is repeated.
  if (broken_) {
    const bool holds = cvss ? cvss_ > level.above : reading.value >= level.above;
    reading.verdict = holds ? Verdict::kBreach : Verdict::kBetween;
  } else if (newest_ != kNoTime) {
    reading.verdict = Verdict::kClear;
  }
  return reading;
}

Reading StateSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  static const GaugeValue kEmpty;
  Reading reading;
  const bool below = detector_->form == Form::kBelow;
  const GaugeValue& samples = cells.cell.present() ? cells.Gauge(0) : kEmpty;
  if (below) {
    hold_.Update(pane, samples, samples.min);
  } else {
    Take(samples);
    if (broken_ && cells.cell.present() && cells.Gauge(1).samples > 0) {
      cvss_ = std::max(cvss_, cells.Gauge(1).max);
    }
  }
  const double unknown = std::numeric_limits<double>::quiet_NaN();
  if (below) {
    plot_.Push(hold_.held() ? hold_.value() : unknown);
  } else {
    plot_.Push(newest_ == kNoTime ? unknown : broken_ ? 1 : 0);
  }
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const LevelConfig& level = detector_->common().level[slot];
    if (!level.set) continue;
    if (!below) {
      reading.level[slot] = ConditionReading(level);
      if (reading.level[slot].verdict == Verdict::kBreach) reading.began = broke_;
      continue;
    }
    LevelReading& out = reading.level[slot];
    out = {.value = hold_.value(), .threshold = level.above, .covers = hold_.covers()};
    if (!hold_.fresh()) continue;
    out.verdict = hold_.value() < level.above    ? Verdict::kBreach
                  : hold_.value() >= level.clear ? Verdict::kClear
                                                 : Verdict::kBetween;
  }
  return reading;
}

std::vector<Evidence> StateSeries::Explain() const {
  const DetectorCommon& common = detector_->common();
  const LevelConfig& level = common.level[1].set ? common.level[1] : common.level[0];
  EvidenceList list;
  list.Text("window", "for", FormatDuration(level.hold));
  if (detector_->form == Form::kBelow) {
    list.Number("samples", "value", hold_.value());
  } else {
    list.Int("samples", "in_a_row", in_a_row_);
  }
  list.Number("threshold",
              detector_->form == Form::kBelow  ? "below"
              : detector_->form == Form::kCvss ? "cvss"
                                               : "failures",
              level.above);
  if (detector_->form == Form::kCvss) list.Number("value", "cvss", cvss_);
  return list.Json("panes", detector_->form == Form::kBelow ? "value" : "state", plot_.Json())
      .Take();
}

void StateSeries::Encode(ByteWriter* out) const {
  hold_.Encode(out);
  plot_.Encode(out);
  out->Signed(newest_);
  out->Bool(broken_);
  out->Signed(in_a_row_);
  out->Double(cvss_);
  out->Signed(broke_.earliest);
  out->Signed(broke_.latest);
}

void StateSeries::Decode(ByteReader* in) {
  hold_.Decode(in);
  plot_.Decode(in);
  newest_ = in->Signed();
  broken_ = in->Bool();
  in_a_row_ = in->Signed();
  cvss_ = in->Double();
  if (in->format() < 6) return;
  broke_.earliest = in->Signed();
  broke_.latest = in->Signed();
}

// The form that a level's keys select; nullopt if there is no such level.
std::optional<Form> FormOf(const ConfigNode* level) {
  if (level == nullptr || level->kind != ConfigNode::Kind::kMap) return std::nullopt;
  if (level->Find("below") != nullptr) return Form::kBelow;
  if (level->Find("cvss_above") != nullptr) return Form::kCvss;
  return Form::kCondition;
}

}  // namespace

std::unique_ptr<Detector> NewState(const DetectorConfig& stanza, const DetectorEnvironment&,
                                   ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  const std::optional<Form> warn = FormOf(stanza.node.Find("warn"));
  const std::optional<Form> critical = FormOf(stanza.node.Find("critical"));
  const Form form = critical.value_or(warn.value_or(Form::kCondition));
  if (warn && critical && *warn != *critical) {
    reader.Error("warn", "warn and critical must use the same key: failures, below or cvss_above");
  }
  const Category category = form == Form::kCvss ? Category::kSecurity : Category::kAvailability;
  DetectorCommon common = ReadCommon(
      stanza, {.category = category, .drift = Drift::kByName}, &reader, errors,
      [form](ConfigReader& level, int, LevelConfig* config) {
        switch (form) {
          case Form::kCondition:
            config->above = static_cast<double>(level.Int("failures", 1, 1, 1'000'000));
            break;
          case Form::kBelow:
            config->above = level.Number("below", 1, -1e18, 1e18);
            config->clear = level.Number("clear", config->above, -1e18, 1e18);
            if (config->clear < config->above && level.Sound("below") && level.Sound("clear")) {
              level.Error("clear", "clear is smaller than below");
            }
            break;
          case Form::kCvss:
            config->above = level.Number("cvss_above", 9, 0, 10);
            break;
        }
      });
  reader.Finish();
  return std::make_unique<State>(std::move(common), form);
}

}  // namespace tocsin
