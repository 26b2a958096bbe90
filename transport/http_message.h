// HTTP requests and responses as values, and the responses in JSON that all our handlers give.
//
//   if (HttpHeader(request, "authorization").empty()) return ErrorResponse(401, "no token");
//   return JsonResponse(200, json.Take());
//
// Values and pure functions; thread-safe.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace tocsin {

struct HttpRequest {
  std::string method;
  std::string target;                               // path and query
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string body = {};
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body = {};
  std::map<std::string, std::string> headers = {};
  bool drop = false;  // close without an answer (stand-ins play dead)
};

// A header's value, "" where there is none; `name` in lower case.
std::string HttpHeader(const HttpRequest& request, const std::string& name);

HttpResponse JsonResponse(int status, std::string body);
// {"error": message}
HttpResponse ErrorResponse(int status, std::string_view message);

}  // namespace tocsin
