// What each kind of sink sends, field by field. Texts that were made to break out:
// injection_test.cc.
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <simdjson.h>

#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "tests/sinks/sink_fixtures.h"

namespace tocsin {
namespace {

namespace dom = simdjson::dom;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr char kKey[] = "R0123456789ABCDEF0123456789ABCDE";

std::unique_ptr<Sink> PagerDuty(const std::string& more = "") {
  const SecretFile key(std::string(kKey) + "\n");
  return MakeSink("{name: oncall, kind: pagerduty, routing_key_file: " + key.path() + more + "}");
}

// A JSON object as path → text of the scalar ("payload.severity" → "error").
void Flatten(const std::string& path, dom::element value, std::map<std::string, std::string>* out) {
  dom::object object;
  dom::array array;
  std::string_view text;
  if (value.get(object) == simdjson::SUCCESS) {
    for (const dom::key_value_pair member : object) {
      Flatten((path.empty() ? "" : path + ".") + std::string(member.key), member.value, out);
    }
  } else if (value.get(array) == simdjson::SUCCESS) {
    int i = 0;
    for (const dom::element element : array) {
      Flatten(path + "[" + std::to_string(i++) + "]", element, out);
    }
  } else {
    (*out)[path] =
        value.get(text) == simdjson::SUCCESS ? std::string(text) : simdjson::minify(value);
  }
}

std::map<std::string, std::string> Parse(const std::string& body) {
  std::map<std::string, std::string> flat;
  dom::parser parser;
  dom::element root;
  EXPECT_EQ(parser.parse(body).get(root), simdjson::SUCCESS) << body.substr(0, 1000);
  Flatten("", root, &flat);
  return flat;
}

Incident FullIncident() {
  Incident incident = MakeIncident("42 % of requests fail");
  incident.runbook = "https://wiki.example/api";
  incident.impact.users_affected = 42;
  incident.advice = {"Look at the last deploy"};
  Signal signal;
  signal.detector = "api-errors";
  signal.series = {{"service", "api"}};
  signal.value = 0.42;
  signal.threshold = 0.015;
  incident.signals = {signal};
  Suspect suspect;
  suspect.kind = "deploy";
  suspect.name = "v2";
  incident.suspects = {suspect};
  return incident;
}

TEST(PagerDuty, TriggersPerEventsApiV2) {
  const SinkRequest request =
      PagerDuty()->Render(MakeDelivery(NotificationAction::kTrigger, 2, FullIncident()));
  EXPECT_EQ(request.kind, SinkRequest::Kind::kHttp);
  EXPECT_EQ(request.url, "https://events.pagerduty.com/v2/enqueue");
  EXPECT_EQ(request.timeout, 10 * kSecondUs);
  EXPECT_THAT(request.headers, ElementsAre(Pair("Content-Type", "application/json")));
  EXPECT_THAT(
      Parse(request.body),
      UnorderedElementsAre(
          Pair("routing_key", kKey), Pair("event_action", "trigger"),
          Pair("dedup_key", HashBytes("42 % of requests fail").Hex() + ":2"),
          Pair("client", "tocsin"), Pair("links[0].href", "https://wiki.example/api"),
          Pair("links[0].text", "Runbook"), Pair("payload.summary", "42 % of requests fail"),
          Pair("payload.source", "prod"), Pair("payload.severity", "error"),
          Pair("payload.timestamp", "2026-03-01T21:05:00Z"), Pair("payload.component", "api"),
          Pair("payload.group", "prod"), Pair("payload.class", "availability"),
          Pair("payload.custom_details.number", "INC-2026-001"),
          Pair("payload.custom_details.severity", "SEV2"),
          Pair("payload.custom_details.users_affected", "42"),
          Pair("payload.custom_details.suspects[0]", "deploy v2"),
          Pair("payload.custom_details.advice[0]", "Look at the last deploy"),
          Pair("payload.custom_details.evidence[0]",
               "api-errors service=api: 0.42, threshold 0.015"),
          Pair("payload.custom_details.runbook", "https://wiki.example/api")));
}

TEST(PagerDuty, MapsLevelsToSeverities) {
  const char* expected[] = {"critical", "error", "warning", "info"};
  for (int level = 1; level <= 4; ++level) {
    const Delivery delivery = MakeDelivery(NotificationAction::kTrigger, level, FullIncident());
    EXPECT_EQ(Parse(PagerDuty()->Render(delivery).body)["payload.severity"], expected[level - 1]);
  }
}

TEST(PagerDuty, AcknowledgesAndResolvesByKeyAlone) {
  for (const NotificationAction action :
       {NotificationAction::kAcknowledge, NotificationAction::kResolve}) {
    const Delivery delivery = MakeDelivery(action, 1, FullIncident());
    EXPECT_THAT(
        Parse(PagerDuty()->Render(delivery).body),
        UnorderedElementsAre(Pair("routing_key", kKey),
                             Pair("event_action", std::string(NotificationActionName(action))),
                             Pair("dedup_key", delivery.dedup_key)));
  }
}

TEST(PagerDuty, TakesUrlClientAndTimeout) {
  const std::unique_ptr<Sink> sink =
      PagerDuty(", url: 'http://localhost:1/x', client: ops, timeout: 3s");
  ASSERT_NE(sink, nullptr);
  const SinkRequest request =
      sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, FullIncident()));
  EXPECT_EQ(request.url, "http://localhost:1/x");
  EXPECT_EQ(request.timeout, 3 * kSecondUs);
  EXPECT_EQ(Parse(request.body)["client"], "ops");
  EXPECT_TRUE(sink->pages());
  EXPECT_TRUE(sink->has_idempotency_key());
}

TEST(PagerDuty, StillPagesWhenThePayloadIsUnreadable) {
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 1, FullIncident());
  for (const std::string payload : {"", "{", "null", "\xff"}) {
    delivery.payload = payload;
    std::map<std::string, std::string> event = Parse(PagerDuty()->Render(delivery).body);
    EXPECT_EQ(event["payload.summary"], "incident " + delivery.dedup_key);
    EXPECT_EQ(event["payload.source"], "tocsin");
    EXPECT_EQ(event["payload.severity"], "critical");
  }
}

