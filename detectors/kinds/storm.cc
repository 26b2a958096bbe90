// storm: far more of something than usual, and from whom.
//
//   kind: storm
//   where: {type: connection, action: open}      # the default; type: request works too
//   by: [service]
//   critical: {above: 1000, ratio: 3, window: 5m, for: 5m, level: 2}
//   surge_level: 3                               # a surge is never ranked higher than this
//
//   kind: storm                                  # the other form: the level of a gauge
//   gauge: true                                  # no sources, hence classified "unknown"
//   where: {type: metric, name: websocket_connections}
//   critical: {above: 1000, ratio: 3, for: 5m, level: 2}
//
// Events: breaches when a Poisson CUSUM of the counts against `ratio` × the usual rate has
// evidence, the window holds ≥ `above` events and ≥ `ratio` × what is usual, and the last minute
// goes on at half that pace at least. Until the usual rate is known a level with a `ratio` is
// silent; without one (3 is taken then) `above` decides alone. Certain (skips `for`) when S ≥ h + 7
// and even the oldest quarter of max(window, for) is at that pace. Clears when the last minute is
// below `clear` (default above / 2, or 1.5 × what is usual if that is more).
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/limits.h"
#include "core/number_text.h"
#include "detectors/baseline.h"
#include "detectors/cusum.h"
#include "detectors/evidence.h"
#include "detectors/gauge_hold.h"
#include "detectors/stanza.h"
#include "detectors/storm_sources.h"
#include "detectors/window.h"

namespace tocsin {
namespace {

enum MeasureIndex : std::size_t { kEvents, kAddresses, kAgents, kDistinct, kEndpoints };

constexpr std::uint32_t kTopEndpoints = 32, kEndpointsKept = 8;
constexpr double kRatioDefault = 3;
// Calm again: not more than a half above the usual.
constexpr double kCalmRatio = 1.5;
// While `for` runs, the last minute has at least this share of the pace.
constexpr double kPaceShare = 0.5;

struct StormLimits {
  double above = 0, clear = 0, ratio = kRatioDefault;
  bool adaptive = false;  // says nothing until the usual is known
  double h = 0;
  int window = 1, minute = 1, cover = 1;  // panes
};

class Storm;

class StormSeries : public SeriesState {
 public:
  explicit StormSeries(const Storm* detector);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  std::string Classification() const override { return label_; }
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  struct Level {
    PoissonCusum cusum;
    WindowSum window, minute, older;
  };
  LevelReading Judge(const PaneContext& pane, const StormLimits& limits, Level* level) const;
  void Attribute(const PaneContext& pane, bool part_complete, bool quiet, bool breaching);

  const Storm* detector_;
  CountRing ring_;
  std::array<Level, 2> levels_;
  RateBaseline baseline_;
  StormSources sources_;
  // Since there has been half the evidence; stays empty where they are not measured.
  PackedSketch<SpaceSaving> endpoints_;
  double usual_ = 0;  // events a pane, as of the last Update; 0 until known
  std::string label_;
  int explained_ = 0;
  bool was_firing_ = false;
};

class StormGaugeSeries : public SeriesState {
 public:
  explicit StormGaugeSeries(const Storm* detector) : detector_(detector) {}
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  std::string Classification() const override { return classified_ ? "unknown" : ""; }
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  const Storm* detector_;
  GaugeHold hold_;
  RateBaseline baseline_;
  PlotRing plot_;
  double usual_ = 0;
  int explained_ = 0;
  bool classified_ = false;
};

class Storm : public Detector {
 public:
  Storm(DetectorCommon common, const DetectorEnvironment& environment,
        const std::array<std::optional<double>, 2>& ratios, bool of_gauge, int cap)
      : Detector(std::move(common)), pace(environment.pane), gauge(of_gauge), surge_level(cap) {
    if (gauge) {
      DefaultType(EventType::kMetric, &common_.where);
    } else if (!common_.where.ConstrainsType()) {
      DefaultType(EventType::kConnection, &common_.where);
      common_.where.Require(*FieldRef::Parse("action"), {"open"});
    }
    endpoints =
        common_.where.MatchesType(EventType::kRequest) && !GroupsBy(common_, Field::kEndpoint);
    for (std::size_t slot = 0; slot < 2; ++slot) {
      const LevelConfig& level = common_.level[slot];
      if (!level.set) continue;
      const int window = PanesOf(level.window, environment.pane);
      const int hold = PanesOf(std::min(level.hold, kWindowMax), environment.pane);
      limits[slot] = {.above = level.above,
                      .clear = level.clear,
                      .ratio = ratios[slot].value_or(kRatioDefault),
                      .adaptive = ratios[slot].has_value(),
                      .h = environment.EvidenceThreshold(),
                      .window = window,
                      .minute = std::min(window, PanesOf(kMinuteUs, environment.pane)),
                      .cover = std::max(window, hold)};
      ring_capacity = std::max(ring_capacity, limits[slot].cover + 1);
      longest_window = std::max(longest_window, window);
    }
  }

