// Sentry webhooks: errors become log lines, metric alerts become alarms.
//
//   {"action": "triggered", "data": {"event": {…}, "triggered_rule": …}}             event_alert
//   {"action": "created", "data": {"error": {…}}}                                    error
//   {"action": "created|unresolved|…", "data": {"issue": {…}}}                       issue
//   {"action": "critical|warning|resolved", "data": {"metric_alert": {…}, …}}        metric_alert
//   {"project_slug": …, "level": …, "message": …, "event": {…}}           the older plugin
//
// https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
//
// The kind of a request is in its header Sentry-Hook-Resource; here it is derived from the data.

#include <memory>
#include <string>
#include <string_view>

#include "ingest/decoder.h"
#include "ingest/json/payload_reader.h"

namespace tocsin {
namespace {

// An event has only the number of its project; the name is in its URL:
// "https://sentry.io/api/0/projects/ORGANIZATION/PROJECT/events/…".
std::string_view ProjectIn(std::string_view url) {
  constexpr std::string_view kBefore = "/projects/";
  std::size_t at = url.find(kBefore);
  if (at == url.npos) return {};
  url.remove_prefix(at + kBefore.size());
  at = url.find('/');
  if (at == url.npos) return {};
  url.remove_prefix(at + 1);
  return url.substr(0, url.find('/'));
}

class SentryDecoder final : public Decoder {
 public:
  SentryDecoder(const InputConfig& input, ErrorList* errors) : reader_(input, errors) {}

  void Decode(std::string_view record, TimeUs record_time, EventSink* sink) override {
    reader_.ForEach(record, record_time, sink,
                    [this](const PayloadObject& payload) { ReadPayload(payload); });
  }

 private:
  void ReadPayload(const PayloadObject& payload);
  void ReadError(const PayloadObject& error);
  void ReadIssue(std::string_view action, const PayloadObject& issue);
  void ReadMetricAlert(std::string_view action, const PayloadObject& data);
  void ReadPlugin(const PayloadObject& payload);
  void SetException(const PayloadObject& error);