TEST(PagerDuty, LinksAndImagesAreFilledIn) {
  const std::unique_ptr<Sink> sink = PagerDuty(
      ", client_url: 'https://tocsin.example/{{number}}', links: [{text: 'Logs of {{component}}', "
      "href: 'https://logs.example/?q={{title}}&from={{onset_ms}}'}, {text: gone, href: "
      "'http{{classification}}'}], images: [{src: 'https://grafana.example/{{component}}.png', "
      "href: 'https://grafana.example/', alt: Errors}]");
  ASSERT_NE(sink, nullptr);
  std::map<std::string, std::string> event =
      Parse(sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, FullIncident())).body);
  EXPECT_EQ(event["client_url"], "https://tocsin.example/INC-2026-001");
  EXPECT_EQ(event["links[0].text"], "Runbook");
  EXPECT_EQ(event["links[1].text"], "Logs of api");
  EXPECT_EQ(event["links[1].href"],
            "https://logs.example/?q=42%20%25%20of%20requests%20fail&from=1772399100000");
  EXPECT_EQ(event.count("links[2].text"), 0u) << "no address is left of it";
  EXPECT_EQ(event["images[0].src"], "https://grafana.example/api.png");
  EXPECT_EQ(event["images[0].href"], "https://grafana.example/");
  EXPECT_EQ(event["images[0].alt"], "Errors");
}

TEST(PagerDuty, NothingBreaksOutOfAnAddress) {
  const std::unique_ptr<Sink> sink =
      PagerDuty(", links: [{text: x, href: 'https://logs.example/{{component}}'}]");
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  incident.runbook.clear();
  incident.component = "../x?a=b&c#d@evil.example:80/\"> \xe2\x80\xae";
  const std::string href = Parse(
      sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, incident)).body)["links[0].href"];
  EXPECT_EQ(href, "https://logs.example/..%2fx%3fa%3db%26c%23d%40evil.example%3a80%2f%22%3e");
}

TEST(PagerDuty, RefusesLinksThatAreNone) {
  const SecretFile key(kKey);
  const auto errors = [&](const std::string& more) {
    return StanzaErrors("{name: o, kind: pagerduty, routing_key_file: " + key.path() + ", " + more +
                        "}");
  };
  EXPECT_THAT(errors("links: x"), HasSubstr("expected a list of at most 20 {text, href}"));
  EXPECT_THAT(errors("links: [{text: x}]"), HasSubstr("expected a list of {text, href}"));
  EXPECT_THAT(errors("links: [{href: 'ftp://x'}]"), HasSubstr("begins with http"));
  EXPECT_THAT(errors("links: [{href: 'https://x/{{compnent}}'}]"),
              HasSubstr("did you mean 'component'"));
  EXPECT_THAT(errors("images: [{src: 'http://x'}]"), HasSubstr("begins with https://"));
  EXPECT_THAT(errors("client_url: x"), HasSubstr("client_url: expected a URL"));
  EXPECT_THAT(errors("url: 'http://x/hook', changes: true"), HasSubstr("ends with /v2/enqueue"));
}

TEST(PagerDuty, DeploysAreChangeEvents) {
  Incident deploy = MakeIncident("release of api, v2");
  const Delivery delivery = MakeDelivery(NotificationAction::kChange, 4, deploy);
  const std::unique_ptr<Sink> sink = PagerDuty();
  ASSERT_TRUE(sink->Wants(NotificationAction::kChange));
  const SinkRequest request = sink->Render(delivery);
  EXPECT_EQ(request.url, "https://events.pagerduty.com/v2/change/enqueue");
  EXPECT_THAT(Parse(request.body),
              UnorderedElementsAre(
                  Pair("routing_key", kKey), Pair("payload.summary", "release of api, v2"),
                  Pair("payload.timestamp", "2026-03-01T21:05:00Z"), Pair("payload.source", "prod"),
                  Pair("payload.custom_details.service", "api")));
  EXPECT_FALSE(PagerDuty(", changes: false")->Wants(NotificationAction::kChange));
  EXPECT_FALSE(PagerDuty(", url: 'http://h/x'")->Wants(NotificationAction::kChange));
}

TEST(Webhook, SendsTheIncidentLineWithAnIdempotencyKey) {
  const std::unique_ptr<Sink> sink =
      MakeSink("{name: w, kind: webhook, url: 'http://h/x', headers: {X-Team: ops}, timeout: 2s}");
  ASSERT_NE(sink, nullptr);
  Delivery delivery = MakeDelivery(NotificationAction::kResolve, 3, FullIncident());
  const SinkRequest request = sink->Render(delivery);
  EXPECT_EQ(request.url, "http://h/x");
  EXPECT_EQ(request.timeout, 2 * kSecondUs);
  EXPECT_EQ(request.body, "{\"action\":\"resolve\",\"level\":3,\"dedup_key\":\"" +
                              delivery.dedup_key + "\",\"incident\":" + delivery.payload + "}");
  EXPECT_THAT(request.headers,
              UnorderedElementsAre(Pair("X-Team", "ops"), Pair("Content-Type", "application/json"),
                                   Pair("Idempotency-Key", delivery.id.Hex())));
  // Every attempt is the same request.
  delivery.attempts = 7;
  EXPECT_EQ(sink->Render(delivery).body, request.body);
  EXPECT_FALSE(sink->pages());
  EXPECT_TRUE(sink->has_idempotency_key());
}

TEST(Webhook, SignsTheBody) {
  const SecretFile secret("sesame");
  const std::unique_ptr<Sink> sink =
      MakeSink("{name: w, kind: webhook, url: 'http://h/', secret_file: " + secret.path() + "}");
  ASSERT_NE(sink, nullptr);
  const SinkRequest request =
      sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, FullIncident()));
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), "sesame", 6, reinterpret_cast<const unsigned char*>(request.body.data()),
       request.body.size(), digest, &size);
  ASSERT_EQ(size, 32u);
  std::string hex;
  for (const unsigned char byte : digest) {
    if (hex.size() == 64) break;
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  EXPECT_THAT(request.headers, testing::Contains(Pair("X-Tocsin-Signature", "v1=" + hex)));
  EXPECT_THAT(request.body, Not(HasSubstr("sesame")));
}

TEST(Webhook, IsJsonWhateverThePayload) {
  const std::unique_ptr<Sink> sink = MakeSink("{name: w, kind: webhook, url: 'http://h/'}");
  ASSERT_NE(sink, nullptr);
  Delivery broken = MakeDelivery(NotificationAction::kTrigger, 1, FullIncident());
  broken.payload = "},\"action\":\"resolve\"";
  EXPECT_EQ(Parse(sink->Render(broken).body)["incident"], "null");
}

