#include "app/api.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <simdjson.h>

#include <algorithm>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "app/pagerduty_webhook.h"
#include "config/matcher.h"
#include "core/check.h"
#include "core/json_writer.h"
#include "core/limits.h"
#include "core/status_macros.h"
#include "core/string_hash.h"
#include "sinks/signature.h"

namespace tocsin {
namespace {

constexpr std::size_t kListMax = 100'000;
// Longer is a mistake: a silence for good belongs into the configuration.
constexpr DurationUs kSilenceLongest = 366 * kDayUs;

HttpResponse Json(int status, std::string body) {
  return {.status = status, .content_type = "application/json", .body = std::move(body) + "\n"};
}

HttpResponse Error(int status, std::string_view message) {
  JsonWriter json;
  json.BeginObject();
  json.Key("error").String(message);
  json.EndObject();
  return Json(status, json.Take());
}

// What an act may say in its body. Every key is optional; unknown ones are errors.
struct Body {
  std::string id, author, text, name, comment, starts, ends, length, every;
  std::vector<std::string> match;
};

absl::Status Read(const simdjson::dom::element& value, std::vector<std::string>* texts) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return absl::InvalidArgumentError("expected a list");
  for (const simdjson::dom::element element : array) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) return absl::InvalidArgumentError("expected texts");
    texts->emplace_back(text);
  }
  return absl::OkStatus();
}

absl::StatusOr<Body> ReadBody(const std::string& text) {
  Body body;
  if (text.empty()) return body;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(text).get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("the body is no JSON object");
  }
  const std::pair<std::string_view, std::string*> texts[] = {
      {"id", &body.id},     {"author", &body.author},   {"text", &body.text},
      {"name", &body.name}, {"comment", &body.comment}, {"starts", &body.starts},
      {"ends", &body.ends}, {"for", &body.length},      {"every", &body.every}};
  for (const simdjson::dom::key_value_pair entry : object) {
    const std::string_view key = entry.key;
    const simdjson::dom::element value = entry.value;
    absl::Status read;
    const auto known = std::find_if(std::begin(texts), std::end(texts),
                                    [&](const auto& field) { return field.first == key; });
    if (key == "match") {
      read = Read(value, &body.match);
    } else if (known == std::end(texts)) {
      read = absl::InvalidArgumentError("there is no such key");
    } else {
      std::string_view found;
      if (value.get(found) != simdjson::SUCCESS) {
        read = absl::InvalidArgumentError("expected a text");
      } else if (found.size() > limits::kActTextBytesMax) {
        read = absl::InvalidArgumentError("longer than 4 KiB");
      }
      *known->second = std::string(found);
    }
    if (!read.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(ToAbsl(key), ": ", read.message()));
    }
  }
  return body;
}

std::string RandomId() {
  unsigned char bytes[12];
  TOCSIN_CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
  return absl::BytesToHexString({reinterpret_cast<const char*>(bytes), sizeof(bytes)});
}

bool SameToken(const std::string& a, const std::string& b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string Header(const HttpRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string() : found->second;
}

// nullopt when the request may act.
std::optional<HttpResponse> Refusal(const HttpRequest& request, const ApiContext& context) {
  if (!context.token.empty()) {
    if (!SameToken(Header(request, "authorization"), "Bearer " + context.token)) {
      return Error(401,
                   "acts need the header Authorization: Bearer with the token of "
                   "api_token_file");
    }
  } else if (!context.loopback) {
    return Error(403, "acts from other machines need a token: set api_token_file");
  }
  if (!absl::StartsWith(Header(request, "content-type"), "application/json")) {
    return Error(415, "expected Content-Type: application/json");
  }
  return std::nullopt;
}

HttpResponse Submit(Act act, const ApiContext& context) {
  if (act.id.empty()) act.id = RandomId();
  const absl::Status submitted = context.submit(act);
  if (absl::IsResourceExhausted(submitted)) {
    HttpResponse response = Error(429, std::string(submitted.message()));
    response.headers["Retry-After"] = "1";
    return response;
  }
  if (!submitted.ok()) return Error(503, std::string(submitted.message()));
  JsonWriter json;
  json.BeginObject();
  json.Key("act").String(act.id);
  if (act.kind == ActKind::kSilence) json.Key("silence").String(act.silence.name);
  json.EndObject();
  return Json(202, json.Take());
}

std::optional<Hash128> ParseId(std::string_view hex) {
  Hash128 id;
  if (hex.size() != 32) return std::nullopt;
  if (!absl::SimpleHexAtoi(ToAbsl(hex.substr(0, 16)), &id.high) ||
      !absl::SimpleHexAtoi(ToAbsl(hex.substr(16)), &id.low)) {
    return std::nullopt;
  }
  return id;
}

absl::StatusOr<TimeUs> TimeOf(std::string_view key, const std::string& text, TimeUs fallback) {
  if (text.empty()) return fallback;
  const std::optional<TimeUs> time = ParseRfc3339(text);
  if (time) return *time;
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(key), ": expected a time such as 2026-03-01T02:00:00Z"));
}

