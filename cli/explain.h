// What a configuration would make of an event: `tocsin explain`. (Of an incident:
// explain_incident.h.)
//
//   Explainer explainer(config, setup, sinks, deploys);
//   std::fputs(explainer.Explain(event, "app-logs").c_str(), stdout);
//
// Which detectors read the event and in which series; and for each of them the incident that it
// would open were its most severe condition true: what it would join, how severe it is and why,
// what is suspected, what mutes it, who hears of it, and when the next step is due. No rule is
// repeated here: the condition is handed to a real Correlator and its page to the real routes.
// Not thread-safe.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/fact.h"
#include "correlate/topology.h"
#include "runtime/engine_setup.h"
#include "sinks/sink.h"

namespace tocsin {

class Explainer {
 public:
  // All outlive it. `deploys` are what went out and was rolled back, in order of time.
  Explainer(const Config& config, const EngineSetup& setup,
            const std::vector<std::unique_ptr<Sink>>& sinks, std::span<const Fact> deploys)
      : config_(config),
        setup_(setup),
        sinks_(sinks),
        deploys_(deploys),
        topology_(config.correlate.topology) {}

  // `input` is where the event would come from; "" is any.
  std::string Explain(const Event& event, std::string_view input) const;

 private:
  std::string ExplainDetector(const Detector& detector, const Event& event) const;
  std::string ExplainIncident(const Signal& signal, const std::string& title) const;
  std::string GroupingText(const Signal& signal) const;
  std::string CoincidenceRule(const Signal& signal) const;
  std::string NextStepsText(const Incident& incident) const;
  // The signal that the detector would give were its most severe condition true.
  Signal SignalOf(const Detector& detector, const Event& event) const;

  const Config& config_;
  const EngineSetup& setup_;
  const std::vector<std::unique_ptr<Sink>>& sinks_;
  const std::span<const Fact> deploys_;
  const Topology topology_;
};

}  // namespace tocsin
