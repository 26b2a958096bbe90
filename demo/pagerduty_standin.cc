#include "demo/pagerduty_standin.h"

#include <simdjson.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/json_writer.h"
#include "core/string_hash.h"
#include "core/time.h"

namespace tocsin {
namespace {

namespace dom = simdjson::dom;

// Limits of the API; the texts' are in characters.
constexpr std::size_t kEventBytesMax = 512'000;
constexpr std::size_t kDedupKeyCharactersMax = 255;
constexpr std::size_t kSummaryCharactersMax = 1'024;
// All that was received, each request with its share of bookkeeping.
constexpr std::size_t kKeptBytesMax = 256 << 20;
constexpr std::size_t kOverheadBytes = 512;

constexpr std::string_view kPath = "/v2/enqueue";
constexpr std::string_view kChangePath = "/v2/change/enqueue";

struct ApiEvent {
  std::string routing_key, action, dedup_key, summary, severity;
};

std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

// Checks an event against the documented schema and collects what is wrong.
class Schema {
 public:
  // `change`: an event of the change events' endpoint.
  ApiEvent Check(std::string_view body, bool change) {
    ApiEvent event;
    if (body.size() > kEventBytesMax) {
      errors_.push_back(absl::StrCat("the event exceeds ", kEventBytesMax, " bytes"));
      return event;
    }
    dom::parser parser;
    dom::object object;
    if (parser.parse(body.data(), body.size()).get(object) != simdjson::SUCCESS) {
      errors_.emplace_back("the body is not a JSON object");
      return event;
    }
    event.routing_key = Text(object, "", "routing_key", /*required=*/true);
    if (change) {
      event.action = "change";
      CheckList(object, "links", "href", "");
      CheckChange(object["payload"], &event);
      return event;
    }
    event.action = Choice(object, "", "event_action", {"trigger", "acknowledge", "resolve"});
    const bool trigger = event.action == "trigger";
    event.dedup_key = Text(object, "", "dedup_key", /*required=*/!trigger, kDedupKeyCharactersMax);
    Text(object, "", "client", /*required=*/false);
    Text(object, "", "client_url", /*required=*/false);
    CheckList(object, "links", "href", "");
    CheckList(object, "images", "src", "https://");
    dom::element payload;
    const bool present = object["payload"].get(payload) == simdjson::SUCCESS;
    if (present || trigger) CheckPayload(payload, present, &event);
    return event;
  }

  const std::vector<std::string>& errors() const { return errors_; }

 private:
  void CheckPayload(const dom::element& element, bool present, ApiEvent* event) {
    dom::object payload;
    if (!present || element.get(payload) != simdjson::SUCCESS) {
      errors_.push_back(present ? "'payload' is not an object" : "'payload' is missing");
      return;
    }
    event->summary = Text(payload, "payload.", "summary", /*required=*/true, kSummaryCharactersMax);
    Text(payload, "payload.", "source", /*required=*/true);
    event->severity =
        Choice(payload, "payload.", "severity", {"critical", "error", "warning", "info"});
    CheckTimestamp(payload);
    for (const char* key : {"component", "group", "class"}) {
      Text(payload, "payload.", key, /*required=*/false);
    }
  }

  void CheckChange(simdjson::simdjson_result<dom::element> element, ApiEvent* event) {
    dom::object payload;
    if (element.get(payload) != simdjson::SUCCESS) {
      errors_.emplace_back("'payload' is missing, or not an object");
      return;
    }
    event->summary = Text(payload, "payload.", "summary", /*required=*/true, kSummaryCharactersMax);
    Text(payload, "payload.", "source", /*required=*/false);
    CheckTimestamp(payload);
  }

  void CheckTimestamp(const dom::object& payload) {
    const std::string timestamp = Text(payload, "payload.", "timestamp", /*required=*/false);
    if (!timestamp.empty() && !ParseRfc3339(timestamp)) {
      errors_.emplace_back("'payload.timestamp' is not an ISO 8601 time");
    }
  }

