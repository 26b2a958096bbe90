// Talks to a running tocsin's API, for the commands; one request at a time, blocking. It shows the
// token that the options or the configuration name, or else the one that a tocsin on this machine
// has made for itself, where this user may read it.
//
//   TOCSIN_ASSIGN_OR_RETURN(const ApiClient client, ApiClient::Open(command.api));
//   TOCSIN_ASSIGN_OR_RETURN(const std::string json, client.Get("/api/v1/incidents"));
//
// Errors are for people: where it looked, what came back, what to do. Not thread-safe.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace tocsin {

// Where a running tocsin answers, and how to act there.
struct ApiOptions {
  std::string config;      // whose `listen` and `api_token_file` say it; or
  std::string url;         // "http://127.0.0.1:9464"
  std::string token_file;  // overrides the config's
};

class ApiClient {
 public:
  // InvalidArgument when the options name no address, the config is wrong (its errors were printed)
  // or the token cannot be read.
  static absl::StatusOr<ApiClient> Open(const ApiOptions& options);

  // The body of a reply with status 2xx. Unavailable when nobody answers, NotFound and
  // InvalidArgument with the API's own words.
  absl::StatusOr<std::string> Get(const std::string& path) const { return Call("GET", path, ""); }
  absl::StatusOr<std::string> Post(const std::string& path, const std::string& body) const {
    return Call("POST", path, body);
  }
  absl::StatusOr<std::string> Delete(const std::string& path) const {
    return Call("DELETE", path, "");
  }

 private:
  absl::StatusOr<std::string> Call(const std::string& method, const std::string& path,
                                   const std::string& body) const;
  std::string url_;
  std::string token_;
};

}  // namespace tocsin