  SeriesSpec Spec() const override {
    if (gauge) return SpecOf(common_, {Measure::Gauge()});
    std::vector<Measure> measures = {Measure::Count(),
                                     Measure::TopK(Field::kClientIp, tocsin::limits::kTopK),
                                     Measure::TopK(Field::kUserAgent, tocsin::limits::kTopK),
                                     Measure::Distinct(Field::kClientIp)};
    if (endpoints) measures.push_back(Measure::TopK(Field::kEndpoint, kTopEndpoints));
    return SpecOf(common_, std::move(measures));
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    if (gauge) return std::make_unique<StormGaugeSeries>(this);
    return std::make_unique<StormSeries>(this);
  }
  int CapLevel(int level, const std::string& classification) const override {
    return classification == "surge" ? std::max(level, surge_level) : level;
  }
  Category CategoryOf(const std::string& classification) const override {
    return classification == "attack" || classification == "botnet" ? Category::kSecurity
                                                                    : common_.category;
  }
  std::string Title(const Signal& signal) const override {
    const LevelConfig& level = LevelOf(common_, signal);
    const std::string label = signal.classification.empty() || signal.classification == "unknown"
                                  ? ""
                                  : absl::StrCat(", looks like: ", signal.classification);
    return absl::StrCat(
        "storm on ", SeriesText(signal), ": ", ShortNumber(signal.value),
        gauge ? std::string(" now") : absl::StrCat(" events in ", FormatDuration(level.window)),
        " (above ", ShortNumber(signal.threshold), ")", label);
  }

  std::array<StormLimits, 2> limits;
  BaselinePace pace;
  bool gauge;
  bool endpoints = false;
  int surge_level;
  int ring_capacity = kPlotPanes + 1;
  int longest_window = 1;
};

StormSeries::StormSeries(const Storm* detector)
    : detector_(detector), ring_(detector->ring_capacity), sources_(detector->longest_window) {
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const StormLimits& limits = detector->limits[slot];
    levels_[slot].window = WindowSum(0, limits.window);
    levels_[slot].minute = WindowSum(0, limits.minute);
    levels_[slot].older = WindowSum(limits.cover - std::max(1, limits.cover / 4), limits.cover);
  }
  if (!detector->common().level[0].set) explained_ = 1;
}

LevelReading StormSeries::Judge(const PaneContext& pane, const StormLimits& limits,
                                Level* level) const {
  const double window_panes = limits.window;
  const double guard = std::max(limits.above, limits.ratio * usual_ * window_panes);
  const auto count = static_cast<double>(level->window.total());
  LevelReading reading = {.value = count, .threshold = limits.above};
  if (pane.partial || (limits.adaptive && usual_ <= 0)) return reading;
  const double to = guard / window_panes;
  const double from =
      usual_ > 0 ? std::clamp(usual_, to / 100, to / limits.ratio) : to / limits.ratio;
  level->cusum.Update(ring_.At(0).total,
                      {.from = from,
                       .to = to,
                       .dispersion = usual_ > 0 ? baseline_.Dispersion(pane.start) : 1,
                       .cap = limits.h + kCertainMargin});
  const double h = std::max(1.0, limits.h - (pane.recent_deploy ? kRecentDeployMargin : 0));
  const double minute = static_cast<double>(level->minute.total()) / limits.minute;  // a pane
  const double calm =
      std::max(limits.clear, std::min(guard, kCalmRatio * usual_ * window_panes)) / window_panes;
  if (level->cusum.value() >= h && count >= guard && minute >= kPaceShare * to) {
    const double older =
        static_cast<double>(level->older.total()) / static_cast<double>(level->older.panes());
    const bool certain = level->cusum.value() >= h + kCertainMargin && older >= to;
    reading.verdict = certain ? Verdict::kCertain : Verdict::kBreach;
  } else if (!pane.firing && count >= guard) {
    reading.verdict = Verdict::kUnknown;  // it was over before `for` was
  } else {
    reading.verdict = minute < calm ? Verdict::kClear : Verdict::kBetween;
  }
  return reading;
}

Reading StormSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const bool part_complete = sources_.NextPane();
  const bool present = cells.cell.present();
  ring_.Push(0, present ? cells.Count(kEvents) : 0);
  if (present) {
    sources_.Add(cells.Top(kAddresses), cells.Top(kAgents), cells.Distinct(kDistinct));
  }
  usual_ = baseline_.warm() ? baseline_.Mean(pane.start) : 0;
  const bool ended = was_firing_ && !pane.firing;
  was_firing_ = pane.firing;
  Reading reading;
  bool breaching = false;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    Level& level = levels_[slot];
    for (WindowSum* sum : {&level.window, &level.minute, &level.older}) sum->Slide(ring_);
    if (!detector_->common().level[slot].set) continue;
    if (ended) level.cusum.Reset();
    const StormLimits& limits = detector_->limits[slot];
    reading.level[slot] = Judge(pane, limits, &level);
    reading.suspicious = reading.suspicious || level.cusum.value() > limits.h / 2;
    if (reading.level[slot].verdict >= Verdict::kBreach) {
      breaching = true;
      explained_ = static_cast<int>(slot);
    }
  }
  if (!pane.firing && !reading.suspicious) {
    endpoints_.Clear();
  } else if (present && detector_->endpoints) {
    endpoints_.Merge(cells.Top(kEndpoints), SpaceSaving(kEndpointsKept));
  }
  // Until it is warm a suspicion is one against a guess, which may simply not be usual here.
  const bool frozen = pane.firing || (reading.suspicious && baseline_.warm());
  baseline_.Update({.frozen = frozen, .partial = pane.partial}, pane.start,
                   static_cast<double>(ring_.At(0).total), detector_->pace);
  Attribute(pane, part_complete, !frozen && !pane.partial, breaching);
  return reading;
}

