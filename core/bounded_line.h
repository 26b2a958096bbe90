// An incident as the line that is written and sent: bounded, whatever its members say.
//
//   std::string line = BoundedLine(incident);        // at most limits::kIncidentLineBytesMax
//
// What is too large loses what matters least, in this order: the evidence of all but the most
// severe signals, the last of these first; signals but the most severe; what is long of the lists;
// the rest of the evidence; the ends of texts. Of two signals of one level the later one goes
// first. What is left out is counted under `omitted`; whoever needs it asks for the incident by its
// id. Thread-safe: pure functions of the incident.
#pragma once

#include <string>
#include <string_view>

#include "core/incident.h"

namespace tocsin {

std::string BoundedLine(const Incident& incident);

// Whether something was left out of this line.
bool IsBounded(std::string_view line);

}  // namespace tocsin