  std::string Text(const dom::object& object, const char* prefix, const char* key, bool required,
                   std::size_t characters_max = kEventBytesMax) {
    dom::element element;
    std::string_view text;
    if (object[key].get(element) != simdjson::SUCCESS || element.is_null()) {
      if (required) errors_.push_back(absl::StrCat("'", prefix, key, "' is missing"));
    } else if (element.get(text) != simdjson::SUCCESS) {
      errors_.push_back(absl::StrCat("'", prefix, key, "' is not a string"));
    } else if (text.empty() && required) {
      errors_.push_back(absl::StrCat("'", prefix, key, "' is blank"));
    } else if (Characters(text) > characters_max) {
      errors_.push_back(
          absl::StrCat("'", prefix, key, "' exceeds ", characters_max, " characters"));
    }
    return std::string(text);
  }

  std::string Choice(const dom::object& object, const char* prefix, const char* key,
                     const std::vector<std::string_view>& choices) {
    const std::size_t before = errors_.size();
    std::string text = Text(object, prefix, key, /*required=*/true);
    if (errors_.size() == before &&
        std::find(choices.begin(), choices.end(), text) == choices.end()) {
      errors_.push_back(absl::StrCat("'", prefix, key, "' is not an allowed value"));
    }
    return text;
  }

  // A list of objects that each have an address.
  void CheckList(const dom::object& object, const char* key, const char* address,
                 const char* scheme) {
    dom::element element;
    if (object[key].get(element) != simdjson::SUCCESS) return;
    dom::array list;
    bool good = element.get(list) == simdjson::SUCCESS;
    if (good) {
      for (const dom::element item : list) {
        std::string_view text;
        good = good && item[address].get(text) == simdjson::SUCCESS &&
               absl::StartsWith(ToAbsl(text), scheme);
      }
    }
    if (!good) {
      errors_.push_back(
          absl::StrCat("'", key, "' is not a list of objects with '", address, "' ", scheme));
    }
  }

  std::vector<std::string> errors_;
};

HttpResponse Json(int status, JsonWriter* json) {
  return {.status = status, .content_type = "application/json", .body = json->Take()};
}

HttpResponse Failure(int status, std::string_view message, const std::vector<std::string>& errors) {
  JsonWriter json;
  json.BeginObject();
  json.Key("status").String(status == 400 ? "invalid event" : "error");
  json.Key("message").String(message);
  json.Key("errors").BeginArray();
  for (const std::string& error : errors) json.String(error);
  json.EndArray().EndObject();
  HttpResponse response = Json(status, &json);
  if (status == 429) response.headers["Retry-After"] = "1";
  return response;
}

HttpResponse Accepted(const std::string& dedup_key) {
  JsonWriter json;
  json.BeginObject();
  json.Key("status").String("success");
  json.Key("message").String("Event processed");
  json.Key("dedup_key").String(dedup_key);
  json.EndObject();
  return Json(202, &json);
}

HttpResponse PageList(const std::vector<PagerDutyStandIn::Page>& pages) {
  JsonWriter json;
  json.BeginArray();
  for (const PagerDutyStandIn::Page& page : pages) {
    json.BeginObject();
    json.Key("dedup_key").String(page.dedup_key);
    json.Key("summary").String(page.summary);
    json.Key("severity").String(page.severity);
    json.Key("resolved").Bool(page.resolved);
    json.Key("triggers").Int(page.triggers);
    json.Key("resolves").Int(page.resolves);
    json.Key("opened_order").Int(page.opened_order);
    json.Key("resolved_order").Int(page.resolved_order);
    json.EndObject();
  }
  json.EndArray();
  return Json(200, &json);
}

}  // namespace

class PagerDutyStandIn::Impl {
 public:
  explicit Impl(Options options)
      : options_(std::move(options)),
        server_({.address = options_.address},
                [this](const HttpRequest& request) { return Handle(request); }) {}

  absl::Status Start() { return server_.Start(); }
  void Stop() { server_.Stop(); }
  std::string url() const {
    return absl::StrCat("http://127.0.0.1:", server_.port(), ToAbsl(kPath));
  }

  std::vector<Page> Pages() const {
    absl::MutexLock lock(&mutex_);
    return pages_;
  }
  std::vector<Request> Requests() const {
    absl::MutexLock lock(&mutex_);
    return requests_;
  }
  std::vector<std::string> Rejected() const {
    absl::MutexLock lock(&mutex_);
    return rejected_;
  }