std::unique_ptr<Sink> Alertmanager(const std::string& more = "") {
  return MakeSink("{name: a, kind: alertmanager, url: 'http://h:9093/'" + more + "}");
}

TEST(Alertmanager, OneAlertIsOneIncidentAtOneLevel) {
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 2, FullIncident());
  const SinkRequest request = Alertmanager()->Render(delivery);
  EXPECT_EQ(request.url, "http://h:9093/api/v2/alerts");
  const std::string id = HashBytes("42 % of requests fail").Hex();
  EXPECT_THAT(
      Parse(request.body),
      UnorderedElementsAre(
          Pair("[0].labels.alertname", "TocsinIncident"), Pair("[0].labels.incident", id),
          Pair("[0].labels.level", "2"), Pair("[0].labels.severity", "error"),
          Pair("[0].labels.scope", "prod"),
          Pair("[0].annotations.summary", "42 % of requests fail"),
          Pair("[0].annotations.number", "INC-2026-001"), Pair("[0].annotations.component", "api"),
          Pair("[0].annotations.category", "availability"),
          Pair("[0].annotations.users_affected", "42"),
          Pair("[0].annotations.suspects", "deploy v2"),
          Pair("[0].annotations.advice", "Look at the last deploy"),
          Pair("[0].annotations.evidence", "api-errors service=api: 0.42, threshold 0.015"),
          Pair("[0].annotations.runbook_url", "https://wiki.example/api"),
          Pair("[0].startsAt", "2026-03-01T21:05:00Z")));
}

TEST(Alertmanager, AnAlertKeepsItsLabelsWhateverBecomesOfTheIncident) {
  const auto labels = [](const std::map<std::string, std::string>& alert) {
    std::string text;
    for (const auto& [path, value] : alert) {
      if (path.find("labels") != std::string::npos) text += path + "=" + value + "\n";
    }
    return text;
  };
  Incident incident = FullIncident();
  const auto before =
      Parse(Alertmanager()->Render(MakeDelivery(NotificationAction::kTrigger, 2, incident)).body);
  incident.severity_level = 1;
  incident.severity = "SEV1";
  incident.title = "everything fails";
  incident.component = "db";
  incident.classification = "attack";
  incident.category = Category::kSecurity;
  Delivery end = MakeDelivery(NotificationAction::kResolve, 2, incident);
  end.tick = incident.onset + kHourUs;
  auto after = Parse(Alertmanager()->Render(end).body);
  EXPECT_EQ(labels(before), labels(after));
  EXPECT_EQ(after["[0].endsAt"], "2026-03-01T22:05:00Z");
}

TEST(Alertmanager, IsToldAgainAndShowsItsToken) {
  const SecretFile token("sesame\n");
  const std::unique_ptr<Sink> sink = Alertmanager(", token_file: " + token.path());
  ASSERT_NE(sink, nullptr);
  EXPECT_EQ(sink->resend_every(), kMinuteUs);
  EXPECT_EQ(Alertmanager(", resend_every: 30s")->resend_every(), 30 * kSecondUs);
  EXPECT_FALSE(sink->Wants(NotificationAction::kAcknowledge));
  EXPECT_FALSE(sink->Wants(NotificationAction::kUpdate));
  const Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 2, FullIncident());
  EXPECT_THAT(sink->Render(delivery).headers,
              testing::Contains(Pair("Authorization", "Bearer sesame")));
  SinkReply reply;
  reply.status = 401;
  reply.body = "no sesame";
  EXPECT_THAT(sink->Describe(reply), Not(HasSubstr("sesame")));
}

TEST(Alertmanager, IsJsonWhateverThePayload) {
  Delivery broken = MakeDelivery(NotificationAction::kTrigger, 1, FullIncident());
  broken.payload = "}]";
  EXPECT_EQ(Parse(Alertmanager()->Render(broken).body)["[0].annotations.summary"],
            "incident " + broken.dedup_key);
}

std::unique_ptr<Sink> Slack(const std::string& more) {
  const SecretFile token("xoxb-sesame");
  return MakeSink("{name: ops, kind: slack, token_file: " + token.path() + ", channel: C01" + more +
                  "}");
}

SinkReply Replied(int status, const std::string& body) {
  SinkReply reply;
  reply.status = status;
  reply.body = body;
  return reply;
}

TEST(Slack, PostsToTheWebhookThatIsASecret) {
  const SecretFile url("https://hooks.slack.com/services/T0/B0/sesame");
  const std::unique_ptr<Sink> sink =
      MakeSink("{name: ops, kind: slack, url_file: " + url.path() + "}");
  ASSERT_NE(sink, nullptr);
  const SinkRequest request =
      sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, FullIncident()));
  EXPECT_EQ(request.url, "https://hooks.slack.com/services/T0/B0/sesame");
  std::map<std::string, std::string> body = Parse(request.body);
  EXPECT_EQ(body["text"], "SEV2 INC-2026-001: 42 % of requests fail");
  EXPECT_EQ(body["blocks[0].type"], "section");
  EXPECT_EQ(body["blocks[0].text.type"], "mrkdwn");
  EXPECT_THAT(body["blocks[0].text.text"],
              AllOf(HasSubstr("Users: 42 affected."), HasSubstr("Suspect: deploy v2")));
  EXPECT_EQ(body.count("channel"), 0u);
  EXPECT_EQ(sink->Judge(Replied(200, "ok")), SendOutcome::kDelivered);
  EXPECT_EQ(sink->Judge(Replied(404, "no_service")), SendOutcome::kRefused);
  EXPECT_THAT(sink->Describe(Replied(404, "no https://hooks.slack.com/services/T0/B0/sesame")),
              Not(HasSubstr("sesame")));
  EXPECT_FALSE(sink->pages());
}

