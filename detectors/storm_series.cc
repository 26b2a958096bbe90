#include "detectors/storm_series.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "detectors/change_point.h"
#include "detectors/statistics/cusum.h"
#include "detectors/statistics/window.h"

namespace tocsin {
namespace {

// While `for` runs, the last minute must have at least this share of the limit's pace.
constexpr double kPaceShare = 0.5;
// Evidence is against this share of the limit, or against the usual if that is more, so that a
// lower `above` always has at least as much evidence.
constexpr double kUnsuspectedShare = 1.0 / 3;
// Evidence is of a rate this many times higher, or `ratio` times if that is less.
constexpr double kFactorMax = 2;
// To decide what is not learned, the test starts from the usual × `ratio` ÷ this factor: traffic at
// twice the usual is no evidence of three times, however long it lasts.
constexpr double kUnlearnedFactor = 1.5;

class StormSeries : public SeriesState {
 public:
  explicit StormSeries(const StormRule* rule);
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  std::string Classification() const override { return label_.text(); }
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  struct Level {
    PoissonCusum cusum;
    WindowSum window, minute, older;
  };
  LevelReading Judge(const PaneContext& pane, const StormLimits& limits, Level* level) const;
  OnsetInterval Began(const PaneContext& pane, const StormLimits& limits) const;
  // There is half the evidence of a rate that is too high to be learned.
  bool Unusual(const PaneContext& pane);
  // A whole window is empty that should have had many events: an outage, which must not become
  // usual.
  bool Silent(const PaneContext& pane) const;

  const StormRule* rule_;
  CountRing ring_;
  std::array<Level, 2> levels_;
  PoissonCusum unusual_;  // evidence of the lowest ratio, which is not learned
  RateBaseline baseline_;
  StormSources sources_;
  double usual_ = 0;  // events a pane, as of the last Update; 0 until known
  StormLabel label_;
  int explained_ = 0;
};

// Format 5 stored other data about the sources; they are relearned.
void SkipSourcesOfFormat5(ByteReader* in) {
  constexpr int kParts = 6, kTopWindows = 2;
  for (int i = 0; i < kTopWindows; ++i) {
    for (int n = 0; n < 1 + kParts; ++n) in->Varint();
    in->Bytes();
  }
  in->Varint();
  for (int i = 0; i < kParts; ++i) HyperLogLog::Decode(in);
  in->Signed();
  for (int i = 0; i < 3; ++i) in->Double();
  for (std::size_t i = in->Count(16); i > 0 && in->ok(); --i) {
    in->Fixed64();
    in->Double();
  }
  for (int i = 0; i < 2; ++i) HyperLogLog::Decode(in);
  in->Signed();
  SpaceSaving::Decode(in);  // endpoints
}

StormSeries::StormSeries(const StormRule* rule)
    : rule_(rule), ring_(rule->ring_capacity), sources_(rule->NewSources()) {
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const StormLimits& limits = rule->limits[slot];
    levels_[slot].window = WindowSum(0, limits.window);
    levels_[slot].minute = WindowSum(0, limits.minute);
    levels_[slot].older = WindowSum(limits.cover - std::max(1, limits.cover / 4), limits.cover);
  }
  if (!rule->limits[0].set) explained_ = 1;
}

LevelReading StormSeries::Judge(const PaneContext& pane, const StormLimits& limits,
                                Level* level) const {
  const double window_panes = limits.window;
  const double guard = std::max(limits.above, limits.ratio * usual_ * window_panes);
  const auto count = static_cast<double>(level->window.total());
  LevelReading reading = {.value = count, .threshold = limits.above};
  if (pane.partial || (limits.adaptive && usual_ <= 0)) return reading;
  const double to = guard / window_panes;
  const double h = rule_->h, enough = EnoughEvidence(h, pane);
  level->cusum.Update(ring_.At(0).total,
                      {.from = std::max(usual_, kUnsuspectedShare * to),
                       .factor = std::min(kFactorMax, limits.ratio),
                       .dispersion = usual_ > 0 ? baseline_.Dispersion(pane.start) : 1,
                       .cap = h + kCertainMargin});
  const double minute = static_cast<double>(level->minute.total()) / limits.minute;  // a pane
  const double calm =
      std::max(limits.clear, std::min(guard, kStormCalmRatio * usual_ * window_panes)) /
      window_panes;
  if (level->cusum.value() >= enough && count >= guard && minute >= kPaceShare * to) {
    const double older =
        static_cast<double>(level->older.total()) / static_cast<double>(level->older.panes());
    const bool certain = level->cusum.value() >= enough + kCertainMargin && older >= to;
    reading.verdict = certain ? Verdict::kCertain : Verdict::kBreach;
  } else if (minute <= calm) {
    reading.verdict = Verdict::kClear;
  } else {
    // Not calm, and the window is above the limit: `for` holds.
    reading.verdict = !pane.firing && count >= guard ? Verdict::kUnknown : Verdict::kBetween;
  }
  return reading;
}

Reading StormSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const bool present = cells.cell.present();
  ring_.Push(0, present ? cells.Count(StormSources::kEvents) : 0);
  if (present) sources_.Add(pane, cells);
  usual_ = baseline_.warm() ? baseline_.Mean(pane.start) : 0;
  Reading reading;
  bool breaching = false;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    Level& level = levels_[slot];
    for (WindowSum* sum : {&level.window, &level.minute, &level.older}) sum->Slide(ring_);
    const StormLimits& limits = rule_->limits[slot];
    if (!limits.set) continue;
    reading.level[slot] = Judge(pane, limits, &level);
    if (level.cusum.value() > rule_->h / 2) {
      reading.suspicious = true;
      if (!pane.firing) reading.began = Began(pane, limits);
    }
    if (reading.level[slot].verdict >= Verdict::kBreach) {
      breaching = true;
      explained_ = static_cast<int>(slot);
    }
  }
  const bool frozen = usual_ > 0 ? Unusual(pane) || Silent(pane) : pane.firing;
  baseline_.Update({.frozen = frozen, .partial = pane.partial}, pane.start,
                   static_cast<double>(ring_.At(0).total), rule_->pace);
  sources_.EndPane(pane, frozen || breaching || pane.firing);
  if (breaching) {
    label_.Update(pane.firing, LabelStorm(sources_.Facts()));
  } else if (!pane.firing) {
    label_.Clear();
  }
  return reading;
}

