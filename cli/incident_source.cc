#include "cli/incident_source.h"

#include <algorithm>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "core/status_macros.h"

namespace tocsin {

absl::Status CheckName(const std::string& name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.';
  });
  if (plain) return absl::OkStatus();
  return absl::InvalidArgumentError("'" + name + "' is no id: expected one such as INC-2026-001");
}

absl::StatusOr<IncidentSource> IncidentSource::Open(const ApiOptions& api,
                                                    const std::string& file) {
  IncidentSource source;
  if (file.empty()) {
    TOCSIN_ASSIGN_OR_RETURN(ApiClient client, ApiClient::Open(api));
    source.client_ = std::make_unique<ApiClient>(std::move(client));
    return source;
  }
  std::ifstream lines(file);
  if (!lines) return absl::UnavailableError("cannot read " + file);
  source.book_ = std::make_unique<IncidentBook>(SIZE_MAX);
  for (std::string line; std::getline(lines, line);) source.book_->Put(line);
  return source;
}

absl::StatusOr<std::string> IncidentSource::List(bool all) const {
  if (book_ != nullptr) return book_->ListJson({.resolved = all, .limit = SIZE_MAX});
  return client_->Get(all ? "/api/v1/incidents?state=all&limit=100000"
                          : "/api/v1/incidents?limit=100000");
}

absl::StatusOr<std::string> IncidentSource::Line(const std::string& name) const {
  TOCSIN_RETURN_IF_ERROR(CheckName(name));
  if (client_ != nullptr) return client_->Get("/api/v1/incidents/" + name);
  const std::vector<IncidentBook::Entry> found = book_->Find(name);
  if (found.size() == 1) return found[0].line;
  if (found.empty()) return absl::NotFoundError("there is no incident " + name);
  return absl::InvalidArgumentError(name + " is in several scopes: say which by its id");
}

absl::StatusOr<std::string> IncidentSource::Deliveries(const std::string& name) const {
  return client_->Get("/api/v1/incidents/" + name + "/deliveries");
}

}  // namespace tocsin