TEST(Slack, AllAboutAnIncidentIsInOneThread) {
  const std::unique_ptr<Sink> sink = Slack("");
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 2, incident);
  SinkRequest request = sink->Render(delivery);
  EXPECT_EQ(request.url, "https://slack.com/api/chat.postMessage");
  EXPECT_THAT(request.headers, testing::Contains(Pair("Authorization", "Bearer xoxb-sesame")));
  EXPECT_EQ(Parse(request.body)["channel"], "C01");
  EXPECT_EQ(Parse(request.body).count("thread_ts"), 0u);
  EXPECT_EQ(sink->ReceiptOf(Replied(200, R"({"ok": true, "ts": "1503435956.000247"})")),
            "1503435956.000247");

  incident.revision = 2;
  incident.state = IncidentState::kAcknowledged;
  incident.acknowledged_by = "ana";
  delivery = MakeDelivery(NotificationAction::kAcknowledge, 2, incident);
  delivery.receipt = "1503435956.000247";
  std::map<std::string, std::string> body = Parse(sink->Render(delivery).body);
  EXPECT_EQ(body["thread_ts"], "1503435956.000247");
  EXPECT_EQ(body.count("reply_broadcast"), 0u);
  EXPECT_THAT(body["blocks[0].text.text"], HasSubstr("ana is on it."));

  // A rise and the resolve are broadcast to the channel; the resolve of the replaced level is not
  // sent.
  delivery = MakeDelivery(NotificationAction::kTrigger, 1, incident);
  delivery.receipt = "1503435956.000247";
  EXPECT_EQ(Parse(sink->Render(delivery).body)["reply_broadcast"], "true");
  delivery = MakeDelivery(NotificationAction::kResolve, 2, incident);
  EXPECT_EQ(sink->Render(delivery).kind, SinkRequest::Kind::kNone);
  incident.state = IncidentState::kResolved;
  incident.resolved_at = incident.onset + kHourUs;
  delivery = MakeDelivery(NotificationAction::kResolve, 1, incident);
  delivery.receipt = "1503435956.000247";
  body = Parse(sink->Render(delivery).body);
  EXPECT_EQ(body["reply_broadcast"], "true");
  EXPECT_THAT(body["text"], HasSubstr("resolved after 60 min"));
}

TEST(Slack, TheFirstMessageSaysHowItStands) {
  const std::unique_ptr<Sink> sink = Slack("");
  ASSERT_NE(sink, nullptr);
  ASSERT_TRUE(sink->Wants(NotificationAction::kRefresh));
  Incident incident = FullIncident();
  incident.revision = 2;
  incident.acknowledged_by = "ana";
  Delivery delivery = MakeDelivery(NotificationAction::kRefresh, 2, incident);
  EXPECT_EQ(sink->Render(delivery).kind, SinkRequest::Kind::kNone) << "there is no first message";
  delivery.receipt =
      sink->ReceiptOf(Replied(200, R"({"ok": true, "channel": "C99", "ts": "1503435956.000247"})"));
  EXPECT_EQ(delivery.receipt, "C99/1503435956.000247");
  const SinkRequest request = sink->Render(delivery);
  EXPECT_EQ(request.url, "https://slack.com/api/chat.update");
  std::map<std::string, std::string> body = Parse(request.body);
  EXPECT_EQ(body["channel"], "C99");
  EXPECT_EQ(body["ts"], "1503435956.000247");
  EXPECT_EQ(body.count("thread_ts"), 0u);
  EXPECT_THAT(body["blocks[0].text.text"], HasSubstr("ana is on it."));
  const SecretFile url("https://hooks.slack.com/services/T0/B0/sesame");
  EXPECT_FALSE(MakeSink("{name: ops, kind: slack, url_file: " + url.path() + "}")
                   ->Wants(NotificationAction::kRefresh));
}

TEST(Slack, LooksForWhatItMayHavePosted) {
  const std::unique_ptr<Sink> sink = Slack("");
  ASSERT_NE(sink, nullptr);
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 2, FullIncident());
  EXPECT_EQ(Parse(sink->Render(delivery).body)["metadata.event_payload.delivery"],
            delivery.id.Hex());
  EXPECT_EQ(sink->LookUpFor(delivery).url,
            "https://slack.com/api/conversations.history?include_all_metadata=true&limit=100&"
            "channel=C01");
  const auto answer = [&](const std::string& id, const std::string& more) {
    return Replied(200, R"({"ok": true, "messages": [{"text": "x"}, {"ts": "1.5", "metadata": )"
                        R"({"event_payload": {"delivery": ")" +
                            id + "\"}}}]" + more + "}");
  };
  const SinkLookUp found = sink->Found(delivery, answer(delivery.id.Hex(), ""));
  EXPECT_EQ(found.answer, SinkLookUp::Answer::kArrived);
  EXPECT_EQ(found.receipt, "C01/1.5");
  EXPECT_EQ(sink->Found(delivery, answer("0", "")).answer, SinkLookUp::Answer::kMissing);
  EXPECT_EQ(sink->Found(delivery, answer("0", ", \"has_more\": true")).answer,
            SinkLookUp::Answer::kUnknown);
  delivery.receipt = "C99/1.5";
  EXPECT_THAT(sink->LookUpFor(delivery).url, HasSubstr("conversations.replies?"));
  EXPECT_THAT(sink->LookUpFor(delivery).url, HasSubstr("channel=C99&ts=1.5"));
}

TEST(Slack, JudgesWhatTheApiSaysUnderStatus200) {
  const std::unique_ptr<Sink> sink = Slack("");
  ASSERT_NE(sink, nullptr);
  EXPECT_EQ(sink->Judge(Replied(200, R"({"ok": true})")), SendOutcome::kDelivered);
  EXPECT_EQ(sink->Judge(Replied(200, R"({"ok": false, "error": "ratelimited"})")),
            SendOutcome::kRetry);
  EXPECT_EQ(sink->Judge(Replied(200, R"({"ok": false, "error": "channel_not_found"})")),
            SendOutcome::kRefused);
  EXPECT_EQ(sink->Judge(Replied(200, "<html>proxy</html>")), SendOutcome::kRetry);
  EXPECT_EQ(sink->Judge(Replied(429, "")), SendOutcome::kRetry);
}

TEST(Slack, RepeatsSayThatTheyMayBe) {
  const std::unique_ptr<Sink> sink = Slack("");
  ASSERT_NE(sink, nullptr);
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 2, FullIncident());
  delivery.may_repeat = true;
  EXPECT_THAT(sink->Render(delivery).body, HasSubstr("may have been posted before"));
}

TEST(Slack, NeedsEitherAWebhookOrATokenWithItsChannel) {
  const SecretFile secret("sesame");
  EXPECT_THAT(StanzaErrors("{name: o, kind: slack}"), HasSubstr("either the URL"));
  EXPECT_THAT(StanzaErrors("{name: o, kind: slack, token_file: " + secret.path() + "}"),
              HasSubstr("needs the channel"));
  EXPECT_THAT(StanzaErrors("{name: o, kind: slack, channel: c, url_file: " + secret.path() + "}"),
              AllOf(HasSubstr("a webhook has a fixed channel"),
                    HasSubstr("does not begin with https://"), Not(HasSubstr("sesame"))));
  EXPECT_THAT(StanzaErrors("{name: o, kind: slack, url: 'https://hooks'}"),
              HasSubstr("must not be written in the configuration"));
}

