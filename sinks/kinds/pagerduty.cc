// PagerDuty, Events API v2: POST https://events.pagerduty.com/v2/enqueue.
//
//   - {name: oncall, kind: pagerduty, routing_key_file: /run/secrets/pagerduty}
//
// Keys: routing_key_file or routing_key_env, url, client, client_url, links ({text, href}), images
// ({src, href, alt}), changes (whether to send deploys as change events, which page nobody),
// timeout. URLs and texts of links are templates with the fields of sinks/message.h; values in URLs
// are percent-encoded. A trigger whose key has an open incident is merged into it, so triggers are
// idempotent; so are resolves.
#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "core/string_hash.h"
#include "sinks/incident_line.h"
#include "sinks/message.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

// Limits of the API. An event may have 512,000 bytes; details that were cut to a few short lines
// (sinks/text.h) stay below a tenth of that, even with every character escaped.
constexpr std::size_t kSummaryBytesMax = 1024;  // the API counts characters: never more than bytes
constexpr std::size_t kDedupKeyBytesMax = 255;
// Our own limits, since PagerDuty documents none.
constexpr std::size_t kClientBytesMax = 255;
constexpr std::size_t kLinksMax = 20;
constexpr std::size_t kAddressBytesMax = 2'000;
constexpr std::size_t kLinkTextBytesMax = 200;

// A link or an image, as templates.
struct LinkTemplate {
  std::string address, href, text;  // `href` only for an image: the link's target
};

void WriteList(std::string_view key, const std::vector<std::string>& values, JsonWriter* json) {
  if (values.empty()) return;
  json->Key(key).BeginArray();
  for (const std::string& value : values) json->String(value);
  json->EndArray();
}

std::string PercentEncoded(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
        absl::string_view("-._~").find(c) != absl::string_view::npos) {
      encoded += c;
    } else {
      absl::StrAppend(&encoded, "%", absl::Hex(static_cast<unsigned char>(c), absl::kZeroPad2));
    }
  }
  return encoded;
}

// Renders a URL. "" if PagerDuty would reject the result: omitting a link is better than losing the
// page.
std::string Address(const std::string& text, const MessageFields& fields, bool secure) {
  const std::string address = RenderTemplate(text, fields, PercentEncoded);
  const bool web =
      absl::StartsWith(address, "https://") || (!secure && absl::StartsWith(address, "http://"));
  const bool plain =
      std::all_of(address.begin(), address.end(), [](char c) { return c > 0x20 && c < 0x7F; });
  return web && plain && address.size() <= kAddressBytesMax ? address : "";
}

// Writes {"href", "text"} for each link, or {"src", "href", "alt"} for each image.
void WriteLinks(const std::vector<LinkTemplate>& links, const MessageFields& fields, bool images,
                JsonWriter* json) {
  for (const LinkTemplate& link : links) {
    const std::string address = Address(link.address, fields, /*secure=*/images);
    if (address.empty()) continue;
    json->BeginObject();
    json->Key(images ? "src" : "href").String(address);
    WriteIfAny("href", images ? Address(link.href, fields, /*secure=*/false) : "", json);
    WriteIfAny(images ? "alt" : "text",
               OneLine(RenderTemplate(link.text, fields), kLinkTextBytesMax), json);
    json->EndObject();
  }
}

void WriteDetails(const IncidentText& incident, JsonWriter* json) {
  json->Key("custom_details").BeginObject();
  json->Key("number").String(incident.number);
  WriteIfAny("severity", incident.severity, json);
  WriteIfAny("classification", incident.classification, json);
  json->Key("users_affected");
  incident.users_affected ? json->Int(*incident.users_affected) : json->Null();
  WriteList("suspects", incident.suspects, json);
  WriteList("advice", incident.advice, json);
  WriteList("evidence", incident.evidence, json);
  WriteList("together", incident.together, json);
  WriteList("beside", incident.beside, json);
  WriteList("escalate_to", incident.escalate_to, json);
  WriteIfAny("runbook", incident.runbook, json);
  json->EndObject();
}

class PagerDutySink final : public Sink {
 public:
  struct Options {
    std::string routing_key, url, client, client_url;
    std::string change_url;  // "": deploys are not sent
    std::vector<LinkTemplate> links, images;
    DurationUs timeout = 10 * kSecondUs;
  };

  PagerDutySink(std::string name, Options options)
      : Sink(std::move(name), "pagerduty"), options_(std::move(options)) {
    AddSecret(options_.routing_key);
  }

  bool pages() const override { return true; }
  // PagerDuty reminds and escalates by itself.
  bool Wants(NotificationAction action) const override {
    if (action == NotificationAction::kChange) return !options_.change_url.empty();
    return Sink::Wants(action) && action != NotificationAction::kUpdate;
  }
  bool has_idempotency_key() const override { return true; }

  SinkRequest Render(const Delivery& delivery) const override {
    const bool change = delivery.action == NotificationAction::kChange;
    SinkRequest request;
    request.url = change ? options_.change_url : options_.url;
    request.timeout = options_.timeout;
    request.headers = {{"Content-Type", "application/json"}};
    JsonWriter json;
    json.BeginObject();
    json.Key("routing_key").String(options_.routing_key);
    if (change) {
      WriteChange(delivery, &json);
    } else {
      json.Key("event_action").String(NotificationActionName(delivery.action));
      json.Key("dedup_key").String(CutUtf8(delivery.dedup_key, kDedupKeyBytesMax));
    }
    if (delivery.action == NotificationAction::kTrigger) WriteTrigger(delivery, &json);
    json.EndObject();
    request.body = json.Take();
    return request;
  }