absl::StatusOr<DurationUs> DurationOf(std::string_view key, const std::string& text) {
  if (text.empty()) return 0;
  const std::optional<DurationUs> duration = ParseDuration(text);
  if (duration && *duration > 0 && *duration <= kSilenceLongest) return *duration;
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(key), ": expected a duration such as 2h, at most a year"));
}

absl::StatusOr<Silence> SilenceOf(const Body& body, TimeUs now) {
  Silence silence;
  silence.name = body.name.empty() ? RandomId() : body.name;
  silence.author = body.author;
  silence.comment = body.comment;
  silence.matchers = body.match;
  if (body.match.empty() || body.match.size() > limits::kSilenceMatchersMax) {
    return absl::InvalidArgumentError(
        "match: expected 1 to 32 matchers such as service=api: a silence of everything is none");
  }
  for (const std::string& text : body.match) {
    if (absl::Status parsed = Matcher::Parse(text).status(); !parsed.ok()) return parsed;
  }
  TOCSIN_ASSIGN_OR_RETURN(silence.starts, TimeOf("starts", body.starts, FloorTo(now, kSecondUs)));
  TOCSIN_ASSIGN_OR_RETURN(const DurationUs length, DurationOf("for", body.length));
  TOCSIN_ASSIGN_OR_RETURN(silence.ends, TimeOf("ends", body.ends, silence.starts + length));
  TOCSIN_ASSIGN_OR_RETURN(silence.every, DurationOf("every", body.every));
  if (silence.ends <= silence.starts || silence.ends - silence.starts > kSilenceLongest) {
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
  const absl::StatusOr<Body> body = ReadBody(request.body);
  if (!body.ok()) return Error(400, std::string(body.status().message()));
  absl::StatusOr<Silence> silence = SilenceOf(*body, context.now());
  if (!silence.ok()) return Error(400, std::string(silence.status().message()));
  if (IsPlanned(silence->name, context)) {
    return Error(409, "the configuration has a silence " + silence->name + " already");
  }
  const std::vector<Silence> known = context.silences();
  if (known.size() >= limits::kSilencesMax) return Error(409, "there are 1,024 silences already");
  return Submit({.kind = ActKind::kSilence,
                 .id = body->id,
                 .incident = {},
                 .author = body->author,
                 .text = body->text,
                 .until = kNoTime,
                 .silence = *std::move(silence)},
                context);
}

HttpResponse ExpireSilence(const std::string& name, const ApiContext& context) {
  if (IsPlanned(name, context)) return Error(409, "only the configuration ends the silence " + name);
  for (const Silence& silence : context.silences()) {
    if (silence.name != name) continue;
    return Submit({.kind = ActKind::kExpire, .id = "", .incident = {}, .author = "", .text = name},
                  context);
  }
  return Error(404, "there is no silence " + name);
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
  return Json(200, json.Take());
}

std::optional<ActKind> ActKindOf(std::string_view verb) {
  if (verb == "acknowledge") return ActKind::kAcknowledge;
  if (verb == "resolve") return ActKind::kResolve;
  if (verb == "note") return ActKind::kNote;
  if (verb == "link") return ActKind::kLink;
  return std::nullopt;
}

HttpResponse ActOnIncident(const IncidentBook::Entry& incident, std::string_view verb,
                           const HttpRequest& request, const ApiContext& context) {
  const std::optional<ActKind> kind = ActKindOf(verb);
  if (!kind) return Error(404, "acts are acknowledge, resolve, note and link");
  const absl::StatusOr<Body> body = ReadBody(request.body);
  if (!body.ok()) return Error(400, std::string(body.status().message()));
  if (body->author.empty()) return Error(400, "author: expected who acts");
  const bool says = *kind == ActKind::kNote || *kind == ActKind::kLink;
  if (says && body->text.empty()) return Error(400, "text: expected the note or link");
  if (incident.state == "resolved") return Error(409, "the incident is resolved");
  const std::optional<Hash128> id = ParseId(incident.id);
  if (!id) return Error(500, "the incident has no id");
  const absl::StatusOr<DurationUs> length = DurationOf("for", body->length);
  if (!length.ok()) return Error(400, std::string(length.status().message()));
  return Submit({.kind = *kind,
                 .id = body->id,
                 .incident = *id,
                 .author = body->author,
                 .text = body->text,
                 .until = *length == 0 ? kNoTime : context.now() + *length},
                context);
}

HttpResponse ListIncidents(std::string_view query, const ApiContext& context) {
  IncidentBook::ListOptions options;
  for (const absl::string_view part : absl::StrSplit(ToAbsl(query), '&', absl::SkipEmpty())) {
    std::int64_t limit = 0;
    if (part == "state=all") {
      options.resolved = true;
    } else if (absl::StartsWith(part, "limit=") && absl::SimpleAtoi(part.substr(6), &limit) &&
               limit > 0) {
      options.limit = std::min(static_cast<std::size_t>(limit), kListMax);
    } else if (part != "state=open") {
      return Error(400, "expected state=open, state=all or limit=N");
    }
  }
  return Json(200, context.incidents->ListJson(options));
}

HttpResponse OneIncident(const std::vector<std::string>& path, const HttpRequest& request,
                         const ApiContext& context) {
  const std::vector<IncidentBook::Entry> found = context.incidents->Find(path[0]);
  if (found.empty()) return Error(404, "there is no incident " + path[0]);
  if (found.size() > 1) {
    std::string ids;
    for (const IncidentBook::Entry& entry : found) ids += " " + entry.id + " (" + entry.scope + ")";
    return Error(409, path[0] + " is in several scopes; say which by its id:" + ids);
  }
  if (path.size() == 2 && request.method == "POST") {
    return ActOnIncident(found[0], path[1], request, context);
  }
  if (path.size() == 1 && request.method == "GET") return Json(200, found[0].line);
  return Error(405, "expected GET of an incident, or POST of an act on it");
}

// Says in `ignored` why nothing is done about an open incident, or which one it is.
void FindIncident(const ApiContext& context, PagerDutyAct* found) {
  if (!found->ignored.empty()) return;
  const std::vector<std::string> key = absl::StrSplit(found->dedup_key, ':');
  const std::optional<Hash128> incident = ParseId(key[0]);
  std::int64_t level = 0;
  if (!incident || key.size() != 2 || !absl::SimpleAtoi(key[1], &level)) {
    found->ignored = "it is about no page of ours";
    return;
  }
  const std::vector<IncidentBook::Entry> known = context.incidents->Find(key[0]);
  if (known.empty() || known[0].state == "resolved") {
    found->ignored = "there is no such open incident";
  } else if (level > known[0].level) {
    // Whoever ends the page of a lower level has not seen that of the higher one.
    found->ignored = "the incident has been raised, and paged anew, since";
  }
  found->act.incident = *incident;
}

HttpResponse FromPagerDuty(const HttpRequest& request, const ApiContext& context) {
  if (request.method != "POST") return Error(405, "expected POST of a PagerDuty webhook");
  if (context.pagerduty_secrets.empty()) {
    return Error(403, "PagerDuty's webhooks need its secret: set pagerduty_webhook_secret_file");
  }
  if (!SignatureHolds(Header(request, "x-pagerduty-signature"), request.body,
                      context.pagerduty_secrets)) {
    return Error(401, "X-PagerDuty-Signature is not that of this body and any of our secrets");
  }
  absl::StatusOr<PagerDutyAct> found = ReadPagerDutyWebhook(request.body);
  if (!found.ok()) return Error(400, std::string(found.status().message()));
  FindIncident(context, &*found);
  if (found->ignored.empty()) return Submit(std::move(found->act), context);
  // A success: PagerDuty would only send it again, to the same end.
  JsonWriter json;
  json.BeginObject();
  json.Key("ignored").String(found->ignored);
  json.EndObject();
  return Json(202, json.Take());
}

}  // namespace

