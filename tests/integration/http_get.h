// What is served on the loopback interface: the body of a GET, empty when nothing answers, and
// metrics.
#pragma once

#include <curl/curl.h>

#include <cstdlib>
#include <sstream>
#include <string>

namespace tocsin {

inline std::string HttpGet(int port, const std::string& path) {
  std::string body;
  CURL* curl = curl_easy_init();
  const std::string url = "http://127.0.0.1:" + std::to_string(port) + path;
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 5L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_write_callback append = [](char* data, std::size_t size, std::size_t count, void* into) {
    static_cast<std::string*>(into)->append(data, size * count);
    return size * count;
  };
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  if (curl_easy_perform(curl) != CURLE_OK) body.clear();
  curl_easy_cleanup(curl);
  return body;
}

// The sum of a metric over its series, or over those whose labels begin with `labels`; −1 while
// nothing answers.
inline double SumOfMetric(int port, const std::string& name, const std::string& labels = "") {
  std::istringstream lines(HttpGet(port, "/metrics"));
  double sum = lines.str().empty() ? -1 : 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(name + "{" + labels) || (labels.empty() && line.starts_with(name + " "))) {
      sum += std::strtod(line.c_str() + line.rfind(' ') + 1, nullptr);
    }
  }
  return sum;
}

}  // namespace tocsin
