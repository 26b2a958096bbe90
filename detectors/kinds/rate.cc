// rate: counters grow too fast.
//
//   kind: rate
//   where: {type: metric, name: http_errors_total}   # the default type is metric
//   by: [service]
//   warn: {above: 5, window: 5m, for: 5m, level: 3}  # per second, over the window
//   critical: {above: 50, clear: 20, window: 1m, level: 2}
//
// The rate is the increase of all sources (a process, with its labels) of the series within the
// window, divided by the window. Each source is tracked separately (panes/counter_set.h): one that
// falls has restarted from zero. The count of a source before its first sample is ignored, and so
// is its increase across a gap of more than five minutes. Metrics of type `delta` are increases
// already. Unknown until the window is full. Between samples a rate holds as a gauge does
// (gauge_hold.h). Clears at `clear` or lower, by default below `above`.
#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/limits.h"
#include "core/number_text.h"
#include "detectors/evidence.h"
#include "detectors/gauge_hold.h"
#include "detectors/stanza.h"
#include "detectors/statistics/window.h"

namespace tocsin {
namespace {

// After a longer silence a source is gone.
constexpr DurationUs kSilenceMax = 5 * kMinuteUs;
// Increases are kept pane by pane.
constexpr DurationUs kRateWindowMax = kHourUs;

class Rate;

class RateSeries : public SeriesState {
 public:
  explicit RateSeries(const Rate* detector);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  struct Source {
    std::uint64_t id = 0;
    TimeUs time = kNoTime;
    double last = 0;
  };

  // Sums the increases of all sources since the last pane. Returns the number of samples and the
  // time of the last one.
  GaugeValue Follow(const PaneContext& pane, const SpecCells& cells, double* increase);
  double SumOf(std::size_t panes) const;

  const Rate* detector_;
  std::vector<Source> sources_;    // by id
  std::vector<double> increases_;  // a ring
  std::size_t next_ = 0;           // of the ring
  std::size_t panes_ = 0;          // since the first sample; no more than the ring has
  std::int64_t resets_ = 0, dropped_ = 0;
  GaugeHold hold_;
  PlotRing plot_;
  int explained_ = 0;
};

class Rate : public Detector {
 public:
  Rate(DetectorCommon common, DurationUs pane_length)
      : Detector(std::move(common)), pane(pane_length) {
    DefaultType(EventType::kMetric, &common_.where);
    for (std::size_t slot = 0; slot < 2; ++slot) {
      if (!common_.level[slot].set) continue;
      panes[slot] = static_cast<std::size_t>(PanesOf(common_.level[slot].window, pane));
      ring = std::max(ring, panes[slot]);
    }
  }
  SeriesSpec Spec() const override { return SpecOf(common_, {Measure::Counters()}); }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<RateSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    return absl::StrCat(SeriesText(signal), " grows by ", ShortNumber(signal.value),
                        " a second (above ", ShortNumber(signal.threshold), " over ",
                        FormatDuration(LevelOf(common_, signal).window), ")");
  }

  DurationUs pane;
  std::array<std::size_t, 2> panes = {1, 1};
  std::size_t ring = 1;
};

RateSeries::RateSeries(const Rate* detector) : detector_(detector), increases_(detector->ring, 0) {}

GaugeValue RateSeries::Follow(const PaneContext& pane, const SpecCells& cells, double* increase) {
  GaugeValue sampled;
  *increase = 0;
  std::vector<Source> kept;
  auto known = sources_.begin();
  const auto keep_until = [&](std::uint64_t id) {
    for (; known != sources_.end() && known->id < id; ++known) {
      if (known->time >= pane.end - kSilenceMax) kept.push_back(*known);
    }
  };
  if (cells.cell.present()) {
    dropped_ += cells.Counters(0).dropped();
    for (const auto& [id, counter] : cells.Counters(0).Sorted()) {
      keep_until(id);
      double grown = counter.increase;
      resets_ += counter.resets;
      const bool is_known = known != sources_.end() && known->id == id;
      if (is_known && !counter.is_delta && counter.first_time - known->time <= kSilenceMax) {
        const bool reset = counter.first < known->last;
        grown += reset ? counter.first : counter.first - known->last;
        resets_ += reset ? 1 : 0;
      }
      if (is_known) ++known;
      kept.push_back({id, counter.last_time, counter.last});
      *increase += grown;
      sampled.samples += counter.samples;
      sampled.last_time = std::max(sampled.last_time, counter.last_time);
    }
  }
  keep_until(std::numeric_limits<std::uint64_t>::max());
  if (kept.size() > limits::kCounterSourcesMax) kept.resize(limits::kCounterSourcesMax);
  sources_ = std::move(kept);
  return sampled;
}

double RateSeries::SumOf(std::size_t panes) const {
  double sum = 0;
  for (std::size_t age = 0; age < panes; ++age) {
    sum += increases_[(next_ + increases_.size() - 1 - age) % increases_.size()];
  }
  return sum;
}

Reading RateSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  double increase = 0;
  const GaugeValue sampled = Follow(pane, cells, &increase);
  increases_[next_] = increase;
  next_ = (next_ + 1) % increases_.size();
  // The first sample starts the window and is not part of it.
  const bool begun = panes_ > 0 || sampled.samples > 0;
  const std::size_t full = begun ? panes_++ : 0;
  panes_ = std::min(panes_, increases_.size() + 1);
  const auto rate_of = [&](std::size_t slot) {
    const double seconds = static_cast<double>(detector_->panes[slot]) *
                           static_cast<double>(detector_->pane) / kSecondUs;
    return SumOf(detector_->panes[slot]) / seconds;
  };
  hold_.Update(pane, sampled, 0);
  plot_.Push(begun ? increase * kSecondUs / static_cast<double>(detector_->pane)
                   : std::numeric_limits<double>::quiet_NaN());
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const LevelConfig& level = detector_->common().level[slot];
    if (!level.set) continue;
    LevelReading& out = reading.level[slot];
    const double rate = rate_of(slot);
    out = {.value = rate, .threshold = level.above, .covers = hold_.covers()};
    if (!hold_.fresh() || pane.partial || full < detector_->panes[slot]) continue;
    if (rate >= level.above) {
      out.verdict = Verdict::kBreach;
      reading.began = {.earliest = pane.end - level.window, .latest = pane.end};
      explained_ = static_cast<int>(slot);
    } else {
      out.verdict = rate <= level.clear ? Verdict::kClear : Verdict::kBetween;
    }
  }
  return reading;
}

