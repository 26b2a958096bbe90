// What the demo prints: traffic, detection, the card, pages, and the end of the story.
//
//   DemoScreen screen(stdout);
//   screen.Row(row);   screen.Decided(decision);   screen.Paged(request);
//   screen.Live("21:04:40  141,204 events");        // one line that is rewritten, on a terminal
//   only
//
// Plain lines without colour where the output is no terminal. At most 100 columns. One thread.
#pragma once

#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "cli/card.h"
#include "core/incident.h"
#include "demo/demo_traffic.h"
#include "demo/pagerduty_standin.h"
#include "engine/decider.h"

namespace tocsin {

class DemoScreen {
 public:
  explicit DemoScreen(std::FILE* out);
  ~DemoScreen() { ClearLive(); }

  void Print(std::string_view text);  // with its line feeds
  void Row(const TrafficRow& row);    // where it is worth a line
  void Note(TimeUs time, std::string_view text);
  void Decided(const Decision& decision);
  void Paged(const PagerDutyStandIn::Request& request);
  void Live(std::string_view text);
  // The incident's times and what it cost, at the end of the story.
  void Summary(const Incident& incident);

  const CardStyle& style() const { return style_; }

 private:
  void ClearLive();
  void Changed(TimeUs tick, const Incident& incident);
  // "21:04:50  ▲ DETECTED  …".
  void Moment(TimeUs time, std::string_view what, std::string_view text, std::string_view colour);

  std::FILE* out_;
  bool terminal_;
  CardStyle style_;
  std::string live_;  // what the live line shows; empty: there is none
  std::optional<TrafficRow> printed_;
  std::map<std::string, Incident> known_;  // by number
};

}  // namespace tocsin
