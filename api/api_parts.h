// What the parts of the HTTP API share: bodies, answers, and how an act is handed on.
//
//   const absl::StatusOr<ApiBody> body = ReadApiBody(request.body);
//   if (!body.ok()) return ErrorResponse(400, std::string(body.status().message()));
//
// Internal to api/api*.cc. Thread-safe: pure functions, and what the context holds.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "api/api_context.h"
#include "transport/http_message.h"

namespace tocsin {

// What an act may say in its body. Every key is optional; unknown ones are errors.
struct ApiBody {
  std::string id, author, text, name, comment, starts, ends, length, every;
  std::vector<std::string> match;
};

absl::StatusOr<ApiBody> ReadApiBody(const std::string& text);

std::string RandomId();
// 0 where the text is empty. Of at most a year: longer is a mistake, or belongs into the
// configuration.
inline constexpr DurationUs kApiDurationMax = 366 * kDayUs;
absl::StatusOr<DurationUs> DurationOf(std::string_view key, const std::string& text);

// 202 and the act's id once it is on its way.
HttpResponse SubmitAction(OperatorAction act, const ApiContext& context);

// What comes behind /api/v1/incidents, /silences and /pagerduty; `path` is what stands behind that.
HttpResponse AnswerIncidents(const std::vector<std::string>& path, std::string_view query,
                             const HttpRequest& request, const ApiContext& context);
HttpResponse AnswerSilences(const std::vector<std::string>& path, const HttpRequest& request,
                            const ApiContext& context);
HttpResponse AnswerPagerDuty(const HttpRequest& request, const ApiContext& context);

}  // namespace tocsin
