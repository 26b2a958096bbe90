// What the request line of an HTTP request says, as access logs quote it.
//
//   RequestLine request = ParseRequestLine("GET /orders/42?x=1 HTTP/1.1");
//   request.method;                           // "GET"; empty: a line that is no request
//   request.target;                           // "/orders/42?x=1"
//   PathOf("https://shop.example/orders");    // "/orders"
//
// Views of the text. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace tocsin {

struct RequestLine {
  std::string_view method;
  std::string_view target;  // as it stands: a path, "*", host:port, or a whole URL
};

RequestLine ParseAnyRequestLine(std::string_view line);

inline RequestLine ParseRequestLine(std::string_view line) {
  // As most are.
  constexpr std::size_t kBegin = 4;  // "GET "
  constexpr std::size_t kEnd = 9;    // " HTTP/1.1"
  if (line.size() <= kBegin + kEnd || !line.starts_with("GET ") ||
      !line.substr(line.size() - kEnd).starts_with(" HTTP/")) {
    return ParseAnyRequestLine(line);
  }
  return {.method = line.substr(0, kBegin - 1),
          .target = line.substr(kBegin, line.size() - kBegin - kEnd)};
}

std::string_view PathOfUrl(std::string_view url);

// The path of a target. Empty: it names none.
inline std::string_view PathOf(std::string_view target) {
  return target.starts_with('/') ? target : PathOfUrl(target);
}

}  // namespace tocsin
