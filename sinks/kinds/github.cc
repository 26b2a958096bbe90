// GitHub issues: one ticket per incident, for incidents that page nobody.
//
//   - {name: tickets, kind: github, repository: acme/ops, token_file: /run/secrets/github}
//
// Keys: repository (owner/name), token_file or token_env (may write issues), labels, api_url,
// timeout. A resolve closes the issue and puts its message at the top of the issue's text
// (sinks/ticket.h).
// https://docs.github.com/en/rest/issues/issues
#include <simdjson.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "sinks/stanza.h"
#include "sinks/ticket.h"

namespace tocsin {
namespace {

bool IsRepository(const std::string& text) {
  const std::size_t slash = text.find('/');
  return slash != std::string::npos && slash > 0 && slash + 1 < text.size() &&
         std::all_of(text.begin(), text.end(),
                     [](char c) {
                       return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' ||
                              c == '_' || c == '.' || c == '/';
                     }) &&
         text.find('/', slash + 1) == std::string::npos;
}

class GithubSink final : public TicketSink {
 public:
  struct Options {
    std::string issues_url;  // …/repos/acme/ops/issues
    std::string token;
    std::vector<std::string> labels;
    DurationUs timeout = 10 * kSecondUs;
  };

  GithubSink(std::string name, Options options)
      : TicketSink(std::move(name), "github"), options_(std::move(options)) {
    AddSecret(options_.token);
  }

  // The number of the issue. A comment's reply has none.
  std::string ReceiptOf(const SinkReply& reply) const override {
    simdjson::dom::parser parser;
    std::int64_t number = 0;
    return parser.parse(reply.body)["number"].get(number) == simdjson::SUCCESS
               ? absl::StrCat(number)
               : "";
  }

  SinkLookUp Found(const Delivery& delivery, const SinkReply& reply) const override {
    return FindMarked(reply, MarkOf(delivery), "body", "number");
  }

  // GitHub also answers 403 when a rate limit is exceeded, then with Retry-After.
  SendOutcome JudgeAnswer(const SinkReply& reply) const override {
    if (reply.status == 403 && reply.retry_after_ms >= 0) return SendOutcome::kRetry;
    return Sink::JudgeAnswer(reply);
  }

 private:
  std::string Escape(const std::string& text) const override { return EscapeMarkdown(text); }
  std::size_t title_bytes_max() const override { return 250; }  // GitHub's limit: 256 characters
  DurationUs timeout() const override { return options_.timeout; }

  SinkRequest Open(const std::string& title, const std::string& text,
                   const std::string& mark) const override {
    JsonWriter json;
    json.BeginObject();
    json.Key("title").String(title);
    json.Key("labels").BeginArray();
    for (const std::string& label : options_.labels) json.String(label);
    json.EndArray();
    json.Key("body").String(Marked(text, mark));
    json.EndObject();
    return Request("POST", "", json.Take());
  }
  SinkRequest Comment(const std::string& ticket, const std::string& text,
                      const std::string& mark) const override {
    JsonWriter json;
    json.BeginObject();
    json.Key("body").String(Marked(text, mark));
    json.EndObject();
    return Request("POST", absl::StrCat("/", ticket, "/comments"), json.Take());
  }
  SinkRequest Close(const std::string& ticket, const std::string& text,
                    const std::string& declared) const override {
    JsonWriter json;
    json.BeginObject();
    json.Key("state").String("closed");
    json.Key("state_reason").String("completed");
    // It replaces the issue's text, so the original message is repeated below.
    json.Key("body").String(MarkdownLines(absl::StrCat(text, "\n", declared)));
    json.EndObject();
    return Request("PATCH", absl::StrCat("/", ticket), json.Take());
  }

  // Lists issues, since GitHub's search indexes new ones with a delay.
  SinkRequest FindTicket(const std::string&) const override {
    return Request("GET",
                   absl::StrCat("?state=all&sort=created&direction=desc&per_page=", kFoundMax), "");
  }
  SinkRequest FindComment(const std::string& ticket) const override {
    return Request("GET", absl::StrCat("/", ticket, "/comments?per_page=", kFoundMax), "");
  }
  // With the mark in an HTML comment, which rendered Markdown does not show.
  static std::string Marked(const std::string& text, const std::string& mark) {
    return absl::StrCat(MarkdownLines(text), "\n<!-- ", mark, " -->\n");
  }

  SinkRequest Request(const char* method, const std::string& path, std::string body) const {
    SinkRequest request;
    request.method = method;
    request.url = options_.issues_url + path;
    request.headers = {{"Content-Type", "application/json"},
                       {"Accept", "application/vnd.github+json"},
                       {"X-GitHub-Api-Version", "2022-11-28"},
                       {"User-Agent", "tocsin"},
                       {"Authorization", "Bearer " + options_.token}};
    request.body = std::move(body);
    return request;
  }

  const Options options_;
};

}  // namespace

std::unique_ptr<Sink> NewGithubSink(const std::string& name, ConfigReader* reader) {
  GithubSink::Options options;
  const std::string repository = reader->RequiredString("repository");
  if (!repository.empty() && !IsRepository(repository)) {
    reader->Error("repository", "repository: expected owner/name, such as acme/ops");
  }
  std::string api = reader->String("api_url", "https://api.github.com");
  while (!api.empty() && api.back() == '/') api.pop_back();
  options.issues_url = absl::StrCat(api, "/repos/", repository, "/issues");
  options.token = ReadSecret("token", "a GitHub token that may write issues",
                             /*optional=*/false, reader);
  options.labels = reader->Strings("labels");
  options.timeout = ReadTimeout(reader);
  return std::make_unique<GithubSink>(name, std::move(options));
}

}  // namespace tocsin
