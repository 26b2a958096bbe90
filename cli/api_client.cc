#include "cli/api_client.h"

#include <simdjson.h>

#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/config_check.h"
#include "config/secret_file.h"
#include "core/status_macros.h"
#include "system/private_files.h"
#include "transport/http_client.h"

namespace tocsin {
namespace {

// A hundred thousand summaries.
constexpr std::size_t kReplyBytesMax = 256 << 20;
// What the API says is wrong: {"error": "…"}.
std::string ErrorText(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::element element;
  std::string_view text;
  if (parser.parse(body).get(element) == simdjson::SUCCESS &&
      element["error"].get(text) == simdjson::SUCCESS) {
    return std::string(text);
  }
  return "no reason given";
}

std::string UrlOf(const std::string& listen) {
  // ":9464" and "0.0.0.0:9464" are all addresses, this one too.
  const bool any = absl::StartsWith(listen, ":") || absl::StartsWith(listen, "0.0.0.0:") ||
                   absl::StartsWith(listen, "[::]:");
  return "http://" + (any ? "127.0.0.1" + listen.substr(listen.rfind(':')) : listen);
}

}  // namespace

absl::StatusOr<ApiClient> ApiClient::Open(const ApiOptions& options) {
  ApiClient client;
  client.url_ = options.url;
  Config config;
  if (!options.config.empty()) {
    std::optional<Config> read = LoadOrExplain(options.config);
    if (!read) return absl::InvalidArgumentError("the configuration is wrong");
    config = *std::move(read);
    if (config.listen == "off" && client.url_.empty()) {
      return absl::InvalidArgumentError(options.config +
                                        " has `listen: off`: there is nobody to ask");
    }
  }
  const std::string token_file =
      options.token_file.empty() ? config.api_token_file : options.token_file;
  TOCSIN_ASSIGN_OR_RETURN(client.token_, ReadToken(token_file));
  if (client.url_.empty()) {
    client.url_ = UrlOf(config.listen);
    // Not for an address that somebody types: it is this machine's alone.
    if (client.token_.empty())
      client.token_ = ReadToken(OwnTokenFile(config.state_dir)).value_or("");
  }
  while (absl::EndsWith(client.url_, "/")) client.url_.pop_back();
  return client;
}

absl::StatusOr<std::string> ApiClient::Call(const std::string& method, const std::string& path,
                                            const std::string& body) const {
  HttpClient http;
  TOCSIN_RETURN_IF_ERROR(http.Init());
  SinkRequest request;
  request.method = method;
  request.url = url_ + path;
  request.body = body;
  request.reply_bytes_max = kReplyBytesMax;
  request.headers = {{"Content-Type", "application/json"}};
  if (!token_.empty()) request.headers.emplace_back("Authorization", "Bearer " + token_);
  std::vector<HttpClient::Reply> replies;
  http.Send({}, std::move(request), &replies);
  while (replies.empty()) http.Perform(absl::Seconds(1), &replies);
  SinkReply& reply = replies.front().reply;
  if (reply.status / 100 == 2) return std::move(reply.body);
  if (reply.status == 0) {
    return absl::UnavailableError(absl::StrCat("nobody answers at ", url_, " (", reply.error,
                                               "): is `tocsin run` running there? Say -c CONFIG or "
                                               "--url"));
  }
  const std::string text = ErrorText(reply.body);
  if (reply.status == 404) return absl::NotFoundError(text);
  if (reply.status >= 500) return absl::UnavailableError(text);
  return absl::InvalidArgumentError(text);
}

}  // namespace tocsin
