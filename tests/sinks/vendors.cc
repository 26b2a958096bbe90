#include "tests/sinks/vendors.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "core/string_hash.h"
#include "core/time.h"

namespace tocsin {
namespace {

namespace dom = simdjson::dom;

SinkReply Answer(int status, std::string body = "") {
  SinkReply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string Header(const SinkRequest& request, std::string_view name) {
  for (const auto& [key, value] : request.headers) {
    if (absl::EqualsIgnoreCase(key, ToAbsl(name))) return value;
  }
  return "";
}

// What follows "name=" in a query.
std::string Parameter(const std::string& url, const std::string& name) {
  for (const absl::string_view each : absl::StrSplit(url, absl::ByAnyChar("?&"))) {
    if (absl::StartsWith(each, name + "=")) return std::string(each.substr(name.size() + 1));
  }
  return "";
}

std::string Path(const std::string& url) { return url.substr(0, url.find('?')); }

// A JSON body, and what is wrong with it.
class Json {
 public:
  explicit Json(const std::string& text, std::set<std::string>* faults) : faults_(faults) {
    if (!simdjson::validate_utf8(text.data(), text.size())) Fault("no UTF-8");
    if (parser_.parse(text).get(root_) != simdjson::SUCCESS) {
      Fault("no JSON");
      if (parser_.parse(std::string("{}")).get(root_) != simdjson::SUCCESS) std::abort();
    }
  }

  dom::element root() const { return root_; }
  // The string at a JSON pointer, of at most `characters_max` characters; "" if there is none.
  std::string Text(const std::string& at, bool required, std::size_t characters_max = 4 << 20) {
    std::string_view text;
    dom::element element;
    if (root_.at_pointer(at).get(element) != simdjson::SUCCESS) {
      if (required) Fault(at + " is missing");
    } else if (element.get(text) != simdjson::SUCCESS) {
      Fault(at + " is no string");
    } else if (required && text.empty()) {
      Fault(at + " is blank");
    } else if (Characters(text) > characters_max) {
      Fault(at + " is too long");
    }
    return std::string(text);
  }
  std::string OneOf(const std::string& at, const std::vector<std::string>& choices) {
    const std::string text = Text(at, /*required=*/true);
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) Fault(at + " is " + text);
    return text;
  }
  // That an object has no other keys than these.
  void Only(const std::string& at, const std::set<std::string>& keys) {
    dom::object object;
    if (root_.at_pointer(at).get(object) != simdjson::SUCCESS) return Fault(at + " is no object");
    for (const dom::key_value_pair member : object) {
      if (!keys.contains(std::string(member.key))) {
        Fault(absl::StrCat(at, " has an unknown key ", ToAbsl(member.key.substr(0, 40))));
      }
    }
  }
  void Time(const std::string& at, bool required) {
    const std::string text = Text(at, required);
    if (!text.empty() && !ParseRfc3339(text)) Fault(at + " is no time");
  }
  void Fault(const std::string& what) { faults_->insert(what); }

 private:
  dom::parser parser_;
  dom::element root_;
  std::set<std::string>* faults_;
};

// Whose schema a request is checked against: faults of this request alone make it a 400.
class JsonVendor : public Vendor {
 protected:
  SinkReply Take(const SinkRequest& request) final {
    std::set<std::string> faults;
    if (request.method != "GET" &&
        !absl::StartsWith(Header(request, "Content-Type"), "application/json")) {
      faults.insert("no JSON by its header");
    }
    Json json(request.method == "GET" ? "{}" : request.body, &faults);
    SinkReply reply = Handle(request, &json);
    for (const std::string& fault : faults) Fault(fault);
    return faults.empty() ? reply : Answer(400, *faults.begin());
  }
  virtual SinkReply Handle(const SinkRequest& request, Json* json) = 0;
};

// Posts with a text, of which those that say so may be repeats.
bool SaysRepeat(const std::string& text) {
  return text.find("may have been posted before") != std::string::npos ||
         text.find("\"repeat\":true") != std::string::npos || absl::EndsWith(text, " (repeat)");
}

bool IsEnd(const std::string& text) { return text.find("resolved after") != std::string::npos; }

// The number of repeats that do not say that they may be one.
int Repeats(const std::vector<std::string>& texts) {
  std::map<std::string, int> told;
  for (const std::string& text : texts) {
    if (!SaysRepeat(text)) ++told[text];
  }
  int repeats = 0;
  for (const auto& [text, count] : told) repeats += count - 1;
  return repeats;
}

class PagerDuty final : public JsonVendor {
 public:
  bool by_level() const override { return true; }
  Thing Of(const std::string& title, int level) const override {
    for (const auto& [key, page] : pages_) {
      if (page.title == title && absl::EndsWith(key, absl::StrCat(":", level))) return page.thing;
    }
    return {.over = true};
  }
  std::vector<std::string> Texts() const override {
    std::vector<std::string> texts;
    for (const auto& [key, page] : pages_) texts.push_back(page.title);
    return texts;
  }

