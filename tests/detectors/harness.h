// Drives one detector over one series (series_driver.h), with shorthands for traffic and checks.
//
//   Harness harness("name: e\nkind: error_rate\nwarn: {above: 5%}\n");
//   harness.Pane({Request(false), Request(true)});
//   for (const Change& change : harness.changes()) …
//
// Every pane is also fed to a second copy that was encoded and decoded beforehand; both must read,
// explain and encode the same. Times count in panes from kStart.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "tests/detectors/series_driver.h"

namespace tocsin {

inline constexpr TimeUs kStart = 1'772'409'600 * kSecondUs;  // 2026-03-02, a Monday, 00:00 UTC
inline constexpr DurationUs kPane = 10 * kSecondUs;
inline constexpr int kMinute = 6;  // panes
inline constexpr int kHour = 60 * kMinute;

struct Change {
  SignalChangeKind kind;
  int slot;
  int pane;   // index of the pane in which it happened
  int onset;  // index of the pane where it began
  double value;
  std::string classification;
  OnsetInterval began;  // when it began, since kStart
  bool operator==(const Change&) const = default;
};

std::vector<std::string> ErrorsOf(const std::string& yaml);

Event Request(bool failed, DurationUs duration = -1);
Event GaugeSample(double value, std::optional<double> limit = std::nullopt);
Event LogLine(std::string_view message);
Event Connection(std::string_view address, std::string_view agent);
// Keeps the address for as long as the program runs.
Event Login(const std::string& address, bool failed);
Event Session(bool crashed, std::string_view version, std::string_view exception);
Event Payment(bool failed);

class Harness {
 public:
  explicit Harness(const std::string& yaml, const DetectorEnvironment& environment = {});

  // Feeds one pane; events that the detector's predicate refuses are left out or, where they
  // explain its series, do that. Each event's time is set into the pane.
  Reading Pane(std::vector<Event> events);
  // `panes` panes of `total` requests of which `bad` failed.
  void Requests(int panes, int bad, int total);
  // The same, spread evenly where bad or total per minute do not divide by 6.
  void RequestsPerMinute(int panes, int bad_per_minute, int per_minute);

  bool partial = false;
  bool recent_deploy = false;
  TimeUs deployed_at = kNoTime;
  bool others_alive = true;
  // Off for long warm-ups: the copy is then taken at the next pane with it on.
  bool check_copy = true;

  const Detector& detector() const { return setup_->detector(); }
  SeriesState& state() { return series_->state(); }
  const RuleState& rule() const { return series_->rule(); }
  const std::vector<Change>& changes() const { return changes_; }
  int now() const { return now_; }  // panes fed or skipped
  // Time in which no tick was decided.
  void Skip(int panes) { now_ += panes; }
  // Panes at which something fired; raised or cleared ones excluded.
  std::vector<int> fired() const;
  std::optional<int> FiredAt(int slot) const;
  std::optional<int> ClearedAt() const;
  std::string EvidenceOf(const std::string& kind, const std::string& name) const;
  std::string Encoded() const;

 private:
  std::unique_ptr<DetectorSetup> setup_;
  std::optional<SeriesDriver> series_;
  std::vector<Change> changes_;
  int now_ = 0;
};

}  // namespace tocsin
