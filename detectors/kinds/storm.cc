// storm: far more of something than usual, and from whom.
//
//   kind: storm
//   where: {type: connection, action: open}      # the default; type: request works too
//   by: [service]
//   critical: {above: 1000, ratio: 3, window: 5m, for: 5m, level: 2}
//   surge_level: 3                               # a surge is never more severe than this
//
//   kind: storm                                  # the other form: the level of a gauge
//   gauge: true
//   where: {type: metric, name: websocket_connections}
//   explained_by: {type: connection, action: open}   # the default: events whose sources label it
//   critical: {above: 1000, ratio: 3, for: 5m, level: 2}
//
// Events: breaches when the window holds ≥ `above` events and ≥ `ratio` × the usual number, a
// Poisson CUSUM has evidence of more than the usual (or than a third of that limit, if that is
// more), and the last minute continues at half the limit's pace at least. Until the usual rate is
// known a level with a `ratio` is unknown; for one without (3 is used then) `above` decides alone.
// Certain (skips `for`) when S ≥ h + 7 and even the oldest quarter of max(window, for) is at that
// pace. Clears when the last minute is at `clear` or lower (default above / 2, or 1.5 × the usual
// if that is more). A rate with evidence of `ratio` × the usual is not learned, whether or not it
// reaches `above`.
//
// Both forms are labelled by their sources (storm_label.h): events by their own sources, a gauge by
// those of the events of its service, whether or not these are a storm by themselves. A series
// without a service is explained by all events of its scope, and events without a service explain
// every series.
#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/limits.h"
#include "core/number_text.h"
#include "core/string_hash.h"
#include "detectors/stanza.h"
#include "detectors/statistics/window.h"
#include "detectors/storm_series.h"

namespace tocsin {
namespace {

constexpr double kRatioDefault = 3;
// Up to this state format there were fewer measures, and this many endpoints.
constexpr int kFormatOfFirstMeasures = 5;
constexpr std::uint32_t kFirstEndpoints = 32;

struct StormOptions {
  std::array<std::optional<double>, 2> ratios;
  bool gauge = false;
  Predicate explained_by;
  int surge_level = 1;
};

void OpenedConnections(Predicate* where) {
  DefaultType(EventType::kConnection, where);
  where->Require(*FieldRef::Parse("action"), {"open"});
}

class Storm : public Detector {
 public:
  Storm(DetectorCommon common, const DetectorEnvironment& environment, StormOptions options)
      : Detector(std::move(common)), options_(std::move(options)), rule_(environment.pane) {
    if (options_.gauge) {
      DefaultType(EventType::kMetric, &common_.where);
      if (!options_.explained_by.ConstrainsType()) {
        OpenedConnections(&options_.explained_by);
        rule_.explained_by = "connection events";
      } else {
        rule_.explained_by = "events with " + options_.explained_by.ToString();
      }
    } else if (!common_.where.ConstrainsType()) {
      OpenedConnections(&common_.where);
    }
    const Predicate& events = options_.gauge ? options_.explained_by : common_.where;
    rule_.endpoints = events.MatchesType(EventType::kRequest) &&
                      (options_.gauge || !GroupsBy(common_, Field::kEndpoint));
    rule_.attempts = events.MatchesType(EventType::kAuth) && events.ConstrainsType();
    rule_.h = environment.EvidenceThreshold();
    rule_.ring_capacity = kPlotPanes + 1;
    for (std::size_t slot = 0; slot < 2; ++slot) {
      const LevelConfig& level = common_.level[slot];
      if (level.set) SetLimits(level, environment, slot);
    }
  }

  SeriesSpec Spec() const override {
    return SpecOf(common_, options_.gauge ? std::vector<Measure>{Measure::Gauge()}
                                          : StormSources::Measures(rule_.endpoints));
  }
  SeriesSpec SpecOfFormat(int format) const override {
    if (format > kFormatOfFirstMeasures || options_.gauge) return Spec();
    std::vector<Measure> measures = {Measure::Count(),
                                     Measure::TopK(Field::kClientIp, tocsin::limits::kTopK),
                                     Measure::TopK(Field::kUserAgent, tocsin::limits::kTopK),
                                     Measure::Distinct(Field::kClientIp)};
    if (rule_.endpoints) measures.push_back(Measure::TopK(Field::kEndpoint, kFirstEndpoints));
    return SpecOf(common_, std::move(measures));
  }
  std::optional<SeriesSpec> Explaining() const override {
    if (!options_.gauge) return std::nullopt;
    SeriesSpec spec;
    spec.where = options_.explained_by;
    spec.by = {*FieldRef::Parse("service")};
    spec.measures = StormSources::Measures(rule_.endpoints);
    return spec;
  }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return options_.gauge ? NewStormGaugeSeries(&rule_) : NewStormSeries(&rule_);
  }
  int CapLevel(int level, const std::string& classification) const override {
    return classification == "surge" ? std::max(level, options_.surge_level) : level;
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
    return absl::StrCat("storm on ", SeriesText(signal), ": ", ShortNumber(signal.value),
                        options_.gauge ? std::string(" now")
                                       : absl::StrCat(" events in ", FormatDuration(level.window)),
                        " (above ", ShortNumber(signal.threshold), ")", label);
  }

 private:
  void SetLimits(const LevelConfig& level, const DetectorEnvironment& environment,
                 std::size_t slot) {
    const int window = PanesOf(level.window, environment.pane);
    const int hold = PanesOf(std::min(level.hold, kWindowMax), environment.pane);
    StormLimits& limits = rule_.limits[slot];
    limits = {.set = true,
              .above = level.above,
              .clear = level.clear,
              .ratio = options_.ratios[slot].value_or(kRatioDefault),
              .adaptive = options_.ratios[slot].has_value(),
              .window = window,
              .minute = std::min(window, PanesOf(kMinuteUs, environment.pane)),
              .cover = std::max(window, hold)};
    rule_.windows[slot] = options_.gauge ? level.hold : level.window;
    rule_.lowest_ratio = std::min(rule_.lowest_ratio, limits.ratio);
    rule_.ring_capacity = std::max(rule_.ring_capacity, limits.cover + 1);
  }

  StormOptions options_;
  StormRule rule_;
};

}  // namespace

std::unique_ptr<Detector> NewStorm(const DetectorConfig& stanza,
                                   const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  StormOptions options;
  DetectorCommon common = ReadCommon(
      stanza, {.category = Category::kCapacity}, &reader, errors,
      [&options](ConfigReader& level, int slot, LevelConfig* config) {
        if (!level.Has("above")) level.Missing("", "storm needs 'above', a number of events");
        config->above = level.Number("above", 1000, 1, 1e15);
        config->clear = level.Number("clear", config->above / 2, 0, 1e15);
        if (config->clear > config->above && level.Sound("above") && level.Sound("clear")) {
          level.Error("clear", "clear is larger than above");
        }
        options.ratios[static_cast<std::size_t>(slot)] = level.OptionalNumber("ratio", 1.1, 1e6);
      });
  options.gauge = reader.Bool("gauge", false);
  options.surge_level = static_cast<int>(reader.Int("surge_level", 1, 1, 4));
  if (options.gauge) {
    if (const ConfigNode* where = reader.Node("explained_by")) {
      options.explained_by = Predicate::Parse(where, errors);
    }
  }
  reader.Finish();
  return std::make_unique<Storm>(std::move(common), environment, std::move(options));
}

}  // namespace tocsin
