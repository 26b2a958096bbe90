// absence: events that usually arrive have stopped.
//
//   kind: absence                               # by the usual rate
//   where: {type: request}                      # the default type
//   by: [service]
//   critical: {level: 1}
//
//   kind: absence                               # of a heartbeat, a job, a report
//   where: {type: metric, name: backup_done}
//   every: 1h                                   # one is due this often
//   warn: {missed: 3, level: 3}
//
// By rate: silence breaches once so many events were expected since the last one that it is as
// unlikely as the false-page budget requires: h of them (17.9 by default), because Poisson counts
// are zero with probability e^−λ, and a silence may begin with every pane. Counts of mean λ and
// variance ÷ mean D are taken as negative binomial; they are zero with D^(−λ/(D−1)), so λ counts as
// λ·ln D/(D−1). The expected rate is the usual one at this hour or that of the last quarter of an
// hour, whichever is less, so that a series that goes to sleep does not fire. While the hour of the
// week is unknown that quarter includes the silence; then a series with less than one event in two
// minutes never fires. Unknown until the baseline is warm.
//
// Three states: present, absent, and unknown. Silence is unknown while a source is excluded, and
// while no data of the whole scope arrives, because the pipeline may be at fault. But for one
// silence the pipeline is blamed for at most half an hour, or one `every` if that is shorter; after
// that, silence of the whole scope counts too. A scope with little traffic is often silent as a
// whole: the expected events of such pauses are learned, and count as evidence up to half of the
// requirement. A series that never had an event does not fire.
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
// Below this dispersion ln D/(D−1) is close to 1, and its computation close to 0/0.
constexpr double kPoissonMax = 1.001;
// No event where this many were expected: by chance one time in twenty.
constexpr double kUnlikely = 3;
// Up to this share of the limit a pause is a usual one.
constexpr double kUsualPause = 0.5;
// Longer than typical delays of all logs of a scope (a collector or a broker that restarts), and
// than the longest gap of bench/quality_traffic.
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
  // The number of events expected in this pane.
  double Expected(const PaneContext& pane) const;
  void LearnRecent(const PaneContext& pane, std::int64_t count);
  // The silence of this pane may be the pipeline's fault.
  bool Doubtful(const PaneContext& pane) const;
  bool Pausing() const;
  OnsetInterval Began() const;

  const Absence* detector_;
  CountRing ring_;
  RateBaseline baseline_;
  double recent_ = 0;      // events a pane, exponentially weighted
  std::int64_t owed_ = 0;  // silent panes not yet included in recent_
  TimeUs last_ = kNoTime;  // end of the last pane with events
  DurationUs silent_ = 0;  // time since then that counts as silence
  double expected_ = 0;    // events expected in that time
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
  // If the usual rate of this hour is known, silence must not lower the expectation.
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
  // Doubtful silence is learned as long as it may be a usual pause of this series.
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
                     level.Error("missed", "missed requires 'every', the expected interval");
                   }
                   const double missed = level.Number("missed", 3, 1, 1e6);
                   config->above = every ? missed : environment.EvidenceThreshold();
                 });
  reader.Finish();
  return std::make_unique<Absence>(std::move(common), environment, every);
}

}  // namespace tocsin
