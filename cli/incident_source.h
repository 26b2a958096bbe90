// Incidents to read from a terminal: those of a running tocsin, or of a file of incident lines.
//
//   absl::StatusOr<IncidentSource> source = IncidentSource::Open(command.api, command.file);
//   absl::StatusOr<std::string> line = source->Line("INC-2026-001");
//
// Not thread-safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/api_client.h"
#include "service/incident_book.h"

namespace tocsin {

// Ids, numbers and names of silences: what may stand in a path as it is.
absl::Status CheckName(const std::string& name);

class IncidentSource {
 public:
  // Of the file unless it is "".
  static absl::StatusOr<IncidentSource> Open(const ApiOptions& api, const std::string& file);

  absl::StatusOr<std::string> List(bool all) const;
  // NotFound when there is none of this id or number; InvalidArgument when the number is one in
  // several scopes.
  absl::StatusOr<std::string> Line(const std::string& name) const;
  // REQUIRES: not of a file, which knows of none.
  absl::StatusOr<std::string> Deliveries(const std::string& name) const;

 private:
  std::unique_ptr<ApiClient> client_;  // one of the two
  std::unique_ptr<IncidentBook> book_;
};

}  // namespace tocsin
