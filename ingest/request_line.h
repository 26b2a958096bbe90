// What the request line of an HTTP request says, as access logs quote it.
//
//   RequestLine request = ParseRequestLine("GET /orders/42?x=1 HTTP/1.1");
//   request.method;                           // "GET"; empty: a line that is no request
//   request.target;                           // "/orders/42?x=1"
//   PathOf("https://shop.example/orders");    // "/orders"
//
// Views of the text. Thread-safe: pure functions.
#pragma once

#include <string_view>

namespace tocsin {

struct RequestLine {
  std::string_view method;
  std::string_view target;  // as it stands: a path, "*", host:port, or a whole URL
};

RequestLine ParseRequestLine(std::string_view line);

// The path of a target. Empty: it names none.
std::string_view PathOf(std::string_view target);

}  // namespace tocsin