std::unique_ptr<Sink> Github() {
  const SecretFile token("ghp_sesame");
  return MakeSink("{name: t, kind: github, repository: acme/ops, labels: [incident], token_file: " +
                  token.path() + "}");
}

TEST(Github, AnIncidentIsAnIssueThatTheEndCloses) {
  const std::unique_ptr<Sink> sink = Github();
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 3, incident);
  SinkRequest request = sink->Render(delivery);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://api.github.com/repos/acme/ops/issues");
  EXPECT_THAT(request.headers, testing::Contains(Pair("Authorization", "Bearer ghp_sesame")));
  std::map<std::string, std::string> body = Parse(request.body);
  EXPECT_EQ(body["title"], "SEV2 INC-2026-001: 42 % of requests fail");
  EXPECT_EQ(body["labels[0]"], "incident");
  EXPECT_THAT(body["body"], HasSubstr("Suspect: deploy v2"));
  EXPECT_EQ(sink->ReceiptOf(Replied(201, R"({"id": 1, "number": 1347})")), "1347");
  EXPECT_EQ(sink->ReceiptOf(Replied(201, R"({"id": 7})")), "") << "a comment";

  delivery = MakeDelivery(NotificationAction::kUpdate, 3, incident);
  EXPECT_EQ(sink->Render(delivery).kind, SinkRequest::Kind::kNone) << "no issue, no comment";
  delivery.receipt = "1347";
  request = sink->Render(delivery);
  EXPECT_EQ(request.url, "https://api.github.com/repos/acme/ops/issues/1347/comments");
  EXPECT_EQ(Parse(request.body).count("title"), 0u);

  incident.state = IncidentState::kResolved;
  incident.resolved_at = incident.onset + kHourUs;
  delivery = MakeDelivery(NotificationAction::kResolve, 3, incident);
  delivery.receipt = "1347";
  request = sink->Render(delivery);
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.url, "https://api.github.com/repos/acme/ops/issues/1347");
  body = Parse(request.body);
  EXPECT_EQ(body["state"], "closed");
  EXPECT_THAT(body["body"],
              AllOf(HasSubstr("resolved after 60 min"), HasSubstr("1. Look at the last deploy")));
}

TEST(Github, TextsAreNoMarkupAndMentionNobody) {
  const std::unique_ptr<Sink> sink = Github();
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  incident.advice = {"ask @octocat <img src=x> [a](b) #1"};
  const std::string body =
      Parse(sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, incident)).body)["body"];
  EXPECT_THAT(body, HasSubstr("@\u200Boctocat \\<img src=x\\> \\[a\\](b) \\#1"));
}

TEST(Github, LooksForWhatItMayHavePosted) {
  const std::unique_ptr<Sink> sink = Github();
  ASSERT_NE(sink, nullptr);
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 3, FullIncident());
  const std::string mark = "<!-- tocsin-" + delivery.id.Hex() + " -->";
  EXPECT_THAT(Parse(sink->Render(delivery).body)["body"], HasSubstr(mark));
  EXPECT_EQ(sink->LookUpFor(delivery).method, "GET");
  EXPECT_THAT(sink->LookUpFor(delivery).url, HasSubstr("/repos/acme/ops/issues?state=all"));
  const SinkLookUp found = sink->Found(
      delivery,
      Replied(200, R"([{"number": 6, "body": null}, {"number": 7, "body": ")" + mark + "\"}]"));
  EXPECT_EQ(found.answer, SinkLookUp::Answer::kArrived);
  EXPECT_EQ(found.receipt, "7");
  EXPECT_EQ(sink->Found(delivery, Replied(200, "[]")).answer, SinkLookUp::Answer::kMissing);
  EXPECT_EQ(sink->Found(delivery, Replied(200, "<html>")).answer, SinkLookUp::Answer::kUnreadable);
  std::string full = "[{}";
  for (int i = 1; i < 50; ++i) full += ",{}";
  EXPECT_EQ(sink->Found(delivery, Replied(200, full + "]")).answer, SinkLookUp::Answer::kUnknown);
  delivery = MakeDelivery(NotificationAction::kUpdate, 3, FullIncident());
  delivery.receipt = "7";
  EXPECT_THAT(sink->LookUpFor(delivery).url, HasSubstr("/issues/7/comments?"));
  delivery.action = NotificationAction::kResolve;
  EXPECT_FALSE(sink->RenderLookUp(delivery).has_value()) << "closing it twice does no harm";
}

TEST(Github, WaitsWhereItIsToldTo) {
  const std::unique_ptr<Sink> sink = Github();
  ASSERT_NE(sink, nullptr);
  SinkReply limited = Replied(403, "secondary rate limit");
  EXPECT_EQ(sink->Judge(limited), SendOutcome::kRefused);
  limited.retry_after_ms = 60'000;
  EXPECT_EQ(sink->Judge(limited), SendOutcome::kRetry);
  EXPECT_THAT(StanzaErrors("{name: t, kind: github, repository: acme}"),
              AllOf(HasSubstr("expected owner/name"), HasSubstr("token_file")));
}

std::unique_ptr<Sink> Gitlab() {
  const SecretFile token("glpat-sesame\n");
  return MakeSink(
      "{name: t, kind: gitlab, project: acme/web/ops, labels: [incident, tocsin], url: "
      "'https://git.example/', token_file: " +
      token.path() + "}");
}

