// Jira issues: one ticket per incident, for incidents that page nobody.
//
//   - {name: tickets, kind: jira, url: "https://acme.atlassian.net", project: OPS,
//      user: bot@acme.example, token_file: /run/secrets/jira, done: "31"}
//
// Keys: url of the site, project (its key), issue_type (default Task), labels, user, token_file or
// token_env, done, timeout. With `user` the token is an API token of Jira Cloud, without it a
// personal access token of a self-hosted Jira. `done` is the id of the transition that closes an
// issue; without it a resolve only adds a comment. See sinks/ticket.h.
// https://developer.atlassian.com/cloud/jira/platform/rest/v2/api-group-issues/
#include <simdjson.h>

#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "sinks/stanza.h"
#include "sinks/ticket.h"

namespace tocsin {
namespace {

bool IsOf(std::string_view allowed, const std::string& text) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string::npos;
}

namespace dom = simdjson::dom;

// The comment property that holds the mark, and its value in the comment of a resolve.
constexpr const char* kMarkProperty = "tocsin.delivery";
constexpr const char* kEndMark = "tocsin-end";

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kKeyCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";

class JiraSink final : public TicketSink {
 public:
  struct Options {
    std::string issues_url;  // …/rest/api/2/issue
    std::string search_url;
    std::string project, issue_type, done;
    std::string authorization;
    std::vector<std::string> labels;
    DurationUs timeout = 10 * kSecondUs;
  };

  JiraSink(std::string name, const std::string& token, Options options)
      : TicketSink(std::move(name), "jira"), options_(std::move(options)) {
    AddSecret(token);
    AddSecret(options_.authorization);
  }

  // "OPS-12". A comment's reply has no key, and a transition's reply is empty.
  std::string ReceiptOf(const SinkReply& reply) const override {
    simdjson::dom::parser parser;
    std::string_view key;
    if (parser.parse(reply.body)["key"].get(key) != simdjson::SUCCESS) return "";
    // The key becomes part of URLs, so it must be harmless there.
    const std::string ticket(key);
    return IsOf("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", ticket) ? ticket : "";
  }

  // An empty search result means kUnknown: Jira indexes new issues with a delay.
  SinkLookUp Found(const Delivery& delivery, const SinkReply& reply) const override {
    dom::parser parser;
    dom::element answer;
    if (parser.parse(reply.body).get(answer) != simdjson::SUCCESS) return {};
    std::string_view key;
    if (answer["issues"].at(0)["key"].get(key) == simdjson::SUCCESS) {
      return {SinkLookUp::Answer::kArrived, std::string(key)};
    }
    dom::array issues;
    if (answer["issues"].get(issues) == simdjson::SUCCESS) {
      return {SinkLookUp::Answer::kUnknown, ""};
    }
    std::string_view status;
    if (answer["fields"]["status"]["statusCategory"]["key"].get(status) == simdjson::SUCCESS) {
      return {status == "done" ? SinkLookUp::Answer::kArrived : SinkLookUp::Answer::kMissing, ""};
    }
    dom::array comments;
    if (answer["comments"].get(comments) != simdjson::SUCCESS) return {};
    const bool end = delivery.action == NotificationAction::kResolve;
    const std::string wanted = end ? std::string(kEndMark) : MarkOf(delivery);
    for (const dom::element comment : comments) {
      std::string_view mark;
      const bool marked =
          comment["properties"].at(0)["value"]["mark"].get(mark) == simdjson::SUCCESS;
      if (marked && mark == wanted) return {SinkLookUp::Answer::kArrived, ""};
    }
    return {
        comments.size() < kFoundMax ? SinkLookUp::Answer::kMissing : SinkLookUp::Answer::kUnknown,
        ""};
  }

 private:
  // Escapes Jira's wiki markup.
  std::string Escape(const std::string& text) const override {
    std::string escaped;
    for (const char c : text) {
      if (std::string_view("\\{}[]*_-+^~|!#?").find(c) != std::string_view::npos) escaped += '\\';
      escaped += c;
    }
    return escaped;
  }
  std::size_t title_bytes_max() const override { return 250; }  // Jira's limit: 255 characters
  DurationUs timeout() const override { return options_.timeout; }

