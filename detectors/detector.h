// A detector kind: which measures it needs, and how it judges one series, pane by pane.
//
//   class ErrorRate : public Detector { … };           // one .cc, one factory, one registry line
//   SeriesSpec Spec() const;                           // compiled into the Plan
//   std::unique_ptr<SeriesState> NewSeries() const;    // one a series
//   Reading reading = series->Update(pane, cells);     // once a pane
//
// The kind decides for each level whether its condition holds in this pane; the shared state
// machine (state_machine.h) turns that into signals: `for`, keep_firing_for, raise, clear. A kind
// never sees a clock, another series, or the order of series. Update is called for every pane in
// order, also for panes without events (an absent cell). Different series are updated on different
// threads; Detector is immutable, SeriesState is owned by one thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "config/node.h"
#include "core/signal.h"
#include "core/time.h"
#include "core/wire.h"
#include "panes/pane_table.h"
#include "panes/series_spec.h"

namespace tocsin {

// How long after a release a series is compared with its state before the release.
inline constexpr DurationUs kDeployWatch = kHourUs;

// The pane being decided.
struct PaneContext {
  TimeUs tick = 0;
  TimeUs start = 0;  // event time [start, end)
  TimeUs end = 0;
  DurationUs pane = 10 * kSecondUs;
  // A source partition is excluded: baselines freeze, `for` holds, ratios are unknown.
  bool partial = false;
  // The series is firing, by its state machine: baselines freeze.
  bool firing = false;
  // Data of the series' scope arrived in this tick. If not, silence of the series may be silence of
  // the whole pipeline.
  bool others_alive = true;
  // There was a deploy in this scope within the last 30 min: h is lower by ln 10.
  bool recent_deploy = false;
  // The newest release within kDeployWatch that concerns this series: one of its service, or one
  // that names no service; kNoTime if there was none.
  TimeUs deployed_at = kNoTime;
};

enum class Verdict : std::uint8_t {
  kUnknown,  // no statement (no data, partial, warming up): `for` holds, nothing clears
  kClear,    // below the clear threshold
  kBetween,  // neither: keeps a firing signal firing, does not start one
  kBreach,   // the condition holds
  kCertain,  // it holds so clearly that `for` is skipped
};

struct LevelReading {
  Verdict verdict = Verdict::kUnknown;
  double value = 0;
  double threshold = 0;
  // Event time that the verdict covers, if longer than the pane: a gauge sample also covers the
  // empty panes since the previous sample. 0: the pane.
  DurationUs covers = 0;
};

// [0] warn, [1] critical; a level that is not configured stays kUnknown.
struct Reading {
  std::array<LevelReading, 2> level;
  // Half of the required evidence exists: something may have begun, though it is no breach yet. If
  // it becomes a breach, the onset is where the suspicion began.
  bool suspicious = false;
  // The onset of what breaches or is suspicious in this pane, if the kind knows more than the state
  // machine, which assumes this pane or, for a gauge, the time since the previous sample.
  OnsetInterval began;
};

// The measurements of one pane for a series, with the slots of its spec's measures.
struct SpecCells {
  CellView cell;
  const std::vector<MeasureSlot>* slots = nullptr;  // parallel to SeriesSpec::measures
  std::int64_t Count(std::size_t measure) const { return cell.Count((*slots)[measure]); }
  double Sum(std::size_t measure) const { return cell.Sum((*slots)[measure]); }
  const GaugeValue& Gauge(std::size_t measure) const { return cell.Gauge((*slots)[measure]); }
  const CounterSet& Counters(std::size_t measure) const { return cell.Counters((*slots)[measure]); }
  const LogHistogram& Histogram(std::size_t measure) const {
    return cell.Histogram((*slots)[measure]);
  }
  const HyperLogLog& Distinct(std::size_t measure) const {
    return cell.Distinct((*slots)[measure]);
  }
  const SpaceSaving& Top(std::size_t measure) const { return cell.Top((*slots)[measure]); }
};

class SeriesState {
 public:
  virtual ~SeriesState() = default;
  // Adds a row of Detector::Explaining that concerns this series. Called before Update, any number
  // of times per pane.
  virtual void AddExplaining(const PaneContext& pane, const SpecCells& cells) {
    (void)pane, (void)cells;
  }
  // Called once if AddExplaining will never be called, because too many series have explaining
  // rows.
  virtual void LeaveUnexplained() {}
  virtual Reading Update(const PaneContext& pane, const SpecCells& cells) = 0;
  // Evidence as of the last Update: value, baseline, window, samples, top contributors, the last
  // panes for a plot ({kind: "panes", name: "rate", json: "[0.1,0.2,…]"}). Called only when
  // something changed.
  virtual std::vector<Evidence> Explain() const = 0;
  // The current label of a storm; empty for other kinds.
  virtual std::string Classification() const { return ""; }
  // Everything that Update depends on; Decode marks `in` as failed if the content is malformed.
  virtual void Encode(ByteWriter* out) const = 0;
  virtual void Decode(ByteReader* in) = 0;
};

// One level of a stanza.
struct LevelConfig {
  bool set = false;
  double above = 0;  // the threshold, in the kind's unit
  double clear = 0;  // clears below it
  DurationUs window = 5 * kMinuteUs;
  DurationUs hold = 0;  // `for`
  int level = 3;        // severity level
};

// Whether the reported condition approaches its threshold slowly, so that the moment of crossing it
// has no cause of its own (detectors/statistics/drift.h).
enum class Drift : std::uint8_t {
  kNever,
  kByName,  // if the metric, check or alarm is about a disk, memory or a certificate
  kAlways,
};

// The keys that every stanza may have, read by ReadCommon.
struct DetectorCommon {
  std::string name;
  std::string kind;
  std::vector<std::string> inputs;
  Predicate where;
  std::vector<FieldRef> by;
  std::array<LevelConfig, 2> level;  // kinds fill `above` and `clear`
  DurationUs keep_firing_for = kMinuteUs;
  std::int64_t min_volume = 0;  // events in the window below which a ratio is unknown
  Category category = Category::kAvailability;
  bool degraded_only = false;
  Drift drift = Drift::kNever;
};

class Detector {
 public:
  virtual ~Detector() = default;
  const DetectorCommon& common() const { return common_; }
  virtual SeriesSpec Spec() const = 0;
  // A second aggregation, by service, whose events explain a series. A series is given the row of
  // its service and the row of events without a service; a series without a service is given the
  // sum over its scope.
  virtual std::optional<SeriesSpec> Explaining() const { return std::nullopt; }
  // The spec that a build of an earlier state format (core/state_format.h) measured for this
  // stanza, so that its panes can be read. Override it in a kind whose measures have changed since.
  virtual SeriesSpec SpecOfFormat(int format) const {
    (void)format;
    return Spec();
  }
  virtual std::unique_ptr<SeriesState> NewSeries() const = 0;
  // The version of the encoding of its SeriesStates. Raise it when an older state cannot be read:
  // such a state is dropped, and learned again from the pane log.
  virtual int StateVersion() const { return 1; }
  // The level to use given a classification (a surge is at most level 3); `level` unless a cap
  // applies.
  virtual int CapLevel(int level, const std::string& classification) const {
    (void)classification;
    return level;
  }
  // The category to use given a classification (an attack is a security matter).
  virtual Category CategoryOf(const std::string& classification) const {
    (void)classification;
    return common_.category;
  }
  // Whether `signal` at its current value shows that a service does not work at all: at least half
  // of its requests fail, it has no healthy target, or three checks failed in a row.
  virtual bool MeansDown(const Signal& signal) const {
    (void)signal;
    return false;
  }
  // Whether a signal on this series approached its threshold slowly (see Drift).
  bool Drifts(const Labels& series) const;
  // One line for operators: "error rate of service=api is 12 % (above 5 % over 5 min)".
  virtual std::string Title(const Signal& signal) const = 0;

 protected:
  explicit Detector(DetectorCommon common) : common_(std::move(common)) {}
  DetectorCommon common_;
};

// Settings of a detector that are not in its stanza.
struct DetectorEnvironment {
  DurationUs pane = 10 * kSecondUs;
  double false_pages_per_series_week = 0.001;
  std::int64_t series_expected = 1;
  // h = ln(looks per week × series / allowed false pages per week).
  double EvidenceThreshold() const;
};

// The evidence that a breach requires in this pane: `h`, lower by ln 10 within 30 min of a deploy,
// when a fault is about ten times as likely.
double EnoughEvidence(double h, const PaneContext& pane);

}  // namespace tocsin
