// Prometheus Alertmanager, API v2: POST <url>/api/v2/alerts.
//
//   - {name: alerts, kind: alertmanager, url: "http://alertmanager:9093"}
//
// Keys: url, token_file or token_env (a bearer token, optional), resend_every, timeout. One alert
// is one incident at one level. Alertmanager identifies an alert by its labels, so the labels are
// values that never change: `alertname`, `incident` (the id), `level`, `severity` (the level in a
// word) and `scope`; everything else is in annotations. Alertmanager forgets an alert that is not
// repeated within its resolve_timeout (default 5 min), or when it restarts, hence resend_every. A
// resolved alert has `endsAt`.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/json_writer.h"
#include "core/string_hash.h"
#include "sinks/sink.h"
#include "sinks/stanza.h"
#include "sinks/text.h"

namespace tocsin {
namespace {

constexpr DurationUs kResendEvery = kMinuteUs;
constexpr const char* kAlertName = "TocsinIncident";

void WriteList(std::string_view key, const std::vector<std::string>& values, JsonWriter* json) {
  WriteIfAny(key, absl::StrJoin(values, "\n"), json);
}

class AlertmanagerSink final : public Sink {
 public:
  struct Options {
    std::string url, token;
    DurationUs resend_every = kResendEvery;
    DurationUs timeout = 10 * kSecondUs;
  };

  AlertmanagerSink(std::string name, Options options)
      : Sink(std::move(name), "alertmanager"), options_(std::move(options)) {
    AddSecret(options_.token);
  }

  bool Wants(NotificationAction action) const override {
    return action == NotificationAction::kTrigger || action == NotificationAction::kResolve;
  }
  bool has_idempotency_key() const override { return true; }
  DurationUs resend_every() const override { return options_.resend_every; }

  SinkRequest Render(const Delivery& delivery) const override {
    SinkRequest request;
    request.url = options_.url;
    request.timeout = options_.timeout;
    request.headers = {{"Content-Type", "application/json"}};
    if (!options_.token.empty()) {
      request.headers.emplace_back("Authorization", "Bearer " + options_.token);
    }
    // An unreadable payload must not suppress the alert.
    const IncidentText incident = ReadIncidentLine(delivery.payload).value_or(IncidentText());
    JsonWriter json;
    json.BeginArray().BeginObject();
    json.Key("labels").BeginObject();
    json.Key("alertname").String(kAlertName);
    json.Key("incident").String(delivery.incident.Hex());
    json.Key("level").String(absl::StrCat(delivery.level));
    json.Key("severity").String(LevelWord(delivery.level));
    WriteIfAny("scope", incident.scope, &json);
    json.EndObject();
    WriteAnnotations(incident, delivery, &json);
    WriteIfAny("startsAt", incident.onset, &json);
    if (delivery.action == NotificationAction::kResolve && delivery.tick != kNoTime) {
      json.Key("endsAt").String(FormatTime(delivery.tick));
    }
    json.EndObject().EndArray();
    request.body = json.Take();
    return request;
  }

 private:
  static void WriteAnnotations(const IncidentText& incident, const Delivery& delivery,
                               JsonWriter* json) {
    json->Key("annotations").BeginObject();
    json->Key("summary").String(incident.title.empty() ? "incident " + delivery.dedup_key
                                                       : incident.title);
    WriteIfAny("number", incident.number, json);
    WriteIfAny("component", incident.component, json);
    WriteIfAny("category", incident.category, json);
    WriteIfAny("classification", incident.classification, json);
    if (incident.users_affected) {
      json->Key("users_affected").String(absl::StrCat(*incident.users_affected));
    }
    WriteList("suspects", incident.suspects, json);
    WriteList("advice", incident.advice, json);
    WriteList("evidence", incident.evidence, json);
    WriteList("together", incident.together, json);
    WriteList("beside", incident.beside, json);
    WriteList("escalate_to", incident.escalate_to, json);
    WriteIfAny("runbook_url", incident.runbook, json);
    json->EndObject();
  }

  const Options options_;
};

}  // namespace

std::unique_ptr<Sink> NewAlertmanagerSink(const std::string& name, ConfigReader* reader) {
  AlertmanagerSink::Options options;
  options.url = ReadUrl("", reader);
  while (absl::EndsWith(options.url, "/")) options.url.pop_back();
  if (!absl::EndsWith(options.url, "/api/v2/alerts")) options.url += "/api/v2/alerts";
  options.token = ReadSecret("token", "a bearer token for Alertmanager", /*optional=*/true, reader);
  options.resend_every = reader->Duration("resend_every", kResendEvery, kSecondUs, kHourUs);
  options.timeout = ReadTimeout(reader);
  return std::make_unique<AlertmanagerSink>(name, std::move(options));
}

}  // namespace tocsin
