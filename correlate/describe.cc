#include "correlate/describe.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "correlate/severity.h"

namespace tocsin {
namespace {

void AddOnce(const std::string& text, std::vector<std::string>* list) {
  if (std::find(list->begin(), list->end(), text) == list->end()) list->push_back(text);
}

// The advice of the members' detectors, the lead's first, each once.
std::vector<const DetectorAdvice*> AdviceOf(const Config& config, const IncidentRecord& record) {
  const std::vector<Signal>& signals = record.incident.signals;
  std::vector<std::string> detectors = {signals[record.Lead()].detector};
  for (const Signal& signal : signals) AddOnce(signal.detector, &detectors);
  std::vector<const DetectorAdvice*> found;
  for (const std::string& detector : detectors) {
    const auto advice = config.advice.find(detector);
    if (advice != config.advice.end()) found.push_back(&advice->second);
  }
  return found;
}

// Adds the stanza's advice for this classification, then its general advice. For an unknown
// classification, adds the advice for each possible one.
void AddAdvice(const DetectorAdvice& detector, const std::string& classification,
               std::vector<std::string>* advice) {
  auto known = detector.advice_if.find(classification);
  if (known == detector.advice_if.end() && classification == "botnet") {
    known = detector.advice_if.find("attack");
  }
  if (known != detector.advice_if.end()) {
    for (const std::string& text : known->second) AddOnce(text, advice);
  } else if (classification.empty() || classification == "unknown") {
    static constexpr std::pair<const char*, const char*> kNames[] = {{"attack", "an attack"},
                                                                     {"botnet", "a botnet"},
                                                                     {"surge", "a surge"},
                                                                     {"client", "one client"}};
    for (const auto& [key, name] : kNames) {
      const auto lines = detector.advice_if.find(key);
      if (lines == detector.advice_if.end()) continue;
      for (const std::string& text : lines->second) {
        AddOnce(std::string("If it is ") + name + ": " + text, advice);
      }
    }
  }
  for (const std::string& text : detector.advice) AddOnce(text, advice);
}

// "Requests fail across the service: error rate of service=api is 12 %": the stanza's title, then
// the detector's.
std::string Title(const Config& config, const Signal& lead, const std::string& seen) {
  const auto advice = config.advice.find(lead.detector);
  const std::string stanza = advice == config.advice.end() ? "" : advice->second.title;
  if (seen.empty()) {
    return (stanza.empty() ? lead.detector : stanza) + ": " + LabelsText(lead.series);
  }
  if (stanza.empty() || seen.starts_with(stanza)) return seen;
  return stanza + ": " + seen;
}

// The best known classification (any label before "unknown" before none); among equals that of the
// most severe signal, the lead first.
std::string Classification(const std::vector<Signal>& signals, const Signal& lead) {
  const Signal* best = &lead;
  const auto weight = [](const Signal& signal) {
    if (signal.classification.empty()) return 0;
    return signal.classification == "unknown" ? 1 : 2;
  };
  for (const Signal& signal : signals) {
    if (weight(signal) > weight(*best) ||
        (weight(signal) == weight(*best) && signal.level < best->level)) {
      best = &signal;
    }
  }
  return best->classification;
}

}  // namespace

void Describe(const Config& config, IncidentRecord* record) {
  Incident& incident = record->incident;
  const std::size_t lead_index = record->Lead();
  const Signal& lead = incident.signals[lead_index];
  incident.category = lead.category;
  incident.title = Title(config, lead, record->titles[lead_index]);
  incident.classification = Classification(incident.signals, lead);
  ApplyScheme(config.severity, &incident);

  incident.advice.clear();
  if (!record->roll_back.empty()) incident.advice.push_back(record->roll_back);
  incident.runbook.clear();
  incident.escalate_to =
      config.severity.escalate_to[static_cast<std::size_t>(incident.severity_level - 1)];
  for (const std::string& role : record->escalated) AddOnce(role, &incident.escalate_to);
  for (const DetectorAdvice* advice : AdviceOf(config, *record)) {
    AddAdvice(*advice, incident.classification, &incident.advice);
    for (const std::string& role : advice->escalate_to) AddOnce(role, &incident.escalate_to);
    if (incident.runbook.empty()) incident.runbook = advice->runbook;
  }
  if (incident.runbook.empty()) incident.runbook = config.correlate.runbook;
}

}  // namespace tocsin
