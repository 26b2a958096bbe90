// Statuspage (Atlassian): a public status page for customers.
//
//   - {name: status, kind: statuspage, page: abc123def456, token_file: /run/secrets/statuspage,
//      components: {orders-db: 8kbf7d35c070}}
//
// Keys: page, token_file or token_env (an API key), components (from tocsin's component to its id
// at Statuspage), api_url, timeout. The first trigger opens an incident; later ones, reminders and
// the resolve update it. Messages use the `public` templates (sinks/message.h), whose first line is
// the incident's name. Acknowledgements are not sent. Statuspage has no idempotency key: each
// request stores the delivery's id in the incident's metadata, which is checked before a request is
// repeated.
// https://developer.statuspage.io/#tag/incidents
#include <simdjson.h>

#include <algorithm>
#include <map>

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "core/string_hash.h"
#include "sinks/incident_line.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

constexpr std::size_t kNameBytesMax = 250;
constexpr std::size_t kBodyBytesMax = 20'000;
// A reply contains the incident with all its updates and can only be parsed as a whole; a list
// contains many incidents.
constexpr std::size_t kReplyBytesMax = 512 << 10;
constexpr std::size_t kListBytesMax = 4 << 20;
constexpr int kListMax = 50;

bool IsId(const std::string& text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c));
  });
}

std::string_view StatusOf(MessageStage stage) {
  switch (stage) {
    case MessageStage::kDeclared:
    case MessageStage::kUpdate:
      return "investigating";
    case MessageStage::kIdentified:
      return "identified";
    case MessageStage::kMonitoring:
      return "monitoring";
    case MessageStage::kResolved:
      return "resolved";
  }
  return "investigating";
}

std::string_view ImpactOf(int level) {
  constexpr std::string_view kImpacts[] = {"critical", "major", "minor", "none"};
  return kImpacts[std::clamp(level, 1, 4) - 1];
}

std::string_view ComponentStatusOf(int level, bool over) {
  constexpr std::string_view kStatuses[] = {"major_outage", "partial_outage",
                                            "degraded_performance", "operational"};
  return kStatuses[over ? 3 : std::clamp(level, 1, 4) - 1];
}

class StatuspageSink final : public Sink {
 public:
  struct Options {
    std::string incidents_url;  // …/v1/pages/abc123def456/incidents
    std::string token;
    std::map<std::string, std::string> components;
    DurationUs timeout = 10 * kSecondUs;
  };

  StatuspageSink(std::string name, Options options)
      : Sink(std::move(name), "statuspage"), options_(std::move(options)) {
    AddSecret(options_.token);
  }