void StormSeries::Attribute(const PaneContext& pane, bool part_complete, bool quiet,
                            bool breaching) {
  if (breaching) {
    const std::string now = sources_.Label(sources_.Look());
    // A storm that fades or changes keeps what it was once recognised as.
    if (label_.empty() || now != "unknown") label_ = now;
  } else if (!pane.firing) {
    label_.clear();
    if (quiet && part_complete) sources_.Learn(sources_.Look(), pane.start);
  }
}

std::vector<Evidence> StormSeries::Explain() const {
  const auto slot = static_cast<std::size_t>(explained_);
  const StormLimits& limits = detector_->limits[slot];
  const StormView view = sources_.Look();
  EvidenceList list;
  list.Text("window", "duration", FormatDuration(detector_->common().level[slot].window))
      .Int("samples", "events", levels_[slot].window.total())
      .Number("samples", "distinct_addresses", view.distinct);
  if (usual_ > 0) list.Number("baseline", "events", usual_ * limits.window);
  if (sources_.known()) {
    list.Number("baseline", "distinct_addresses", sources_.usual_distinct());
  }
  if (baseline_.relearning()) list.Text("baseline", "state", "learning anew after 24 h");
  list.Number("threshold", "events", limits.above)
      .Number("threshold", "ratio", limits.ratio)
      .Number("top", "share_of_top_10_addresses", view.top_share)
      .Number("top", "share_of_addresses_never_seen", view.unseen)
      .Top("client_ip", view.addresses, 10)
      .Top("user_agent", view.agents, 5)
      .Top("endpoint", endpoints_.Unpacked(SpaceSaving(kEndpointsKept)), 5);
  return list.Json("panes", "events", ring_.TotalsJson()).Take();
}

void StormSeries::Encode(ByteWriter* out) const {
  ring_.Encode(out);
  for (const Level& level : levels_) level.cusum.Encode(out);
  baseline_.Encode(out);
  sources_.Encode(out);
  endpoints_.Encode(SpaceSaving(kEndpointsKept), out);
  out->Double(usual_);
  out->Bytes(label_);
  out->Varint(static_cast<std::uint64_t>(explained_));
  out->Bool(was_firing_);
}