 protected:
  SinkReply Handle(const SinkRequest& request, Json* json) override {
    if (request.body.size() > 512'000) json->Fault("too large");
    json->Text("/routing_key", true);
    if (absl::EndsWith(request.url, "/v2/change/enqueue")) {
      json->Only("", {"routing_key", "payload", "links"});
      json->Text("/payload/summary", true, 1024);
      json->Time("/payload/timestamp", false);
      return Answer(202, R"({"status":"success"})");
    }
    json->Only("", {"routing_key", "event_action", "dedup_key", "client", "client_url", "links",
                    "images", "payload"});
    const std::string action = json->OneOf("/event_action", {"trigger", "acknowledge", "resolve"});
    const std::string key = json->Text("/dedup_key", true, 255);
    if (action == "trigger") {
      Page& page = pages_[key];
      page.title = json->Text("/payload/summary", true, 1024);
      json->Text("/payload/source", true);
      json->OneOf("/payload/severity", {"critical", "error", "warning", "info"});
      json->Time("/payload/timestamp", false);
      if (page.thing.opened == 0 || page.thing.over) {
        ++page.thing.opened;
        page.thing.begun_after_end = page.thing.begun_after_end || page.thing.over;
      }
      page.thing.over = false;
    } else if (action == "resolve") {
      pages_[key].thing.over = true;
    }
    return Answer(202, R"({"status":"success","dedup_key":"k"})");
  }

 private:
  struct Page {
    std::string title;
    Thing thing;
  };
  std::map<std::string, Page> pages_;
};

// An incoming webhook of Slack, and its API.
class Slack final : public JsonVendor {
 public:
  explicit Slack(bool api) : api_(api) {}
  bool tells_repeats() const override { return api_; }
  Thing Of(const std::string& title, int) const override {
    Thing thing;
    thing.over = true;
    std::vector<std::string> texts;
    for (const Message& message : messages_) {
      if (message.posted.find(": " + title + "\n") == std::string::npos) continue;
      texts.push_back(message.posted);
      thing.over = IsEnd(message.posted);
      if (thing.over || !message.thread.empty()) continue;
      thing.opened = SaysRepeat(message.posted) ? std::max(thing.opened, 1) : thing.opened + 1;
    }
    // The first message says how it stands.
    for (const Message& message : messages_) {
      const bool first = api_ && message.thread.empty();
      if (!first || message.posted.find(": " + title + "\n") == std::string::npos) continue;
      thing.over = thing.over && IsEnd(message.text);
    }
    // In a webhook's channel a rise looks like a beginning.
    if (!api_) thing.opened = std::min(thing.opened, 1);
    if (api_) thing.repeats = Repeats(texts);
    return thing;
  }
  std::vector<std::string> Texts() const override {
    std::vector<std::string> texts;
    for (const Message& message : messages_) texts.push_back(message.text);
    return texts;
  }