TEST(Gitlab, AnIncidentIsAnIssueThatTheEndCloses) {
  const std::unique_ptr<Sink> sink = Gitlab();
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 3, incident);
  SinkRequest request = sink->Render(delivery);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://git.example/api/v4/projects/acme%2Fweb%2Fops/issues");
  EXPECT_THAT(request.headers, testing::Contains(Pair("PRIVATE-TOKEN", "glpat-sesame")));
  std::map<std::string, std::string> body = Parse(request.body);
  EXPECT_EQ(body["title"], "SEV2 INC-2026-001: 42 % of requests fail");
  EXPECT_EQ(body["labels"], "incident,tocsin");
  EXPECT_THAT(body["description"], HasSubstr("Suspect: deploy v2"));
  EXPECT_EQ(sink->ReceiptOf(Replied(201, R"({"id": 84, "iid": 14})")), "14");
  EXPECT_EQ(sink->ReceiptOf(Replied(201, R"({"id": 302, "noteable_iid": 14})")), "") << "a note";

  delivery = MakeDelivery(NotificationAction::kUpdate, 3, incident);
  delivery.receipt = "14";
  request = sink->Render(delivery);
  EXPECT_EQ(request.url, "https://git.example/api/v4/projects/acme%2Fweb%2Fops/issues/14/notes");
  EXPECT_EQ(Parse(request.body).count("title"), 0u);

  incident.state = IncidentState::kResolved;
  incident.resolved_at = incident.onset + kHourUs;
  delivery = MakeDelivery(NotificationAction::kResolve, 3, incident);
  delivery.receipt = "14";
  request = sink->Render(delivery);
  EXPECT_EQ(request.method, "PUT");
  EXPECT_EQ(request.url, "https://git.example/api/v4/projects/acme%2Fweb%2Fops/issues/14");
  body = Parse(request.body);
  EXPECT_EQ(body["state_event"], "close");
  EXPECT_THAT(body["description"],
              AllOf(HasSubstr("resolved after 60 min"), HasSubstr("1. Look at the last deploy")));
}

TEST(Gitlab, TextsAreNoMarkupNoMentionAndNoCommand) {
  const std::unique_ptr<Sink> sink = Gitlab();
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  incident.title = "/close";
  incident.advice = {"ask @root ~bug"};
  const std::string body = Parse(
      sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, incident)).body)["description"];
  EXPECT_THAT(body, HasSubstr("@\u200Broot \\~bug"));
  EXPECT_THAT(StanzaErrors("{name: t, kind: gitlab, project: '/acme?'}"),
              AllOf(HasSubstr("expected its path or number"), HasSubstr("token_file")));
}

std::unique_ptr<Sink> Jira(const std::string& more) {
  const SecretFile token("sesame\n");
  return MakeSink(
      "{name: t, kind: jira, project: OPS, labels: [incident], url: "
      "'https://acme.example/', token_file: " +
      token.path() + more + "}");
}

TEST(Jira, AnIncidentIsAnIssueThatATransitionEnds) {
  const std::unique_ptr<Sink> sink =
      Jira(", user: bot@acme.example, done: \"31\", issue_type: Bug");
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 3, incident);
  SinkRequest request = sink->Render(delivery);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://acme.example/rest/api/2/issue");
  // bot@acme.example:sesame
  EXPECT_THAT(request.headers,
              testing::Contains(Pair("Authorization", "Basic Ym90QGFjbWUuZXhhbXBsZTpzZXNhbWU=")));
  std::map<std::string, std::string> body = Parse(request.body);
  EXPECT_EQ(body["fields.summary"], "SEV2 INC-2026-001: 42 % of requests fail");
  EXPECT_EQ(body["fields.project.key"], "OPS");
  EXPECT_EQ(body["fields.issuetype.name"], "Bug");
  EXPECT_EQ(body["fields.labels[0]"], "incident");
  EXPECT_THAT(body["fields.description"], HasSubstr("Suspect: deploy v2"));
  EXPECT_EQ(sink->ReceiptOf(Replied(201, R"({"id": "10000", "key": "OPS-24"})")), "OPS-24");
  EXPECT_EQ(sink->ReceiptOf(Replied(201, R"({"id": "10000"})")), "") << "a comment";
  EXPECT_EQ(sink->ReceiptOf(Replied(204, "")), "") << "a transition";
  EXPECT_EQ(sink->ReceiptOf(Replied(201, R"({"key": "../../admin"})")), "");

  delivery = MakeDelivery(NotificationAction::kUpdate, 3, incident);
  delivery.receipt = "OPS-24";
  request = sink->Render(delivery);
  EXPECT_EQ(request.url, "https://acme.example/rest/api/2/issue/OPS-24/comment");
  EXPECT_THAT(Parse(request.body)["body"], HasSubstr("42 % of requests fail"));

  incident.state = IncidentState::kResolved;
  incident.resolved_at = incident.onset + kHourUs;
  delivery = MakeDelivery(NotificationAction::kResolve, 3, incident);
  delivery.receipt = "OPS-24";
  request = sink->Render(delivery);
  EXPECT_EQ(request.url, "https://acme.example/rest/api/2/issue/OPS-24/transitions");
  body = Parse(request.body);
  EXPECT_EQ(body["transition.id"], "31");
  EXPECT_THAT(body["update.comment[0].add.body"], HasSubstr("resolved after 60 min"));

  const std::unique_ptr<Sink> own = Jira("");
  ASSERT_NE(own, nullptr);
  request = own->Render(delivery);
  EXPECT_THAT(request.headers, testing::Contains(Pair("Authorization", "Bearer sesame")));
  EXPECT_EQ(request.url, "https://acme.example/rest/api/2/issue/OPS-24/comment");
}

TEST(Jira, TextsAreNoMarkupAndMentionNobody) {
  const std::unique_ptr<Sink> sink = Jira("");
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  incident.advice = {"ask [~admin] {panel} !x.png! *now*"};
  const std::string body =
      Parse(sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, incident))
                .body)["fields.description"];
  EXPECT_THAT(body, HasSubstr("\\[\\~admin\\] \\{panel\\} \\!x.png\\! \\*now\\*"));
  EXPECT_THAT(
      StanzaErrors("{name: t, kind: jira, url: 'https://a.example', project: ops, done: Done}"),
      AllOf(HasSubstr("expected the key of a project"), HasSubstr("the id of a transition"),
            HasSubstr("token_file")));
}

TEST(Registry, ASinkMayHaveWordsOfItsOwnWhereItUsesAny) {
  const SecretFile token("glpat-sesame");
  const std::unique_ptr<Sink> sink = MakeSink(
      "{name: t, kind: gitlab, project: a/b, templates: {internal: {declared: 'ours: "
      "{{title}}'}}, token_file: " +
      token.path() + "}");
  ASSERT_NE(sink, nullptr);
  const SinkRequest request =
      sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, FullIncident()));
  EXPECT_THAT(Parse(request.body)["description"], HasSubstr("ours: 42 % of requests fail"));
  EXPECT_THAT(StanzaErrors("{name: t, kind: gitlab, project: a, templates: {internal: {declared: "
                           "'{{titel}}'}}}"),
              HasSubstr("{{titel}} is an unknown field"));
  EXPECT_THAT(StanzaErrors("{name: o, kind: stdout, templates: {internal: {}}}"),
              HasSubstr("unknown key 'templates'"));
}

