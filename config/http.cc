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
  }
  return listen;
}

std::vector<std::string> ReadHosts(ConfigReader* reader) {
  std::vector<std::string> hosts = reader->Strings("hosts");
  for (std::string& host : hosts) {
    absl::AsciiStrToLower(&host);
    if (host.empty() || host.find_first_of("/:@ *") != std::string::npos) {
      reader->Error("hosts", absl::StrCat("hosts has ", Quoted(host),
                                          ": expected a host name such as tocsin.example, without "
                                          "scheme, port or wildcard"));
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
  http.certificate_file = reader.String("certificate_file");
  http.key_file = reader.String("key_file");
  if (http.certificate_file.empty() != http.key_file.empty()) {
    errors->Add(node.at, absl::StrCat("http has ", http.key_file.empty() ? "no" : "a", " key_file",
                                      " and ", http.certificate_file.empty() ? "no" : "a",
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
  http.token_file = reader.String("token_file");
  http.signature = reader.Choice("signature", HttpSignatureNames(), "");
  http.secret_file = reader.String("secret_file");
  http.topics = reader.Strings("topics");
  http.transport = ReadTransport(&reader);
  http.open = reader.Bool("open", false);
  http.requests_per_second =
      static_cast<int>(reader.Int("requests_per_second", http.requests_per_second, 1, 1'000'000));
  reader.Finish();
  const bool is_sns = http.signature == "sns";
  const bool says_signature = reader.Has("signature");
  if (!http.secret_file.empty() && (!says_signature || is_sns)) {
    reader.Error("secret_file", absl::StrCat("secret_file of ", what, " signs nothing: expected a ",
                                             "signature of github, gitlab, pagerduty or sentry"));
  } else if (http.secret_file.empty() && !http.signature.empty() && !is_sns) {
    reader.Error("signature", absl::StrCat("signature of ", what, " needs a secret_file"));
  }
  if (is_sns == http.topics.empty()) {
    reader.Error("topics",
                 is_sns ? absl::StrCat(what, " needs topics: the ARNs whose messages it ", "takes")
                        : absl::StrCat("topics of ", what, " is for signature sns"));
  }
  for (const char* key : {"ca_file", "proxy"}) {
    if (!is_sns && reader.Has(key)) {
      reader.Error(key, absl::StrCat(key, " of ", what, " is for signature sns, which fetches"));
    }
  }
  if (!is_local && !http.open && http.token_file.empty() && http.signature.empty()) {
    errors->Add(node.at, absl::StrCat(what, " lets other machines post unasked: expected a ",
                                      "token_file, a signature, or open: true"));
  }
  return http;
}

}  // namespace tocsin
