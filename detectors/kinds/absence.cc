// absence: what usually arrives does not arrive any more.
//
//   kind: absence                               # by its usual rate
//   where: {type: request}                      # the default type
//   by: [service]
//   critical: {level: 1}
//
//   kind: absence                               # of a heartbeat, a job, a report
//   where: {type: metric, name: backup_done}
//   every: 1h                                   # one is due this often
//   warn: {missed: 3, level: 3}
//
// By rate: silence breaches once so many events were to be expected since the last one that it is
// as unlikely as the false-page budget asks for: h of them (17.9 by default), for Poisson counts
// are zero with e^−λ, and a silence may begin with every pane. Counts of mean λ and variance ÷ mean
// D are taken as negative binomial; they are zero with D^(−λ/(D−1)), so λ counts as λ·ln D/(D−1).
// What is expected is what is usual at this hour or what the last quarter of an hour had, whichever
// is less, so that a series that goes to sleep is not missed. While the hour of the week is unknown
// that quarter includes the silence; then nothing is missed of a series with less than one event in
// two minutes. Silent until the baseline is warm.
//
// Three states: present, absent, and unknown, which is silence while a source is excluded or while
// nothing else of the scope arrives either: that may be the pipeline. But of one silence at most half
// an hour, and one `every`, is put down to it; from then on silence of the whole scope counts too. A
// scope in which little arrives is often silent as a whole: what such pauses say is learned, and
// counts as evidence up to half of what is asked for. A series that never was is not missed.
#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/math.h"
#include "core/number_text.h"
#include "detectors/evidence.h"
#include "detectors/stanza.h"
#include "detectors/statistics/baseline.h"
#include "detectors/statistics/window.h"

namespace tocsin {
namespace {

constexpr DurationUs kRecent = 15 * kMinuteUs;
// Below it ln D/(D−1) is 1, and 0/0 near.
constexpr double kPoissonMax = 1.001;
// So many events to be expected and none: one time in twenty.
constexpr double kUnlikely = 3;
// The share of the limit up to which a pause is one of the usual ones.
constexpr double kUsualPause = 0.5;
// Longer than what holds up all logs of a scope (a collector or a broker that restarts), and than
// the longest gap of bench/quality_traffic.
constexpr DurationUs kDoubtMax = 30 * kMinuteUs;

class Absence;

class AbsenceSeries : public SeriesState {
 public:
  explicit AbsenceSeries(const Absence* detector) : detector_(detector), ring_(kPlotPanes + 1) {}
  Reading Update(const PaneContext& pane, const SpecCells& cells) override;
  std::vector<Evidence> Explain() const override;
  void Encode(ByteWriter* out) const override;
  void Decode(ByteReader* in) override;

 private:
  // Events that were to come in this pane.
  double Expected(const PaneContext& pane) const;
  void LearnRecent(const PaneContext& pane, std::int64_t count);
  // What is not known about this pane may be the pipeline's fault.
  bool Doubtful(const PaneContext& pane) const;
  bool Pausing() const;
  OnsetInterval Began() const;

  const Absence* detector_;
  CountRing ring_;
  RateBaseline baseline_;
  double recent_ = 0;      // events a pane, exponentially weighted
  std::int64_t owed_ = 0;  // silent panes that recent_ does not contain yet
  TimeUs last_ = kNoTime;  // end of the last pane with events
  DurationUs silent_ = 0;  // since then, of what counts
  double expected_ = 0;    // in that time
};

class Absence : public Detector {
 public:
  Absence(DetectorCommon common, const DetectorEnvironment& environment,
          std::optional<DurationUs> due_every)
      : Detector(std::move(common)),
        every(due_every),
        h(environment.EvidenceThreshold()),
        pace(environment.pane),
        recent_weight(static_cast<double>(environment.pane) / static_cast<double>(kRecent)),
        doubt_max(std::min(kDoubtMax, due_every.value_or(kDoubtMax))) {
    DefaultType(EventType::kRequest, &common_.where);
  }
  SeriesSpec Spec() const override { return SpecOf(common_, {Measure::Count()}); }
  std::unique_ptr<SeriesState> NewSeries() const override {
    return std::make_unique<AbsenceSeries>(this);
  }
  std::string Title(const Signal& signal) const override {
    const std::string series = SeriesText(signal);
    if (every) {
      return absl::StrCat("nothing of ", series, " for ", ShortNumber(signal.value), " times ",
                          FormatDuration(*every));
    }
    return absl::StrCat("nothing of ", series, " where ", ShortNumber(signal.value),
                        " events were to be expected");
  }