OnsetInterval StormSeries::Began(const PaneContext& pane, const StormLimits& limits) const {
  const double above = limits.above / limits.window;
  if (usual_ <= 0) {
    return RateChange(ring_, pane, {.usual = above / limits.ratio, .changed = above});
  }
  return RateChange(ring_, pane,
                    {.usual = usual_,
                     .changed = std::max(above, limits.ratio * usual_),
                     .dispersion = baseline_.Dispersion(pane.start)});
}

bool StormSeries::Unusual(const PaneContext& pane) {
  if (!pane.partial) {
    const double factor = std::min(kUnlearnedFactor, rule_->lowest_ratio);
    unusual_.Update(ring_.At(0).total, {.from = usual_ * rule_->lowest_ratio / factor,
                                        .factor = factor,
                                        .dispersion = baseline_.Dispersion(pane.start),
                                        .cap = rule_->h});
  }
  return unusual_.value() > rule_->h / 2;
}

bool StormSeries::Silent(const PaneContext& pane) const {
  const double plenty = rule_->h * baseline_.Dispersion(pane.start) / usual_;  // panes
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const StormLimits& limits = rule_->limits[slot];
    if (limits.set && levels_[slot].window.total() == 0 && limits.window >= plenty) return true;
  }
  return false;
}

std::vector<Evidence> StormSeries::Explain() const {
  const auto slot = static_cast<std::size_t>(explained_);
  const StormLimits& limits = rule_->limits[slot];
  EvidenceList list;
  list.Text("window", "duration", FormatDuration(rule_->windows[slot]))
      .Int("samples", "events", levels_[slot].window.total());
  sources_.ExplainNow(&list);
  if (usual_ > 0) list.Number("baseline", "events", usual_ * limits.window);
  sources_.ExplainUsual(&list);
  if (baseline_.relearning()) list.Text("baseline", "state", "learning anew after 24 h");
  list.Number("threshold", "events", limits.above).Number("threshold", "ratio", limits.ratio);
  label_.Explain(&list);
  sources_.ExplainTop(&list);
  return list.Json("panes", "events", ring_.TotalsJson()).Take();
}

void StormSeries::Encode(ByteWriter* out) const {
  ring_.Encode(out);
  for (const Level& level : levels_) level.cusum.Encode(out);
  unusual_.Encode(out);
  baseline_.Encode(out);
  sources_.Encode(out);
  out->Double(usual_);
  label_.Encode(out);
  out->Varint(static_cast<std::uint64_t>(explained_));
}

void StormSeries::Decode(ByteReader* in) {
  ring_.Decode(in);
  for (Level& level : levels_) {
    level.cusum.Decode(in);
    for (WindowSum* sum : {&level.window, &level.minute, &level.older}) sum->Recount(ring_);
  }
  if (in->format() >= 6) unusual_.Decode(in);
  baseline_.Decode(in);
  if (in->format() < 6) {
    SkipSourcesOfFormat5(in);
  } else {
    sources_.Decode(in);
  }
  usual_ = in->Double();
  label_.Decode(in);
  const std::uint64_t explained = in->Varint();
  if (explained > 1) in->Fail();
  explained_ = in->ok() ? static_cast<int>(explained) : 0;
  if (in->format() < 6) in->Bool();
}

}  // namespace

std::unique_ptr<SeriesState> NewStormSeries(const StormRule* rule) {
  return std::make_unique<StormSeries>(rule);
}

void StormLabel::Update(bool firing, StormVerdict now) {
  // A firing storm that fades or changes keeps its last known label.
  if (firing && now.label == "unknown" && !verdict_.label.empty()) return;
  verdict_ = std::move(now);
}

void StormLabel::Explain(EvidenceList* list) const {
  if (!verdict_.reason.empty()) list->Text("label", "reason", verdict_.reason);
  for (const StormVerdict::Missing& missing : verdict_.missing) {
    list->Text("missing", missing.name, missing.text);
  }
}

void StormLabel::Encode(ByteWriter* out) const {
  out->Bytes(verdict_.label);
  out->Bytes(verdict_.reason);
  out->Varint(verdict_.missing.size());
  for (const StormVerdict::Missing& missing : verdict_.missing) {
    out->Bytes(missing.name);
    out->Bytes(missing.text);
  }
}

void StormLabel::Decode(ByteReader* in) {
  verdict_.label = std::string(in->Bytes());
  if (in->format() < 6) return;
  verdict_.reason = std::string(in->Bytes());
  verdict_.missing.clear();
  for (std::size_t i = in->Count(2); i > 0 && in->ok(); --i) {
    StormVerdict::Missing& missing = verdict_.missing.emplace_back();
    missing.name = std::string(in->Bytes());
    missing.text = std::string(in->Bytes());
  }
}

}  // namespace tocsin