  PayloadReader reader_;
};

void SentryDecoder::ReadPayload(const PayloadObject& payload) {
  const std::string_view action = payload.Text<"action">();
  const PayloadObject data = payload.Object<"data">();
  if (data.Has<"metric_alert">()) return ReadMetricAlert(action, data);
  if (data.Has<"event">()) return ReadError(data.Object<"event">());
  if (data.Has<"error">()) return ReadError(data.Object<"error">());
  if (data.Has<"issue">()) return ReadIssue(action, data.Object<"issue">());
  if (data.Has<"comment_id">()) return reader_.Skip("a comment");
  if (data.Has<"installation">()) return reader_.Skip("an installation");
  if (payload.Has<"event">()) return ReadPlugin(payload);
  reader_.Refuse("unsupported Sentry payload");
}

void SentryDecoder::ReadError(const PayloadObject& error) {
  Event& event = reader_.BeginEvent(EventType::kLog);
  error.ForEachPair<"tags">([this](std::string_view name, std::string_view value) {
    reader_.TakeLabel(name, value);
    if (name == "environment") reader_.Set(Field::kEnv, value);
    if (name == "server_name") reader_.Set(Field::kHost, value);
  });
  event.time = error.Time<"datetime">();
  if (event.time == kNoTime) event.time = error.Time<"timestamp">();
  const std::string project = error.Id<"project">();
  reader_.Set(Field::kService, FirstOf(ProjectIn(error.Text<"url">()), project));
  reader_.Set(Field::kEnv, error.Text<"environment">());
  reader_.Set(Field::kVersion, error.Text<"release">());
  reader_.Set(Field::kLevel, error.Text<"level">());
  reader_.Set(Field::kMessage, FirstOf(error.Text<"title">(), error.Text<"message">()));
  reader_.Set(Field::kId, error.Text<"event_id">());
  SetException(error);
  const PayloadObject user = error.Object<"user">();
  const std::string user_id = user.Id<"id">();
  reader_.Set(Field::kUser, FirstOf(user_id, user.Text<"email">()));
  reader_.Set(Field::kClientIp, user.Text<"ip_address">());
  reader_.Deliver();
}

void SentryDecoder::ReadIssue(std::string_view action, const PayloadObject& issue) {
  if (action != "created" && action != "unresolved") {
    return reader_.Skip("issue action is not created or unresolved");
  }
  Event& event = reader_.BeginEvent(EventType::kLog);
  event.time = action == "created" ? issue.Time<"firstSeen">() : issue.Time<"lastSeen">();
  const PayloadObject project = issue.Object<"project">();
  reader_.Set(Field::kService, FirstOf(project.Text<"slug">(), project.Text<"name">()));
  reader_.Set(Field::kLevel, issue.Text<"level">());
  reader_.Set(Field::kMessage, issue.Text<"title">());
  reader_.AddLabel("issue", issue.Text<"shortId">());
  const std::string id = issue.Id<"id">();
  reader_.Set(Field::kId, id);
  SetException(issue);
  reader_.Deliver();
}

void SentryDecoder::SetException(const PayloadObject& error) {
  std::string_view thrown;
  // The last exception of a chain is the one that was not caught.
  error.Object<"exception">().ForEach<"values">(
      [&](const PayloadObject& exception) { thrown = exception.Text<"type">(); });
  reader_.Set(Field::kException, FirstOf(error.Object<"metadata">().Text<"type">(), thrown));
}

void SentryDecoder::ReadMetricAlert(std::string_view action, const PayloadObject& data) {
  const PayloadObject alert = data.Object<"metric_alert">();
  const PayloadObject rule = alert.Object<"alert_rule">();
  Event& event = reader_.BeginEvent(EventType::kAlarm);
  if (action == "critical" || action == "warning") {
    event.state = AlarmState::kAlarm;
    event.time = alert.Time<"date_started">();
    reader_.Set(Field::kSeverity, action);
  } else if (action == "resolved") {
    event.state = AlarmState::kOk;
    event.time = alert.Time<"date_closed">();
  } else {
    return reader_.Refuse("action is not critical, warning or resolved");
  }
  int projects = 0;
  std::string_view project;
  alert.ForEachTextIn<"projects">([&](std::string_view slug) {
    project = slug;
    ++projects;
  });
  // With several projects, one would be blamed for the others.
  if (projects == 1) reader_.Set(Field::kService, project);
  reader_.Set(Field::kEnv, rule.Text<"environment">());
  reader_.Set(Field::kName, FirstOf(rule.Text<"name">(), alert.Text<"title">()));
  reader_.Set(Field::kMessage,
              FirstOf(data.Text<"description_text">(), data.Text<"description_title">()));
  // The action is part of the id: a warning that becomes critical keeps its start time, so without
  // the action both would be the same fact.
  const std::string id = alert.Id<"id">();
  reader_.SetStateId(id.empty() ? id : id + ":" + std::string(action));
  reader_.Deliver();
}

void SentryDecoder::ReadPlugin(const PayloadObject& payload) {
  const PayloadObject error = payload.Object<"event">();
  reader_.BeginEvent(EventType::kLog).time = error.Time<"timestamp">();
  reader_.Set(Field::kService, FirstOf(payload.Text<"project_slug">(), payload.Text<"project">()));
  reader_.Set(Field::kLevel, payload.Text<"level">());
  reader_.Set(Field::kMessage, FirstOf(payload.Text<"message">(), error.Text<"title">()));
  reader_.Set(Field::kId, error.Text<"event_id">());
  reader_.Deliver();
}

}  // namespace

std::unique_ptr<Decoder> NewSentryDecoder(const InputConfig& input, ErrorList* errors) {
  return NewPayloadDecoder<SentryDecoder>(input, errors);
}

}  // namespace tocsin
