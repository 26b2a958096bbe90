// Parses an incident line (JSON) back into an incident.
//
//   absl::StatusOr<Incident> incident = ReadIncident(line);
//
// The inverse of Incident::ToJson, except that a line does not hold the field names of the scope.
// A field that is missing or has the wrong type stays unset. Thread-safe: a pure function.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/incident.h"

namespace tocsin {

// InvalidArgument when the line is not a JSON object with an incident id.
absl::StatusOr<Incident> ReadIncident(std::string_view line);

// The number of signals that a bounded line leaves out (core/bounded_line.h).
std::size_t SignalsOmitted(std::string_view line);

}  // namespace tocsin