 private:
  HttpResponse Handle(const HttpRequest& request) {
    if (request.target == "/pages" && request.method == "GET") return PageList(Pages());
    const bool change = request.target == kChangePath;
    if (request.target == "/pages" || request.target == kPath || change) {
      if (request.method == "POST" && request.target != "/pages") {
        return Enqueue(request.body, change);
      }
      return Failure(405, "Method not allowed", {});
    }
    return Failure(404, "Not found", {});
  }

  HttpResponse Enqueue(const std::string& body, bool change) {
    Schema schema;
    ApiEvent event = schema.Check(body, change);
    if (!schema.errors().empty()) {
      Keep(kOverheadBytes, [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        rejected_.insert(rejected_.end(), schema.errors().begin(), schema.errors().end());
      });
      return Failure(400, "Event object is invalid", schema.errors());
    }
    const Request request{.action = event.action,
                          .dedup_key = event.dedup_key,
                          .body = body,
                          .summary = event.summary};
    const bool kept =
        Keep(body.size() + kOverheadBytes,
             [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { requests_.push_back(request); });
    if (!kept) return Failure(429, "The stand-in is full", {});
    // No lock is held: the callbacks may look at the pages.
    const int act_up = options_.act_up ? options_.act_up(request) : 0;
    if (act_up <= 0) Count(&event);
    if (options_.on_request) options_.on_request(request);
    if (act_up < 0) return {.drop = true};
    if (act_up > 0) return Failure(act_up, "Acting up, as told", {});
    return Accepted(event.dedup_key);
  }

  // Runs `add` unless all that is kept would exceed its bound.
  template <typename Add>
  bool Keep(std::size_t bytes, Add add) {
    absl::MutexLock lock(&mutex_);
    if (kept_bytes_ + bytes > kKeptBytesMax) return false;
    kept_bytes_ += bytes;
    add();
    return true;
  }

  void Count(ApiEvent* event) {
    absl::MutexLock lock(&mutex_);
    ++order_;
    if (event->dedup_key.empty()) event->dedup_key = absl::StrCat("standin-", order_);
    const std::pair<std::string, std::string> key(event->routing_key, event->dedup_key);
    const auto it = newest_.find(key);
    Page* page = it == newest_.end() ? nullptr : &pages_[it->second];
    if (event->action == "trigger") {
      if (page == nullptr || page->resolved) {
        newest_[key] = pages_.size();
        pages_.push_back({.dedup_key = event->dedup_key,
                          .summary = event->summary,
                          .severity = event->severity,
                          .opened_order = order_});
        page = &pages_.back();
      }
      ++page->triggers;
    } else if (event->action == "resolve" && page != nullptr) {
      ++page->resolves;
      if (!page->resolved) page->resolved_order = order_;
      page->resolved = true;
    }
  }

  const Options options_;
  mutable absl::Mutex mutex_;
  std::vector<Page> pages_ ABSL_GUARDED_BY(mutex_);
  // The newest page of a routing key and dedup key, as an index.
  std::map<std::pair<std::string, std::string>, std::size_t> newest_ ABSL_GUARDED_BY(mutex_);
  std::vector<Request> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> rejected_ ABSL_GUARDED_BY(mutex_);
  std::int64_t order_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t kept_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  HttpServer server_;  // last: it stops before what its handler uses goes
};

PagerDutyStandIn::PagerDutyStandIn(Options options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

PagerDutyStandIn::~PagerDutyStandIn() = default;

absl::Status PagerDutyStandIn::Start() { return impl_->Start(); }

void PagerDutyStandIn::Stop() { impl_->Stop(); }

std::string PagerDutyStandIn::url() const { return impl_->url(); }

std::vector<PagerDutyStandIn::Page> PagerDutyStandIn::Pages() const { return impl_->Pages(); }

std::vector<PagerDutyStandIn::Request> PagerDutyStandIn::Requests() const {
  return impl_->Requests();
}

std::vector<std::string> PagerDutyStandIn::Rejected() const { return impl_->Rejected(); }

}  // namespace tocsin