HttpResponse AnswerApi(const HttpRequest& request, const ApiContext& context) {
  const std::size_t question = std::min(request.target.find('?'), request.target.size());
  const std::string_view query =
      std::string_view(request.target).substr(std::min(question + 1, request.target.size()));
  // "", "api", "v1", "incidents", ID, act.
  std::vector<std::string> path = absl::StrSplit(request.target.substr(0, question), '/');
  if (path.size() < 4 || path.size() > 6 || path[2] != "v1") {
    return Error(404, "expected /api/v1/incidents or /api/v1/silences");
  }
  if (path[3] == "pagerduty" && path.size() == 4) return FromPagerDuty(request, context);
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (!reads) {
    if (std::optional<HttpResponse> refused = Refusal(request, context)) return *refused;
  }
  const std::string collection = path[3];
  path.erase(path.begin(), path.begin() + 4);
  if (collection == "incidents") {
    if (!path.empty()) return OneIncident(path, request, context);
    return reads ? ListIncidents(query, context) : Error(405, "expected GET");
  }
  if (collection != "silences" || path.size() > 1) {
    return Error(404, "expected /api/v1/incidents or /api/v1/silences");
  }
  if (path.size() == 1) {
    return request.method == "DELETE" ? ExpireSilence(path[0], context)
                                      : Error(405, "expected DELETE of a silence");
  }
  if (request.method == "POST") return AddSilence(request, context);
  return reads ? ListSilences(context) : Error(405, "expected GET or POST");
}

}  // namespace tocsin