TEST(Kafka, ARecordHasTheIncidentAsItsKey) {
  const SecretFile password("sesame");
  const std::unique_ptr<Sink> sink = MakeSink(
      "{name: k, kind: kafka, brokers: [a:9092, b:9092], topic: incidents, properties: "
      "{sasl.username: me}, sasl_password_file: " +
      password.path() + "}");
  ASSERT_NE(sink, nullptr);
  const Incident incident = FullIncident();
  const Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 2, incident);
  const SinkRequest request = sink->Render(delivery);
  EXPECT_EQ(request.kind, SinkRequest::Kind::kKafka);
  EXPECT_EQ(request.url, "a:9092,b:9092");
  EXPECT_EQ(request.kafka.topic, "incidents");
  EXPECT_EQ(request.kafka.key, incident.id.Hex());
  EXPECT_THAT(request.kafka.properties,
              ElementsAre(Pair("sasl.password", "sesame"), Pair("sasl.username", "me")));
  EXPECT_THAT(request.headers, testing::Contains(Pair("idempotency-key", delivery.id.Hex())));
  EXPECT_EQ(Parse(request.body)["action"], "trigger");
  EXPECT_THAT(StanzaErrors("{name: k, kind: kafka, properties: {sasl.password: sesame}}"),
              AllOf(HasSubstr("'brokers' is missing"), HasSubstr("'topic'"),
                    HasSubstr("sasl.password must not be written in the configuration"),
                    Not(HasSubstr("sesame"))));
}

constexpr const char* kMail =
    "{name: m, kind: email, server: 'smtp://mail:587', from: tocsin@example.com, to: "
    "[a@example.com, "
    "b@example.com]}";

TEST(Email, IsAMessageInTheConversationOfItsIncident) {
  const std::unique_ptr<Sink> sink = MakeSink(kMail);
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  const Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 2, incident);
  const SinkRequest request = sink->Render(delivery);
  EXPECT_EQ(request.kind, SinkRequest::Kind::kMail);
  EXPECT_EQ(request.mail.from, "tocsin@example.com");
  EXPECT_THAT(request.mail.to, ElementsAre("a@example.com", "b@example.com"));
  EXPECT_TRUE(request.mail.tls);
  const std::string id = HashBytes("42 % of requests fail").Hex();
  EXPECT_THAT(request.body,
              AllOf(HasSubstr("From: tocsin <tocsin@example.com>\r\n"),
                    HasSubstr("To: a@example.com,\r\n b@example.com\r\n"),
                    HasSubstr("Message-ID: <" + delivery.id.Hex() + "@example.com>\r\n"),
                    HasSubstr("References: <" + id + "@example.com>\r\n")));
  // SEV2 INC-2026-001: 42 % of requests fail
  EXPECT_THAT(
      request.body,
      HasSubstr("Subject: "
                "=?UTF-8?B?U0VWMiBJTkMtMjAyNi0wMDE6IDQyICUgb2YgcmVxdWVzdHMgZmFpbA==?=\r\n"));
  const std::size_t body = request.body.find("\r\n\r\n") + 4;
  std::string text;
  std::string packed = request.body.substr(body);
  packed.erase(std::remove_if(packed.begin(), packed.end(), [](char c) { return c < ' '; }),
               packed.end());
  ASSERT_TRUE(absl::Base64Unescape(packed, &text));
  EXPECT_THAT(text, AllOf(testing::StartsWith("Since 2026-03-01 21:05:00 UTC"),
                          HasSubstr("Suspect: deploy v2")));
  EXPECT_EQ(sink->Render(MakeDelivery(NotificationAction::kResolve, 2, incident)).kind,
            SinkRequest::Kind::kNone)
      << "replaced by a higher level";
}

TEST(Email, JudgesBySmtp) {
  const std::unique_ptr<Sink> sink = MakeSink(kMail);
  ASSERT_NE(sink, nullptr);
  EXPECT_EQ(sink->Judge(Replied(250, "")), SendOutcome::kDelivered);
  EXPECT_EQ(sink->Judge(Replied(421, "")), SendOutcome::kRetry);
  EXPECT_EQ(sink->Judge(Replied(550, "")), SendOutcome::kRefused);
  EXPECT_EQ(sink->Judge(Replied(0, "")), SendOutcome::kRetry);
}

TEST(Email, RefusesWhatIsNoAddressOrServer) {
  EXPECT_THAT(StanzaErrors("{name: m, kind: email, server: 'http://h', from: me, to: []}"),
              AllOf(HasSubstr("expected smtp://HOST:PORT"), HasSubstr("from: expected an address"),
                    HasSubstr("to: expected 1 to 50")));
  EXPECT_THAT(StanzaErrors("name: m\nkind: email\nserver: 'smtp://h'\nfrom: a@b\n"
                           "to: [\"x@y>\\r\\nRCPT TO:<z@z\"]\nuser: u\n"),
              AllOf(HasSubstr("is not a valid address"), HasSubstr("go together")));
}

std::unique_ptr<Sink> Statuspage() {
  const SecretFile token("sesame");
  return MakeSink("{name: s, kind: statuspage, page: p1, components: {api: c9}, token_file: " +
                  token.path() + "}");
}

