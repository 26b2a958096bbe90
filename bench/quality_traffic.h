// The traffic of bench/quality: what a service, a pool or an app looks like from one pane to the
// next, on quiet days and with a fault.
//
//   Climate climate(seed);
//   std::unique_ptr<Traffic> traffic = NewRequests({.per_minute = 100}, &rng);
//   PaneFill fill(&setup, start);
//   const Sign sign = traffic->Fill(climate.Next(start), fault, &rng, &fill);
//   series.Update(pane, fill.Cells());
//
// Counts go straight into a pane's accumulators, one event of a weight for many, so that years take
// seconds; what a kind does not read is left out. Quiet days have: a daily and weekly rhythm
// (night 0.3 to afternoon 1.7, weekends at 0.6), slow noise, overdispersed counts (variance ÷ mean
// 1.5), crowds (up to 2.2 × for minutes), blips (some percent fail for half a minute), deploys on
// workdays (a cold minute, everything slower), gaps (nothing arrives of anybody) and lag (partial
// ticks that see about half). Deterministic from the seeds; not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "bench/sampling.h"
#include "core/event.h"
#include "tests/detectors/series_driver.h"

namespace tocsin {

inline constexpr DurationUs kQualityPane = 10 * kSecondUs;

// What goes on around a series in one pane.
struct Moment {
  TimeUs start = 0;
  double load = 1;     // of the average
  double seen = 1;     // share of the events that arrive in time
  double failing = 0;  // a blip: this share fails beyond the usual
  bool gap = false;    // nothing arrives, of no series
  bool partial = false;
  bool cold = false;  // just restarted
  bool recent_deploy = false;
  bool restarted = false;  // in this very pane
};

class Climate {
 public:
  explicit Climate(std::uint64_t seed);
  Moment Next(TimeUs start);

 private:
  // Something that comes so often and lasts so long.
  struct Spell {
    double per_week;
    DurationUs least, most;
    TimeUs until = 0;
  };
  bool Lasts(TimeUs start, Spell* spell);

  Rng rng_;
  double phase_;  // hours
  double noise_ = 0;
  double crowd_ = 1, blip_ = 0;
  TimeUs deployed_ = 0;
  Spell crowds_, blips_, gaps_, lags_;
};

// Part of a pane, at its end, has a fault; `strength` is what the traffic takes it for.
struct Fault {
  double strength = 0;
  double share = 0;  // of the pane, 0 … 1
  TimeUs onset = 0;
};

// What a pane held of the fault.
struct Sign {
  double evidence = 0;  // in the unit of the kind's evidence floor
  bool holds = true;    // what the rule speaks of is the case by now
  bool over = false;    // the worst has happened
};

// The accumulators of one pane.
class PaneFill {
 public:
  PaneFill(const DetectorSetup* setup, TimeUs start)
      : setup_(setup), table_(setup->NewTable()), start_(start) {}
  // At a point of the pane, 0 … 1.
  void Add(Event event, double at = 0.5);
  // Events that succeeded and failed, as two of their weights.
  void AddOutcomes(EventType type, const char* name, std::int64_t good, std::int64_t bad);
  SpecCells Cells() const { return setup_->Cells(table_); }

 private:
  const DetectorSetup* setup_;
  PaneTable table_;
  TimeUs start_;
};

class Traffic {
 public:
  virtual ~Traffic() = default;
  virtual Sign Fill(const Moment& moment, const Fault& fault, Rng* rng, PaneFill* fill) = 0;
  virtual std::unique_ptr<Traffic> Clone() const = 0;
  // Of a ratio: the share that is usual.
  virtual double usual() const { return 0; }
};

// Events that succeed or fail. A fault makes `strength` of them fail. Evidence: events.
struct RatioTraffic {
  EventType type = EventType::kRequest;
  const char* name = "";
  double per_minute = 100;
  double usual_low = 0.001, usual_high = 0.003;  // a series has its own share between them
};
std::unique_ptr<Traffic> NewRatioTraffic(const RatioTraffic& options, Rng* rng);

// Log-normal durations of requests. A fault makes them `strength` times as long. Evidence: events.
// `limit_us`: 0, or the fixed limit; else 1.5 × the usual p95.
std::unique_ptr<Traffic> NewLatencyTraffic(double per_minute, DurationUs limit_us, Rng* rng);

// A pool at 60–70 % of its limit. A fault puts it at `strength`. Evidence: samples.
std::unique_ptr<Traffic> NewPoolTraffic(double samples_per_minute, Rng* rng);

// Memory in percent with the collector's saw-tooth, every third series near 88 %; a deploy frees a
// part. A fault gains `strength` percent an hour; it holds with 30 min left and 80 % reached.
// Evidence: five-minute slots, or teeth where these are longer.
std::unique_ptr<Traffic> NewMemoryTraffic(double samples_per_minute, Rng* rng);

// A disk in percent that fills by 1 to 4 % a day, is cleared at 70 %, and holds a dump of 2 % for
// 20 min a night. A fault gains `strength` percent an hour; holds with 6 h left. Evidence:
// five-minute slots.
std::unique_ptr<Traffic> NewDiskTraffic(double samples_per_minute, Rng* rng);

// Connections or requests without their sources. A fault multiplies them by `strength`, to
// `at_least` a minute. Evidence: events.
std::unique_ptr<Traffic> NewVolumeTraffic(EventType type, double per_minute, double at_least);

// Logins: 5 % fail, one to three times in a row, every fiftieth behind one of 20 shared addresses.
// A fault is one address with `strength` failures a minute. Evidence: its failures.
std::unique_ptr<Traffic> NewLoginTraffic(double per_minute);

// Log lines of a service with that many requests a minute, of which one in 500,000 writes a line of
// the pattern. A fault writes `strength` a minute. Evidence: lines.
std::unique_ptr<Traffic> NewLogTraffic(double per_minute, const char* message);

// Requests that stop in a fault. Evidence: those that were to be expected.
std::unique_ptr<Traffic> NewArrivalTraffic(double per_minute);

// Health checks, one in 1,000 fails for no reason. In a fault all do. Evidence: checks.
std::unique_ptr<Traffic> NewCheckTraffic(double per_minute);

// Healthy targets: 2 to 4, one less in a deploy. In a fault none. Evidence: samples.
std::unique_ptr<Traffic> NewTargetTraffic(double samples_per_minute, Rng* rng);

// Messages stored, as the database and the application count them, up to 5 s apart. In a fault the
// database lacks `strength` of them. Evidence: samples of both.
std::unique_ptr<Traffic> NewStoredTraffic(double samples_per_minute, Rng* rng);

}  // namespace tocsin
