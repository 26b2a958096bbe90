#include "api/api.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "api/api_parts.h"
#include "service/http_in/webhook_signature.h"

namespace tocsin {
namespace {

constexpr std::string_view kPagerDutyPath = "/api/v1/pagerduty";

bool Reads(const HttpRequest& request) {
  return request.method == "GET" || request.method == "HEAD";
}

bool IsFromPagerDuty(const HttpRequest& request) {
  return request.target.substr(0, request.target.find('?')) == kPagerDutyPath;
}

// Of a request that does not show the token.
std::optional<HttpResponse> RefusalWithoutToken(const HttpRequest& head,
                                                const ApiContext& context) {
  if (!Reads(head)) {
    if (!context.token.empty() && !HttpHeader(head, "authorization").empty()) {
      return ErrorResponse(401, "Authorization does not show the token of this server");
    }
    if (context.token.empty() && !context.loopback) {
      return ErrorResponse(403, "acts from other machines need a token: set api_token_file");
    }
    if (context.token_required || !context.loopback) {
      return ErrorResponse(
          401,
          "acts need the header Authorization: Bearer with the token of api_token_file "
          "or, where none is configured, of the file token in state_dir");
    }
  }
  return context.host_policy == nullptr ? std::nullopt : context.host_policy->Refusal(head);
}

}  // namespace

HttpServer::Admission AdmitApi(const HttpRequest& head, const ApiContext& context) {
  // Signed, whoever it comes through.
  if (IsFromPagerDuty(head)) return {};
  const bool proven = !context.token.empty() && ShowsToken(head, {&context.token, 1});
  if (!proven) {
    if (std::optional<HttpResponse> refused = RefusalWithoutToken(head, context)) {
      return {.refused = std::move(refused)};
    }
  }
  if (!Reads(head) && !absl::StartsWith(HttpHeader(head, "content-type"), "application/json")) {
    return {.refused = ErrorResponse(415, "expected Content-Type: application/json")};
  }
  return {.proven = proven};
}

HttpResponse AnswerApi(const HttpRequest& request, const ApiContext& context) {
  const std::size_t question = std::min(request.target.find('?'), request.target.size());
  const std::string_view query =
      std::string_view(request.target).substr(std::min(question + 1, request.target.size()));
  // "", "api", "v1", "incidents", ID, act.
  std::vector<std::string> path = absl::StrSplit(request.target.substr(0, question), '/');
  if (path.size() < 4 || path.size() > 6 || path[2] != "v1") {
    return ErrorResponse(404, "expected /api/v1/incidents, /api/v1/silences or /api/v1/status");
  }
  if (IsFromPagerDuty(request)) return AnswerPagerDuty(request, context);
  if (path[3] == "status" && path.size() == 4 && Reads(request) && context.status) {
    return JsonResponse(200, context.status());
  }
  const std::string collection = path[3];
  path.erase(path.begin(), path.begin() + 4);
  if (collection == "incidents") return AnswerIncidents(path, query, request, context);
  if (collection == "silences") return AnswerSilences(path, request, context);
  return ErrorResponse(404, "expected /api/v1/incidents, /api/v1/silences or /api/v1/status");
}

}  // namespace tocsin