 protected:
  SinkReply Handle(const SinkRequest& request, Json* json) override {
    if (api_ && Header(request, "Authorization").empty()) return Ok(false, "not_authed");
    if (absl::StrContains(request.url, "/conversations.")) return List(request.url);
    json->Only("", {"channel", "ts", "thread_ts", "reply_broadcast", "metadata", "text", "blocks"});
    json->Text("/text", true, 4'000);
    const std::string text = json->Text("/blocks/0/text/text", true, 3'000);
    json->OneOf("/blocks/0/type", {"section"});
    json->OneOf("/blocks/0/text/type", {"mrkdwn"});
    if (!api_) {
      messages_.push_back({.text = text, .posted = text});
      return Answer(200, "ok");
    }
    json->Text("/channel", true);
    if (absl::EndsWith(request.url, "/chat.update")) {
      const std::string time = json->Text("/ts", true);
      for (Message& message : messages_) {
        if (message.time != time) continue;
        message.text = text;
        message.updated = true;
        return Ok(true, time);
      }
      return Ok(false, "message_not_found");
    }
    Message message{.text = text, .posted = text};
    message.thread = json->Text("/thread_ts", false);
    message.delivery = json->Text("/metadata/event_payload/delivery", false);
    message.time = absl::StrCat("1503435956.", 100'000 + messages_.size());
    messages_.push_back(message);
    return Ok(true, message.time);
  }

 private:
  struct Message {
    std::string text, posted, thread = {}, time = {}, delivery = {};
    bool updated = false;
  };
  static SinkReply Ok(bool ok, const std::string& what) {
    return Answer(200, ok ? absl::StrCat(R"({"ok":true,"channel":"C01","ts":")", what, "\"}")
                          : absl::StrCat(R"({"ok":false,"error":")", what, "\"}"));
  }
  SinkReply List(const std::string& url) const {
    const std::string thread = Parameter(url, "ts");
    std::string list;
    for (const Message& message : messages_) {
      if (thread.empty() ? !message.thread.empty() : message.thread != thread) continue;
      absl::StrAppend(
          &list, list.empty() ? "" : ",", R"({"ts":")", message.time,
          R"(","metadata":{"event_type":"tocsin_delivery","event_payload":{"delivery":")",
          message.delivery, "\"}}}");
    }
    return Answer(200, absl::StrCat(R"({"ok":true,"has_more":false,"messages":[)", list, "]}"));
  }
  const bool api_;
  std::vector<Message> messages_;
};

// What trackers have in common: tickets with comments.
class Tracker : public JsonVendor {
 public:
  Thing Of(const std::string& title, int) const override {
    Thing thing;
    thing.over = true;
    for (const Ticket& ticket : tickets_) {
      if (!absl::EndsWith(ticket.title, ": " + title)) continue;
      // One that says it may be a repeat may be all that there is.
      thing.opened = ticket.may_repeat ? std::max(thing.opened, 1) : thing.opened + 1;
      thing.over = thing.over && ticket.closed;
      std::vector<std::string> comments;
      for (const Comment& comment : ticket.comments) comments.push_back(comment.text);
      thing.repeats += Repeats(comments);
    }
    return thing;
  }
  std::vector<std::string> Texts() const override {
    std::vector<std::string> texts;
    for (const Ticket& ticket : tickets_) {
      texts.push_back(ticket.text);
      for (const Comment& comment : ticket.comments) texts.push_back(comment.text);
    }
    return texts;
  }

 protected:
  struct Comment {
    std::string text, mark;
  };
  struct Ticket {
    Ticket(const std::string& its_title, const std::string& its_text, const std::string& its_mark)
        : title(its_title), text(its_text), mark(its_mark), may_repeat(SaysRepeat(its_text)) {}
    std::string title, text, mark;
    bool may_repeat = false;  // as it was opened
    bool closed = false;
    std::vector<Comment> comments = {};
  };
  // By a number from 1; nullptr where there is none.
  Ticket* At(std::string_view number) {
    std::size_t index = 0;
    if (!absl::SimpleAtoi(ToAbsl(number), &index) || index == 0 || index > tickets_.size()) {
      return nullptr;
    }
    return &tickets_[index - 1];
  }
  std::vector<Ticket> tickets_;
};

std::string Quoted(const std::string& text) { return absl::StrCat("\"", text, "\""); }

// The mark in a comment of HTML, where there is one.
std::string MarkIn(const std::string& text) {
  const std::size_t at = text.rfind("<!-- tocsin-");
  return at == std::string::npos ? "" : text.substr(at + 5, text.find(" -->", at) - at - 5);
}

class Github final : public Tracker {
 protected:
  SinkReply Handle(const SinkRequest& request, Json* json) override {
    constexpr std::string_view kIssues = "/repos/acme/ops/issues";
    const std::string path = Path(request.url);
    const std::size_t at = path.find(kIssues);
    if (at == std::string::npos || Header(request, "User-Agent").empty()) return Answer(404);
    const std::string rest = path.substr(at + kIssues.size());
    if (request.method == "GET") return List(rest);
    const std::string text = json->Text("/body", true, 65'536);
    if (rest.empty()) {
      json->Only("", {"title", "body", "labels"});
      tickets_.emplace_back(json->Text("/title", true, 256), text, MarkIn(text));
      return Answer(201, absl::StrCat(R"({"number":)", tickets_.size(), "}"));
    }
    const std::vector<std::string> parts = absl::StrSplit(rest.substr(1), '/');
    Ticket* ticket = At(parts[0]);
    if (ticket == nullptr) return Answer(404);
    if (parts.size() == 2 && parts[1] == "comments") {
      json->Only("", {"body"});
      ticket->comments.push_back({text, MarkIn(text)});
      return Answer(201, R"({"id":7,"body":""})");
    }
    json->Only("", {"state", "state_reason", "body"});
    ticket->closed = json->OneOf("/state", {"open", "closed"}) == "closed";
    json->OneOf("/state_reason", {"completed", "not_planned"});
    ticket->text = text;
    return Answer(200, absl::StrCat(R"({"number":)", parts[0], "}"));
  }

 private:
  SinkReply List(const std::string& rest) {
    std::string list;
    const auto add = [&](const std::string& number, const std::string& mark) {
      absl::StrAppend(&list, list.empty() ? "" : ",", "{", number, R"("body":)",
                      Quoted("<!-- " + mark + " -->"), "}");
    };
    if (rest.empty()) {
      for (std::size_t i = tickets_.size(); i > 0; --i) {
        add(absl::StrCat(R"("number":)", i, ","), tickets_[i - 1].mark);
      }
    } else if (const Ticket* ticket = At(rest.substr(1, rest.find('/', 1) - 1))) {
      for (const Comment& comment : ticket->comments) add("", comment.mark);
    } else {
      return Answer(404);
    }
    return Answer(200, "[" + list + "]");
  }
};

class Gitlab final : public Tracker {
 protected:
  SinkReply Handle(const SinkRequest& request, Json* json) override {
    constexpr std::string_view kIssues = "/api/v4/projects/acme%2Fops/issues";
    const std::string path = Path(request.url);
    const std::size_t at = path.find(kIssues);
    if (at == std::string::npos || Header(request, "PRIVATE-TOKEN").empty()) return Answer(404);
    const std::string rest = path.substr(at + kIssues.size());
    if (request.method == "GET") return List(rest, Parameter(request.url, "search"));
    if (rest.empty()) {
      json->Only("", {"title", "description", "labels", "issue_type"});
      const std::string text = json->Text("/description", true, 1'048'576);
      json->OneOf("/issue_type", {"issue", "incident"});
      tickets_.emplace_back(json->Text("/title", true, 255), text, MarkIn(text));
      return Answer(201, absl::StrCat(R"({"id":900,"iid":)", tickets_.size(), "}"));
    }
    const std::vector<std::string> parts = absl::StrSplit(rest.substr(1), '/');
    Ticket* ticket = At(parts[0]);
    if (ticket == nullptr) return Answer(404);
    if (parts.size() == 2 && parts[1] == "notes") {
      json->Only("", {"body"});
      const std::string text = json->Text("/body", true, 1'000'000);
      ticket->comments.push_back({text, MarkIn(text)});
      return Answer(201, R"({"id":7,"noteable_iid":1})");
    }
    json->Only("", {"state_event", "description"});
    ticket->closed = json->OneOf("/state_event", {"close", "reopen"}) == "close";
    ticket->text = json->Text("/description", true, 1'048'576);
    return Answer(200, absl::StrCat(R"({"iid":)", parts[0], "}"));
  }

 private:
  SinkReply List(const std::string& rest, const std::string& search) {
    std::string list;
    if (rest.empty()) {
      for (std::size_t i = 0; i < tickets_.size(); ++i) {
        if (tickets_[i].mark != search) continue;
        absl::StrAppend(&list, list.empty() ? "" : ",", R"({"iid":)", i + 1, R"(,"description":)",
                        Quoted(tickets_[i].mark), "}");
      }
    } else if (const Ticket* ticket = At(rest.substr(1, rest.find('/', 1) - 1))) {
      for (const Comment& comment : ticket->comments) {
        absl::StrAppend(&list, list.empty() ? "" : ",", R"({"body":)", Quoted(comment.mark), "}");
      }
    } else {
      return Answer(404);
    }
    return Answer(200, "[" + list + "]");
  }
};

class Jira final : public Tracker {
 protected:
  SinkReply Handle(const SinkRequest& request, Json* json) override {
    const std::string path = Path(request.url);
    if (Header(request, "Authorization").empty()) return Answer(401);
    if (absl::EndsWith(path, "/rest/api/2/search/jql")) return Search(request.url);
    constexpr std::string_view kIssue = "/rest/api/2/issue";
    const std::size_t at = path.find(kIssue);
    if (at == std::string::npos) return Answer(404);
    const std::string rest = path.substr(at + kIssue.size());
    if (rest.empty()) {
      json->Only("", {"fields"});
      json->Only("/fields", {"project", "issuetype", "summary", "description", "labels"});
      json->Text("/fields/project/key", true);
      json->Text("/fields/issuetype/name", true);
      tickets_.emplace_back(json->Text("/fields/summary", true, 254),
                            json->Text("/fields/description", true, 32'767),
                            json->Text("/fields/labels/0", false));
      return Answer(201, absl::StrCat(R"({"id":"1","key":"OPS-)", tickets_.size(), "\"}"));
    }
    const std::vector<std::string> parts = absl::StrSplit(rest.substr(1), '/');
    if (!absl::StartsWith(parts[0], "OPS-")) return Answer(404);
    Ticket* ticket = At(parts[0].substr(4));
    if (ticket == nullptr) return Answer(404);
    if (request.method == "GET") return parts.size() == 2 ? Comments(*ticket) : Status(*ticket);
    if (parts.size() == 2 && parts[1] == "comment") {
      json->Only("", {"body", "properties"});
      ticket->comments.push_back(
          {json->Text("/body", true, 32'767), json->Text("/properties/0/value/mark", false)});
      return Answer(201, R"({"id":"10"})");
    }
    json->Only("", {"transition", "update"});
    json->OneOf("/transition/id", {"31"});
    if (ticket->closed) return Answer(400, "no such transition from here");
    ticket->comments.push_back({json->Text("/update/comment/0/add/body", true, 32'767), ""});
    ticket->closed = true;
    return Answer(204);
  }

 private:
  SinkReply Search(const std::string& url) const {
    for (std::size_t i = 0; i < tickets_.size(); ++i) {
      if (url.find(tickets_[i].mark) == std::string::npos) continue;
      return Answer(200, absl::StrCat(R"({"issues":[{"key":"OPS-)", i + 1, "\"}]}"));
    }
    return Answer(200, R"({"issues":[]})");
  }
  static SinkReply Comments(const Ticket& ticket) {
    std::string list;
    for (const Comment& comment : ticket.comments) {
      absl::StrAppend(&list, list.empty() ? "" : ",",
                      R"({"properties":[{"key":"tocsin.delivery","value":{"mark":)",
                      Quoted(comment.mark), "}}]}");
    }
    return Answer(200, absl::StrCat(R"({"comments":[)", list, "]}"));
  }
  static SinkReply Status(const Ticket& ticket) {
    return Answer(200, absl::StrCat(R"({"fields":{"status":{"statusCategory":{"key":")",
                                    ticket.closed ? "done" : "new", "\"}}}}"));
  }
};

// It shows customers no title: one component, one incident.
class Statuspage final : public JsonVendor {
 public:
  Thing Of(const std::string&, int) const override {
    Thing thing;
    thing.over = true;
    for (const Shown& shown : shown_) {
      ++thing.opened;
      thing.over = thing.over && shown.status == "resolved";
      thing.repeats += Repeats(shown.updates);
    }
    return thing;
  }
  std::vector<std::string> Texts() const override {
    std::vector<std::string> texts;
    for (const Shown& shown : shown_)
      texts.insert(texts.end(), shown.updates.begin(), shown.updates.end());
    return texts;
  }

 protected:
  SinkReply Handle(const SinkRequest& request, Json* json) override {
    constexpr std::string_view kIncidents = "/v1/pages/abc123/incidents";
    const std::string path = Path(request.url);
    const std::size_t at = path.find(kIncidents);
    if (at == std::string::npos) return Answer(404);
    if (!absl::StartsWith(Header(request, "Authorization"), "OAuth ")) return Answer(401);
    const std::string rest = path.substr(at + kIncidents.size());
    if (request.method == "GET") {
      std::string list;
      for (std::size_t i = 0; i < shown_.size(); ++i) {
        if (rest == "/" + Id(i)) return Answer(200, Line(i));
        absl::StrAppend(&list, list.empty() ? "" : ",", Line(i));
      }
      return rest.empty() ? Answer(200, "[" + list + "]") : Answer(404);
    }
    json->Only("", {"incident"});
    json->Only("/incident", {"name", "status", "impact_override", "body", "component_ids",
                             "components", "metadata"});
    Shown shown;
    json->Text("/incident/name", true);
    shown.status =
        json->OneOf("/incident/status", {"investigating", "identified", "monitoring", "resolved"});
    json->OneOf("/incident/impact_override", {"none", "minor", "major", "critical"});
    shown.delivery = json->Text("/incident/metadata/tocsin/delivery", false);
    // With the delivery as mark, since two deliveries may have the same text.
    shown.updates = {json->Text("/incident/body", true, 25'000) + " " + shown.delivery};
    if (rest.empty()) {
      shown_.push_back(shown);
      return Answer(201, Line(shown_.size() - 1));
    }
    for (std::size_t i = 0; i < shown_.size(); ++i) {
      if (rest != "/" + Id(i)) continue;
      shown_[i].status = shown.status;
      shown_[i].delivery = shown.delivery;
      shown_[i].updates.push_back(shown.updates[0]);
      return Answer(200, Line(i));
    }
    return Answer(404);
  }

 private:
  struct Shown {
    std::string status, delivery;
    std::vector<std::string> updates;
  };
  static std::string Id(std::size_t i) { return absl::StrCat("inc", i); }
  std::string Line(std::size_t i) const {
    return absl::StrCat(R"({"id":")", Id(i), R"(","metadata":{"tocsin":{"delivery":")",
                        shown_[i].delivery, "\"}}}");
  }
  std::vector<Shown> shown_;
};

class Alertmanager final : public JsonVendor {
 public:
  bool by_level() const override { return true; }
  Thing Of(const std::string& title, int level) const override {
    Thing thing;
    thing.over = true;
    for (const auto& [key, alert] : alerts_) {
      if (alert.title != title || alert.level != absl::StrCat(level)) continue;
      ++thing.opened;
      thing.over = alert.over;
    }
    return thing;
  }
  std::vector<std::string> Texts() const override {
    std::vector<std::string> texts;
    for (const auto& [key, alert] : alerts_) texts.push_back(alert.title);
    return texts;
  }

 protected:
  SinkReply Handle(const SinkRequest& request, Json* json) override {
    if (!absl::EndsWith(request.url, "/api/v2/alerts")) return Answer(404);
    json->Only("/0", {"labels", "annotations", "startsAt", "endsAt", "generatorURL"});
    json->Text("/0/labels/alertname", true);
    json->Time("/0/startsAt", false);
    json->Time("/0/endsAt", false);
    dom::element labels;
    if (json->root().at_pointer("/0/labels").get(labels) != simdjson::SUCCESS) return Answer(400);
    Alert& alert = alerts_[simdjson::minify(labels)];
    alert.title = json->Text("/0/annotations/summary", true);
    alert.level = json->Text("/0/labels/level", true);
    // An alert with `endsAt` is resolved; a firing alert is sent without it.
    alert.over = !json->Text("/0/endsAt", false).empty();
    return Answer(200);
  }

 private:
  struct Alert {
    std::string title, level;
    bool over = false;
  };
  std::map<std::string, Alert> alerts_;
};

// A reader of deliveries: recognises repeats at webhooks by Idempotency-Key, in topics by the
// header of that name, and in lines by their own text.
class Reader final : public Vendor {
 public:
  enum class Kind { kWebhook, kKafka, kLine, kTextLine };
  explicit Reader(Kind kind) : kind_(kind) {}
  bool by_level() const override { return true; }
  bool tells_repeats() const override { return kind_ == Kind::kWebhook || kind_ == Kind::kKafka; }
  Thing Of(const std::string& title, int level) const override {
    Thing thing;
    for (const Told& told : told_) {
      if (told.title != title || told.level != level) continue;
      if (told.action == "trigger") {
        thing.begun_after_end = thing.begun_after_end || thing.over;
        // A line that says "repeat" may be the first one that arrived.
        thing.opened = told.repeat ? std::max(thing.opened, 1) : thing.opened + 1;
      }
      if (told.action == "resolve") thing.over = true;
    }
    if (thing.opened == 0) thing.over = true;
    return thing;
  }
  std::vector<std::string> Texts() const override { return texts_; }

 protected:
  SinkReply Take(const SinkRequest& request) override {
    std::set<std::string> faults;
    if (request.body.find('\n') != std::string::npos) faults.insert("more than one line");
    texts_.push_back(request.body);
    Told told;
    if (kind_ == Kind::kTextLine) {
      // "TRIGGER level 2 (SEV2) INC-2026-001 prod api: the title, since … (repeat)"
      const std::vector<std::string> words = absl::StrSplit(request.body, ' ');
      told.action = absl::AsciiStrToLower(words.front());
      if (words.size() < 4 || !absl::SimpleAtoi(words[2], &told.level)) faults.insert("no level");
      const std::size_t begin = request.body.find(": ");
      const std::size_t end = request.body.rfind(", since ");
      if (begin < end) told.title = request.body.substr(begin + 2, end - begin - 2);
    } else {
      Json json(request.body, &faults);
      json.Only("", {"action", "level", "dedup_key", "incident", "repeat"});
      told.action = json.OneOf("/action", {"trigger", "acknowledge", "resolve", "update"});
      told.title = json.Text("/incident/title", true);
      std::int64_t level = 0;
      if (json.root()["level"].get(level) != simdjson::SUCCESS) faults.insert("no level");
      told.level = static_cast<int>(level);
    }
    for (const std::string& fault : faults) Fault(fault);
    if (!faults.empty()) return Answer(400, *faults.begin());
    const std::string key = Header(request, "Idempotency-Key");
    told.repeat = SaysRepeat(request.body);
    if (tells_repeats() && key.size() != 32) Fault("no idempotency key");
    if (!tells_repeats() || keys_.insert(key).second) told_.push_back(told);
    return Answer(200);
  }

 private:
  struct Told {
    std::string action, title;
    int level = 0;
    bool repeat = false;
  };
  const Kind kind_;
  std::vector<Told> told_;
  std::set<std::string> keys_;
  std::vector<std::string> texts_;
};

// A mailbox: RFC 5322 headers, the body in base64, one mail a Message-ID.
class Mailbox final : public Vendor {
 public:
  Thing Of(const std::string& title, int) const override {
    Thing thing;
    for (const Mail& mail : mails_) {
      if (!absl::EndsWith(mail.subject, ": " + title)) continue;
      thing.opened = 1;
      thing.over = thing.over || IsEnd(mail.subject);
    }
    return thing;
  }
  std::vector<std::string> Texts() const override {
    std::vector<std::string> texts;
    for (const Mail& mail : mails_) {
      texts.push_back(mail.subject);
      texts.push_back(mail.text);
    }
    return texts;
  }

 protected:
  SinkReply Take(const SinkRequest& request) override {
    const std::size_t end = request.body.find("\r\n\r\n");
    if (end == std::string::npos) return Refuse("no end of the headers");
    Mail mail;
    std::string id;
    std::string unfolded = absl::StrReplaceAll(request.body.substr(0, end), {{"\r\n ", " "}});
    for (const absl::string_view line : absl::StrSplit(unfolded, "\r\n")) {
      const std::size_t colon = line.find(": ");
      const std::string name(line.substr(0, colon));
      static const std::set<std::string> known = {"From",           "To",
                                                  "Subject",        "Message-ID",
                                                  "References",     "In-Reply-To",
                                                  "Auto-Submitted", "MIME-Version",
                                                  "Content-Type",   "Content-Transfer-Encoding"};
      if (!known.contains(name)) return Refuse("an unknown header");
      if (line.find_first_of("\r\n") != absl::string_view::npos) return Refuse("a broken line");
      if (name == "Message-ID") id = std::string(line.substr(colon + 2));
      if (name == "Subject") mail.subject = Decoded(line.substr(colon + 2));
    }
    for (const absl::string_view line : absl::StrSplit(request.body, "\r\n")) {
      if (line.size() > 998) return Refuse("a line of more than 998 bytes");
    }
    const std::string body = absl::StrReplaceAll(request.body.substr(end + 4), {{"\r\n", ""}});
    if (!absl::Base64Unescape(body, &mail.text)) return Refuse("no base64");
    if (!simdjson::validate_utf8(mail.text.data(), mail.text.size())) return Refuse("no UTF-8");
    if (ids_.insert(id).second) mails_.push_back(std::move(mail));
    return Answer(250);
  }

 private:
  struct Mail {
    std::string subject, text;
  };
  SinkReply Refuse(const std::string& why) {
    Fault(why);
    return Answer(554, why);
  }
  static std::string Decoded(absl::string_view words) {
    std::string text;
    for (const absl::string_view word : absl::StrSplit(words, ' ', absl::SkipEmpty())) {
      std::string part;
      const bool encoded = absl::StartsWith(word, "=?UTF-8?B?") && absl::EndsWith(word, "?=");
      if (encoded && absl::Base64Unescape(word.substr(10, word.size() - 12), &part)) text += part;
    }
    return text;
  }
  std::vector<Mail> mails_;
  std::set<std::string> ids_;
};

}  // namespace

SinkReply Vendor::Receive(const SinkRequest& request) {
  if (request.kind != SinkRequest::Kind::kNone) return Take(request);
  SinkReply nothing;
  nothing.unsent = true;
  return nothing;
}

std::string VendorKind::Stanza(const std::string& sink, const std::string& base) const {
  std::string text = absl::StrCat("{name: ", sink, ", ", stanza);
  if (!url_key.empty()) absl::StrAppend(&text, ", ", url_key, ": '", base, url_path, "'");
  return text + "}";
}

const std::vector<VendorKind>& VendorKinds() {
  static const auto* const kinds = new std::vector<VendorKind>{
      {"pagerduty", "kind: pagerduty, routing_key_env: TOCSIN_TEST_KEY", "url", "/v2/enqueue",
       [] { return std::unique_ptr<Vendor>(new PagerDuty); }},
      {"slack by webhook", "kind: slack, url_env: TOCSIN_TEST_URL", "", "",
       [] { return std::unique_ptr<Vendor>(new Slack(/*api=*/false)); }},
      {"slack by token", "kind: slack, token_env: TOCSIN_TEST_KEY, channel: C01", "api_url",
       "/api/chat.postMessage", [] { return std::unique_ptr<Vendor>(new Slack(/*api=*/true)); }},
      {"github", "kind: github, repository: acme/ops, token_env: TOCSIN_TEST_KEY", "api_url", "",
       [] { return std::unique_ptr<Vendor>(new Github); }},
      {"gitlab", "kind: gitlab, project: acme/ops, token_env: TOCSIN_TEST_KEY", "url", "",
       [] { return std::unique_ptr<Vendor>(new Gitlab); }},
      {"jira",
       "kind: jira, project: OPS, user: bot@acme.example, done: '31', token_env: TOCSIN_TEST_KEY",
       "url", "", [] { return std::unique_ptr<Vendor>(new Jira); }},
      {"statuspage", "kind: statuspage, page: abc123, token_env: TOCSIN_TEST_KEY", "api_url", "",
       [] { return std::unique_ptr<Vendor>(new Statuspage); }},
      {"alertmanager", "kind: alertmanager", "url", "",
       [] { return std::unique_ptr<Vendor>(new Alertmanager); }},
      {"webhook", "kind: webhook", "url", "/",
       [] { return std::unique_ptr<Vendor>(new Reader(Reader::Kind::kWebhook)); }},
      {"kafka", "kind: kafka, brokers: 'h:9092', topic: incidents", "", "",
       [] { return std::unique_ptr<Vendor>(new Reader(Reader::Kind::kKafka)); }},
      {"file", "kind: file, path: /tmp/incidents.jsonl", "", "",
       [] { return std::unique_ptr<Vendor>(new Reader(Reader::Kind::kLine)); }},
      {"stdout", "kind: stdout, format: text", "", "",
       [] { return std::unique_ptr<Vendor>(new Reader(Reader::Kind::kTextLine)); }},
      {"email", "kind: email, server: 'smtp://h', from: a@b.example, to: [c@d.example], tls: false",
       "", "", [] { return std::unique_ptr<Vendor>(new Mailbox); }},
  };
  return *kinds;
}

}  // namespace tocsin