std::vector<Evidence> RateSeries::Explain() const {
  const DetectorCommon& common = detector_->common();
  const std::size_t slot = common.level[static_cast<std::size_t>(explained_)].set
                               ? static_cast<std::size_t>(explained_)
                               : static_cast<std::size_t>(1 - explained_);
  EvidenceList list;
  list.Text("window", "rate", FormatDuration(common.level[slot].window))
      .Number("samples", "increase", SumOf(detector_->panes[slot]))
      .Number("samples", "sources", static_cast<double>(sources_.size()));
  if (resets_ > 0) list.Number("samples", "resets", static_cast<double>(resets_));
  if (dropped_ > 0) list.Number("samples", "dropped", static_cast<double>(dropped_));
  return list.Number("threshold", "level", common.level[slot].above)
      .Json("panes", "rate", plot_.Json())
      .Take();
}

void RateSeries::Encode(ByteWriter* out) const {
  out->Varint(sources_.size());
  for (const Source& source : sources_) {
    out->Fixed64(source.id);
    out->Signed(source.time);
    out->Double(source.last);
  }
  for (const double increase : increases_) out->Double(increase);
  out->Varint(next_);
  out->Varint(panes_);
  out->Signed(resets_);
  out->Signed(dropped_);
  hold_.Encode(out);
  plot_.Encode(out);
  out->Varint(static_cast<std::uint64_t>(explained_));
}

void RateSeries::Decode(ByteReader* in) {
  const std::size_t sources = in->Count();
  if (sources > limits::kCounterSourcesMax) in->Fail();
  sources_.clear();
  for (std::size_t i = 0; i < sources && in->ok(); ++i) {
    Source source;
    source.id = in->Fixed64();
    source.time = in->Signed();
    source.last = in->Double();
    if (!sources_.empty() && source.id <= sources_.back().id) in->Fail();
    sources_.push_back(source);
  }
  for (double& increase : increases_) increase = in->Double();
  next_ = in->Varint();
  panes_ = in->Varint();
  resets_ = in->Signed();
  dropped_ = in->Signed();
  hold_.Decode(in);
  plot_.Decode(in);
  const std::uint64_t explained = in->Varint();
  if (next_ >= increases_.size() || panes_ > increases_.size() + 1 || explained > 1) in->Fail();
  if (!in->ok()) next_ = panes_ = 0;
  explained_ = in->ok() ? static_cast<int>(explained) : 0;
}

}  // namespace

std::unique_ptr<Detector> NewRate(const DetectorConfig& stanza,
                                  const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  DetectorCommon common = ReadCommon(
      stanza, {.category = Category::kPerformance, .window = kMinuteUs}, &reader, errors,
      [&](ConfigReader& level, int, LevelConfig* config) {
        if (!level.Has("above")) level.Missing("", "rate needs 'above', an increase per second");
        config->above = level.Number("above", 1, 0, 1e18);
        config->clear = level.Number("clear", config->above, 0, 1e18);
        if (config->clear > config->above && level.Sound("above") && level.Sound("clear")) {
          level.Error("clear", "clear is larger than above");
        }
        if (config->window > kRateWindowMax) {
          level.Error("window", absl::StrCat("window is ", FormatDuration(config->window),
                                             ": expected at most 1h"));
        }
      });
  reader.Finish();
  return std::make_unique<Rate>(std::move(common), environment.pane);
}

}  // namespace tocsin