  std::optional<DurationUs> every;
  double h;
  BaselinePace pace;
  double recent_weight;
  DurationUs doubt_max;
};

double AbsenceSeries::Expected(const PaneContext& pane) const {
  if (!baseline_.warm()) return 0;
  const double expected = std::min(baseline_.Mean(pane.start), recent_);
  const double dispersion = baseline_.Dispersion(pane.start);
  return dispersion < kPoissonMax ? expected : expected * Log(dispersion) / (dispersion - 1);
}

void AbsenceSeries::LearnRecent(const PaneContext& pane, std::int64_t count) {
  // Where it is known how much comes at this hour, silence does not make itself the usual.
  if (count == 0 && baseline_.Knows(pane.start)) {
    ++owed_;
    return;
  }
  if (owed_ > 0) {
    recent_ *= Pow(1 - detector_->recent_weight, static_cast<double>(owed_));
    owed_ = 0;
  }
  recent_ += detector_->recent_weight * (static_cast<double>(count) - recent_);
}

bool AbsenceSeries::Doubtful(const PaneContext& pane) const {
  if (pane.partial) return true;
  return !pane.others_alive && pane.start - last_ - silent_ < detector_->doubt_max;
}

bool AbsenceSeries::Pausing() const { return expected_ >= kUsualPause * detector_->h; }

// After the last event, and before the silence was longer than chance allows.
OnsetInterval AbsenceSeries::Began() const {
  if (last_ == kNoTime || silent_ == 0) return {};
  DurationUs doubtful = silent_;
  if (detector_->every) {
    doubtful = *detector_->every;
  } else if (expected_ > kUnlikely) {
    doubtful = static_cast<DurationUs>(kUnlikely / expected_ * static_cast<double>(silent_));
  }
  return {.earliest = last_, .latest = last_ + doubtful};
}

Reading AbsenceSeries::Update(const PaneContext& pane, const SpecCells& cells) {
  const std::int64_t count = cells.cell.present() ? cells.Count(0) : 0;
  ring_.Push(0, count);
  const bool known = count > 0 || (last_ != kNoTime && !Doubtful(pane));
  if (count > 0) {
    last_ = pane.end;
    silent_ = 0;
    expected_ = 0;
  } else if (known) {
    silent_ += pane.pane;
    expected_ += Expected(pane);
  } else if (last_ != kNoTime && !pane.partial && !Pausing()) {
    expected_ = std::min(expected_ + Expected(pane), kUsualPause * detector_->h);
  }
  Reading reading;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    const LevelConfig& level = detector_->common().level[slot];
    if (!level.set) continue;
    LevelReading& out = reading.level[slot];
    out.threshold = level.above;
    out.value = detector_->every
                    ? static_cast<double>(silent_) / static_cast<double>(*detector_->every)
                    : expected_;
    if (!known) continue;
    if (!detector_->every && !baseline_.warm()) continue;
    out.verdict = out.value >= level.above                 ? Verdict::kBreach
                  : out.value <= kUsualPause * level.above ? Verdict::kClear
                                                           : Verdict::kBetween;
  }
  reading.began = Began();
  // Silence that is doubtful is learned as long as it may be a pause of this series.
  if (known || (last_ != kNoTime && !pane.partial && !Pausing())) {
    baseline_.Update({.frozen = pane.firing || Pausing(), .partial = pane.partial}, pane.start,
                     static_cast<double>(count), detector_->pace);
    if (!Pausing()) LearnRecent(pane, count);
  }
  return reading;
}

std::vector<Evidence> AbsenceSeries::Explain() const {
  const DetectorCommon& common = detector_->common();
  const LevelConfig& level = common.level[1].set ? common.level[1] : common.level[0];
  EvidenceList list;
  list.Text("window", "silent", FormatDuration(silent_));
  if (last_ != kNoTime) list.Text("samples", "last", FormatTime(last_));
  if (detector_->every) {
    list.Text("baseline", "every", FormatDuration(*detector_->every));
  } else {
    list.Number("baseline", "events_per_pane", recent_);
    if (baseline_.relearning()) list.Text("baseline", "state", "learning anew after 24 h");
  }
  return list.Number("threshold", detector_->every ? "missed" : "expected", level.above)
      .Json("panes", "events", ring_.TotalsJson())
      .Take();
}

void AbsenceSeries::Encode(ByteWriter* out) const {
  ring_.Encode(out);
  baseline_.Encode(out);
  out->Double(recent_);
  out->Signed(owed_);
  out->Signed(last_);
  out->Signed(silent_);
  out->Double(expected_);
}

void AbsenceSeries::Decode(ByteReader* in) {
  ring_.Decode(in);
  baseline_.Decode(in);
  recent_ = in->Double();
  owed_ = in->Signed();
  last_ = in->Signed();
  silent_ = in->Signed();
  expected_ = in->Double();
}

}  // namespace

std::unique_ptr<Detector> NewAbsence(const DetectorConfig& stanza,
                                     const DetectorEnvironment& environment, ErrorList* errors) {
  ConfigReader reader(stanza.node, absl::StrCat("detector ", stanza.name), errors);
  const std::optional<DurationUs> every = reader.OptionalDuration("every");
  if (every && *every < kSecondUs) reader.Error("every", "every is shorter than a second");
  DetectorCommon common =
      ReadCommon(stanza, {.category = Category::kAvailability}, &reader, errors,
                 [&](ConfigReader& level, int, LevelConfig* config) {
                   if (level.Has("missed") && !reader.Has("every")) {
                     level.Error("missed", "missed goes with 'every', how often one is due");
                   }
                   const double missed = level.Number("missed", 3, 1, 1e6);
                   config->above = every ? missed : environment.EvidenceThreshold();
                 });
  reader.Finish();
  return std::make_unique<Absence>(std::move(common), environment, every);
}

}  // namespace tocsin
