#include "transport/http_message.h"

#include <utility>

#include "core/json_writer.h"

namespace tocsin {

std::string HttpHeader(const HttpRequest& request, const std::string& name) {
  const auto found = request.headers.find(name);
  return found == request.headers.end() ? std::string() : found->second;
}

HttpResponse JsonResponse(int status, std::string body) {
  return {.status = status, .content_type = "application/json", .body = std::move(body) + "\n"};
}

HttpResponse ErrorResponse(int status, std::string_view message) {
  JsonWriter json;
  json.BeginObject();
  json.Key("error").String(message);
  json.EndObject();
  return JsonResponse(status, json.Take());
}

}  // namespace tocsin
