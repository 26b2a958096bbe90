// One detector over one series, pane by pane, as stage 2 does it.
//
//   DetectorSetup setup(MakeDetector(yaml, &errors));      // one a stanza
//   SeriesDriver series(&setup);                           // one a series
//   PaneTable table = setup.NewTable();
//   setup.Accumulate(event, &table);
//   const SeriesDriver::Step step = series.Update(pane, setup.Cells(table));
//
// The tests' Harness and the quality simulation (bench/quality.cc) both stand on it. A setup
// outlives its series and may be shared by threads; a series belongs to one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "detectors/registry.h"
#include "detectors/state_machine.h"
#include "panes/pane_table.h"

namespace tocsin {

// The stanza as a detector, with the errors it has.
std::unique_ptr<Detector> MakeDetector(const std::string& yaml, ErrorList* errors,
                                       const DetectorEnvironment& environment = {});

class DetectorSetup {
 public:
  // REQUIRES: `detector` is not null.
  explicit DetectorSetup(std::unique_ptr<Detector> detector);
  // Tables point to the layout.
  DetectorSetup(const DetectorSetup&) = delete;
  DetectorSetup& operator=(const DetectorSetup&) = delete;

  const Detector& detector() const { return *detector_; }
  PaneTable NewTable() const { return PaneTable(&layout_); }
  // Leaves out what the detector's predicate refuses; false then.
  bool Accumulate(const Event& event, PaneTable* table) const;
  // Of the one row; an absent cell where nothing was accumulated.
  SpecCells Cells(const PaneTable& table) const;
  // The same of the events that explain the detector's series; null where there are none.
  const DetectorSetup* explaining() const { return explaining_.get(); }

 private:
  explicit DetectorSetup(const SeriesSpec& spec);

  std::unique_ptr<Detector> detector_;  // null in `explaining_`
  TableLayout layout_;
  std::vector<MeasureSlot> slots_;
  Predicate where_;
  std::unique_ptr<DetectorSetup> explaining_;
};

class SeriesDriver {
 public:
  struct Step {
    Reading reading;
    std::optional<RuleChange> change;
  };

  explicit SeriesDriver(const DetectorSetup* setup);
  // A second series with the same past, by way of its encoding; nullopt when that does not decode.
  std::optional<SeriesDriver> Copy() const;

  // Sets `firing` in the context by itself. `explaining`: a row of events that explain the series,
  // an absent one for none.
  Step Update(PaneContext pane, const SpecCells& cells, const SpecCells& explaining = {});

  SeriesState& state() { return *state_; }
  const SeriesState& state() const { return *state_; }
  const RuleState& rule() const { return rule_; }
  std::string Encoded() const;  // of the state
  std::string EncodedRule() const;

 private:
  const DetectorSetup* setup_;
  std::unique_ptr<SeriesState> state_;
  RuleState rule_;
};

}  // namespace tocsin
