// The section `http`, and what an input says of who may post to it.

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "config/sections.h"
#include "config/transport.h"
#include "config/value.h"
#include "core/string_hash.h"

namespace tocsin {
namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;

// What goes with a signature, and what without one.
void CheckSignature(const HttpInputConfig& http, const std::string& what, ConfigReader* reader) {
  const bool is_sns = http.signature == "sns";
  if (reader->Has("secret_file") && (http.signature.empty() || is_sns)) {
    reader->Error("secret_file",
                  absl::StrCat("secret_file of ", what, " signs nothing: expected a ",
                               "signature of github, gitlab, pagerduty or sentry"));
  } else if (!reader->Has("secret_file") && !http.signature.empty() && !is_sns) {
    reader->Missing("signature", absl::StrCat("signature of ", what, " needs a secret_file"));
  }
  if (is_sns && !reader->Has("topics")) {
    reader->Missing("topics",
                    absl::StrCat(what, " needs topics: the ARNs whose messages it takes"));
  } else if (is_sns && http.topics.empty() && reader->Sound("topics")) {
    reader->Error("topics", absl::StrCat("topics of ", what, " is empty: expected ARNs"));
  } else if (!is_sns && reader->Has("topics")) {
    reader->Error("topics", absl::StrCat("topics of ", what, " is for signature sns"));
  }
  for (const char* key : {"ca_file", "proxy"}) {
    if (!is_sns && reader->Has(key)) {
      reader->Error(key, absl::StrCat(key, " of ", what, " is for signature sns, which fetches"));
    }
  }
}

}  // namespace

std::vector<std::string> HttpSignatureNames() {
  return {"github", "gitlab", "pagerduty", "sentry", "sns"};
}

std::string ReadListen(ConfigReader* reader, const std::string& fallback) {
  std::string listen = reader->String("listen", fallback);
  if (listen == "off") return listen;
  const std::size_t colon = listen.rfind(':');
  ConfigNode port;
  port.kind = ConfigNode::Kind::kScalar;
  if (colon != std::string::npos) port.scalar = listen.substr(colon + 1);
  ErrorList ignored;
  if (colon == std::string::npos || colon == 0 ||
      !IntValue(port, "port", 0, 65'535, &ignored).has_value()) {
    reader->Error("listen", absl::StrCat("listen is ", Quoted(listen),
                                         ": expected an address and port such as 127.0.0.1:9464, "
                                         "or off"));
    return fallback;
  }
  return listen;
}

std::vector<std::string> ReadHosts(ConfigReader* reader) {
  std::vector<std::string> hosts;
  for (const ConfigNode& host : reader->Texts("hosts")) {
    hosts.push_back(absl::AsciiStrToLower(host.scalar));
    if (host.scalar.empty() || host.scalar.find_first_of("/:@ *") != std::string::npos) {
      reader->errors()->Add(host.at, absl::StrCat("hosts has ", Quoted(host.scalar),
                                                  ": expected a host name such as tocsin.example, "
                                                  "without scheme, port or wildcard"));
    }
  }
  return hosts;
}

bool IsLoopback(const std::string& address) {
  return address.starts_with("127.") || address.starts_with("localhost:") ||
         address.starts_with("[::1]:");
}

HttpServerConfig ReadHttpServer(const ConfigNode& node, ErrorList* errors) {
  HttpServerConfig http;
  ConfigReader reader(node, "http", errors);
  http.listen = ReadListen(&reader, http.listen);
  http.certificate_file = ReadSecretPath("certificate_file", &reader);
  http.key_file = ReadSecretPath("key_file", &reader);
  if (reader.Has("certificate_file") != reader.Has("key_file")) {
    reader.Missing("", absl::StrCat("http has ", reader.Has("key_file") ? "a" : "no", " key_file",
                                    " and ", reader.Has("certificate_file") ? "a" : "no",
                                    " certificate_file: expected both or neither"));
  }
  http.connections_max =
      static_cast<int>(reader.Int("connections_max", http.connections_max, 1, 65'536));
  http.body_bytes_max =
      kMebibyte * reader.Int("body_mib_max", http.body_bytes_max / kMebibyte, 1, 64);
  http.log_bytes_max =
      kMebibyte * reader.Int("log_mib_max", http.log_bytes_max / kMebibyte, 128, 1 << 20);
  reader.Finish();
  return http;
}

HttpInputConfig ReadHttpInput(const ConfigNode& node, const std::string& what, bool is_local,
                              ErrorList* errors) {
  HttpInputConfig http;
  http.at = node.at;
  ConfigReader reader(node, what, errors);
  http.token_file = ReadSecretPath("token_file", &reader);
  http.signature = reader.Choice("signature", HttpSignatureNames(), "");
  http.secret_file = ReadSecretPath("secret_file", &reader);
  http.topics = reader.Strings("topics");
  http.transport = ReadTransport(&reader);
  http.open = reader.Bool("open", false);
  http.requests_per_second =
      static_cast<int>(reader.Int("requests_per_second", http.requests_per_second, 1, 1'000'000));
  reader.Finish();
  if (reader.Sound("signature")) CheckSignature(http, what, &reader);
  const bool proves =
      http.open || reader.Has("token_file") || reader.Has("signature") || !reader.Sound("open");
  if (!is_local && !proves) {
    reader.Missing("", absl::StrCat(what, " lets other machines post unasked: expected a ",
                                    "token_file, a signature, or open: true"));
  }
  return http;
}

}  // namespace tocsin
