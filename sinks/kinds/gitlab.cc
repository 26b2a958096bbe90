// GitLab issues: one ticket per incident, for incidents that page nobody.
//
//   - {name: tickets, kind: gitlab, project: acme/ops, token_file: /run/secrets/gitlab}
//
// Keys: project (its path, or its number), token_file or token_env (scope `api`), labels, url of
// the server (default https://gitlab.com), timeout. A resolve closes the issue and puts its message
// at the top of the issue's description (sinks/ticket.h).
// https://docs.gitlab.com/ee/api/issues.html, https://docs.gitlab.com/ee/api/notes.html
#include <simdjson.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/json_writer.h"
#include "sinks/stanza.h"
#include "sinks/ticket.h"

namespace tocsin {
namespace {

// Escapes quick actions: commands at the beginning of a line, such as "/close".
std::string WithoutCommands(const std::string& text) {
  std::string plain = text;
  if (plain.starts_with('/')) plain.insert(0, "\\");
  return absl::StrReplaceAll(plain, {{"\n/", "\n\\/"}});
}

class GitlabSink final : public TicketSink {
 public:
  struct Options {
    std::string issues_url;  // …/api/v4/projects/acme%2Fops/issues
    std::string token;
    std::vector<std::string> labels;
    DurationUs timeout = 10 * kSecondUs;
  };

  GitlabSink(std::string name, Options options)
      : TicketSink(std::move(name), "gitlab"), options_(std::move(options)) {
    AddSecret(options_.token);
  }

  // The issue's number in its project. A note's reply has it too, but under another key.
  std::string ReceiptOf(const SinkReply& reply) const override {
    simdjson::dom::parser parser;
    std::int64_t number = 0;
    return parser.parse(reply.body)["iid"].get(number) == simdjson::SUCCESS ? absl::StrCat(number)
                                                                            : "";
  }

  SinkLookUp Found(const Delivery& delivery, const SinkReply& reply) const override {
    const SinkLookUp issue = FindMarked(reply, MarkOf(delivery), "description", "iid");
    return issue.answer == SinkLookUp::Answer::kArrived
               ? issue
               : FindMarked(reply, MarkOf(delivery), "body", "iid");
  }

 private:
  std::string Escape(const std::string& text) const override { return EscapeMarkdown(text); }
  std::size_t title_bytes_max() const override { return 250; }  // GitLab's limit: 255 characters
  DurationUs timeout() const override { return options_.timeout; }

  SinkRequest Open(const std::string& title, const std::string& text,
                   const std::string& mark) const override {
    JsonWriter json;
    json.BeginObject();
    json.Key("title").String(title);
    json.Key("issue_type").String("incident");
    if (!options_.labels.empty()) json.Key("labels").String(absl::StrJoin(options_.labels, ","));
    json.Key("description").String(Marked(text, mark));
    json.EndObject();
    return Request("POST", "", json.Take());
  }
  SinkRequest Comment(const std::string& ticket, const std::string& text,
                      const std::string& mark) const override {
    JsonWriter json;
    json.BeginObject();
    json.Key("body").String(Marked(text, mark));
    json.EndObject();
    return Request("POST", absl::StrCat("/", ticket, "/notes"), json.Take());
  }
  SinkRequest Close(const std::string& ticket, const std::string& text,
                    const std::string& declared) const override {
    JsonWriter json;
    json.BeginObject();
    json.Key("state_event").String("close");
    // It replaces the description, so the original message is repeated below.
    json.Key("description").String(Description(absl::StrCat(text, "\n", declared)));
    json.EndObject();
    return Request("PUT", absl::StrCat("/", ticket), json.Take());
  }

  SinkRequest FindTicket(const std::string& mark) const override {
    return Request("GET", absl::StrCat("?in=description&per_page=", kFoundMax, "&search=", mark),
                   "");
  }
  SinkRequest FindComment(const std::string& ticket) const override {
    return Request(
        "GET",
        absl::StrCat("/", ticket, "/notes?sort=desc&order_by=created_at&per_page=", kFoundMax), "");
  }
  // With the mark in an HTML comment, which rendered Markdown does not show.
  static std::string Marked(const std::string& text, const std::string& mark) {
    return absl::StrCat(Description(text), "\n<!-- ", mark, " -->\n");
  }
  static std::string Description(const std::string& text) {
    return MarkdownLines(WithoutCommands(text));
  }

  SinkRequest Request(const char* method, const std::string& path, std::string body) const {
    SinkRequest request;
    request.method = method;
    request.url = options_.issues_url + path;
    request.headers = {{"Content-Type", "application/json"}, {"PRIVATE-TOKEN", options_.token}};
    request.body = std::move(body);
    return request;
  }

  const Options options_;
};

bool IsProject(const std::string& text) {
  return text.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") ==
             std::string::npos &&
         !text.starts_with('/') && !text.ends_with('/');
}

}  // namespace

std::unique_ptr<Sink> NewGitlabSink(const std::string& name, ConfigReader* reader) {
  GitlabSink::Options options;
  const std::string project = reader->RequiredString("project");
  if (!project.empty() && !IsProject(project)) {
    reader->Error("project", "project: expected its path or number, such as acme/ops");
  }
  std::string url = ReadUrl("https://gitlab.com", reader);
  while (!url.empty() && url.back() == '/') url.pop_back();
  options.issues_url = absl::StrCat(url, "/api/v4/projects/",
                                    absl::StrReplaceAll(project, {{"/", "%2F"}}), "/issues");
  options.token = ReadSecret("token", "a GitLab token with the scope api",
                             /*optional=*/false, reader);
  options.labels = reader->Strings("labels");
  options.timeout = ReadTimeout(reader);
  return std::make_unique<GitlabSink>(name, std::move(options));
}

}  // namespace tocsin
