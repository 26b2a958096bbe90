// The level of a gauge, such as that of open connections, with the events that explain it.
#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detectors/gauge_hold.h"
#include "detectors/storm_series.h"

namespace tocsin {
namespace {

class StormGaugeSeries : public SeriesState {
 public:
  explicit StormGaugeSeries(const StormRule* rule) : rule_(rule) {}
  void AddExplaining(const PaneContext& pane, const SpecCells& cells) override;
  void LeaveUnexplained() override { unexplained_ = true; }
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  std::string Classification() const override { return label_.text(); }
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  StormVerdict LabelNow() const;

  const StormRule* rule_;
  GaugeHold hold_;
  RateBaseline baseline_;
  PlotRing plot_;
  std::unique_ptr<StormSources> sources_;  // null until the first event
  double usual_ = 0;
  int explained_ = 0;
  StormLabel label_;
  bool unexplained_ = false;
};

void StormGaugeSeries::AddExplaining(const PaneContext& pane, const SpecCells& cells) {
  if (sources_ == nullptr) sources_ = std::make_unique<StormSources>(rule_->NewSources());
  sources_->Add(pane, cells);
}

Reading StormGaugeSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  static const GaugeValue kEmpty;
  // Ignore a negative number of connections; it must not become part of the usual.
  const bool counted = cells.cell.present() && cells.Gauge(0).max >= 0;
  const GaugeValue& gauge = counted ? cells.Gauge(0) : kEmpty;
  hold_.Update(pane, gauge, gauge.max);
  plot_.Push(hold_.held() ? hold_.value() : std::numeric_limits<double>::quiet_NaN());
  usual_ = baseline_.warm() ? baseline_.Mean(pane.start) : 0;
  Reading reading;
  bool breaching = false;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const StormLimits& limits = rule_->limits[slot];
    if (!limits.set) continue;
    const double guard = std::max(limits.above, limits.ratio * usual_);
    const double calm = std::max(limits.clear, std::min(guard, kStormCalmRatio * usual_));
    LevelReading& out = reading.level[slot];
    out = {.value = hold_.value(), .threshold = limits.above, .covers = hold_.covers()};
    if (!hold_.fresh() || (limits.adaptive && usual_ <= 0)) continue;
    if (hold_.value() >= guard) {
      out.verdict = Verdict::kBreach;
      breaching = true;
      explained_ = static_cast<int>(slot);
    } else {
      out.verdict = hold_.value() <= calm ? Verdict::kClear : Verdict::kBetween;
    }
  }
  if (hold_.fresh()) {
    const bool frozen =
        usual_ > 0 ? hold_.value() >= rule_->lowest_ratio * usual_ : breaching || pane.firing;
    baseline_.Update({.frozen = frozen, .partial = pane.partial}, pane.start, hold_.value(),
                     rule_->pace);
  }
  const bool risen = usual_ > 0 && hold_.held() && hold_.value() > kStormCalmRatio * usual_;
  if (sources_ != nullptr) sources_->EndPane(pane, breaching || risen || pane.firing);
  if (breaching) {
    label_.Update(pane.firing, LabelNow());
  } else if (hold_.fresh() && !pane.firing) {
    label_.Clear();
  }
  return reading;
}

StormVerdict StormGaugeSeries::LabelNow() const {
  if (sources_ != nullptr) return LabelStorm(sources_->Facts());
  const std::string text = unexplained_
                               ? absl::StrCat("events are not kept for so many series")
                               : absl::StrCat("no ", rule_->explained_by, " of its service");
  return {"unknown", "", {{"events", text}}};
}

std::vector<Evidence> StormGaugeSeries::Explain() const {
  const auto slot = static_cast<std::size_t>(explained_);
  EvidenceList list;
  list.Text("window", "for", FormatDuration(rule_->windows[slot]))
      .Number("samples", "value", hold_.value());
  if (sources_ != nullptr) sources_->ExplainNow(&list);
  if (usual_ > 0) list.Number("baseline", "value", usual_);
  if (baseline_.relearning()) list.Text("baseline", "state", "learning anew after 24 h");
  if (sources_ != nullptr) sources_->ExplainUsual(&list);
  list.Number("threshold", "value", rule_->limits[slot].above)
      .Number("threshold", "ratio", rule_->limits[slot].ratio);
  label_.Explain(&list);
  if (sources_ != nullptr) sources_->ExplainTop(&list);
  return list.Json("panes", "value", plot_.Json()).Take();
}

void StormGaugeSeries::Encode(ByteWriter* out) const {
  hold_.Encode(out);
  baseline_.Encode(out);
  plot_.Encode(out);
  out->Double(usual_);
  out->Varint(static_cast<std::uint64_t>(explained_));
  label_.Encode(out);
  out->Bool(unexplained_);
  out->Bool(sources_ != nullptr);
  if (sources_ != nullptr) sources_->Encode(out);
}

void StormGaugeSeries::Decode(ByteReader* in) {
  hold_.Decode(in);
  baseline_.Decode(in);
  plot_.Decode(in);
  usual_ = in->Double();
  const std::uint64_t explained = in->Varint();
  if (explained > 1) in->Fail();
  explained_ = in->ok() ? static_cast<int>(explained) : 0;
  if (in->format() < 6) {
    // Format 5 stored whether it was labelled; the only label was unknown.
    if (in->Bool()) label_.Update(false, LabelNow());
    return;
  }
  label_.Decode(in);
  unexplained_ = in->Bool();
  sources_.reset();
  if (!in->Bool()) return;
  sources_ = std::make_unique<StormSources>(rule_->NewSources());
  sources_->Decode(in);
}

}  // namespace

std::unique_ptr<SeriesState> NewStormGaugeSeries(const StormRule* rule) {
  return std::make_unique<StormGaugeSeries>(rule);
}

}  // namespace tocsin
