// PagerDuty, Events API v2: POST https://events.pagerduty.com/v2/enqueue.
//
//   - {name: oncall, kind: pagerduty, routing_key_file: /run/secrets/pagerduty}
//
// Keys: routing_key_file or routing_key_env, url, client, timeout. A trigger whose key has an open
// incident is counted into that one, hence idempotent; so is a resolve.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/json_writer.h"
#include "core/string_hash.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

// Limits of the API. An event may have 512,000 bytes: details that were cut to a few short lines
// (sinks/text.h) stay a tenth of that even with every character escaped.
constexpr std::size_t kSummaryBytesMax = 1024;  // characters, in fact; bytes are never fewer
constexpr std::size_t kDedupKeyBytesMax = 255;
constexpr std::size_t kClientBytesMax = 255;  // ours, for want of a documented one

void WriteList(std::string_view key, const std::vector<std::string>& values, JsonWriter* json) {
  if (values.empty()) return;
  json->Key(key).BeginArray();
  for (const std::string& value : values) json->String(value);
  json->EndArray();
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
  WriteList("escalate_to", incident.escalate_to, json);
  WriteIfAny("runbook", incident.runbook, json);
  json->EndObject();
}

class PagerDutySink final : public Sink {
 public:
  struct Options {
    std::string routing_key, url, client;
    DurationUs timeout = 10 * kSecondUs;
  };

  PagerDutySink(std::string name, Options options)
      : Sink(std::move(name), "pagerduty"), options_(std::move(options)) {
    AddSecret(options_.routing_key);
  }

  bool pages() const override { return true; }
  // It reminds and escalates by itself.
  bool Wants(NotificationAction action) const override {
    return action != NotificationAction::kUpdate;
  }
  bool has_idempotency_key() const override { return true; }

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    request.url = options_.url;
    request.timeout = options_.timeout;
    request.headers = {{"Content-Type", "application/json"}};
    JsonWriter json;
    json.BeginObject();
    json.Key("routing_key").String(options_.routing_key);
    json.Key("event_action").String(NotificationActionName(delivery.action));
    json.Key("dedup_key").String(CutUtf8(delivery.dedup_key, kDedupKeyBytesMax));
    if (delivery.action == NotificationAction::kTrigger) WriteTrigger(delivery, &json);
    json.EndObject();
    request.body = json.Take();
    return request;
  }

 private:
  void WriteTrigger(const Delivery& delivery, JsonWriter* json) const {
    // A payload that cannot be read must not keep anyone from being paged.
    const IncidentText incident = ReadIncidentLine(delivery.payload).value_or(IncidentText());
    std::string summary = incident.title;
    if (summary.empty()) summary = absl::StrCat("incident ", delivery.dedup_key);
    json->Key("client").String(OneLine(options_.client, kClientBytesMax));
    if (absl::StartsWith(incident.runbook, "https://") ||
        absl::StartsWith(incident.runbook, "http://")) {
      json->Key("links").BeginArray().BeginObject();
      json->Key("href").String(incident.runbook).Key("text").String("Runbook");
      json->EndObject().EndArray();
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

}  // namespace

std::unique_ptr<Sink> NewPagerDutySink(const std::string& name, ConfigReader* reader) {
  PagerDutySink::Options options;
  options.routing_key =
      ReadSecret("routing_key", "the integration key of a PagerDuty service (Events API v2)",
                 /*optional=*/false, reader);
  options.url = ReadUrl("https://events.pagerduty.com/v2/enqueue", reader);
  options.client = reader->String("client", "tocsin");
  options.timeout = ReadTimeout(reader);
  return std::make_unique<PagerDutySink>(name, std::move(options));
}

}  // namespace tocsin
