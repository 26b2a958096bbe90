// What came of the story, and whether it is what the demo promises.
//
//   DemoOutcome outcome;
//   outcome.Add(decision);                                    // every decision, in tick order
//   for (const std::string& complaint : outcome.Complaints(pagerduty.Pages(), rejected)) …
//
// Not thread-safe.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/incident.h"
#include "demo/pagerduty_standin.h"
#include "engine/decider.h"

namespace tocsin {

class DemoOutcome {
 public:
  void Add(const Decision& decision);

  // The latest line of each incident, by number.
  const std::map<std::string, Incident>& incidents() const { return incidents_; }
  // There was an incident, and all are resolved.
  bool Resolved() const;
  // In words, what is not as promised; empty when the story came out right.
  std::vector<std::string> Complaints(const std::vector<PagerDutyStandIn::Page>& pages,
                                      const std::vector<std::string>& rejected) const;

 private:
  std::map<std::string, Incident> incidents_;
};

}  // namespace tocsin
