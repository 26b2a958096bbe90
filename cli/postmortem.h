// The draft of a post-mortem, and the incident record for other tools.
//
//   Postmortem draft = DraftPostmortem(incident);
//   // draft.markdown, and draft.plots: one SVG a plotted signal, which the Markdown links to
//   std::string yaml = RecordYaml(incident);
//
// What people must add (root cause in their words, action items) is there as headings. Texts from
// events stand on one line with Markdown's marks escaped, and are quoted in YAML and escaped in
// SVG. Thread-safe: pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/incident.h"

namespace tocsin {

struct Postmortem {
  std::string markdown;
  std::vector<std::pair<std::string, std::string>> plots;  // file name, SVG
};

Postmortem DraftPostmortem(const Incident& incident);

// A YAML document: id, severity, title, started, detected, acknowledged, resolved, impact,
// timeline, suspects, action items.
std::string RecordYaml(const Incident& incident);

}  // namespace tocsin
