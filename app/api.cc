#include "app/api.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "app/api_parts.h"

namespace tocsin {
namespace {

bool SameToken(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// nullopt when the request may act.
std::optional<HttpResponse> Refusal(const HttpRequest& request, const ApiContext& context) {
  if (!context.token.empty()) {
    if (!SameToken(ApiHeader(request, "authorization"), "Bearer " + context.token)) {
      return ApiError(401,
                      "acts need the header Authorization: Bearer with the token of "
                      "api_token_file");
    }
  } else if (!context.loopback) {
    return ApiError(403, "acts from other machines need a token: set api_token_file");
  }
  if (!absl::StartsWith(ApiHeader(request, "content-type"), "application/json")) {
    return ApiError(415, "expected Content-Type: application/json");
  }
  return std::nullopt;
}

}  // namespace

HttpResponse AnswerApi(const HttpRequest& request, const ApiContext& context) {
  const std::size_t question = std::min(request.target.find('?'), request.target.size());
  const std::string_view query =
      std::string_view(request.target).substr(std::min(question + 1, request.target.size()));
  // "", "api", "v1", "incidents", ID, act.
  std::vector<std::string> path = absl::StrSplit(request.target.substr(0, question), '/');
  if (path.size() < 4 || path.size() > 6 || path[2] != "v1") {
    return ApiError(404, "expected /api/v1/incidents, /api/v1/silences or /api/v1/status");
  }
  if (path[3] == "pagerduty" && path.size() == 4) return AnswerPagerDuty(request, context);
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads) {
    if (std::optional<HttpResponse> refused = Refusal(request, context)) return *refused;
  }
  if (path[3] == "status" && path.size() == 4 && reads && context.status) {
    return ApiJson(200, context.status());
  }
  const std::string collection = path[3];
  path.erase(path.begin(), path.begin() + 4);
  if (collection == "incidents") return AnswerIncidents(path, query, request, context);
  if (collection == "silences") return AnswerSilences(path, request, context);
  return ApiError(404, "expected /api/v1/incidents, /api/v1/silences or /api/v1/status");
}

}  // namespace tocsin
