// Which requests a web page elsewhere may have caused, so that they are refused.
//
//   const HostPolicy policy({.listen = config.listen, .hosts = config.hosts});
//   if (std::optional<HttpResponse> refused = policy.Refusal(request)) return *refused;
//
// A browser says in Host under which name it reached us, and a page's attacker can only give names
// of their own (DNS rebinding): Host must be this machine's loopback, the address that is listened
// on, or one of `hosts`. Where all addresses are listened on, any address will do, since nobody
// rebinds those. With TLS the certificate has settled that. What changes something must not come
// from a page of another origin: Origin, where there is one, is Host's or one of `hosts`. Clients
// that are no browsers send no Origin, and old ones no Host; both are let in. Whoever shows a token
// or a signature is no such page, and need not be asked. Immutable, thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transport/http_message.h"

namespace tocsin {

class HostPolicy {
 public:
  struct Options {
    std::string listen;                   // host:port
    std::vector<std::string> hosts = {};  // further names of this server, in lower case
    bool tls = false;
  };
  explicit HostPolicy(Options options);

  // The 403 that says what is wrong and which key allows it; nullopt where the request may go on.
  std::optional<HttpResponse> Refusal(const HttpRequest& request) const;

 private:
  bool IsOurs(std::string_view authority) const;
  bool IsListed(std::string_view host) const;

  const Options options_;
  std::string listen_host_;   // without brackets
  bool any_address_ = false;  // all addresses are listened on
};

}  // namespace tocsin
