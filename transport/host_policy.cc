#include "transport/host_policy.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tocsin {
namespace {

// The host of "host:port", "[::1]:port" or "host", in lower case, without brackets and a final dot.
std::string HostOf(std::string_view authority) {
  std::string_view host = authority;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else {
    host = host.substr(0, host.find(':'));
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  std::string lower(host);
  absl::AsciiStrToLower(&lower);
  return lower;
}

bool IsAddress(const std::string& host) {
  in6_addr address{};
  return inet_pton(AF_INET, host.c_str(), &address) == 1 ||
         inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool IsLoopbackHost(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return host == "localhost" || host.ends_with(".localhost") || host == "::1";
}

bool Changes(const std::string& method) {
  return method != "GET" && method != "HEAD" && method != "OPTIONS";
}

}  // namespace

HostPolicy::HostPolicy(Options options)
    : options_(std::move(options)), listen_host_(HostOf(options_.listen)) {
  any_address_ = listen_host_.empty() || listen_host_ == "0.0.0.0" || listen_host_ == "::";
}

bool HostPolicy::IsListed(std::string_view host) const {
  return std::find(options_.hosts.begin(), options_.hosts.end(), host) != options_.hosts.end();
}

bool HostPolicy::IsOurs(std::string_view authority) const {
  const std::string host = HostOf(authority);
  if (host.empty()) return false;
  return IsLoopbackHost(host) || host == listen_host_ || (any_address_ && IsAddress(host)) ||
         IsListed(host);
}

std::optional<HttpResponse> HostPolicy::Refusal(const HttpRequest& request) const {
  const std::string host = HttpHeader(request, "host");
  if (!host.empty() && !options_.tls && !IsOurs(host)) {
    return ErrorResponse(403,
                         absl::StrCat("Host is ", host,
                                      ", which is not a name of this server: list it under `hosts` "
                                      "in the configuration, or show a token"));
  }
  const std::string origin = HttpHeader(request, "origin");
  if (origin.empty() || !Changes(request.method)) return std::nullopt;
  const std::size_t scheme = origin.find("://");
  const std::string from = scheme == std::string::npos ? "" : origin.substr(scheme + 3);
  if (!from.empty() && (absl::EqualsIgnoreCase(from, host) || IsListed(HostOf(from)))) {
    return std::nullopt;
  }
  return ErrorResponse(403,
                       absl::StrCat("a page of ", origin,
                                    " may change nothing here: list its host under `hosts` in the "
                                    "configuration, or show a token"));
}

}  // namespace tocsin
