// GitHub issues: a ticket an incident, for what does not wake anybody.
//
//   - {name: tickets, kind: github, repository: acme/ops, token_file: /run/secrets/github}
//
// Keys: repository (owner/name), token_file or token_env (may write issues), labels, api_url,
// timeout. The first trigger opens an issue with the message `declared`; a rise, an
// acknowledgement and a reminder are comments on it; the end closes it and puts its message on top. There is nothing that GitHub could recognise a repeat by, so an issue that may
// have been opened before says so.
// https://docs.github.com/en/rest/issues/issues
#include <simdjson.h>

#include <algorithm>

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/json_writer.h"
#include "core/string_hash.h"
#include "sinks/incident_line.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kTitleBytesMax = 250;    // GitHub takes 256 characters
constexpr std::size_t kBodyBytesMax = 60'000;  // and 65,536

// A reply repeats the issue with its text, and must be whole to be read.
constexpr std::size_t kReplyBytesMax = 512 << 10;

// Neither markup nor HTML, and nobody is mentioned who happens to be named in a log line.
std::string Markdown(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("\\`*_{}[]<>#|!~").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
    if (c == '@') escaped += "\u200B";
  }
  return escaped;
}

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

class GithubSink final : public Sink {
 public:
  struct Options {
    std::string issues_url;  // …/repos/acme/ops/issues
    std::string token;
    std::vector<std::string> labels;
    DurationUs timeout = 10 * kSecondUs;
  };

  GithubSink(std::string name, Options options)
      : Sink(std::move(name), "github"), options_(std::move(options)) {
    AddSecret(options_.token);
  }

  bool Wants(NotificationAction) const override { return true; }

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    const absl::StatusOr<Incident> read = ReadIncident(delivery.payload);
    const Incident incident = read.ok() ? *read : Incident();
    const std::optional<MessageStage> stage = StageToTell(delivery, incident);
    const bool opened = !delivery.receipt.empty();
    // What was never opened has nothing to be closed.
    if (!stage || (delivery.action != NotificationAction::kTrigger && !opened)) {
      request.kind = SinkRequest::Kind::kNone;
      return request;
    }
    const bool closes = delivery.action == NotificationAction::kResolve;
    std::string text =
        read.ok() ? templates().Render(MessageAudience::kInternal, *stage, incident, Markdown)
                  : "incident " + delivery.dedup_key + "\n";
    // The close replaces the issue's text: what it said stays below.
    if (closes) {
      absl::StrAppend(&text, "\n",
                      templates().Render(MessageAudience::kInternal, MessageStage::kDeclared,
                                         incident, Markdown));
    }
    if (delivery.attempts > 1 && !closes) text += "(may have been posted before)\n";
    request.method = closes ? "PATCH" : "POST";
    request.url = options_.issues_url;
    if (opened) absl::StrAppend(&request.url, "/", delivery.receipt, closes ? "" : "/comments");
    request.timeout = options_.timeout;
    request.reply_bytes_max = kReplyBytesMax;
    request.headers = {{"Content-Type", "application/json"},
                       {"Accept", "application/vnd.github+json"},
                       {"X-GitHub-Api-Version", "2022-11-28"},
                       {"User-Agent", "tocsin"},
                       {"Authorization", "Bearer " + options_.token}};
    request.body = Body(incident, delivery, text);
    return request;
  }

  // Only the number of an issue; a comment's reply has none.
  std::string ReceiptOf(const SinkReply& reply) const override {
    simdjson::dom::parser parser;
    std::int64_t number = 0;
    return parser.parse(reply.body)["number"].get(number) == simdjson::SUCCESS
               ? absl::StrCat(number)
               : "";
  }

  // Too many requests are 403, too, and then say when to come back.
  SendOutcome Judge(const SinkReply& reply) const override {
    if (reply.status == 403 && reply.retry_after_ms >= 0) return SendOutcome::kRetry;
    return Sink::Judge(reply);
  }

 private:
  std::string Body(const Incident& incident, const Delivery& delivery,
                   const std::string& text) const {
    // Lines as they are: Markdown would join them.
    const std::string body = CutUtf8(absl::StrReplaceAll(text, {{"\n", "  \n"}}), kBodyBytesMax);
    JsonWriter json;
    json.BeginObject();
    if (delivery.action == NotificationAction::kResolve) {
      json.Key("state").String("closed");
      json.Key("state_reason").String("completed");
    } else if (delivery.receipt.empty()) {
      const std::string title =
          incident.title.empty()
              ? "incident " + delivery.dedup_key
              : absl::StrCat(incident.severity, " ", incident.number, ": ", incident.title);
      json.Key("title").String(OneLine(title, kTitleBytesMax));
      json.Key("labels").BeginArray();
      for (const std::string& label : options_.labels) json.String(label);
      json.EndArray();
    }
    json.Key("body").String(body);
    json.EndObject();
    return json.Take();
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
