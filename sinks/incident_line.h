// An incident line read back into an incident.
//
//   absl::StatusOr<Incident> incident = ReadIncident(line);
//
// The inverse of Incident::ToJson as far as a line goes: its scope has lost the names of its
// fields. What is missing or of another type is absent. Thread-safe: a pure function.
#pragma once

#include <cstddef>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/incident.h"

namespace tocsin {

// InvalidArgument when the line is no JSON object with the id of an incident.
absl::StatusOr<Incident> ReadIncident(std::string_view line);

// How many of its signals a bounded line does not list (core/bounded_line.h).
std::size_t SignalsOmitted(std::string_view line);

}  // namespace tocsin
