#include <algorithm>

#include "absl/strings/str_cat.h"
#include "api/api_parts.h"
#include "config/matcher.h"
#include "core/json_writer.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

absl::StatusOr<TimeUs> TimeOf(std::string_view key, const std::string& text, TimeUs fallback) {
  if (text.empty()) return fallback;
  const std::optional<TimeUs> time = ParseRfc3339(text);
  if (time) return *time;
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(key), ": expected a time such as 2026-03-01T02:00:00Z"));
}

absl::StatusOr<Silence> SilenceOf(const ApiBody& body, TimeUs now) {
  Silence silence;
  silence.name = body.name.empty() ? RandomId() : body.name;
  silence.author = body.author;
  silence.comment = body.comment;
  silence.matchers = body.match;
  if (body.match.empty() || body.match.size() > limits::kSilenceMatchersMax) {
    return absl::InvalidArgumentError(
        "match: expected 1 to 32 matchers such as service=api: a silence must not match "
        "everything");
  }
  for (const std::string& text : body.match) {
    if (absl::Status parsed = Matcher::Parse(text).status(); !parsed.ok()) return parsed;
  }
  TOCSIN_ASSIGN_OR_RETURN(silence.starts, TimeOf("starts", body.starts, FloorTo(now, kSecondUs)));
  TOCSIN_ASSIGN_OR_RETURN(const DurationUs length, DurationOf("for", body.length));
  TOCSIN_ASSIGN_OR_RETURN(silence.ends, TimeOf("ends", body.ends, silence.starts + length));
  TOCSIN_ASSIGN_OR_RETURN(silence.every, DurationOf("every", body.every));
  if (silence.ends <= silence.starts || silence.ends - silence.starts > kApiDurationMax) {
    return absl::InvalidArgumentError("expected \"for\", such as 2h, or \"ends\" after the start");
  }
  if (silence.every != 0 && silence.every < silence.ends - silence.starts) {
    return absl::InvalidArgumentError("every: shorter than the silence, which would never end");
  }
  if (silence.every == 0 && silence.ends <= now) {
    return absl::InvalidArgumentError("ends: is past");
  }
  return silence;
}

bool IsPlanned(const std::string& name, const ApiContext& context) {
  return std::any_of(context.planned.begin(), context.planned.end(),
                     [&](const Silence& silence) { return silence.name == name; });
}

HttpResponse AddSilence(const HttpRequest& request, const ApiContext& context) {
  const absl::StatusOr<ApiBody> body = ReadApiBody(request.body);
  if (!body.ok()) return ErrorResponse(400, std::string(body.status().message()));
  absl::StatusOr<Silence> silence = SilenceOf(*body, context.now());
  if (!silence.ok()) return ErrorResponse(400, std::string(silence.status().message()));
  if (IsPlanned(silence->name, context)) {
    return ErrorResponse(409, "the configuration has a silence " + silence->name + " already");
  }
  const std::vector<Silence> known = context.silences();
  if (known.size() >= limits::kSilencesMax)
    return ErrorResponse(409, "there are 1,024 silences already");
  return SubmitAction({.kind = OperatorActionKind::kSilence,
                       .id = body->id,
                       .incident = {},
                       .author = body->author,
                       .text = body->text,
                       .until = kNoTime,
                       .silence = *std::move(silence)},
                      context);
}

HttpResponse ExpireSilence(const std::string& name, const ApiContext& context) {
  if (IsPlanned(name, context))
    return ErrorResponse(409, "only the configuration ends the silence " + name);
  for (const Silence& silence : context.silences()) {
    if (silence.name != name) continue;
    return SubmitAction(
        {.kind = OperatorActionKind::kExpire, .id = "", .incident = {}, .author = "", .text = name},
        context);
  }
  return ErrorResponse(404, "there is no silence " + name);
}

void WriteSilence(const Silence& silence, bool planned, TimeUs now, JsonWriter* json) {
  json->BeginObject();
  json->Key("name").String(silence.name);
  json->Key("match").BeginArray();
  for (const std::string& matcher : silence.matchers) json->String(matcher);
  json->EndArray();
  json->Key("starts").String(FormatTime(silence.starts));
  json->Key("ends").String(FormatTime(silence.ends));
  if (silence.every != 0) json->Key("every").String(FormatDuration(silence.every));
  json->Key("active").Bool(silence.ActiveAt(now));
  json->Key("planned").Bool(planned);
  json->Key("author").String(silence.author);
  json->Key("comment").String(silence.comment);
  json->EndObject();
}

HttpResponse ListSilences(const ApiContext& context) {
  const TimeUs now = context.now();
  JsonWriter json;
  json.BeginObject();
  json.Key("silences").BeginArray();
  for (const Silence& silence : context.planned) {
    if (!silence.OverAt(now)) WriteSilence(silence, /*planned=*/true, now, &json);
  }
  for (const Silence& silence : context.silences()) {
    WriteSilence(silence, /*planned=*/false, now, &json);
  }
  json.EndArray();
  json.EndObject();
  return JsonResponse(200, json.Take());
}

}  // namespace

HttpResponse AnswerSilences(const std::vector<std::string>& path, const HttpRequest& request,
                            const ApiContext& context) {
  if (path.size() > 1) return ErrorResponse(404, "expected /api/v1/silences/NAME");
  if (path.size() == 1) {
    return request.method == "DELETE" ? ExpireSilence(path[0], context)
                                      : ErrorResponse(405, "expected DELETE of a silence");
  }
  if (request.method == "POST") return AddSilence(request, context);
  if (request.method == "GET" || request.method == "HEAD") return ListSilences(context);
  return ErrorResponse(405, "expected GET or POST");
}

}  // namespace tocsin
