#include "api/api_parts.h"

#include <openssl/rand.h>
#include <simdjson.h>

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/json_writer.h"
#include "core/limits.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

absl::Status Read(const simdjson::dom::element& value, std::vector<std::string>* texts) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return absl::InvalidArgumentError("expected an array");
  for (const simdjson::dom::element element : array) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS)
      return absl::InvalidArgumentError("expected an array of strings");
    texts->emplace_back(text);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ApiBody> ReadApiBody(const std::string& text) {
  ApiBody body;
  if (text.empty()) return body;
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(text).get(object) != simdjson::SUCCESS) {
    return absl::InvalidArgumentError("the body is not a JSON object");
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
      read = absl::InvalidArgumentError("unknown field");
    } else {
      std::string_view found;
      if (value.get(found) != simdjson::SUCCESS) {
        read = absl::InvalidArgumentError("expected a string");
      } else if (found.size() > limits::kActionTextBytesMax) {
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

absl::StatusOr<DurationUs> DurationOf(std::string_view key, const std::string& text) {
  if (text.empty()) return 0;
  const std::optional<DurationUs> duration = ParseDuration(text);
  if (duration && *duration > 0 && *duration <= kApiDurationMax) return *duration;
  return absl::InvalidArgumentError(
      absl::StrCat(ToAbsl(key), ": expected a duration such as 2h, at most a year"));
}

HttpResponse SubmitAction(OperatorAction act, const ApiContext& context) {
  if (act.id.empty()) act.id = RandomId();
  const absl::Status submitted = context.submit(act);
  if (absl::IsResourceExhausted(submitted)) {
    HttpResponse response = ErrorResponse(429, std::string(submitted.message()));
    response.headers["Retry-After"] = "1";
    return response;
  }
  if (!submitted.ok()) return ErrorResponse(503, std::string(submitted.message()));
  JsonWriter json;
  json.BeginObject();
  json.Key("act").String(act.id);
  if (act.kind == OperatorActionKind::kSilence) json.Key("silence").String(act.silence.name);
  json.EndObject();
  return JsonResponse(202, json.Take());
}

}  // namespace tocsin