  bool is_public() const override { return true; }
  bool Wants(NotificationAction action) const override {
    return Sink::Wants(action) && action != NotificationAction::kAcknowledge;
  }

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    const absl::StatusOr<Incident> incident = ReadIncident(delivery.payload);
    std::optional<MessageStage> stage;
    if (incident.ok()) stage = StageToTell(delivery, *incident);
    const bool opened = !delivery.receipt.empty();
    // Without an open incident there is nothing to update, and an unreadable payload must not be
    // shown to customers.
    if (!stage || (delivery.action != NotificationAction::kTrigger && !opened)) {
      request.kind = SinkRequest::Kind::kNone;
      return request;
    }
    request = Request(opened ? "PATCH" : "POST", delivery.receipt);
    if (opened && *stage == MessageStage::kDeclared) stage = MessageStage::kUpdate;
    request.body = Body(*incident, delivery, *stage);
    return request;
  }

  std::optional<SinkRequest> RenderLookUp(const Delivery& delivery) const override {
    if (Render(delivery).kind == SinkRequest::Kind::kNone) return std::nullopt;
    SinkRequest request = Request("GET", delivery.receipt);
    if (delivery.receipt.empty()) absl::StrAppend(&request.url, "?limit=", kListMax);
    request.reply_bytes_max = kListBytesMax;
    return request;
  }

  // The reply is one incident, or a list of them.
  SinkLookUp Found(const Delivery& delivery, const SinkReply& reply) const override {
    simdjson::dom::parser parser;
    simdjson::dom::element answer;
    if (parser.parse(reply.body).get(answer) != simdjson::SUCCESS) return {};
    const auto shows = [&](const simdjson::dom::element& incident) {
      std::string_view id;
      return incident["metadata"]["tocsin"]["delivery"].get(id) == simdjson::SUCCESS &&
             id == delivery.id.Hex();
    };
    simdjson::dom::array list;
    if (answer.get(list) != simdjson::SUCCESS) {
      return {shows(answer) ? SinkLookUp::Answer::kArrived : SinkLookUp::Answer::kMissing, ""};
    }
    for (const simdjson::dom::element incident : list) {
      std::string_view id;
      if (!shows(incident) || incident["id"].get(id) != simdjson::SUCCESS) continue;
      if (IsId(std::string(id))) return {SinkLookUp::Answer::kArrived, std::string(id)};
    }
    return {list.size() < kListMax ? SinkLookUp::Answer::kMissing : SinkLookUp::Answer::kUnknown,
            ""};
  }

  std::string ReceiptOf(const SinkReply& reply) const override {
    simdjson::dom::parser parser;
    std::string_view id;
    if (parser.parse(reply.body)["id"].get(id) != simdjson::SUCCESS) return "";
    return IsId(std::string(id)) ? std::string(id) : "";
  }

 private:
  SinkRequest Request(const char* method, const std::string& incident) const {
    SinkRequest request;
    request.method = method;
    request.url = options_.incidents_url;
    if (!incident.empty()) absl::StrAppend(&request.url, "/", incident);
    request.timeout = options_.timeout;
    request.reply_bytes_max = kReplyBytesMax;
    request.headers = {{"Content-Type", "application/json"},
                       {"Authorization", "OAuth " + options_.token}};
    return request;
  }

  std::string Body(const Incident& incident, const Delivery& delivery, MessageStage stage) const {
    const int level = delivery.level;
    const std::string text = templates().Render(MessageAudience::kPublic, stage, incident);
    const std::size_t end = std::min(text.find('\n'), text.size());
    JsonWriter json;
    json.BeginObject();
    json.Key("incident").BeginObject();
    json.Key("name").String(OneLine(text.substr(0, end), kNameBytesMax));
    json.Key("status").String(StatusOf(stage));
    json.Key("impact_override").String(ImpactOf(level));
    json.Key("body").String(CutUtf8(text.substr(std::min(end + 1, text.size())), kBodyBytesMax));
    json.Key("metadata").BeginObject();
    json.Key("tocsin").BeginObject();
    json.Key("delivery").String(delivery.id.Hex());
    json.EndObject();
    json.EndObject();
    const auto component = options_.components.find(incident.component);
    if (component != options_.components.end()) {
      json.Key("component_ids").BeginArray().String(component->second).EndArray();
      json.Key("components").BeginObject();
      json.Key(component->second)
          .String(ComponentStatusOf(level, stage == MessageStage::kResolved));
      json.EndObject();
    }
    json.EndObject();
    json.EndObject();
    return json.Take();
  }

  const Options options_;
};

}  // namespace

std::unique_ptr<Sink> NewStatuspageSink(const std::string& name, ConfigReader* reader) {
  StatuspageSink::Options options;
  const std::string page = reader->RequiredString("page");
  if (!page.empty() && !IsId(page)) {
    reader->Error("page", "page: expected the id of a Statuspage page, such as abc123def456");
  }
  std::string api = reader->String("api_url", "https://api.statuspage.io");
  while (!api.empty() && api.back() == '/') api.pop_back();
  options.incidents_url = absl::StrCat(api, "/v1/pages/", page, "/incidents");
  options.token = ReadSecret("token", "an API key of Statuspage", /*optional=*/false, reader);
  if (const ConfigNode* components = reader->Node("components")) {
    for (const auto& [component, id] : components->map) {
      if (!IsId(id.scalar)) {
        reader->errors()->Add(id.at, "components: expected a map from component to Statuspage id");
      }
      options.components[component] = id.scalar;
    }
    if (components->kind != ConfigNode::Kind::kMap) {
      reader->Error("components", "components: expected a map from component to Statuspage id");
    }
  }
  options.timeout = ReadTimeout(reader);
  return std::make_unique<StatuspageSink>(name, std::move(options));
}

}  // namespace tocsin