  SinkRequest Open(const std::string& title, const std::string& text,
                   const std::string& mark) const override {
    JsonWriter json;
    json.BeginObject();
    json.Key("fields").BeginObject();
    json.Key("project").BeginObject();
    json.Key("key").String(options_.project);
    json.EndObject();
    json.Key("issuetype").BeginObject();
    json.Key("name").String(options_.issue_type);
    json.EndObject();
    json.Key("summary").String(title);
    json.Key("description").String(text);
    json.Key("labels").BeginArray();
    for (const std::string& label : options_.labels) json.String(label);
    json.String(mark);
    json.EndArray();
    json.EndObject();
    json.EndObject();
    return Request("", json.Take());
  }
  SinkRequest Comment(const std::string& ticket, const std::string& text,
                      const std::string& mark) const override {
    JsonWriter json;
    json.BeginObject();
    json.Key("body").String(text);
    json.Key("properties").BeginArray().BeginObject();
    json.Key("key").String(kMarkProperty);
    json.Key("value").BeginObject();
    json.Key("mark").String(mark);
    json.EndObject();
    json.EndObject().EndArray();
    json.EndObject();
    return Request(absl::StrCat("/", ticket, "/comment"), json.Take());
  }
  SinkRequest Close(const std::string& ticket, const std::string& text,
                    const std::string&) const override {
    if (options_.done.empty()) return Comment(ticket, text, kEndMark);
    JsonWriter json;
    json.BeginObject();
    json.Key("transition").BeginObject();
    json.Key("id").String(options_.done);
    json.EndObject();
    json.Key("update").BeginObject();
    json.Key("comment").BeginArray();
    json.BeginObject();
    json.Key("add").BeginObject();
    json.Key("body").String(text);
    json.EndObject();
    json.EndObject();
    json.EndArray();
    json.EndObject();
    json.EndObject();
    return Request(absl::StrCat("/", ticket, "/transitions"), json.Take());
  }

  SinkRequest FindTicket(const std::string& mark) const override {
    SinkRequest request = Request("", "");
    request.url =
        absl::StrCat(options_.search_url, "?fields=summary&maxResults=1&jql=labels%20%3D%20", "%22",
                     mark, "%22");
    return request;
  }
  SinkRequest FindComment(const std::string& ticket) const override {
    return Request(
        absl::StrCat("/", ticket,
                     "/comment?expand=properties&orderBy=-created&maxResults=", kFoundMax),
        "");
  }
  std::optional<SinkRequest> FindEnd(const std::string& ticket) const override {
    return options_.done.empty() ? FindComment(ticket)
                                 : Request(absl::StrCat("/", ticket, "?fields=status"), "");
  }

  SinkRequest Request(const std::string& path, std::string body) const {
    SinkRequest request;
    request.url = options_.issues_url + path;
    request.headers = {{"Content-Type", "application/json"},
                       {"Authorization", options_.authorization}};
    request.body = std::move(body);
    return request;
  }

  const Options options_;
};

}  // namespace

std::unique_ptr<Sink> NewJiraSink(const std::string& name, ConfigReader* reader) {
  JiraSink::Options options;
  std::string url = ReadUrl("", reader);
  while (!url.empty() && url.back() == '/') url.pop_back();
  options.issues_url = absl::StrCat(url, "/rest/api/2/issue");
  options.project = reader->RequiredString("project");
  if (!options.project.empty() && !IsOf(kKeyCharacters, options.project)) {
    reader->Error("project", "project: expected the key of a project, such as OPS");
  }
  options.issue_type = reader->String("issue_type", "Task");
  options.labels = reader->Strings("labels");
  options.done = reader->String("done");
  if (!options.done.empty() && !IsOf(kDigits, options.done)) {
    reader->Error("done", "done: expected the id of a transition, such as \"31\"");
  }
  const std::string user = reader->String("user");
  const std::string token = ReadSecret("token", "a Jira token that may write issues",
                                       /*optional=*/false, reader);
  // Jira Cloud only has /search/jql any more; Jira Data Center does not have it yet.
  options.search_url = absl::StrCat(url, "/rest/api/2/search", user.empty() ? "" : "/jql");
  options.authorization =
      user.empty() ? absl::StrCat("Bearer ", token)
                   : absl::StrCat("Basic ", absl::Base64Escape(absl::StrCat(user, ":", token)));
  options.timeout = ReadTimeout(reader);
  return std::make_unique<JiraSink>(name, token, std::move(options));
}

}  // namespace tocsin