 private:
  void WriteChange(const Delivery& delivery, JsonWriter* json) const {
    const IncidentText change = ReadIncidentLine(delivery.payload).value_or(IncidentText());
    json->Key("payload").BeginObject();
    json->Key("summary").String(change.title.empty() ? "a change" : change.title);
    WriteIfAny("timestamp", change.onset, json);
    json->Key("source").String(change.scope.empty() ? "tocsin" : change.scope);
    json->Key("custom_details").BeginObject();
    WriteIfAny("service", change.component, json);
    json->EndObject();
    json->EndObject();
  }

  void WriteTrigger(const Delivery& delivery, JsonWriter* json) const {
    // An unreadable payload must not suppress the page.
    const IncidentText incident = ReadIncidentLine(delivery.payload).value_or(IncidentText());
    const MessageFields fields =
        MessageFieldsOf(ReadIncident(delivery.payload).value_or(Incident()), {});
    std::string summary = incident.title;
    if (summary.empty()) summary = absl::StrCat("incident ", delivery.dedup_key);
    json->Key("client").String(OneLine(options_.client, kClientBytesMax));
    WriteIfAny("client_url", Address(options_.client_url, fields, /*secure=*/false), json);
    const bool runbook = absl::StartsWith(incident.runbook, "https://") ||
                         absl::StartsWith(incident.runbook, "http://");
    if (runbook || !options_.links.empty()) {
      json->Key("links").BeginArray();
      if (runbook) {
        json->BeginObject();
        json->Key("href").String(incident.runbook).Key("text").String("Runbook");
        json->EndObject();
      }
      WriteLinks(options_.links, fields, /*images=*/false, json);
      json->EndArray();
    }
    if (!options_.images.empty()) {
      json->Key("images").BeginArray();
      WriteLinks(options_.images, fields, /*images=*/true, json);
      json->EndArray();
    }
    json->Key("payload").BeginObject();
    json->Key("summary").String(CutUtf8(summary, kSummaryBytesMax));
    json->Key("source").String(incident.scope.empty() ? "tocsin" : incident.scope);
    json->Key("severity").String(LevelWord(delivery.level));
    WriteIfAny("timestamp", incident.onset, json);
    WriteIfAny("component", incident.component, json);
    WriteIfAny("group", incident.scope, json);
    WriteIfAny("class", incident.category, json);
    WriteDetails(incident, json);
    json->EndObject();
  }

  const Options options_;
};

// Reads a URL template, which must begin with `begins`.
std::string ReadAddress(std::string_view key, const char* begins, ConfigReader* reader) {
  std::string text = reader->String(key);
  if (text.empty()) return text;
  if (!absl::StartsWith(text, begins)) {
    reader->Error(key, absl::StrCat(ToAbsl(key), ": expected a URL that begins with ", begins));
  } else if (const absl::Status status = CheckTemplate(text); !status.ok()) {
    reader->Error(key, absl::StrCat(ToAbsl(key), ", ", status.message()));
  }
  return text;
}

std::vector<LinkTemplate> ReadLinks(const std::string& key, bool images, ConfigReader* reader) {
  std::vector<LinkTemplate> links;
  const ConfigNode* node = reader->Node(key);
  if (node == nullptr) return links;
  const char* const shape = images ? "{src, href, alt}" : "{text, href}";
  if (node->kind != ConfigNode::Kind::kList || node->list.size() > kLinksMax) {
    reader->Error(key, absl::StrCat(key, ": expected a list of at most ", kLinksMax, " ", shape));
    return links;
  }
  for (const ConfigNode& item : node->list) {
    const std::size_t before = reader->errors()->count();
    ConfigReader link(item, key, reader->errors());
    LinkTemplate read;
    read.address =
        images ? ReadAddress("src", "https://", &link) : ReadAddress("href", "http", &link);
    if (images) read.href = ReadAddress("href", "http", &link);
    read.text = link.String(images ? "alt" : "text");
    if (const absl::Status status = CheckTemplate(read.text); !status.ok()) {
      link.Error(images ? "alt" : "text", absl::StrCat("text, ", status.message()));
    }
    link.Finish();
    if (read.address.empty() && reader->errors()->count() == before) {
      link.Missing("", absl::StrCat(key, ": expected a list of ", shape));
    }
    links.push_back(std::move(read));
  }
  return links;
}

}  // namespace

std::unique_ptr<Sink> NewPagerDutySink(const std::string& name, ConfigReader* reader) {
  PagerDutySink::Options options;
  options.routing_key =
      ReadSecret("routing_key", "the integration key of a PagerDuty service (Events API v2)",
                 /*optional=*/false, reader);
  options.url = ReadUrl("https://events.pagerduty.com/v2/enqueue", reader);
  options.client = reader->String("client", "tocsin");
  options.client_url = ReadAddress("client_url", "http", reader);
  options.links = ReadLinks("links", /*images=*/false, reader);
  options.images = ReadLinks("images", /*images=*/true, reader);
  constexpr std::string_view kEnqueue = "/enqueue";
  const bool known = absl::EndsWith(options.url, ToAbsl(kEnqueue));
  if (reader->Bool("changes", known)) {
    if (!known && reader->Sound("url")) {
      reader->Error("changes", "changes: needs a url that ends with /v2/enqueue");
    }
    options.change_url = absl::StrCat(
        options.url.substr(0, options.url.size() - std::min(options.url.size(), kEnqueue.size())),
        "/change/enqueue");
  }
  options.timeout = ReadTimeout(reader);
  return std::make_unique<PagerDutySink>(name, std::move(options));
}

}  // namespace tocsin
