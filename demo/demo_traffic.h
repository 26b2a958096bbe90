// What the story's traffic looks like, minute by minute, for the terminal.
//
//   TrafficMeter meter;
//   meter.Add(record);                              // every record, in order of time
//   while (auto row = meter.Take(decided_until)) Print(RowText(*row, colour));
//
// A row is a minute that has passed entirely. Not thread-safe.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/time.h"
#include "demo/demo_story.h"

namespace tocsin {

struct TrafficRow {
  TimeUs start = 0;
  double requests_per_second = 0;
  double failed_share = 0;
  double p95_ms = 0;
  double connections = 0;  // the last sample
};

class TrafficMeter {
 public:
  void Add(const StoryRecord& record);
  // The oldest minute that ended at or before `until`.
  std::optional<TrafficRow> Take(TimeUs until);

 private:
  struct Minute {
    TimeUs start = 0;
    std::vector<double> durations_ms;
    int failed = 0;
    double connections = 0;
  };
  static TrafficRow RowOf(Minute minute);

  std::deque<Minute> minutes_;
};

// "  21:05:00   79 requests/s  p95 5,132 ms  db pool  99 ███████████████▉ failing  10.2 % █▋": the
// minute up to its time.
std::string RowText(const TrafficRow& row, bool colour);

// Whether a row is worth a line of its own after `printed`: something has changed, or five minutes
// have passed.
bool WorthPrinting(const TrafficRow& row, const std::optional<TrafficRow>& printed);

}  // namespace tocsin