void StormSeries::Decode(ByteReader* in) {
  ring_.Decode(in);
  for (Level& level : levels_) {
    level.cusum.Decode(in);
    for (WindowSum* sum : {&level.window, &level.minute, &level.older}) sum->Recount(ring_);
  }
  baseline_.Decode(in);
  sources_.Decode(in);
  endpoints_.Decode(in);
  usual_ = in->Double();
  label_ = std::string(in->Bytes());
  const std::uint64_t explained = in->Varint();
  if (explained > 1) in->Fail();
  explained_ = in->ok() ? static_cast<int>(explained) : 0;
  was_firing_ = in->Bool();
}

Reading StormGaugeSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  static const GaugeValue kEmpty;
  // A negative number of connections is none, and must not become part of what is usual.
  const bool counted = cells.cell.present() && cells.Gauge(0).max >= 0;
  const GaugeValue& gauge = counted ? cells.Gauge(0) : kEmpty;
  hold_.Update(pane, gauge, gauge.max);
  plot_.Push(hold_.held() ? hold_.value() : std::numeric_limits<double>::quiet_NaN());
  usual_ = baseline_.warm() ? baseline_.Mean(pane.start) : 0;
  Reading reading;
  bool breaching = false;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    if (!detector_->common().level[slot].set) continue;
    const StormLimits& limits = detector_->limits[slot];
    const double guard = std::max(limits.above, limits.ratio * usual_);
    const double calm = std::max(limits.clear, std::min(guard, kCalmRatio * usual_));
    LevelReading& out = reading.level[slot];
    out = {.value = hold_.value(), .threshold = limits.above, .covers = hold_.covers()};
    if (!hold_.fresh() || (limits.adaptive && usual_ <= 0)) continue;
    if (hold_.value() >= guard) {
      out.verdict = Verdict::kBreach;
      breaching = true;
      explained_ = static_cast<int>(slot);
    } else {
      out.verdict = hold_.value() < calm ? Verdict::kClear : Verdict::kBetween;
    }
  }
  if (hold_.fresh()) {
    classified_ = breaching || (classified_ && pane.firing);
    baseline_.Update({.frozen = breaching || pane.firing, .partial = pane.partial}, pane.start,
                     hold_.value(), detector_->pace);
  }
  return reading;
}

std::vector<Evidence> StormGaugeSeries::Explain() const {
  const auto slot = static_cast<std::size_t>(explained_);
  EvidenceList list;
  list.Text("window", "for", FormatDuration(detector_->common().level[slot].hold))
      .Number("samples", "value", hold_.value());
  if (usual_ > 0) list.Number("baseline", "value", usual_);
  return list.Number("threshold", "value", detector_->limits[slot].above)
      .Number("threshold", "ratio", detector_->limits[slot].ratio)
      .Json("panes", "value", plot_.Json())
      .Take();
}

void StormGaugeSeries::Encode(ByteWriter* out) const {
  hold_.Encode(out);
  baseline_.Encode(out);
  plot_.Encode(out);
  out->Double(usual_);
  out->Varint(static_cast<std::uint64_t>(explained_));
  out->Bool(classified_);
}

void StormGaugeSeries::Decode(ByteReader* in) {
  hold_.Decode(in);
  baseline_.Decode(in);
  plot_.Decode(in);
  usual_ = in->Double();
  const std::uint64_t explained = in->Varint();
  if (explained > 1) in->Fail();
  explained_ = in->ok() ? static_cast<int>(explained) : 0;
  classified_ = in->Bool();
}

}  // namespace

std::unique_ptr<Detector> NewStorm(const DetectorConfig& stanza,
                                   const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  std::array<std::optional<double>, 2> ratios;
  DetectorCommon common = ReadCommon(
      stanza, {.category = Category::kCapacity}, &reader, errors,
      [&ratios](ConfigReader& level, int slot, LevelConfig* config) {
        if (!level.Has("above")) level.Missing("", "storm needs 'above', a number of events");
        config->above = level.Number("above", 1000, 1, 1e15);
        config->clear = level.Number("clear", config->above / 2, 0, 1e15);
        if (config->clear > config->above && level.Sound("above") && level.Sound("clear")) {
          level.Error("clear", "clear is larger than above");
        }
        ratios[static_cast<std::size_t>(slot)] = level.OptionalNumber("ratio", 1.1, 1e6);
      });
  const bool gauge = reader.Bool("gauge", false);
  const int surge_level = static_cast<int>(reader.Int("surge_level", 1, 1, 4));
  reader.Finish();
  return std::make_unique<Storm>(std::move(common), environment, ratios, gauge, surge_level);
}

}  // namespace tocsin