TEST(Statuspage, CustomersReadTheirWordsAndTheEnd) {
  const std::unique_ptr<Sink> sink = Statuspage();
  ASSERT_NE(sink, nullptr);
  Incident incident = FullIncident();
  SinkRequest request = sink->Render(MakeDelivery(NotificationAction::kTrigger, 2, incident));
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, "https://api.statuspage.io/v1/pages/p1/incidents");
  EXPECT_THAT(request.headers, testing::Contains(Pair("Authorization", "OAuth sesame")));
  std::map<std::string, std::string> body = Parse(request.body);
  EXPECT_EQ(body["incident.name"], "Investigating errors in our service");
  EXPECT_EQ(body["incident.status"], "investigating");
  EXPECT_EQ(body["incident.impact_override"], "major");
  EXPECT_EQ(body["incident.component_ids[0]"], "c9");
  EXPECT_EQ(body["incident.components.c9"], "partial_outage");
  EXPECT_THAT(body["incident.body"], testing::StartsWith("Some users of our service"));
  EXPECT_THAT(request.body,
              AllOf(Not(HasSubstr("api-errors")), Not(HasSubstr("42 %")), Not(HasSubstr("INC-"))));
  EXPECT_EQ(sink->ReceiptOf(Replied(201, R"({"id": "p31zjtct2jer"})")), "p31zjtct2jer");
  EXPECT_EQ(sink->ReceiptOf(Replied(201, R"({"id": "../x"})")), "");

  EXPECT_EQ(sink->Render(MakeDelivery(NotificationAction::kUpdate, 2, incident)).kind,
            SinkRequest::Kind::kNone)
      << "never opened";
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 1, incident);
  delivery.receipt = "p31zjtct2jer";
  request = sink->Render(delivery);
  EXPECT_EQ(request.method, "PATCH");
  EXPECT_EQ(request.url, "https://api.statuspage.io/v1/pages/p1/incidents/p31zjtct2jer");
  EXPECT_EQ(Parse(request.body)["incident.impact_override"], "critical");
  delivery = MakeDelivery(NotificationAction::kResolve, 2, incident);
  delivery.receipt = "p31zjtct2jer";
  EXPECT_EQ(sink->Render(delivery).kind, SinkRequest::Kind::kNone) << "only a level's page ends";
  incident.state = IncidentState::kResolved;
  incident.resolved_at = incident.onset + kHourUs;
  delivery = MakeDelivery(NotificationAction::kResolve, 1, incident);
  delivery.receipt = "p31zjtct2jer";
  body = Parse(sink->Render(delivery).body);
  EXPECT_EQ(body["incident.status"], "resolved");
  EXPECT_EQ(body["incident.components.c9"], "operational");
  EXPECT_FALSE(sink->Wants(NotificationAction::kAcknowledge));
}

TEST(Statuspage, ShowsNothingThatItCannotRead) {
  const std::unique_ptr<Sink> sink = Statuspage();
  ASSERT_NE(sink, nullptr);
  Delivery broken = MakeDelivery(NotificationAction::kTrigger, 1, FullIncident());
  broken.payload = "{";
  EXPECT_EQ(sink->Render(broken).kind, SinkRequest::Kind::kNone);
  EXPECT_THAT(StanzaErrors("{name: s, kind: statuspage, page: 'a/b', components: [x]}"),
              AllOf(HasSubstr("page: expected the id"), HasSubstr("components: expected a map")));
}

TEST(Stdout, WritesOneLine) {
  const std::unique_ptr<Sink> json = MakeSink("{name: c, kind: stdout}");
  const std::unique_ptr<Sink> text = MakeSink("{name: c, kind: stdout, format: text}");
  ASSERT_NE(json, nullptr);
  ASSERT_NE(text, nullptr);
  Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 2, FullIncident());
  EXPECT_EQ(text->Render(delivery).kind, SinkRequest::Kind::kStdout);
  EXPECT_EQ(text->Render(delivery).body,
            "TRIGGER level 2 (SEV2) INC-2026-001 prod api: 42 % of requests fail, since "
            "2026-03-01T21:05:00Z, users affected: 42");
  EXPECT_EQ(Parse(json->Render(delivery).body).count("repeat"), 0u);
  delivery.may_repeat = true;
  EXPECT_THAT(text->Render(delivery).body, HasSubstr(" (repeat)"));
  EXPECT_EQ(Parse(json->Render(delivery).body)["repeat"], "true");
}

TEST(File, RendersTheLinesOfStdoutForItsPath) {
  const Delivery delivery = MakeDelivery(NotificationAction::kTrigger, 2, FullIncident());
  for (const std::string format : {"json", "text"}) {
    const std::unique_ptr<Sink> file =
        MakeSink("{name: r, kind: file, path: /var/log/x.jsonl, format: " + format + "}");
    const std::unique_ptr<Sink> console =
        MakeSink("{name: c, kind: stdout, format: " + format + "}");
    ASSERT_NE(file, nullptr);
    const SinkRequest request = file->Render(delivery);
    EXPECT_EQ(request.kind, SinkRequest::Kind::kFile);
    EXPECT_EQ(request.url, "/var/log/x.jsonl");
    EXPECT_EQ(request.body, console->Render(delivery).body);
    EXPECT_FALSE(file->pages());
  }
  EXPECT_THAT(StanzaErrors("{name: r, kind: file}"), HasSubstr("path: expected the file"));
}

TEST(Registry, EveryKindHasAStanzaInTheExample) {
  ErrorList errors;
  const std::optional<Config> config = LoadConfig("config/examples/sinks.yaml", &errors);
  ASSERT_TRUE(config.has_value());
  std::vector<std::string> kinds;
  for (const SinkConfig& sink : config->sinks) kinds.push_back(sink.kind);
  EXPECT_THAT(kinds, testing::UnorderedElementsAreArray(SinkKinds()));
}

TEST(Judge, ByStatus) {
  const std::unique_ptr<Sink> sink = MakeSink("{name: c, kind: stdout}");
  const auto judge = [&](int status) {
    SinkReply reply;
    reply.status = status;
    return sink->Judge(reply);
  };
  for (const int status : {200, 202, 204}) EXPECT_EQ(judge(status), SendOutcome::kDelivered);
  for (const int status : {0, 429, 500, 503, 599}) EXPECT_EQ(judge(status), SendOutcome::kRetry);
  for (const int status : {100, 301, 400, 401, 403, 404, 410, 422}) {
    EXPECT_EQ(judge(status), SendOutcome::kRefused);
  }
}

TEST(Describe, IsShortAndWithoutSecrets) {
  const std::unique_ptr<Sink> sink = PagerDuty();
  SinkReply reply;
  reply.status = 400;
  EXPECT_EQ(sink->Describe(reply), "HTTP 400");
  reply.body = "{\"errors\":[\"bad key " + std::string(kKey) + "\"]}\n";
  EXPECT_EQ(sink->Describe(reply), "HTTP 400: {\"errors\":[\"bad key (secret)\"]}");
  reply.body = std::string(10'000, 'x') + kKey;
  EXPECT_THAT(sink->Describe(reply), AllOf(SizeIs(300), Not(HasSubstr("R0123"))));
  reply.status = 0;
  EXPECT_EQ(sink->Describe(reply), "no answer");
  reply.error = "connection refused";
  EXPECT_EQ(sink->Describe(reply), "connection refused");
}

}  // namespace
}  // namespace tocsin
