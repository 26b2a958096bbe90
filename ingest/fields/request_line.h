// Parses the request line of an HTTP request, as quoted in access logs.
//
//   RequestLine request = ParseRequestLine("GET /orders/42?x=1 HTTP/1.1");
//   request.method;                           // "GET"; empty: not a request line
//   request.target;                           // "/orders/42?x=1"
//   PathOf("https://shop.example/orders");    // "/orders"
//
// The results are views of the argument. Thread-safe: pure functions.
#pragma once

#include <cstddef>
#include <string_view>

namespace tocsin {

struct RequestLine {
  std::string_view method;
  std::string_view target;  // unchanged: a path, "*", host:port, or a whole URL
};

RequestLine ParseAnyRequestLine(std::string_view line);

inline RequestLine ParseRequestLine(std::string_view line) {
  // Fast path for the most common form.
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

// The path of a request target; empty if it has none.
inline std::string_view PathOf(std::string_view target) {
  return target.starts_with('/') ? target : PathOfUrl(target);
}

}  // namespace tocsin
